//! Who did what. No foreign keys: the record outlives the people and sessions it names.

use sea_orm_migration::prelude::*;

use crate::column::{index, instant, text, text_null, uuid_key, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("audit_events")
                    .col(uuid_key("id"))
                    .col(instant("at"))
                    .col(text("action"))
                    .col(text("actor_kind"))
                    .col(uuid_null("actor_id"))
                    .col(uuid_null("subject_id"))
                    .col(uuid_null("session_id"))
                    .col(text_null("ip"))
                    .col(text_null("reason"))
                    .col(text_null("detail"))
                    .take(),
            )
            .await?;
        manager
            .create_index(index("audit_events", &["actor_id", "id"]))
            .await?;
        manager
            .create_index(index("audit_events", &["subject_id", "id"]))
            .await?;
        manager
            .create_index(index("audit_events", &["action", "id"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("audit_events").take())
            .await
    }
}
