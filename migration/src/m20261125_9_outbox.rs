//! What others are still to be told of. No foreign keys: it outlives the people and sessions it names.

use sea_orm_migration::prelude::*;

use crate::column::{index, instant, instant_null, text, text_null, uuid, uuid_key, uuid_null};

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
                    .table("outbox")
                    .col(uuid_key("id"))
                    .col(uuid("event_id"))
                    .col(text("consumer"))
                    .col(uuid_null("target"))
                    .col(instant("at"))
                    .col(text("action"))
                    .col(text("actor_kind"))
                    .col(uuid_null("actor_id"))
                    .col(uuid_null("subject_id"))
                    .col(uuid_null("session_id"))
                    .col(text_null("ip"))
                    .col(text_null("reason"))
                    .col(text_null("detail"))
                    .col(text_null("address"))
                    .col(uuid_null("link_id"))
                    .col(ColumnDef::new("attempts").integer().not_null())
                    .col(instant("due_at"))
                    .col(instant_null("delivered_at"))
                    .col(instant_null("dead_at"))
                    .col(text_null("last_error"))
                    .take(),
            )
            .await?;
        // What is delivered or given up costs whoever looks for work nothing.
        let waiting = Expr::col("delivered_at")
            .is_null()
            .and(Expr::col("dead_at").is_null());
        for mut index in [
            part("waiting", &["consumer", "due_at"], waiting),
            part("dead", &["id"], Expr::col("dead_at").is_not_null()),
            part(
                "delivered",
                &["delivered_at"],
                Expr::col("delivered_at").is_not_null(),
            ),
        ] {
            manager.create_index(index.take()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("outbox").take())
            .await
    }
}

/// An index over some of the rows.
fn part(name: &str, columns: &[&'static str], condition: Expr) -> IndexCreateStatement {
    index("outbox", columns)
        .name(format!("ix_outbox_{name}"))
        .cond_where(condition)
        .take()
}
