//! Who does what only one node shall do, and the order in which old rows are found.

use sea_orm_migration::prelude::*;

use crate::column::{index, instant, text};

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
                    .table("leases")
                    .col(ColumnDef::new("name").text().not_null().primary_key())
                    .col(text("holder"))
                    .col(instant("expires_at"))
                    .take(),
            )
            .await?;
        // Only of rotated ones: nobody looks for others by it.
        manager
            .create_index(
                index("refresh_tokens", &["consumed_at"])
                    .cond_where(Expr::col("consumed_at").is_not_null())
                    .take(),
            )
            .await?;
        manager
            .create_index(index("verification_tokens", &["expires_at"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in [
            "ix_verification_tokens_expires_at",
            "ix_refresh_tokens_consumed_at",
        ] {
            manager
                .drop_index(Index::drop().name(index).to_owned())
                .await?;
        }
        manager
            .drop_table(Table::drop().table("leases").take())
            .await
    }
}
