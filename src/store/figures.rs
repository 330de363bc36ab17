//! Figures over time: the rows of each hour.
//!
//! Writing them stands here, counting in [`count`], reading in [`read`]. Counting and reading look at
//! one moment of the tables, a [`Snapshot`]. Every row holds an absolute number and says when it was
//! counted: laying it twice, or by two nodes at once, changes nothing.

pub mod count;
pub mod read;
mod source;

use chrono::{DateTime, Utc};
use entity::hourly_figures::{ActiveModel, Column, Entity};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    AccessMode, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction,
    DbBackend, EntityTrait, IsolationLevel, QueryFilter, QueryResult, TransactionOptions,
    TransactionTrait, Value,
};

use crate::rules::figures::{Dimension, Hour, Kind, Row, Tally, believed_until};
use crate::store::{PATIENCE, Store, StoreError, Transaction, statement};

/// What there is one of.
const KEY: [Column; 4] = [
    Column::Kind,
    Column::Dimension,
    Column::Hour,
    Column::Member,
];

/// What is counted of an hour once it is over.
const COUNTED_KINDS: [Kind; 3] = [Kind::Created, Kind::Ended, Kind::SignInFailed];

/// The row that speaks for the count of its hour.
const SPEAKER: (Kind, Dimension) = (Kind::Created, Dimension::All);

/// An hour, counted.
#[derive(Clone, Debug)]
pub struct HourCount {
    /// The hour.
    pub hour: Hour,
    /// When; everything of the hour before this instant was looked at.
    pub counted_at: DateTime<Utc>,
    /// Was this the last count that it needs?
    pub settled: bool,
    /// What was counted.
    pub rows: Vec<(Row, Tally)>,
}

/// What is measured seldom, since it takes long where there is much.
#[derive(Clone, Debug)]
pub struct Census {
    /// Users.
    pub users: u64,
    /// Of these, disabled.
    pub disabled_users: u64,
    /// Live sessions by organisation, role and method.
    pub live: Vec<(Row, Tally)>,
}

impl Transaction {
    /// Lays the figures of an hour in place of those of an earlier count, or of one that a clock far
    /// ahead of this act's has dated. False if a later count is there.
    pub async fn write_hour(&mut self, count: HourCount) -> Result<bool, StoreError> {
        let (hour, at) = (count.hour, count.counted_at);
        let speaks = |row: &Row| (row.kind, row.dimension) == SPEAKER;
        let (spoken, rows): (Vec<_>, Vec<_>) =
            count.rows.into_iter().partition(|(row, _)| speaks(row));
        let all = spoken.first().map_or(0, |(_, tally)| tally.count);
        let nobodys = model(
            &all_of(SPEAKER.0),
            hour,
            Tally::default(),
            DateTime::UNIX_EPOCH,
        );
        let now = self.now;
        let db = self.connection();
        Entity::insert(nobodys)
            .on_conflict(OnConflict::columns(KEY).do_nothing().to_owned())
            .exec_without_returning(db)
            .await?;
        let is_speaker = Condition::all()
            .add(Column::Kind.eq(SPEAKER.0.code()))
            .add(Column::Dimension.eq(SPEAKER.1.code()));
        let earlier = Condition::any()
            .add(Column::CountedAt.lte(at))
            .add(Column::CountedAt.gt(believed_until(now)));
        // Whoever comes second waits here for the first.
        let taken = Entity::update_many()
            .col_expr(Column::Count, Expr::value(signed(all)))
            .col_expr(Column::CountedAt, Expr::value(at))
            .col_expr(Column::Settled, Expr::value(count.settled))
            .filter(is_speaker.clone())
            .filter(Column::Hour.eq(hour.0))
            .filter(earlier)
            .exec(db)
            .await?;
        if taken.rows_affected == 0 {
            return Ok(false);
        }
        Entity::delete_many()
            .filter(Column::Kind.is_in(COUNTED_KINDS.map(Kind::code)))
            .filter(Column::Dimension.is_in(Dimension::ALL.iter().map(|by| by.code())))
            .filter(Column::Hour.eq(hour.0))
            .filter(is_speaker.not())
            .exec(db)
            .await?;
        let rows = rows
            .into_iter()
            .map(|(row, tally)| model(&row, hour, tally, at));
        self.insert_figures(rows.collect()).await?;
        Ok(true)
    }

    /// Notes how much there is at the instant of this act: the latest wins.
    pub async fn write_level(&mut self, kind: Kind, count: u64) -> Result<(), StoreError> {
        let later = held(Column::CountedAt).lte(new(Column::CountedAt));
        self.lay(kind, count, later).await
    }

    /// Notes how much there is at the instant of this act, if it is more than anybody noted in its
    /// hour.
    pub async fn write_peak(&mut self, kind: Kind, count: u64) -> Result<(), StoreError> {
        let more = held(Column::Count).lt(new(Column::Count));
        self.lay(kind, count, more).await
    }

