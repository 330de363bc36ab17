//! Counting what happened in a span of time, at a cost that grows with what happened in it alone.
//!
//! A session was opened at the instant that its id begins with, and ended at `ended_at`; both have an
//! index. Sessions that were deleted with their user are counted by their audit events, which outlive
//! them. Those that an administrator opened as somebody else are not counted.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::rules::figures::{Dimension, Kind, Row, Tally};
use crate::store::StoreError;
use crate::store::figures::source::{Source, halves};
use crate::store::figures::{Snapshot, time_of, unsigned};

pub use crate::store::figures::source::Span;

/// Rows that one question adds up, so that none takes long however much happened.
const SLICE: u64 = 20_000;

/// Why a session ended, whoever wrote that down.
const REASON: &str = "COALESCE(s.end_reason, 'unknown')";

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

impl Snapshot {
    /// What happened in a span: sessions opened and ended by everything that they are counted by, and
    /// sign-ins refused.
    pub async fn count(&self, span: Span) -> Result<Tallies, StoreError> {
        let mut tallies = Tallies::new();
        self.add_sessions(Source::Created, span, &mut tallies)
            .await?;
        self.add_sessions(Source::Ended, span, &mut tallies).await?;
        for gone in self.gone(Source::Openings, span).await? {
            add_gone(Kind::Created, &gone.reason, Tally::of(1), &mut tallies);
        }
        for gone in self.gone(Source::Ends, span).await? {
            let secs = secs_between(gone.opened_at, gone.at);
            let tally = Tally {
                count: 1,
                sum_secs: secs,
                longest_secs: secs,
            };
            add_gone(Kind::Ended, "", tally, &mut tallies);
            let by_reason = Dimension::Reason;
            add(Kind::Ended, by_reason, gone.reason, tally, &mut tallies);
        }
        let sql = format!("SELECT COUNT(*) FROM {}", Source::Failures.rows());
        let failed = self.number(sql, Source::Failures.values(span)).await?;
        let (kind, all) = (Source::Failures.kind(), String::new());
        add(kind, Dimension::All, all, Tally::of(failed), &mut tallies);
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
        for source in [
            Source::Created,
            Source::Ended,
            Source::Openings,
            Source::Ends,
            Source::Failures,
        ] {
            if self.some(source, span, at_most).await? > at_most {
                return Ok(None);
            }
        }
        let mut all = Vec::new();
        let created = Source::Created;
        let sql = format!("SELECT s.id AS id FROM {}", created.rows());
        for row in self.ask(sql, created.values(span)).await? {
            let at = time_of(row.try_get("", "id")?);
            all.push(Happening::Created { at });
        }
        for gone in self.gone(Source::Openings, span).await? {
            all.push(Happening::Created { at: gone.opened_at });
        }
        let ended = Source::Ended;
        let sql = format!(
            "SELECT s.created_at AS opened_at, s.ended_at AS at, {REASON} AS reason FROM {}",
            ended.rows()
        );
        let mut ends = self.gone(Source::Ends, span).await?;
        for row in self.ask(sql, ended.values(span)).await? {
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
        let failures = Source::Failures;
        let sql = format!("SELECT e.id AS id FROM {}", failures.rows());
        for row in self.ask(sql, failures.values(span)).await? {
            let at = time_of(row.try_get("", "id")?);
            all.push(Happening::SignInFailed { at });
        }
        Ok(Some(all))
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
            Source::Ended => (self.secs(), REASON),
            Source::Created
            | Source::Live(_)
            | Source::Openings
            | Source::Ends
            | Source::Failures => ("0", "''"),
        };
        let numbers = format!(
            "COUNT(*) AS count, CAST(COALESCE(SUM({secs}), 0) AS BIGINT) AS sum_secs, \
             CAST(COALESCE(MAX({secs}), 0) AS BIGINT) AS longest_secs"
        );
        let sql = format!(
            "SELECT s.organization_id AS organization, s.amr AS method, {reason} AS reason, {numbers} \
             FROM {} GROUP BY s.organization_id, s.amr, 3",
            source.rows()
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
        // A row for each role, and one for a user without any.
        let with_roles = "sessions AS s LEFT JOIN user_roles AS r ON r.user_id = s.user_id WHERE";
        let sql = format!(
            "SELECT COALESCE(r.role, '') AS role, {numbers} FROM {} GROUP BY 1",
            source.rows().replacen("sessions AS s WHERE", with_roles, 1)
        );
        for row in self.ask(sql, source.values(slice)).await? {
            let role = row.try_get("", "role")?;
            add(kind, Dimension::Role, role, tally(&row)?, tallies);
        }
        Ok(())
    }

    /// The span in pieces of which each holds a bounded number of rows; empty ones are left out.
    async fn slices(&self, source: Source, span: Span) -> Result<Vec<Span>, StoreError> {
        let (mut open, mut found) = (vec![span], Vec::new());
        while let Some(span) = open.pop() {
            let count = self.some(source, span, SLICE).await?;
            match halves(span) {
                _ if count == 0 => {}
                Some(halves) if count > SLICE => open.extend(halves),
                Some(_) | None => found.push(span),
            }
        }
        Ok(found)
    }

    /// How many rows there are in a span, but at most one more than `at_most`.
    async fn some(&self, source: Source, span: Span, at_most: u64) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM {} LIMIT {}) AS few",
            source.rows(),
            at_most + 1
        );
        self.number(sql, source.values(span)).await
    }

    /// Acts on sessions that are not there any more.
    async fn gone(&self, source: Source, span: Span) -> Result<Vec<Gone>, StoreError> {
        let sql = format!(
            "SELECT e.session_id AS id, e.at AS at, COALESCE(e.reason, '') AS reason FROM {} \
             AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.id = e.session_id)",
            source.rows()
        );
        let mut gone = Vec::new();
        for slice in self.slices(source, span).await? {
            for row in self.ask(sql.clone(), source.values(slice)).await? {
                gone.push(Gone {
                    opened_at: time_of(row.try_get("", "id")?),
                    at: row.try_get("", "at")?,
                    reason: row.try_get("", "reason")?,
                });
            }
        }
        Ok(gone)
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

fn secs_between(opened_at: DateTime<Utc>, ended_at: DateTime<Utc>) -> u64 {
    unsigned(ended_at.timestamp() - opened_at.timestamp())
}
