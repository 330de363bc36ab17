//! What a one-time link is about, beside its user: a session, or an address to be confirmed.

use sea_orm_migration::prelude::*;

use crate::column::{text_null, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "verification_tokens";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for mut column in [uuid_null("session_id"), text_null("email")] {
            manager
                .alter_table(Table::alter().table(TABLE).add_column(&mut column).take())
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["email", "session_id"] {
            manager
                .alter_table(Table::alter().table(TABLE).drop_column(column).take())
                .await?;
        }
        Ok(())
    }
}
