//! How the store fails.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use crate::entropy::EntropyError;

/// Why the store did not do what it was asked. The messages never hold a value of a column; the
/// cause is for the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot answer now: gone, locked, out of connections, too slow, or without its tables.
    /// Nobody is signed out for that.
    #[error("the database does not answer")]
    Unavailable(#[source] Option<DbErr>),
    /// A row with that unique value is there already.
    #[error("there is one already")]
    Conflict,
    /// The row that a new row should belong to is gone.
    #[error("what it belongs to is gone")]
    ParentGone,
    /// A row holds what no code of this version writes.
    #[error("a row of `{0}` cannot be read")]
    Corrupt(&'static str),
    /// No identifier or key could be made.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Conflict,
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Self::ParentGone,
            _ => Self::Unavailable(Some(error)),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        DbErr::Query(RuntimeErr::SqlxError(error.into())).into()
    }
}
