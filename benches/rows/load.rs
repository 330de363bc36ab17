//! The statements that make the rows, on either database.
//!
//! Indexes and triggers are taken away meanwhile and made again: sorting once is faster than
//! finding a place five million times, and what is made here is no change to note.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::{
    DEVICES, FAMILY, GIVEN, IDLE, LIFETIME, OF_SESSIONS, OF_USERS, OFFICE, OFFICES, Rows, SPAN,
    number,
};

impl Rows {
    /// Makes the rows in tables that are there and empty; `kept` is everybody's password hash and
    /// the pepper that it was made with.
    pub(crate) async fn load(&self, db: &DatabaseConnection, kept: Option<(&str, &str)>) {
        let dialect = Dialect(db.get_database_backend());
        let run = async |sql: &str| db.execute_unprepared(sql).await.unwrap();
        for sql in dialect.before() {
            run(sql).await;
        }
        let taken = dialect.take_away(db).await;
        for (drop, _) in &taken {
            run(drop).await;
        }
        for sql in self.statements(dialect, kept) {
            run(&sql).await;
        }
        for sql in dialect.instead_of_triggers() {
            run(sql).await;
        }
        for (_, make) in &taken {
            run(make).await;
        }
        for sql in dialect.after() {
            run(sql).await;
        }
    }

    fn statements(&self, dialect: Dialect, kept: Option<(&str, &str)>) -> Vec<String> {
        let Dialect(backend) = dialect;
        let span = SPAN.num_milliseconds();
        let now = self.now.timestamp_millis();
        let opened = format!("({} + n * {span} / {})", now - span, self.sessions);
        let owner = format!("(n * 7919 % {})", self.users());
        let made =
            |user: &str| format!("({} + {user} * {span} / {})", now - 2 * span, self.users());
        let user_id = dialect.id(&made(&owner), &owner, OF_USERS);
        let instant = |millis: &str| dialect.instant(millis);
        let seen = format!("({now} - n % 3600 * 1000)");
        let ended = if self.some_ended {
            format!(
                "(n * 2654435761 % 1000 < 1000 - n * 1000 / {})",
                self.sessions
            )
        } else {
            "(n < 0)".to_owned()
        };
        let end = format!("({opened} + ({now} - {opened}) * (n % 97 + 1) / 100)");
        let quoted = |text: &str| format!("'{text}'");
        let (hash, pepper) = kept
            .map_or(("NULL".to_owned(), "NULL".to_owned()), |(hash, pepper)| {
                (quoted(hash), quoted(pepper))
            });
        let device = |column: usize| dialect.pick(&DEVICES.map(|device| device[column]), "n");
        let (given, family) = (dialect.pick(&GIVEN, "n"), dialect.pick(&FAMILY, "n"));
        let home = format!(
            "'10.' || ({owner} / 65536) || '.' || ({owner} / 256 % 256) || '.' || ({owner} % 256)"
        );
        let ip = format!(
            "CASE WHEN n % {OFFICE} = 0 THEN '198.51.100.' || (n / {OFFICE} % {OFFICES}) ELSE {home} END"
        );
        let users = dialect.series(self.users());
        let sessions = dialect.series(self.sessions);
        let token_hash = if backend == DbBackend::Postgres {
            "sha256(('token ' || n)::bytea)"
        } else {
            "randomblob(32)"
        };
        let (session_id, made_user) = (
            dialect.id(&opened, "n", OF_SESSIONS),
            dialect.id(&made("n"), "n", OF_USERS),
        );
        vec![
            format!(
                "WITH {users} INSERT INTO users (id, email, name, password_hash, password_pepper_id, created_at, updated_at) \
                 SELECT {made_user}, lower({given} || '.' || {family} || n || '@company' || (n % 97) || '.example'), \
                  {given} || ' ' || {family}, {hash}, {pepper}, {at}, {at} FROM series",
                at = instant(&made("n")),
            ),
            format!(
                "WITH {users} INSERT INTO user_roles (user_id, role, created_at) \
                 SELECT {made_user}, 'member', {} FROM series",
                instant(&made("n")),
            ),
            format!(
                "WITH {sessions} INSERT INTO sessions (id, user_id, remembered, amr, auth_time, idle_timeout_secs, last_seen_at, \
                  idle_expires_at, expires_at, ip, user_agent, device, browser, os, ended_at, end_reason, created_at, updated_at) \
                 SELECT {session_id}, {user_id}, true, 'pwd', {}, {}, {}, {}, {}, {ip}, {}, {}, {}, {}, \
                  CASE WHEN {ended} THEN {} END, CASE WHEN {ended} THEN 'signed-out' END, {at}, {at} FROM series",
                instant(&format!("{opened} / 1000 * 1000")),
                IDLE.num_seconds(),
                instant(&seen),
                instant(&format!("{seen} + {}", IDLE.num_milliseconds())),
                instant(&format!("{opened} + {}", LIFETIME.num_milliseconds())),
                device(0),
                device(1),
                device(2),
                device(3),
                instant(&end),
                at = instant(&opened),
            ),
            format!(
                "WITH {sessions} INSERT INTO refresh_tokens (id, session_id, token_hash, created_at) \
                 SELECT {session_id}, {session_id}, {token_hash}, {} FROM series",
                instant(&opened),
            ),
            format!(
                "WITH {sessions} INSERT INTO audit_events (id, at, action, actor_kind, actor_id, subject_id, session_id, ip, reason) \
                 SELECT {session_id}, {}, 'signed-in', 'user', {user_id}, {user_id}, {session_id}, {ip}, 'pwd' FROM series",
                instant(&opened),
            ),
        ]
    }
}

