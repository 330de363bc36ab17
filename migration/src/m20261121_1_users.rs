//! People, their roles, their organisations and their sign-ins through providers.

use sea_orm_migration::prelude::*;

use crate::column::{
    cascade, index, instant, instant_null, text, text_null, unique, uuid, uuid_key,
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
                    .table("users")
                    .col(uuid_key("id"))
                    .col(text("email"))
                    .col(text("name"))
                    .col(text_null("password_hash"))
                    .col(text_null("password_pepper_id"))
                    .col(instant_null("password_changed_at"))
                    .col(instant_null("disabled_at"))
                    .col(instant("created_at"))
                    .col(instant("updated_at"))
                    .take(),
            )
            .await?;
        manager.create_index(unique("users", &["email"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("user_roles")
                    .col(uuid("user_id"))
                    .col(text("role"))
                    .col(instant("created_at"))
                    .primary_key(Index::create().col("user_id").col("role"))
                    .foreign_key(&mut cascade(("user_roles", "user_id"), "users"))
                    .take(),
            )
            .await?;
        // "Is there an administrator?" is asked at every start.
        manager.create_index(index("user_roles", &["role"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("organizations")
                    .col(uuid_key("id"))
                    .col(text("slug"))
                    .col(text("name"))
                    .col(instant("created_at"))
                    .col(instant("updated_at"))
                    .take(),
            )
            .await?;
        manager
            .create_index(unique("organizations", &["slug"]))
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("user_organizations")
                    .col(uuid("user_id"))
                    .col(uuid("organization_id"))
                    .col(instant("created_at"))
                    .primary_key(Index::create().col("user_id").col("organization_id"))
                    .foreign_key(&mut cascade(("user_organizations", "user_id"), "users"))
                    .foreign_key(&mut cascade(
                        ("user_organizations", "organization_id"),
                        "organizations",
                    ))
                    .take(),
            )
            .await?;
        manager
            .create_index(index("user_organizations", &["organization_id"]))
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("accounts")
                    .col(uuid_key("id"))
                    .col(uuid("user_id"))
                    .col(text("provider"))
                    .col(text("subject"))
                    .col(instant("created_at"))
                    .col(instant("updated_at"))
                    .foreign_key(&mut cascade(("accounts", "user_id"), "users"))
                    .take(),
            )
            .await?;
        manager
            .create_index(unique("accounts", &["provider", "subject"]))
            .await?;
        manager.create_index(index("accounts", &["user_id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "accounts",
            "user_organizations",
            "organizations",
            "user_roles",
            "users",
        ] {
            manager
                .drop_table(Table::drop().table(table).take())
                .await?;
        }
        Ok(())
    }
}
