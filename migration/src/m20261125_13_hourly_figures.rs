//! What happened in each hour, counted once, so that figures over time cost the same however much
//! happened in it. No foreign keys and nobody's name: figures outlive what they count.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{index, instant, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let number = |name: &'static str| {
            ColumnDef::new(name)
                .big_integer()
                .not_null()
                .default(0)
                .take()
        };
        manager
            .create_table(
                Table::create()
                    .table("hourly_figures")
                    .col(text("kind"))
                    .col(text("dimension"))
                    .col(ColumnDef::new("hour").big_integer().not_null())
                    .col(text("member"))
                    .col(number("count"))
                    .col(number("sum_secs"))
                    .col(number("longest_secs"))
                    .col(instant("counted_at"))
                    .col(
                        ColumnDef::new("settled")
                            .boolean()
                            .not_null()
                            .default(false),
                    )
                    // In the order in which they are read: some hours of one kind.
                    .primary_key(
                        Index::create()
                            .col("kind")
                            .col("dimension")
                            .col("hour")
                            .col("member"),
                    )
                    .take(),
            )
            .await?;
        // For those that are old enough to go.
        manager
            .create_index(index("hourly_figures", &["hour"]))
            .await?;
        if manager.get_database_backend() == DbBackend::Sqlite {
            // It answers from an index alone only what stands in it, so also that a session has not
            // ended, which all of this index have in common. Before the id, or it would rather take
            // the index over all sessions of a user, which is as good for it and has a column less;
            // and not first, or it would take this one for whatever is asked of live sessions.
            let covering = &["user_id", "ended_at", "id"];
            replace_index(manager, covering).await?;
        }
        // Few among many.
        manager
            .create_index(
                index("users", &["disabled_at"])
                    .cond_where(Expr::col("disabled_at").is_not_null())
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Sqlite {
            replace_index(manager, &["user_id", "id"]).await?;
        }
        manager
            .drop_index(
                Index::drop()
                    .name("ix_users_disabled_at")
                    .table("users")
                    .to_owned(),
            )
            .await?;
        manager
            .drop_table(Table::drop().table("hourly_figures").take())
            .await
    }
}

/// Makes the index of a user's live sessions anew, over these columns.
async fn replace_index(manager: &SchemaManager<'_>, columns: &[&'static str]) -> Result<(), DbErr> {
    const NAME: &str = "ix_sessions_live_user";
    let drop = Index::drop().name(NAME).table("sessions").to_owned();
    manager.drop_index(drop).await?;
    let mut live = Index::create();
    live.name(NAME)
        .table("sessions")
        .cond_where(Expr::col("ended_at").is_null());
    for column in columns {
        live.col(*column);
    }
    manager.create_index(live).await
}
