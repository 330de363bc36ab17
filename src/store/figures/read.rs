//! Reading figures: what was laid of each hour, and what is so little that it is counted at each look.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use crate::rules::figures::{Dimension, Hour, Kind, Level, Row, Tally, believed_until};
use crate::store::figures::count::Tallies;
use crate::store::figures::{Snapshot, time_of, unsigned};
use crate::store::{COUNTED, StoreError};

/// Not ended, within both limits (at `$1`), and the user's own.
const LIVE: &str = "s.ended_at IS NULL AND s.idle_expires_at > $1 AND s.expires_at > $1 \
                    AND s.impersonator_id IS NULL";

/// The rows that say of hours when they were counted. What a clock that was ahead has counted of
/// hours to come, or says to have counted later than now, is not believed.
const COUNTED_FROM: &str =
    "kind = $1 AND dimension = $2 AND hour >= $3 AND hour <= $4 AND counted_at <= $5";

/// Hours that were counted and not settled are fewer, unless nobody has counted for long.
const UNSETTLED: u64 = 100;

/// What was laid of some hours together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sum {
    /// Which hours: the first that were asked for are 0.
    pub place: usize,
    /// What was counted. Nodes are not told apart.
    pub row: Row,
    /// How much.
    pub tally: Tally,
}

/// How much there was in an hour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Measured {
    /// Of what.
    pub kind: Kind,
    /// In which hour.
    pub hour: Hour,
    /// How much, and when in it.
    pub level: Level,
}

impl Snapshot {
    /// When the first thing happened of which anything is left.
    pub async fn first_event(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut first: Option<DateTime<Utc>> = None;
        for table in ["audit_events", "sessions"] {
            let sql = format!("SELECT id FROM {table} ORDER BY id LIMIT 1");
            let rows = self.ask(sql, Vec::new()).await?;
            if let Some(row) = rows.first() {
                let at = time_of(row.try_get_by_index(0)?);
                first = Some(first.map_or(at, |first| first.min(at)));
            }
        }
        Ok(first)
    }

    /// The last of the hours that need no further count from this one on without a gap; none if
    /// this one does.
    pub async fn settled(
        &self,
        oldest: Hour,
        now: DateTime<Utc>,
    ) -> Result<Option<Hour>, StoreError> {
        // Up to the first gap, the distance of an hour to its place stays the same.
        let sql = format!(
            "SELECT MAX(hour) FROM (SELECT hour, hour - ROW_NUMBER() OVER (ORDER BY hour) AS run \
             FROM hourly_figures WHERE {COUNTED_FROM} AND settled) AS hours WHERE run = $3 - 1"
        );
        let rows = self.ask(sql, counted_from(oldest, now)).await?;
        let hour = rows.first().map(|row| row.try_get_by_index(0));
        let hour: Option<i64> = hour.transpose()?.flatten();
        Ok(hour.map(Hour))
    }

    /// The hours from this one on that need no further count, in their order.
    pub async fn settled_from(
        &self,
        hour: Hour,
        now: DateTime<Utc>,
    ) -> Result<Vec<Hour>, StoreError> {
        let sql = format!(
            "SELECT hour FROM hourly_figures WHERE {COUNTED_FROM} AND settled ORDER BY hour"
        );
        let rows = self.ask(sql, counted_from(hour, now)).await?;
        rows.iter()
            .map(|row| Ok(Hour(row.try_get("", "hour")?)))
            .collect()
    }

    /// The hours from this one on that were counted, in their order, and when.
    pub async fn counted_from(
        &self,
        hour: Hour,
        now: DateTime<Utc>,
    ) -> Result<Vec<(Hour, DateTime<Utc>)>, StoreError> {
        let sql = format!(
            "SELECT hour, counted_at FROM hourly_figures WHERE {COUNTED_FROM} \
             ORDER BY hour LIMIT {UNSETTLED}"
        );
        let rows = self.ask(sql, counted_from(hour, now)).await?;
        rows.iter()
            .map(|row| {
                let hour = Hour(row.try_get("", "hour")?);
                Ok((hour, row.try_get("", "counted_at")?))
            })
            .collect()
    }

