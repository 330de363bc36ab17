//! The change list: the database itself notes what makes facts about sessions old, whoever the
//! writer is.
//!
//! Noted are the columns that facts are made of; a use of a session (`last_seen_at`) is not a
//! change, nor is a new session, of which nobody can know anything old.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The columns of sessions that facts are made of and that can change.
const SESSION_FACTS: [&str; 9] = [
    "id",
    "user_id",
    "organization_id",
    "remembered",
    "amr",
    "auth_time",
    "idle_timeout_secs",
    "expires_at",
    "ended_at",
];

/// Those of users.
const USER_FACTS: [&str; 4] = ["id", "email", "name", "disabled_at"];

/// Tables whose rows belong to a user and count as facts of the user's sessions.
const OF_A_USER: [&str; 2] = ["user_roles", "user_organizations"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
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
            db.execute_unprepared("DROP FUNCTION note_session_change() CASCADE")
                .await?;
        } else {
            for (table, event) in triggered() {
                db.execute_unprepared(&format!("DROP TRIGGER tr_{table}_{event}"))
                    .await?;
            }
        }
        db.execute_unprepared("DROP TABLE session_changes").await?;
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

/// Tables and events that have a trigger.
fn triggered() -> impl Iterator<Item = (&'static str, &'static str)> {
    let sessions = [("sessions", "update"), ("sessions", "delete")];
    let users = ["users", OF_A_USER[0], OF_A_USER[1]];
    let events = ["insert", "update", "delete"];
    let of_users = users
        .into_iter()
        .flat_map(move |table| events.into_iter().map(move |event| (table, event)));
    sessions.into_iter().chain(of_users)
}

/// Some of these columns changed.
fn changed(columns: &[&str], differ: &str) -> String {
    let each: Vec<String> = columns
        .iter()
        .map(|column| format!("OLD.{column} {differ} NEW.{column}"))
        .collect();
    each.join(" OR ")
}

/// An empty row says that anybody's facts may have changed.
///
/// `transaction_id` and not the order of the ids tells a reader what it has not seen yet: a row is
/// numbered when it is written and seen when its transaction commits, which is another order.
///
/// The function may be there already: making all tables anew drops the tables and nothing else.
/// It runs as its owner and names its table in full: whoever may change a session may
/// have it noted, whatever the search path.
fn postgres(schema: &str) -> Vec<String> {
    let mut statements = vec![
        "CREATE TABLE session_changes ( \
          id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
          transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(), \
          noted_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
          session_id uuid, \
          user_id uuid)"
            .to_owned(),
        "CREATE INDEX ix_session_changes_transaction_id ON session_changes (transaction_id)"
            .to_owned(),
        format!(
            "CREATE OR REPLACE FUNCTION note_session_change() RETURNS trigger LANGUAGE plpgsql \
             SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ \
             BEGIN \
              IF TG_OP = 'TRUNCATE' THEN \
               INSERT INTO {schema}.session_changes DEFAULT VALUES; \
              ELSIF TG_TABLE_NAME = 'sessions' THEN \
               INSERT INTO {schema}.session_changes (session_id) VALUES (OLD.id); \
              ELSIF TG_TABLE_NAME = 'users' THEN \
               IF TG_OP <> 'INSERT' THEN \
                INSERT INTO {schema}.session_changes (user_id) VALUES (OLD.id); \
               END IF; \
               IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND OLD.id <> NEW.id) THEN \
                INSERT INTO {schema}.session_changes (user_id) VALUES (NEW.id); \
               END IF; \
              ELSE \
               IF TG_OP <> 'INSERT' THEN \
                INSERT INTO {schema}.session_changes (user_id) VALUES (OLD.user_id); \
               END IF; \
               IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND OLD.user_id <> NEW.user_id) THEN \
                INSERT INTO {schema}.session_changes (user_id) VALUES (NEW.user_id); \
               END IF; \
              END IF; \
              PERFORM pg_notify('portcullis_session_changes', ''); \
              RETURN NULL; \
             END $$"
        ),
    ];
    for (table, event) in triggered() {
        let when = match (table, event) {
            ("sessions", "update") => {
                format!("WHEN ({})", changed(&SESSION_FACTS, "IS DISTINCT FROM"))
            }
            ("users", "update") => format!("WHEN ({})", changed(&USER_FACTS, "IS DISTINCT FROM")),
            _ => String::new(),
        };
        statements.push(format!(
            "CREATE TRIGGER tr_{table}_{event} AFTER {event} ON {table} \
             FOR EACH ROW {when} EXECUTE FUNCTION note_session_change()"
        ));
    }
    for table in ["sessions", "users", OF_A_USER[0], OF_A_USER[1]] {
        statements.push(format!(
            "CREATE TRIGGER tr_{table}_truncate AFTER TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION note_session_change()"
        ));
    }
    statements
}

/// One writer at a time: here the order of the ids is the order of the commits, and
/// `AUTOINCREMENT` never gives an id again.
fn sqlite() -> Vec<String> {
    let mut statements = vec![
        "CREATE TABLE session_changes ( \
          id integer PRIMARY KEY AUTOINCREMENT NOT NULL, \
          noted_at timestamp_with_timezone_text NOT NULL \
           DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), \
          session_id uuid_blob, \
          user_id uuid_blob)"
            .to_owned(),
    ];
    for (table, event) in triggered() {
        let (row, owner) = match table {
            "sessions" => ("session_id", "id"),
            "users" => ("user_id", "id"),
            _ => ("user_id", "user_id"),
        };
        let when = match (table, event) {
            ("sessions", "update") => format!("WHEN {}", changed(&SESSION_FACTS, "IS NOT")),
            ("users", "update") => format!("WHEN {}", changed(&USER_FACTS, "IS NOT")),
            _ => String::new(),
        };
        let note =
            |which: &str| format!("INSERT INTO session_changes ({row}) VALUES ({which}.{owner});");
        let notes = match event {
            "insert" => note("NEW"),
            "delete" => note("OLD"),
            _ => format!(
                "{} INSERT INTO session_changes ({row}) SELECT NEW.{owner} WHERE NEW.{owner} IS NOT OLD.{owner};",
                note("OLD")
            ),
        };
        statements.push(format!(
            "CREATE TRIGGER tr_{table}_{event} AFTER {event} ON {table} \
             FOR EACH ROW {when} BEGIN {notes} END"
        ));
    }
    statements
}
