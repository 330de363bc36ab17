//! Trimming the change list, so that it holds the last minutes and not all there ever was.
//!
//! A change may be deleted once every reader had time to see it, which begins when its transaction
//! ends and not when the row is written. So a trimmer takes a mark now, below which every
//! transaction has ended, and deletes what lies below it when the mark is old enough.

use std::collections::VecDeque;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbErr, Statement};

use crate::store::change_list::KEPT;
use crate::store::{Store, StoreError, statement};

/// Changes deleted by one statement.
const BATCH: i64 = 5_000;

/// Takes marks and deletes what lies below the old ones.
#[derive(Debug, Default)]
pub struct Trimmer {
    marks: VecDeque<(Duration, i64)>,
}

impl Trimmer {
    /// Takes a mark at `since_boot` and deletes what is older than the list goes back. Returns how
    /// many changes were deleted.
    pub async fn trim(&mut self, store: &Store, since_boot: Duration) -> Result<u64, StoreError> {
        self.marks
            .push_back((since_boot, store.change_mark().await?));
        let mut below = None;
        while let Some((_, mark)) = self
            .marks
            .pop_front_if(|(taken, _)| *taken + KEPT <= since_boot)
        {
            below = Some(mark);
        }
        match below {
            Some(mark) => store.delete_changes_below(mark).await,
            None => Ok(0),
        }
    }
}

impl Store {
    /// All changes of ended transactions, and some others, lie at or above it; all of later ones do.
    async fn change_mark(&self) -> Result<i64, StoreError> {
        let sql = if self.is_embedded() {
            "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'session_changes'), 0) \
             + 1 AS mark"
        } else {
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS mark"
        };
        self.read(async |db| {
            let question = Statement::from_string(self.backend(), sql);
            let row = db.query_one_raw(question).await?;
            row.ok_or_else(|| DbErr::RecordNotFound(sql.to_owned()))?
                .try_get("", "mark")
        })
        .await
    }

    async fn delete_changes_below(&self, mark: i64) -> Result<u64, StoreError> {
        let below = if self.is_embedded() {
            "id < $1"
        } else {
            "transaction_id < $1::bigint::text::xid8"
        };
        let sql = format!(
            "DELETE FROM session_changes WHERE id IN \
             (SELECT id FROM session_changes WHERE {below} LIMIT {BATCH})"
        );
        let mut total = 0;
        loop {
            let delete = statement(self.backend(), sql.as_str(), [mark.into()]);
            let deleted = self.inner.writer.execute_raw(delete).await?.rows_affected();
            total += deleted;
            if deleted < BATCH.unsigned_abs() {
                return Ok(total);
            }
        }
    }
}