    /// Notes what a node has counted in an hour, all of it so far: the greater number is the later.
    pub async fn write_of_node(
        &mut self,
        hour: Hour,
        kind: Kind,
        node: &str,
        count: u64,
    ) -> Result<(), StoreError> {
        let row = Row {
            kind,
            dimension: Dimension::Node,
            member: node.to_owned(),
        };
        let row = model(&row, hour, Tally::of(count), self.now);
        let more = held(Column::Count).lt(new(Column::Count));
        self.lay_row(row, more).await
    }

    /// Lays a census of an hour. False if there is one.
    pub async fn write_census(&mut self, hour: Hour, census: Census) -> Result<bool, StoreError> {
        let now = self.now;
        let level = |kind, count| model(&all_of(kind), hour, Tally::of(count), now);
        let laid = Entity::insert(level(Kind::Users, census.users))
            .on_conflict(OnConflict::columns(KEY).do_nothing().to_owned())
            .exec_without_returning(self.connection())
            .await?;
        if laid == 0 {
            return Ok(false);
        }
        let live = census.live.into_iter();
        let mut rows: Vec<_> = live
            .map(|(row, tally)| model(&row, hour, tally, now))
            .collect();
        rows.push(level(Kind::DisabledUsers, census.disabled_users));
        self.insert_figures(rows).await?;
        Ok(true)
    }

    async fn lay(&mut self, kind: Kind, count: u64, instead: Expr) -> Result<(), StoreError> {
        let row = all_of(kind);
        let row = model(&row, Hour::of(self.now), Tally::of(count), self.now);
        self.lay_row(row, instead).await
    }

    async fn lay_row(&mut self, row: ActiveModel, instead: Expr) -> Result<(), StoreError> {
        let replace = OnConflict::columns(KEY)
            .update_columns([Column::Count, Column::CountedAt])
            .action_and_where(instead)
            .to_owned();
        Entity::insert(row)
            .on_conflict(replace)
            .exec_without_returning(self.connection())
            .await?;
        Ok(())
    }

    async fn insert_figures(&mut self, rows: Vec<ActiveModel>) -> Result<(), StoreError> {
        if !rows.is_empty() {
            Entity::insert_many(rows)
                .exec_without_returning(self.connection())
                .await?;
        }
        Ok(())
    }
}

/// The row of all there is of a kind.
fn all_of(kind: Kind) -> Row {
    Row {
        kind,
        dimension: Dimension::All,
        member: String::new(),
    }
}

fn held(column: Column) -> Expr {
    Expr::col((Entity, column))
}

fn new(column: Column) -> Expr {
    Expr::col(("excluded", column))
}

fn model(row: &Row, hour: Hour, tally: Tally, counted_at: DateTime<Utc>) -> ActiveModel {
    ActiveModel {
        kind: Set(row.kind.code().to_owned()),
        dimension: Set(row.dimension.code().to_owned()),
        hour: Set(hour.0),
        member: Set(row.member.clone()),
        count: Set(signed(tally.count)),
        sum_secs: Set(signed(tally.sum_secs)),
        longest_secs: Set(signed(tally.longest_secs)),
        counted_at: Set(counted_at),
        settled: Set(false),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// One moment of the tables: whatever is asked of it, nothing happens in between.
#[derive(Debug)]
pub struct Snapshot {
    inner: DatabaseTransaction,
}

impl Store {
    /// The tables as they are now.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        // SQLite has no other isolation, and knows no name for it.
        let options = if self.is_embedded() {
            TransactionOptions::default()
        } else {
            TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            }
        };
        let inner = self
            .read(async |db| db.begin_with_options(options).await)
            .await?;
        Ok(Snapshot { inner })
    }
}

impl Snapshot {
    /// Has seen enough. Dropped without, as after a question that failed, it is closed in the
    /// background, and nobody waits for that.
    pub async fn close(self) -> Result<(), StoreError> {
        match tokio::time::timeout(PATIENCE, self.inner.rollback()).await {
            Ok(closed) => Ok(closed?),
            Err(_) => Err(StoreError::Unavailable(None)),
        }
    }

    fn is_embedded(&self) -> bool {
        self.inner.get_database_backend() == DbBackend::Sqlite
    }

    async fn ask(
        &self,
        sql: impl Into<String>,
        values: Vec<Value>,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let question = statement(self.inner.get_database_backend(), sql, values);
        match tokio::time::timeout(PATIENCE, self.inner.query_all_raw(question)).await {
            Ok(rows) => Ok(rows?),
            Err(_) => Err(StoreError::Unavailable(None)),
        }
    }

    async fn number(&self, sql: impl Into<String>, values: Vec<Value>) -> Result<u64, StoreError> {
        let rows = self.ask(sql, values).await?;
        let number = rows.first().map(|row| row.try_get_by_index::<i64>(0));
        Ok(unsigned(number.transpose()?.unwrap_or_default()))
    }
}

/// Identifiers begin with their time, so their index is an index by time.
pub(super) fn first_id_at(at: DateTime<Utc>) -> uuid::Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// The instant with which an identifier begins, to the millisecond.
pub(super) fn time_of(id: uuid::Uuid) -> DateTime<Utc> {
    let millis = i64::try_from(id.as_u128() >> 80).unwrap_or_default();
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}
