//! Indexes that find users by a part of their address or name.
//!
//! Of each user the grams are indexed, the runs of three characters that are in the address or the
//! name: on PostgreSQL by an inverted index over what a function makes of both, on SQLite by a
//! full-text index that triggers keep. Neither needs an extension. A text of one or two characters
//! has no gram; it is looked for at the beginning, by an index in the order of bytes.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &POSTGRES, &SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &POSTGRES_DOWN, &SQLITE_DOWN).await
    }
}

async fn run(manager: &SchemaManager<'_>, postgres: &[&str], sqlite: &[&str]) -> Result<(), DbErr> {
    let statements = if manager.get_database_backend() == DbBackend::Postgres {
        postgres
    } else {
        sqlite
    };
    for sql in statements {
        manager.get_connection().execute_unprepared(sql).await?;
    }
    Ok(())
}

/// The function may be there already: making all tables anew drops the tables and nothing else.
///
/// Without `fastupdate`: with it, every search would read a list of what is not yet sorted in.
const POSTGRES: [&str; 5] = [
    // Half a million users take longer than a question may.
    "SET LOCAL statement_timeout = 0",
    "CREATE OR REPLACE FUNCTION search_grams(searched text) RETURNS text[] \
     LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS \
     $$ SELECT ARRAY(SELECT DISTINCT substr(searched, place, 3) \
      FROM generate_series(1, length(searched) - 2) AS place) $$",
    "CREATE INDEX ix_users_grams ON users \
     USING gin (search_grams(email || chr(10) || lower(name))) WITH (fastupdate = off)",
    "CREATE INDEX ix_users_email_bytes ON users (email COLLATE \"C\")",
    "CREATE INDEX ix_users_name_bytes ON users (lower(name) COLLATE \"C\")",
];

const POSTGRES_DOWN: [&str; 4] = [
    "DROP INDEX ix_users_name_bytes",
    "DROP INDEX ix_users_email_bytes",
    "DROP INDEX ix_users_grams",
    "DROP FUNCTION search_grams(text)",
];

/// The numbers by which the full-text index knows its texts are kept in a table of their own: a
/// row's own number may become another one when the file is copied by `VACUUM`.
///
/// A trigger, and no foreign key, deletes a text: `sqlite3` by hand does not mind foreign keys. An
/// `INSERT OR REPLACE` calls no trigger for what it replaces, so an insert deletes first.
const SQLITE: [&str; 8] = [
    "CREATE TABLE user_texts ( \
      id integer PRIMARY KEY AUTOINCREMENT NOT NULL, \
      user_id uuid_blob NOT NULL UNIQUE)",
    "CREATE VIRTUAL TABLE user_search USING fts5( \
      text, tokenize = 'trigram', detail = 'none', content = '', contentless_delete = 1)",
    "CREATE TRIGGER tr_user_texts_delete AFTER DELETE ON user_texts BEGIN \
      DELETE FROM user_search WHERE rowid = OLD.id; \
     END",
    "CREATE TRIGGER tr_users_text_insert AFTER INSERT ON users BEGIN \
      DELETE FROM user_texts WHERE user_id = NEW.id; \
      INSERT INTO user_texts (user_id) VALUES (NEW.id); \
      INSERT INTO user_search (rowid, text) \
       SELECT id, NEW.email || char(10) || NEW.name FROM user_texts WHERE user_id = NEW.id; \
     END",
    "CREATE TRIGGER tr_users_text_update AFTER UPDATE ON users \
      WHEN OLD.id IS NOT NEW.id OR OLD.email IS NOT NEW.email OR OLD.name IS NOT NEW.name BEGIN \
      DELETE FROM user_texts WHERE user_id IN (OLD.id, NEW.id); \
      INSERT INTO user_texts (user_id) VALUES (NEW.id); \
      INSERT INTO user_search (rowid, text) \
       SELECT id, NEW.email || char(10) || NEW.name FROM user_texts WHERE user_id = NEW.id; \
     END",
    "CREATE TRIGGER tr_users_text_delete AFTER DELETE ON users BEGIN \
      DELETE FROM user_texts WHERE user_id = OLD.id; \
     END",
    "CREATE INDEX ix_users_name_bytes ON users (lower(name))",
    FILL,
];

/// Those who are there already.
const FILL: &str = "INSERT INTO user_texts (user_id) SELECT id FROM users; \
     INSERT INTO user_search (rowid, text) \
      SELECT user_texts.id, users.email || char(10) || users.name \
      FROM user_texts JOIN users ON users.id = user_texts.user_id";

const SQLITE_DOWN: [&str; 7] = [
    "DROP INDEX ix_users_name_bytes",
    "DROP TRIGGER tr_users_text_delete",
    "DROP TRIGGER tr_users_text_update",
    "DROP TRIGGER tr_users_text_insert",
    "DROP TRIGGER tr_user_texts_delete",
    "DROP TABLE user_search",
    "DROP TABLE user_texts",
];
