//! The place of a sign-in, addresses in an order by which networks are found, what finds addresses
//! that are kept no longer, and what holds the acts of one receipt together.

use std::net::IpAddr;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

use crate::column::{index, text_null, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One at a time: SQLite adds no two in one statement.
        for column in [
            text_null("place"),
            ColumnDef::new("ip_bytes").blob().null().take(),
        ] {
            let mut table = Table::alter();
            manager
                .alter_table(table.table("sessions").add_column(column).take())
                .await?;
        }
        let mut table = Table::alter();
        manager
            .alter_table(
                table
                    .table("audit_events")
                    .add_column(uuid_null("receipt_id"))
                    .take(),
            )
            .await?;
        note_addresses_of_live_sessions(manager).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        if manager.get_database_backend() == DbBackend::Sqlite {
            prefer_live_sessions_of_users(manager).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in [
            "ix_audit_events_receipt_id_id",
            "ix_audit_events_at",
            "ix_sessions_created_at",
            "ix_sessions_live_ip_bytes",
        ] {
            manager
                .drop_index(Index::drop().name(name).to_owned())
                .await?;
        }
        for (table, column) in [
            ("audit_events", "receipt_id"),
            ("sessions", "place"),
            ("sessions", "ip_bytes"),
        ] {
            let mut altered = Table::alter();
            manager
                .alter_table(altered.table(table).drop_column(column).take())
                .await?;
        }
        Ok(())
    }
}

/// Each holds only what its question is about, so it stays small: live sessions by network, the
/// oldest rows that still have an address, and the acts of one receipt.
fn indexes() -> [IndexCreateStatement; 4] {
    [
        Index::create()
            .name("ix_sessions_live_ip_bytes")
            .table("sessions")
            .col("ip_bytes")
            .cond_where(Expr::col("ended_at").is_null())
            .take(),
        index("sessions", &["created_at"])
            .cond_where(Expr::col("ip").ne(""))
            .take(),
        index("audit_events", &["at"])
            .cond_where(Expr::col("ip").is_not_null())
            .take(),
        index("audit_events", &["receipt_id", "id"])
            .cond_where(Expr::col("receipt_id").is_not_null())
            .take(),
    ]
}

/// Of two indexes that seem alike SQLite takes the younger, and that was the one over all sessions of
/// a user, most of which have ended. Made anew, the one over live sessions is the younger.
async fn prefer_live_sessions_of_users(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    const NAME: &str = "ix_sessions_live_user";
    manager
        .drop_index(Index::drop().name(NAME).to_owned())
        .await?;
    let live = Index::create()
        .name(NAME)
        .table("sessions")
        .col("user_id")
        .col("id")
        .cond_where(Expr::col("ended_at").is_null())
        .take();
    manager.create_index(live).await
}

/// Neither database reads addresses of both kinds as both would.
async fn note_addresses_of_live_sessions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let (db, backend) = (manager.get_connection(), manager.get_database_backend());
    let addresses = "SELECT DISTINCT ip FROM sessions WHERE ended_at IS NULL";
    let rows = db
        .query_all_raw(Statement::from_string(backend, addresses))
        .await?;
    for row in rows {
        let ip: String = row.try_get("", "ip")?;
        let Ok(address) = ip.parse::<IpAddr>() else {
            continue;
        };
        let sql = "UPDATE sessions SET ip_bytes = $1 WHERE ip = $2 AND ended_at IS NULL";
        let values = [in_order(address).into(), ip.into()];
        db.execute_raw(Statement::from_sql_and_values(backend, sql, values))
            .await?;
    }
    Ok(())
}

/// The kind of address, then its bytes.
fn in_order(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(v4) => [&[4], v4.octets().as_slice()].concat(),
        IpAddr::V6(v6) => [&[6], v6.octets().as_slice()].concat(),
    }
}
