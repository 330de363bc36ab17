//! The installation's secrets, sealed with the master key, and the counts of failed attempts.

use sea_orm_migration::prelude::*;

use crate::column::{bytes, index, instant, instant_null, text};

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
                    .table("sealed_keys")
                    .col(ColumnDef::new("id").text().not_null().primary_key())
                    .col(text("purpose"))
                    .col(bytes("sealed"))
                    .col(instant("created_at"))
                    .col(instant_null("retired_at"))
                    .take(),
            )
            .await?;
        // At most one key of a purpose is in use: two nodes that start at once cannot each make
        // their own.
        manager
            .create_index(
                Index::create()
                    .name("ux_sealed_keys_in_use")
                    .table("sealed_keys")
                    .col("purpose")
                    .unique()
                    .cond_where(Expr::col("retired_at").is_null())
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("throttles")
                    .col(ColumnDef::new("key").text().not_null().primary_key())
                    .col(ColumnDef::new("failures").integer().not_null())
                    .col(instant("blocked_until"))
                    .col(instant("updated_at"))
                    .take(),
            )
            .await?;
        manager
            .create_index(index("throttles", &["updated_at"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["throttles", "sealed_keys"] {
            manager
                .drop_table(Table::drop().table(table).take())
                .await?;
        }
        Ok(())
    }
}
