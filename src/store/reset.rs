//! What only the command line of the host asks for: to empty the tables, and the database's time.

use chrono::{DateTime, Utc};
use entity::{
    audit_events, hourly_figures, organizations, outbox, refresh_tokens, sessions, throttles,
    users, verification_tokens,
};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Statement};

use crate::store::{Store, StoreError, Transaction};

/// How much was deleted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Emptied {
    /// Users.
    pub users: u64,
    /// Sessions, live and ended.
    pub sessions: u64,
    /// Organisations.
    pub organizations: u64,
    /// Audit events.
    pub audit_events: u64,
}

impl Transaction {
    /// Deletes every row but those of the sealed keys. The next check of every session asks the
    /// tables, and finds its user gone.
    pub async fn delete_everything(&mut self) -> Result<Emptied, StoreError> {
        self.forget_everyone();
        let db = self.connection();
        verification_tokens::Entity::delete_many().exec(db).await?;
        throttles::Entity::delete_many().exec(db).await?;
        refresh_tokens::Entity::delete_many().exec(db).await?;
        outbox::Entity::delete_many().exec(db).await?;
        hourly_figures::Entity::delete_many().exec(db).await?;
        // Roles, memberships and accounts go with their users.
        Ok(Emptied {
            sessions: sessions::Entity::delete_many()
                .exec(db)
                .await?
                .rows_affected,
            users: users::Entity::delete_many().exec(db).await?.rows_affected,
            organizations: organizations::Entity::delete_many()
                .exec(db)
                .await?
                .rows_affected,
            audit_events: audit_events::Entity::delete_many()
                .exec(db)
                .await?
                .rows_affected,
        })
    }
}

impl Store {
    /// What time the database has.
    pub async fn database_time(&self) -> Result<DateTime<Utc>, StoreError> {
        self.read(async |db| {
            let sql = "SELECT CURRENT_TIMESTAMP AS now";
            let question = Statement::from_string(db.get_database_backend(), sql);
            let row = db.query_one_raw(question).await?;
            row.ok_or_else(|| DbErr::RecordNotFound(sql.to_owned()))?
                .try_get("", "now")
        })
        .await
    }
}
