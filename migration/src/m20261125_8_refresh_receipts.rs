//! Refresh tokens know whether the answer that they were handed out in has arrived, and when and to
//! whom it was given.
//!
//! Of tokens that are there already nothing of this is known: they count as arrived.

use sea_orm_migration::prelude::*;

use crate::column::{index, instant_null, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// "The token of this session whose answer is awaited", of which there are few.
const AWAITED: &str = "ix_refresh_tokens_awaited";

/// "The oldest addresses that are still kept", at most one for each session.
const GIVEN: &str = "ix_refresh_tokens_given_at";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One by one: SQLite adds no two columns at once.
        for column in [
            ColumnDef::new("awaited_receipt").integer().null().take(),
            instant_null("given_at"),
            text_null("given_ip"),
        ] {
            let table = Table::alter()
                .table("refresh_tokens")
                .add_column(column)
                .take();
            manager.alter_table(table).await?;
        }
        manager
            .create_index(
                index("refresh_tokens", &["session_id", "awaited_receipt"])
                    .name(AWAITED)
                    .cond_where(Expr::col("awaited_receipt").is_not_null())
                    .take(),
            )
            .await?;
        manager
            .create_index(
                index("refresh_tokens", &["given_at"])
                    .name(GIVEN)
                    .cond_where(Expr::col("given_ip").is_not_null())
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in [GIVEN, AWAITED] {
            manager
                .drop_index(Index::drop().name(name).to_owned())
                .await?;
        }
        for column in ["given_ip", "given_at", "awaited_receipt"] {
            let table = Table::alter()
                .table("refresh_tokens")
                .drop_column(column)
                .take();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