#[derive(Clone, Copy)]
struct Dialect(DbBackend);

impl Dialect {
    fn is_postgres(self) -> bool {
        self.0 == DbBackend::Postgres
    }

    fn before(self) -> &'static [&'static str] {
        if self.is_postgres() {
            &[
                // No triggers, foreign keys among them.
                "SET session_replication_role = replica",
                "SET maintenance_work_mem = '512MB'",
                "SET synchronous_commit = off",
            ]
        } else {
            &[
                "PRAGMA journal_mode = OFF",
                "PRAGMA synchronous = OFF",
                "PRAGMA foreign_keys = OFF",
                "PRAGMA cache_size = -500000",
            ]
        }
    }

    /// What users are searched by, which triggers would have made.
    fn instead_of_triggers(self) -> &'static [&'static str] {
        if self.is_postgres() {
            &[]
        } else {
            &[
                "INSERT INTO user_texts (user_id) SELECT id FROM users",
                "INSERT INTO user_search (rowid, text) SELECT user_texts.id, email || char(10) || name \
                 FROM user_texts JOIN users ON users.id = user_texts.user_id",
            ]
        }
    }

    fn after(self) -> &'static [&'static str] {
        if self.is_postgres() {
            // As its own cleaning would leave them some time later.
            &[
                "SET session_replication_role = origin",
                "VACUUM ANALYZE",
                "CHECKPOINT",
            ]
        } else {
            &["PRAGMA cache_size = -2000"]
        }
    }

    /// Of each index and trigger that can be taken away: how, and how it is made again.
    async fn take_away(self, db: &DatabaseConnection) -> Vec<(String, String)> {
        let sql = if self.is_postgres() {
            "SELECT 'DROP INDEX ' || indexname AS one, indexdef AS other FROM pg_indexes \
             WHERE schemaname = current_schema() AND tablename IN ('sessions', 'refresh_tokens', 'audit_events', 'users') \
             AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        } else {
            "SELECT 'DROP ' || type || ' ' || name AS one, sql AS other FROM sqlite_master \
             WHERE type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY rowid"
        };
        let question = Statement::from_string(self.0, sql);
        let rows = db.query_all_raw(question).await.unwrap();
        let column = |row: &sea_orm::QueryResult, name| row.try_get::<String>("", name).unwrap();
        rows.iter()
            .map(|row| (column(row, "one"), column(row, "other")))
            .collect()
    }

    /// The numbers below `count`, as `series(n)`.
    fn series(self, count: u64) -> String {
        if self.is_postgres() {
            format!(
                "series(n) AS (SELECT generate_series(0::bigint, {}))",
                number(count) - 1
            )
        } else {
            format!(
                "RECURSIVE series(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM series WHERE n + 1 < {count})"
            )
        }
    }

    /// See [`super::id`].
    fn id(self, millis: &str, row: &str, kind: u64) -> String {
        let chance =
            format!("(({row} * {row} % 4294967291 + {row} + {kind}) * 1103515245 % 4294967296)");
        if self.is_postgres() {
            let hex = |number: &str, digits| format!("lpad(to_hex({number}), {digits}, '0')");
            format!(
                "({} || '7' || {} || '8' || {} || {} || {})::uuid",
                hex(millis, 12),
                hex(&format!("{row} % 4096"), 3),
                hex(row, 7),
                hex(&format!("{chance} % 65536"), 4),
                hex(&format!("{chance} / 65536"), 4),
            )
        } else {
            format!(
                "unhex(printf('%012x7%03x8%07x%04x%04x', {millis}, {row} % 4096, {row}, \
                 {chance} % 65536, {chance} / 65536))"
            )
        }
    }

    fn instant(self, millis: &str) -> String {
        if self.is_postgres() {
            format!("to_timestamp(({millis}) / 1000.0)")
        } else {
            format!("strftime('%Y-%m-%dT%H:%M:%f+00:00', ({millis}) / 1000.0, 'unixepoch')")
        }
    }

    /// One of these texts, in turn.
    fn pick(self, texts: &[&str], row: &str) -> String {
        let arms: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(place, text)| format!("WHEN {place} THEN '{text}'"))
            .collect();
        format!("(CASE {row} % {} {} END)", texts.len(), arms.join(" "))
    }
}
