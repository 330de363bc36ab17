//! Sessions, the refresh tokens that renew them, and one-time links.

use sea_orm_migration::prelude::*;

use crate::column::{
    bytes, cascade, index, instant, instant_null, text, text_null, unique, uuid, uuid_key,
    uuid_null,
};

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
                    .table("sessions")
                    .col(uuid_key("id"))
                    .col(uuid("user_id"))
                    .col(uuid_null("organization_id"))
                    .col(text_null("name"))
                    .col(ColumnDef::new("remembered").boolean().not_null())
                    .col(text("amr"))
                    .col(instant("auth_time"))
                    .col(ColumnDef::new("idle_timeout_secs").integer().not_null())
                    .col(instant("last_seen_at"))
                    .col(instant("idle_expires_at"))
                    .col(instant("expires_at"))
                    .col(text("ip"))
                    .col(text("user_agent"))
                    .col(text("device"))
                    .col(text("browser"))
                    .col(text("os"))
                    .col(instant_null("ended_at"))
                    .col(text_null("end_reason"))
                    .col(uuid_null("ended_by"))
                    .col(instant("created_at"))
                    .col(instant("updated_at"))
                    .foreign_key(&mut cascade(("sessions", "user_id"), "users"))
                    .foreign_key(
                        ForeignKey::create()
                            .name("fk_sessions_organization_id")
                            .from("sessions", "organization_id")
                            .to("organizations", "id")
                            .on_delete(ForeignKeyAction::SetNull),
                    )
                    .take(),
            )
            .await?;
        // Partial indexes hold live sessions only, so they stay small however many have ended.
        // "A user's live sessions":
        manager
            .create_index(live_index("ix_sessions_live_user", &["user_id", "id"]))
            .await?;
        // "Expired sessions", by either limit:
        manager
            .create_index(live_index("ix_sessions_live_idle", &["idle_expires_at"]))
            .await?;
        manager
            .create_index(live_index("ix_sessions_live_lifetime", &["expires_at"]))
            .await?;
        // Administrators' search pages by id, which is by time; also live only, by user, by address.
        manager
            .create_index(live_index("ix_sessions_live_id", &["id"]))
            .await?;
        manager
            .create_index(index("sessions", &["user_id", "id"]))
            .await?;
        manager
            .create_index(index("sessions", &["ip", "id"]))
            .await?;
        // Of ended sessions only: SQLite would take an index over all for "not ended", and then read
        // every live session to find those past a limit.
        manager
            .create_index(
                index("sessions", &["ended_at"])
                    .cond_where(Expr::col("ended_at").is_not_null())
                    .take(),
            )
            .await?;
        manager
            .create_index(index("sessions", &["organization_id"]))
            .await?;

        manager
            .create_table(
                Table::create()
                    .table("refresh_tokens")
                    .col(uuid_key("id"))
                    .col(uuid("session_id"))
                    .col(bytes("token_hash"))
                    .col(instant_null("consumed_at"))
                    .col(instant("created_at"))
                    .foreign_key(&mut cascade(("refresh_tokens", "session_id"), "sessions"))
                    .take(),
            )
            .await?;
        manager
            .create_index(unique("refresh_tokens", &["token_hash"]))
            .await?;
        manager
            .create_index(index("refresh_tokens", &["session_id"]))
            .await?;

        manager
            .create_table(
                Table::create()
                    .table("verification_tokens")
                    .col(uuid_key("id"))
                    .col(uuid_null("user_id"))
                    .col(text("purpose"))
                    .col(bytes("token_hash"))
                    .col(instant("expires_at"))
                    .col(instant_null("consumed_at"))
                    .col(instant("created_at"))
                    .foreign_key(&mut cascade(("verification_tokens", "user_id"), "users"))
                    .take(),
            )
            .await?;
        manager
            .create_index(unique("verification_tokens", &["token_hash"]))
            .await?;
        manager
            .create_index(index("verification_tokens", &["user_id", "purpose"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["verification_tokens", "refresh_tokens", "sessions"] {
            manager
                .drop_table(Table::drop().table(table).take())
                .await?;
        }
        Ok(())
    }
}

fn live_index(name: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index
        .name(name)
        .table("sessions")
        .cond_where(Expr::col("ended_at").is_null());
    for column in columns {
        index.col(*column);
    }
    index
}
