//! Counting what happened in a span of time, at a cost that grows with what happened in it alone.
//!
//! A session was opened at the instant that its id begins with, and ended at `ended_at`; both have an
//! index. Sessions that were deleted with their user are counted by their audit events, which outlive
//! them. Those that an administrator opened as somebody else are not counted.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::Value;
use uuid::Uuid;

use crate::rules::audit::Action;
use crate::rules::end_reason::EndReason;
use crate::rules::figures::{Dimension, Kind, Row, Tally};
use crate::store::StoreError;
use crate::store::figures::{Snapshot, first_id_at, time_of, unsigned};

/// Rows that one question adds up, so that none takes long however much happened.
const SLICE: u64 = 20_000;

/// Between the instant that a new session's id begins with and that of its audit event lies less.
const SIGN_IN: TimeDelta = TimeDelta::minutes(5);

/// From an instant up to another, without it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// From here on.
    pub from: DateTime<Utc>,
    /// Up to here.
    pub to: DateTime<Utc>,
}

/// What was counted.
pub type Tallies = BTreeMap<Row, Tally>;

/// What happened, one by one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Happening {
    /// A session was opened.
    Created {
        /// When.
        at: DateTime<Utc>,
    },
    /// A session ended.
    Ended {
        /// When.
        at: DateTime<Utc>,
        /// Why, as code.
        reason: String,
        /// How long it had lasted, in seconds.
        secs: u64,
    },
    /// A sign-in was refused.
    SignInFailed {
        /// When.
        at: DateTime<Utc>,
    },
}

/// A session of which nothing but its audit event is left.
struct Gone {
    opened_at: DateTime<Utc>,
    at: DateTime<Utc>,
    reason: String,
}

/// Which sessions are counted.
#[derive(Clone, Copy, Debug)]
enum Source {
    Created,
    Ended,
    /// Opened in the span, and live at the instant.
    Live(DateTime<Utc>),
}

impl Source {
    fn kind(self) -> Kind {
        match self {
            Self::Created => Kind::Created,
            Self::Ended => Kind::Ended,
            Self::Live(_) => Kind::Live,
        }
    }

    fn condition(self) -> &'static str {
        match self {
            Self::Created => "s.impersonator_id IS NULL AND s.id >= $1 AND s.id < $2",
            Self::Ended => "s.impersonator_id IS NULL AND s.ended_at >= $1 AND s.ended_at < $2",
            Self::Live(_) => {
                "s.impersonator_id IS NULL AND s.id >= $1 AND s.id < $2 AND s.ended_at IS NULL \
                 AND s.idle_expires_at > $3 AND s.expires_at > $3"
            }
        }
    }

    fn values(self, span: Span) -> Vec<Value> {
        let ids = || vec![first_id_at(span.from).into(), first_id_at(span.to).into()];
        match self {
            Self::Created => ids(),
            Self::Ended => vec![span.from.into(), span.to.into()],
            Self::Live(at) => {
                let mut values: Vec<Value> = ids();
                values.push(at.into());
                values
            }
        }
    }
}

impl Snapshot {
    /// What happened in a span: sessions opened and ended by everything that they are counted by, and
    /// sign-ins refused.
    pub async fn count(&self, span: Span) -> Result<Tallies, StoreError> {
        let mut tallies = Tallies::new();
        self.add_sessions(Source::Created, span, &mut tallies)
            .await?;
        self.add_sessions(Source::Ended, span, &mut tallies).await?;
        for gone in self.gone(Action::SignedIn, span, u64::MAX >> 1).await? {
            add_gone(Kind::Created, &gone.reason, Tally::of(1), &mut tallies);
        }
        for gone in self.gone(Action::SessionEnded, span, u64::MAX >> 1).await? {
            let secs = secs_between(gone.opened_at, gone.at);
            let tally = Tally {
                count: 1,
                sum_secs: secs,
                longest_secs: secs,
            };
            add_gone(Kind::Ended, "", tally, &mut tallies);
            add(
                Kind::Ended,
                Dimension::Reason,
                gone.reason,
                tally,
                &mut tallies,
            );
        }
        let sql = "SELECT COUNT(*) FROM audit_events AS e \
                   WHERE e.action = $1 AND e.id >= $2 AND e.id < $3";
        let failed = self.number(sql, failures(span)).await?;
        let all = String::new();
        add(
            Kind::SignInFailed,
            Dimension::All,
            all,
            Tally::of(failed),
            &mut tallies,
        );
        Ok(tallies)
    }

