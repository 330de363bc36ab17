//! How long sessions of a role or an organisation may live, and how many there may be.

use sea_orm_migration::prelude::*;

use crate::column::{cascade, instant, instant_null, text_null, unique, uuid_key, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Limits that a policy may set, or leave to others.
const LIMITS: [&str; 5] = [
    "idle_secs",
    "lifetime_secs",
    "remembered_idle_secs",
    "remembered_lifetime_secs",
    "max_sessions",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table
            .table("session_policies")
            .col(uuid_key("id"))
            .col(text_null("role"))
            .col(uuid_null("organization_id"));
        for limit in LIMITS {
            table.col(ColumnDef::new(limit).integer().null());
        }
        table
            .col(text_null("at_limit"))
            .col(ColumnDef::new("end_on_role_change").boolean().not_null())
            .col(instant_null("applied_at"))
            .col(instant("created_at"))
            .col(instant("updated_at"))
            .check(Expr::cust("(role IS NULL) <> (organization_id IS NULL)"))
            .foreign_key(&mut cascade(
                ("session_policies", "organization_id"),
                "organizations",
            ));
        manager.create_table(table).await?;
        // One policy for each; asked for at every sign-in.
        manager
            .create_index(unique("session_policies", &["role"]))
            .await?;
        manager
            .create_index(unique("session_policies", &["organization_id"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("session_policies").take())
            .await
    }
}