    /// What was laid from an hour on, `step` hours together, up to and with `last`; of what nodes
    /// count, up to now.
    pub async fn sums(&self, from: Hour, step: i64, last: Hour) -> Result<Vec<Sum>, StoreError> {
        let mut sums = Vec::new();
        let of_all = [
            (Kind::Created, Dimension::All),
            (Kind::Ended, Dimension::All),
            (Kind::Ended, Dimension::Reason),
            (Kind::SignInFailed, Dimension::All),
        ];
        let of_nodes = [
            (Kind::Checks, Dimension::Node),
            (Kind::Loads, Dimension::Node),
        ];
        for (kinds, member, last) in [
            (of_all.as_slice(), "member", last),
            (of_nodes.as_slice(), "''", Hour(i64::MAX)),
        ] {
            // One question for each, so that each is a range of the key.
            let each = kinds.iter().map(|(kind, dimension)| {
                format!(
                    "SELECT '{kind}' AS kind, '{dimension}' AS dimension, {member} AS member, \
                     (hour - $1) / $2 AS place, CAST(SUM(count) AS BIGINT) AS count, \
                     CAST(SUM(sum_secs) AS BIGINT) AS sum_secs, \
                     CAST(MAX(longest_secs) AS BIGINT) AS longest_secs FROM hourly_figures \
                     WHERE kind = '{kind}' AND dimension = '{dimension}' AND hour >= $1 AND hour <= $3 \
                     GROUP BY 3, 4",
                    kind = kind.code(),
                    dimension = dimension.code()
                )
            });
            let sql = each.collect::<Vec<_>>().join(" UNION ALL ");
            let values = vec![from.0.into(), step.into(), last.0.into()];
            for row in self.ask(sql, values).await? {
                let place: i64 = row.try_get("", "place")?;
                let Some(key) = key(&row)? else { continue };
                sums.push(Sum {
                    place: usize::try_from(place).unwrap_or_default(),
                    row: key,
                    tally: Tally {
                        count: number(&row, "count")?,
                        sum_secs: number(&row, "sum_secs")?,
                        longest_secs: number(&row, "longest_secs")?,
                    },
                });
            }
        }
        Ok(sums)
    }

    /// How much there was of each kind in each hour from this one on, up to and with `last`, in their
    /// order.
    pub async fn measured(
        &self,
        kinds: &[Kind],
        from: Hour,
        last: Hour,
    ) -> Result<Vec<Measured>, StoreError> {
        let each = kinds.iter().map(|kind| {
            format!(
                "SELECT kind, hour, count, counted_at FROM hourly_figures \
                 WHERE kind = '{}' AND dimension = 'all' AND hour >= $1 AND hour <= $2",
                kind.code()
            )
        });
        let sql = format!(
            "{} ORDER BY hour",
            each.collect::<Vec<_>>().join(" UNION ALL ")
        );
        let mut measured = Vec::new();
        for row in self.ask(sql, vec![from.0.into(), last.0.into()]).await? {
            let kind: String = row.try_get("", "kind")?;
            let Some(kind) = Kind::from_code(&kind) else {
                continue;
            };
            measured.push(Measured {
                kind,
                hour: Hour(row.try_get("", "hour")?),
                level: Level {
                    count: number(&row, "count")?,
                    at: row.try_get("", "counted_at")?,
                },
            });
        }
        Ok(measured)
    }

    /// Live sessions as last measured up to the end of this hour, however long ago.
    pub async fn last_live(&self, last: Hour) -> Result<Option<Level>, StoreError> {
        let sql = "SELECT count, counted_at FROM hourly_figures WHERE kind = $1 \
                   AND dimension = 'all' AND hour <= $2 ORDER BY hour DESC LIMIT 1";
        let values = vec![Kind::Live.code().into(), last.0.into()];
        let rows = self.ask(sql, values).await?;
        let level = rows.first().map(|row| {
            Ok(Level {
                count: number(row, "count")?,
                at: row.try_get("", "counted_at")?,
            })
        });
        level.transpose()
    }

    /// What was laid of organisations, roles and methods from an hour on, up to and with `last`.
    pub async fn of_members(&self, from: Hour, last: Hour) -> Result<Tallies, StoreError> {
        let kinds = [Kind::Created, Kind::Ended];
        self.members(&kinds, from, last).await
    }

    /// Live sessions of organisations, roles and methods, as last measured since this hour and up to
    /// the end of `last`.
    pub async fn live_of_members(&self, since: Hour, last: Hour) -> Result<Tallies, StoreError> {
        let census = self.measured(&[Kind::Users], since, last).await?;
        match census.last() {
            Some(census) => self.members(&[Kind::Live], census.hour, census.hour).await,
            None => Ok(Tallies::new()),
        }
    }

    async fn members(&self, kinds: &[Kind], from: Hour, last: Hour) -> Result<Tallies, StoreError> {
        let mut tallies = Tallies::new();
        let by = [Dimension::Organization, Dimension::Role, Dimension::Method];
        let pairs = kinds
            .iter()
            .flat_map(|kind| by.map(|dimension| (kind.code(), dimension.code())));
        let each = pairs.map(|(kind, dimension)| {
            format!(
                "SELECT '{kind}' AS kind, '{dimension}' AS dimension, member, \
                 CAST(SUM(count) AS BIGINT) AS count FROM hourly_figures \
                 WHERE kind = '{kind}' AND dimension = '{dimension}' AND hour >= $1 AND hour <= $2 \
                 GROUP BY member"
            )
        });
        let sql = each.collect::<Vec<_>>().join(" UNION ALL ");
        for row in self.ask(sql, vec![from.0.into(), last.0.into()]).await? {
            if let Some(key) = key(&row)? {
                tallies.insert(key, Tally::of(number(&row, "count")?));
            }
        }
        Ok(tallies)
    }