    /// Sessions that are live at an instant, by organisation, role and method.
    pub async fn live_by_member(&self, at: DateTime<Utc>) -> Result<Tallies, StoreError> {
        let mut tallies = Tallies::new();
        let sql = "SELECT id FROM sessions WHERE ended_at IS NULL ORDER BY id LIMIT 1";
        let oldest = self.ask(sql, Vec::new()).await?;
        let Some(oldest) = oldest.first() else {
            return Ok(tallies);
        };
        let span = Span {
            from: time_of(oldest.try_get_by_index(0)?),
            to: at + TimeDelta::days(1),
        };
        self.add_sessions(Source::Live(at), span, &mut tallies)
            .await?;
        tallies.retain(|row, _| row.dimension != Dimension::All);
        Ok(tallies)
    }

    /// What happened in a span, one by one and in no order; none if more than `at_most` of one kind.
    pub async fn happened(
        &self,
        span: Span,
        at_most: u64,
    ) -> Result<Option<Vec<Happening>>, StoreError> {
        let limit = format!("LIMIT {}", at_most + 1);
        let mut all = Vec::new();
        let created = Source::Created;
        let sql = format!(
            "SELECT s.id AS id FROM sessions AS s WHERE {} {limit}",
            created.condition()
        );
        for row in self.ask(sql, created.values(span)).await? {
            let at = time_of(row.try_get("", "id")?);
            all.push(Happening::Created { at });
        }
        for gone in self.gone(Action::SignedIn, span, at_most + 1).await? {
            all.push(Happening::Created { at: gone.opened_at });
        }
        let ended = Source::Ended;
        let sql = format!(
            "SELECT s.created_at AS opened_at, s.ended_at AS at, \
             COALESCE(s.end_reason, '') AS reason FROM sessions AS s WHERE {} {limit}",
            ended.condition()
        );
        let rows = self.ask(sql, ended.values(span)).await?;
        let mut ends = self.gone(Action::SessionEnded, span, at_most + 1).await?;
        for row in rows {
            ends.push(Gone {
                opened_at: row.try_get("", "opened_at")?,
                at: row.try_get("", "at")?,
                reason: row.try_get("", "reason")?,
            });
        }
        all.extend(ends.into_iter().map(|end| Happening::Ended {
            at: end.at,
            secs: secs_between(end.opened_at, end.at),
            reason: end.reason,
        }));
        let sql = format!(
            "SELECT e.id AS id FROM audit_events AS e \
             WHERE e.action = $1 AND e.id >= $2 AND e.id < $3 {limit}"
        );
        for row in self.ask(sql, failures(span)).await? {
            let at = time_of(row.try_get("", "id")?);
            all.push(Happening::SignInFailed { at });
        }
        let too_many = |of: fn(&Happening) -> bool| {
            all.iter().filter(|happening| of(happening)).count() as u64 > at_most
        };
        let any = too_many(|h| matches!(h, Happening::Created { .. }))
            || too_many(|h| matches!(h, Happening::Ended { .. }))
            || too_many(|h| matches!(h, Happening::SignInFailed { .. }));
        Ok((!any).then_some(all))
    }

    async fn add_sessions(
        &self,
        source: Source,
        span: Span,
        tallies: &mut Tallies,
    ) -> Result<(), StoreError> {
        for slice in self.slices(source, span).await? {
            self.add_slice(source, slice, tallies).await?;
        }
        Ok(())
    }

    async fn add_slice(
        &self,
        source: Source,
        slice: Span,
        tallies: &mut Tallies,
    ) -> Result<(), StoreError> {
        let kind = source.kind();
        let (secs, reason) = match source {
            Source::Ended => (self.secs(), "COALESCE(s.end_reason, '')"),
            Source::Created | Source::Live(_) => ("0", "''"),
        };
        let numbers = format!(
            "COUNT(*) AS count, CAST(COALESCE(SUM({secs}), 0) AS BIGINT) AS sum_secs, \
             CAST(COALESCE(MAX({secs}), 0) AS BIGINT) AS longest_secs"
        );
        let sql = format!(
            "SELECT s.organization_id AS organization, s.amr AS method, {reason} AS reason, {numbers} \
             FROM sessions AS s WHERE {} GROUP BY s.organization_id, s.amr, 3",
            source.condition()
        );
        for row in self.ask(sql, source.values(slice)).await? {
            let organization: Option<Uuid> = row.try_get("", "organization")?;
            let organization = organization.map_or_else(String::new, |id| id.to_string());
            let (method, reason): (String, String) =
                (row.try_get("", "method")?, row.try_get("", "reason")?);
            let tally = tally(&row)?;
            add(kind, Dimension::All, String::new(), tally, tallies);
            add(kind, Dimension::Organization, organization, tally, tallies);
            add(kind, Dimension::Method, method, tally, tallies);
            if matches!(source, Source::Ended) {
                add(kind, Dimension::Reason, reason, tally, tallies);
            }
        }
        let sql = format!(
            "SELECT COALESCE(r.role, '') AS role, {numbers} FROM sessions AS s \
             LEFT JOIN user_roles AS r ON r.user_id = s.user_id WHERE {} GROUP BY 1",
            source.condition()
        );
        for row in self.ask(sql, source.values(slice)).await? {
            let role = row.try_get("", "role")?;
            add(kind, Dimension::Role, role, tally(&row)?, tallies);
        }
        Ok(())
    }

