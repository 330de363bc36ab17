//! Sessions that an administrator opens as another user, and what makes the facts of such a session
//! old: a change of the administrator too, whoever the writer is.
//!
//! The administrator is named without a foreign key: what is known of the session outlives them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

use crate::column::{index, text_null, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The columns of sessions that this brings.
const COLUMNS: [&str; 4] = [
    "impersonator_id",
    "impersonator_session_id",
    "impersonation_reason",
    "read_only",
];

/// Those that an impersonation is found by: its administrator, and the session they opened it from.
const OPENERS: [&str; 2] = ["impersonator_id", "impersonator_session_id"];

/// The triggers: their names, tables, events, and which column names what changed.
const TRIGGERS: [(&str, &str, &str, &str); 7] = [
    ("tr_impersonation_update", "sessions", "update", "id"),
    ("tr_opener_session_update", "sessions", "update", "id"),
    ("tr_opener_session_delete", "sessions", "delete", "id"),
    ("tr_opener_user_update", "users", "update", "id"),
    ("tr_opener_user_delete", "users", "delete", "id"),
    ("tr_opener_role_update", "user_roles", "update", "user_id"),
    ("tr_opener_role_delete", "user_roles", "delete", "user_id"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let read_only = ColumnDef::new("read_only")
            .boolean()
            .not_null()
            .default(false)
            .take();
        let columns = [
            uuid_null(COLUMNS[0]),
            uuid_null(COLUMNS[1]),
            text_null(COLUMNS[2]),
            read_only,
        ];
        // One at a time, as SQLite has it.
        for column in columns {
            manager
                .alter_table(Table::alter().table("sessions").add_column(column).take())
                .await?;
        }
        for column in OPENERS {
            let few = Expr::col(column).is_not_null();
            manager
                .create_index(index("sessions", &[column]).cond_where(few).take())
                .await?;
        }
        let statements = if manager.get_database_backend() == DbBackend::Postgres {
            postgres(&schema(manager).await?)
        } else {
            sqlite()
        };
        for sql in statements {
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if manager.get_database_backend() == DbBackend::Postgres {
            // Its triggers go with it.
            db.execute_unprepared("DROP FUNCTION note_impersonation_change() CASCADE")
                .await?;
        } else {
            for (name, ..) in TRIGGERS {
                db.execute_unprepared(&format!("DROP TRIGGER {name}"))
                    .await?;
            }
        }
        for column in OPENERS {
            let name = format!("ix_sessions_{column}");
            manager
                .drop_index(Index::drop().name(name).table("sessions").to_owned())
                .await?;
        }
        for column in COLUMNS {
            manager
                .alter_table(Table::alter().table("sessions").drop_column(column).take())
                .await?;
        }
        Ok(())
    }
}

async fn schema(manager: &SchemaManager<'_>) -> Result<String, DbErr> {
    let sql = "SELECT quote_ident(current_schema()) AS name";
    let row = manager
        .get_connection()
        .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await?;
    row.ok_or_else(|| DbErr::Custom("there is no schema".to_owned()))?
        .try_get("", "name")
}

/// The sessions whose facts the change of a row makes old.
fn concerned(sessions: &str, name: &str, row: &str) -> String {
    match name {
        "tr_impersonation_update" => format!("SELECT OLD.{row}"),
        "tr_opener_session_update" | "tr_opener_session_delete" => format!(
            "SELECT id FROM {sessions} WHERE impersonator_session_id = OLD.{row} AND ended_at IS NULL"
        ),
        _ => format!(
            "SELECT id FROM {sessions} WHERE impersonator_id = OLD.{row} AND ended_at IS NULL"
        ),
    }
}

/// What must have changed for a trigger to have anything to note.
fn condition(name: &str, differ: &str) -> String {
    let columns: &[&str] = match name {
        "tr_impersonation_update" => &COLUMNS,
        "tr_opener_session_update" => &["id", "user_id", "ended_at"],
        "tr_opener_user_update" => &["id", "disabled_at"],
        _ => return String::new(),
    };
    let each: Vec<String> = columns
        .iter()
        .map(|column| format!("OLD.{column} {differ} NEW.{column}"))
        .collect();
    format!("WHEN ({})", each.join(" OR "))
}

/// A function of its own for each trigger would say the same seven times: the trigger's name says
/// which question it is for. As the other one, it runs as its owner and names its tables in full.
fn postgres(schema: &str) -> Vec<String> {
    let mut branches = String::new();
    for (name, _, _, row) in TRIGGERS {
        let which = concerned(&format!("{schema}.sessions"), name, row);
        let word = if branches.is_empty() { "IF" } else { "ELSIF" };
        branches += &format!(
            "{word} TG_NAME = '{name}' THEN \
              INSERT INTO {schema}.session_changes (session_id) {which}; "
        );
    }
    let mut statements = vec![format!(
        "CREATE OR REPLACE FUNCTION note_impersonation_change() RETURNS trigger LANGUAGE plpgsql \
         SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ \
         BEGIN \
          {branches}END IF; \
          IF FOUND THEN PERFORM pg_notify('portcullis_session_changes', ''); END IF; \
          RETURN NULL; \
         END $$"
    )];
    for (name, table, event, _) in TRIGGERS {
        let when = condition(name, "IS DISTINCT FROM");
        statements.push(format!(
            "CREATE TRIGGER {name} AFTER {event} ON {table} \
             FOR EACH ROW {when} EXECUTE FUNCTION note_impersonation_change()"
        ));
    }
    statements
}

fn sqlite() -> Vec<String> {
    TRIGGERS
        .into_iter()
        .map(|(name, table, event, row)| {
            let when = condition(name, "IS NOT");
            let which = concerned("sessions", name, row);
            format!(
                "CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW {when} \
                 BEGIN INSERT INTO session_changes (session_id) {which}; END"
            )
        })
        .collect()
}