    /// Live sessions and the users they belong to; none if there are more than are counted.
    pub async fn few_live(&self, now: DateTime<Utc>) -> Result<Option<(u64, u64)>, StoreError> {
        let sql = format!(
            "SELECT COUNT(*) AS sessions, COUNT(DISTINCT user_id) AS users FROM \
             (SELECT s.user_id AS user_id FROM sessions AS s WHERE {LIVE} LIMIT {}) AS few",
            COUNTED + 1
        );
        let rows = self.ask(sql, vec![now.into()]).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let (sessions, users) = (number(row, "sessions")?, number(row, "users")?);
        Ok((sessions <= COUNTED).then_some((sessions, users)))
    }

    /// Users, and those of them who are disabled, each counted no further than [`COUNTED`] and one.
    pub async fn some_users(&self) -> Result<(u64, u64), StoreError> {
        let count = |condition: &str| {
            format!(
                "SELECT COUNT(*) FROM (SELECT u.id FROM users AS u {condition} LIMIT {}) AS few",
                COUNTED + 1
            )
        };
        let users = self.number(count(""), Vec::new()).await?;
        let disabled = count("WHERE u.disabled_at IS NOT NULL");
        Ok((users, self.number(disabled, Vec::new()).await?))
    }

    /// All users, and those of them who are disabled, however many there are.
    pub async fn all_users(&self) -> Result<(u64, u64), StoreError> {
        let users = "SELECT COUNT(*) FROM users";
        let disabled = "SELECT COUNT(*) FROM users WHERE disabled_at IS NOT NULL";
        Ok((
            self.number(users, Vec::new()).await?,
            self.number(disabled, Vec::new()).await?,
        ))
    }

    /// Sessions that have not ended and the users they belong to, however many there are: right after
    /// those past a limit were ended, these are the live ones. Asked of indexes alone.
    pub async fn open_sessions(&self) -> Result<(u64, u64), StoreError> {
        let count = async |sql: &str| self.number(sql, Vec::new()).await;
        let sessions = count("SELECT COUNT(*) FROM sessions AS s WHERE s.ended_at IS NULL").await?;
        let users = "SELECT COUNT(*) FROM (SELECT DISTINCT s.user_id FROM sessions AS s \
                     WHERE s.ended_at IS NULL) AS users";
        let users = count(users).await?;
        // Those of administrators looking on, which are few, are taken away again. Told apart here: to
        // tell them apart in its own way, SQLite passes all live sessions in the order of their users.
        let looking =
            "FROM sessions AS s WHERE s.impersonator_id IS NOT NULL AND s.ended_at IS NULL";
        let impersonations = count(&format!("SELECT COUNT(*) {looking}")).await?;
        let only_looked_on = format!(
            "SELECT s.user_id AS id {looking} AND NOT EXISTS \
             (SELECT 1 FROM sessions AS own WHERE own.user_id = s.user_id AND own.ended_at IS NULL \
              AND own.impersonator_id IS NULL)"
        );
        let rows = self.ask(only_looked_on, Vec::new()).await?;
        let only_looked_on: BTreeSet<Uuid> = rows
            .iter()
            .map(|row| row.try_get("", "id"))
            .collect::<Result<_, _>>()?;
        let only_looked_on = only_looked_on.len() as u64;
        Ok((
            sessions.saturating_sub(impersonations),
            users.saturating_sub(only_looked_on),
        ))
    }

    /// The names of these organisations; of those that are gone there is none.
    pub async fn organization_names(
        &self,
        ids: &[Uuid],
    ) -> Result<BTreeMap<Uuid, String>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let places: Vec<String> = (1..=ids.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT id, name FROM organizations WHERE id IN ({})",
            places.join(", ")
        );
        let values = ids.iter().map(|id| Value::from(*id)).collect();
        let rows = self.ask(sql, values).await?;
        rows.iter()
            .map(|row| Ok((row.try_get("", "id")?, row.try_get("", "name")?)))
            .collect()
    }
}

/// The values of the parameters in [`COUNTED_FROM`].
fn counted_from(hour: Hour, now: DateTime<Utc>) -> Vec<Value> {
    let (kind, dimension) = super::SPEAKER;
    vec![
        kind.code().into(),
        dimension.code().into(),
        hour.0.into(),
        Hour::of(now).0.into(),
        believed_until(now).into(),
    ]
}

/// None if a later version has written it, which knows more kinds.
fn key(row: &QueryResult) -> Result<Option<Row>, StoreError> {
    let code = |name| row.try_get::<String>("", name);
    let kind = Kind::from_code(&code("kind")?);
    let dimension = Dimension::from_code(&code("dimension")?);
    let member = code("member")?;
    Ok(kind.zip(dimension).map(|(kind, dimension)| Row {
        kind,
        dimension,
        member,
    }))
}

fn number(row: &QueryResult, name: &str) -> Result<u64, StoreError> {
    Ok(unsigned(row.try_get("", name)?))
}