    /// The span in pieces of which each holds a bounded number of sessions; empty ones are left out.
    async fn slices(&self, source: Source, span: Span) -> Result<Vec<Span>, StoreError> {
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM sessions AS s WHERE {} LIMIT {}) AS few",
            source.condition(),
            SLICE + 1
        );
        let (mut open, mut found) = (vec![span], Vec::new());
        while let Some(span) = open.pop() {
            let count = self.number(sql.clone(), source.values(span)).await?;
            match halves(span) {
                _ if count == 0 => {}
                Some(halves) if count > SLICE => open.extend(halves),
                Some(_) | None => found.push(span),
            }
        }
        Ok(found)
    }

    /// Acts on sessions that are not there any more.
    async fn gone(
        &self,
        action: Action,
        span: Span,
        at_most: u64,
    ) -> Result<Vec<Gone>, StoreError> {
        let mut values: Vec<Value> = vec![action.code().into(), first_id_at(span.from).into()];
        let only = if action == Action::SignedIn {
            // As where they are there: by the session's own time.
            values.push(first_id_at(span.to + SIGN_IN).into());
            values.extend(Source::Created.values(span));
            "AND e.session_id >= $4 AND e.session_id < $5"
        } else {
            values.push(first_id_at(span.to).into());
            let impersonations = [EndReason::ImpersonationStopped, EndReason::ImpersonatorGone];
            values.extend(impersonations.map(|reason| reason.code().into()));
            "AND e.reason <> $4 AND e.reason <> $5"
        };
        let sql = format!(
            "SELECT e.session_id AS id, e.at AS at, COALESCE(e.reason, '') AS reason \
             FROM audit_events AS e WHERE e.action = $1 AND e.id >= $2 AND e.id < $3 \
             AND e.session_id IS NOT NULL {only} \
             AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.id = e.session_id) LIMIT {at_most}"
        );
        let rows = self.ask(sql, values).await?;
        rows.iter()
            .map(|row| {
                Ok(Gone {
                    opened_at: time_of(row.try_get("", "id")?),
                    at: row.try_get("", "at")?,
                    reason: row.try_get("", "reason")?,
                })
            })
            .collect()
    }

    /// How long an ended session lasted: from the second in which it was opened to that of its end.
    fn secs(&self) -> &'static str {
        if self.is_embedded() {
            // Read whole, fractions would be rounded.
            "MAX(0, strftime('%s', substr(s.ended_at, 1, 19)) \
             - strftime('%s', substr(s.created_at, 1, 19)))"
        } else {
            "GREATEST(0, FLOOR(EXTRACT(EPOCH FROM s.ended_at)) \
             - FLOOR(EXTRACT(EPOCH FROM s.created_at)))"
        }
    }
}

fn tally(row: &sea_orm::QueryResult) -> Result<Tally, StoreError> {
    let number = |name| row.try_get::<i64>("", name).map(unsigned);
    Ok(Tally {
        count: number("count")?,
        sum_secs: number("sum_secs")?,
        longest_secs: number("longest_secs")?,
    })
}

fn add(kind: Kind, dimension: Dimension, member: String, tally: Tally, tallies: &mut Tallies) {
    let row = Row {
        kind,
        dimension,
        member,
    };
    tallies.entry(row).or_default().add(tally);
}

/// In which organisation it was, and which roles its user had, nobody knows any more.
fn add_gone(kind: Kind, method: &str, tally: Tally, tallies: &mut Tallies) {
    add(kind, Dimension::All, String::new(), tally, tallies);
    add(kind, Dimension::Organization, String::new(), tally, tallies);
    add(kind, Dimension::Role, String::new(), tally, tallies);
    add(kind, Dimension::Method, method.to_owned(), tally, tallies);
}

fn failures(span: Span) -> Vec<Value> {
    vec![
        Action::SignInFailed.code().into(),
        first_id_at(span.from).into(),
        first_id_at(span.to).into(),
    ]
}

fn secs_between(opened_at: DateTime<Utc>, ended_at: DateTime<Utc>) -> u64 {
    unsigned(ended_at.timestamp() - opened_at.timestamp())
}

/// None for a span that cannot be halved: identifiers tell milliseconds.
fn halves(span: Span) -> Option<[Span; 2]> {
    let half = (span.to - span.from).num_milliseconds() / 2;
    let middle = span.from + TimeDelta::milliseconds(half);
    (half > 0).then_some([
        Span {
            from: span.from,
            to: middle,
        },
        Span {
            from: middle,
            to: span.to,
        },
    ])
}
