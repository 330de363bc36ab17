//! Whether an e-mail address is known to be its user's; and of the outbox the receipt of the larger act,
//! and the order in which what nobody took is found.

use sea_orm_migration::prelude::*;

use crate::column::{index, instant_null, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// "What has waited longest", of all that was not delivered.
const UNDELIVERED: &str = "ix_outbox_undelivered";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            ("users", instant_null("email_verified_at")),
            ("outbox", uuid_null("receipt_id")),
        ] {
            let table = Table::alter().table(table).add_column(column).take();
            manager.alter_table(table).await?;
        }
        manager
            .create_index(
                index("outbox", &["due_at"])
                    .name(UNDELIVERED)
                    .cond_where(Expr::col("delivered_at").is_null())
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_index(Index::drop().name(UNDELIVERED).to_owned())
            .await?;
        for (table, column) in [("outbox", "receipt_id"), ("users", "email_verified_at")] {
            let table = Table::alter().table(table).drop_column(column).take();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
