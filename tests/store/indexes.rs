//! No question that is asked often reads the whole table of sessions.
//!
//! PostgreSQL counts for itself how often it has read a table whole, so there the store's own
//! questions are put. SQLite only says how it would answer a question that it is given.

mod policies;

use chrono::TimeDelta;
use portcullis::rules::email::Email;
use portcullis::rules::id::UserId;
use portcullis::rules::policy::{Caps, Policy};
use portcullis::rules::record::{SessionSearch, SessionStatus};
use portcullis::rules::role::Role;
use portcullis::service::session_query::TypedQuery;
use portcullis::store::policies::Whose;
use portcullis::store::session_query::Matching;
use portcullis::store::{COUNTED, Store, StoreError};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::json;

use crate::bench::Bench;

/// Many users with a few sessions each, most of which have ended.
const USERS: i64 = 400;
pub(crate) const SESSIONS: i64 = 20_000;

pub(crate) async fn fill(bench: &Bench) {
    let database = &bench.database;
    database
        .execute(&format!(
            "INSERT INTO users (id, email, name, created_at, updated_at) \
         SELECT gen_random_uuid(), 'user' || n || '@test.example', 'User ' || n, now(), now() \
         FROM generate_series(1, {USERS}) n"
        ))
        .await;
    let now = bench.now().to_rfc3339();
    database.execute(&format!(
        "INSERT INTO sessions (id, user_id, remembered, amr, auth_time, idle_timeout_secs, last_seen_at, \
          idle_expires_at, expires_at, ip, user_agent, device, browser, os, ended_at, end_reason, created_at, updated_at) \
         SELECT gen_random_uuid(), u.id, false, 'pwd', now(), 3600, now(), t + interval '1 hour', \
          t + interval '8 hours', '192.0.2.' || (n % 250), '', '', '', '', \
          CASE WHEN n % 10 > 0 THEN t END, CASE WHEN n % 10 > 0 THEN 'signed-out' END, now(), now() \
         FROM generate_series(1, {SESSIONS}) n \
         JOIN (SELECT id, row_number() OVER () AS number FROM users) u ON u.number = n % {USERS} + 1 \
         CROSS JOIN (SELECT timestamptz '{now}' AS t) instant"
    )).await;
    policies::fill(database).await;
    let refresh = "INSERT INTO refresh_tokens (id, session_id, token_hash, created_at) \
                   SELECT gen_random_uuid(), id, sha256(id::text::bytea), now() FROM sessions";
    assert!(database.execute(refresh).await >= SESSIONS as u64);
    database.execute("VACUUM ANALYZE").await;
}

/// How often the tables were read whole, once everybody who asked has gone and told.
pub(crate) async fn whole_reads(bench: &Bench) -> Vec<(String, i64)> {
    let db = bench.database.connect().await;
    let others = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                  AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    while number(&db, others).await > 0 {
        tokio::task::yield_now().await;
    }
    let sql = "SELECT relname::text AS name, seq_scan FROM pg_stat_user_tables \
               WHERE relname IN ('sessions', 'refresh_tokens', 'users', 'user_roles', \
                'user_organizations', 'session_policies') ORDER BY relname";
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            (
                row.try_get("", "name").unwrap(),
                row.try_get("", "seq_scan").unwrap(),
            )
        })
        .collect()
}

async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), sql))
        .await;
    row.unwrap().unwrap().try_get_by_index(0).unwrap()
}

async fn a_store(bench: &Bench) -> Store {
    Store::open(&bench.settings()).await.unwrap()
}

#[tokio::test]
async fn postgres_never_reads_all_sessions_for_what_is_asked_often() {
    let bench = Bench::postgres().await;
    let email = "ada@test.example";
    bench.user(email, &["admin"]).await;
    let session = bench.session(email).await;
    fill(&bench).await;
    bench
        .store()
        .schema_connection()
        .clone()
        .close()
        .await
        .unwrap();
    let before = whole_reads(&bench).await;
    assert_eq!(before.len(), 6);

    let store = a_store(&bench).await;
    let now = bench.now();
    let user = store
        .find_session(session, now)
        .await
        .unwrap()
        .unwrap()
        .user_id;
    store.session_facts(session, user, now).await.unwrap();
    assert_ne!(store.live_sessions_of(user, now).await.unwrap().len(), 0);
    store
        .ended_sessions_of(user, now - TimeDelta::days(1), 20, now)
        .await
        .unwrap();
    store.has_signed_in_from(user, "192.0.2.7").await.unwrap();
    store.find_refresh_token(&[7; 32]).await.unwrap();
    for (status, text, user_id) in [
        (SessionStatus::All, "", None),
        (SessionStatus::Live, "", None),
        (SessionStatus::Live, "", Some(user)),
        (SessionStatus::All, "192.0.2.9", None),
        (SessionStatus::All, email, None),
        (SessionStatus::All, "da@tes", None),
        (SessionStatus::All, "ad", None),
        (SessionStatus::All, "nobody-at-all", None),
        (SessionStatus::Live, "ser7@", None),
        (SessionStatus::Ended, "", None),
        (
            SessionStatus::All,
            "5f3b3a52-9f0e-7cc1-8c73-1b1b1b1b1b1b",
            None,
        ),
    ] {
        let search = SessionSearch {
            user_id,
            status,
            text: text.to_owned(),
        };
        let first = store.search_sessions(&search, None, 20, now).await.unwrap();
        store
            .search_sessions(&search, first.next_cursor, 20, now)
            .await
            .unwrap();
    }
    let address = Email::new(email).unwrap();
    store.find_credentials(&address).await.unwrap();
    for (text, user_id) in [("", Some(user)), (email, None), ("da@tes", None)] {
        let search = SessionSearch {
            user_id,
            status: SessionStatus::Live,
            text: text.to_owned(),
        };
        assert_ne!(store.count_sessions(&search, now).await.unwrap(), 0);
    }
    let queries = [
        json!({ "user": email }),
        json!({ "role": "admin" }),
        json!({ "cidr": "192.0.2.0/29" }),
        json!({ "idle_for": 86_400, "user": email }),
    ];
    let questions = bench.beside().await;
    for typed in queries {
        let typed: TypedQuery = serde_json::from_value(typed).unwrap();
        let matching = Matching {
            query: typed.resolve(&questions).await.unwrap(),
            at: now,
            except: None,
        };
        store.count_matching(&matching).await.unwrap();
        store.newest_matching(&matching, 10, now).await.unwrap();
        let some = store.some_matching(&matching, None, 1000).await.unwrap();
        store
            .some_matching(&matching, Some(session), 1000)
            .await
            .unwrap();
        assert!(some.len() < 1000, "{matching:?}");
    }
    questions
        .store
        .schema_connection()
        .clone()
        .close()
        .await
        .unwrap();
    let receipt = portcullis::rules::receipt::Receipt::from_number(7);
    let receipts = vec![(session, receipt)];
    store.note_arrivals(receipts, now).await.unwrap();
    for text in [email, "da@tes", "ad"] {
        assert_eq!(store.count_users(text).await.unwrap(), 1, "{text}");
        let found = store.search_users(text, None, 20, now).await.unwrap();
        assert_eq!(found.rows.len(), 1, "{text}");
    }
    let organization = store.find_organization("org-7").await.unwrap().unwrap();
    let admin = Role::admin();
    assert!(store.is_role_known(&admin).await.unwrap());
    let past = store.write(now, move |tx| {
        Box::pin(async move {
            assert_ne!(tx.policies_of(user).await?, []);
            let caps = Caps {
                idle: Some(TimeDelta::minutes(1)),
                lifetime: None,
            };
            let (role, policy) = (Whose::Role(admin), Policy::default());
            for whose in [Whose::User(user), Whose::Organization(organization), role] {
                tx.lower_limits(&whose, false, caps, None, 500).await?;
                tx.lower_limits(&whose, true, caps, Some(session), 500)
                    .await?;
                if !matches!(whose, Whose::User(_)) {
                    assert!(tx.update_policy(&whose, &policy).await?);
                    assert!(tx.delete_policy(&whose).await?);
                }
            }
            let reasons = [
                portcullis::rules::end_reason::EndReason::Idle,
                portcullis::rules::end_reason::EndReason::AbsoluteLifetime,
            ];
            for reason in reasons {
                tx.end_sessions_past(reason, 500).await?;
            }
            tx.lock_user(user).await?;
            assert!(tx.use_session(session, TimeDelta::hours(1)).await?);
            tx.consume_refresh_token(uuid::Uuid::nil()).await?;
            let one = portcullis::store::sessions::Which::One(session);
            let reason = portcullis::rules::end_reason::EndReason::SignedOut;
            assert_eq!(tx.end_sessions(one, reason, None).await?.len(), 1);
            let which = portcullis::store::sessions::Which::User(user);
            let reason = portcullis::rules::end_reason::EndReason::EndedByAdmin;
            tx.end_sessions(which, reason, None).await?;
            // As once a minute, when there is little to do.
            let then = tx.now - TimeDelta::days(10_000);
            tx.drop_session_addresses(then, 500).await?;
            tx.drop_audit_addresses(then, 500).await?;
            tx.delete_refresh_tokens_of(session).await
        })
    });
    let past: Result<(), StoreError> = past.await;
    past.unwrap();
    store.schema_connection().clone().close().await.unwrap();
    assert_eq!(whole_reads(&bench).await, before, "a table was read whole");

    // The count can fail: this reads the table whole.
    bench
        .database
        .execute("UPDATE users SET name = name WHERE password_pepper_id = 'x'")
        .await;
    assert_ne!(whole_reads(&bench).await, before);
}

#[tokio::test]
async fn nothing_is_counted_further_than_anybody_reads() {
    let bench = Bench::postgres().await;
    fill(&bench).await;
    let search = SessionSearch {
        user_id: None,
        status: SessionStatus::All,
        text: String::new(),
    };
    let count = async |search: &SessionSearch| {
        let count = bench.store().count_sessions(search, bench.now()).await;
        count.unwrap()
    };
    assert_eq!(count(&search).await, COUNTED + 1);
    let of_one = SessionSearch {
        text: "user7@test.example".to_owned(),
        ..search.clone()
    };
    assert_eq!(count(&of_one).await, SESSIONS as u64 / USERS as u64);
}

/// How SQLite would answer, as one line.
pub(crate) async fn plan(db: &DatabaseConnection, sql: &str) -> String {
    let sql = format!("EXPLAIN QUERY PLAN {sql}");
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .unwrap();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| row.try_get("", "detail").unwrap())
        .collect();
    lines.join("; ")
}

#[tokio::test]
async fn sqlite_never_reads_all_sessions_for_what_is_asked_often() {
    let bench = Bench::sqlite().await;
    let db = bench.database.connect().await;
    let ada = bench.literal(UserId(uuid::Uuid::nil()).0);
    let live = "s.ended_at IS NULL AND s.idle_expires_at > 'now' AND s.expires_at > 'now'";
    for (question, index) in [
        (
            format!("SELECT u.email FROM users u LEFT JOIN sessions s ON s.id = {ada} AND s.user_id = u.id WHERE u.id = {ada}"),
            "SEARCH s USING",
        ),
        (format!("SELECT * FROM sessions s WHERE s.user_id = {ada} AND {live} ORDER BY s.id DESC"), "SEARCH s USING INDEX"),
        (
            "SELECT id FROM sessions s WHERE s.id IN (SELECT p.id FROM sessions p WHERE p.ended_at IS NULL AND p.idle_expires_at <= 'now' ORDER BY p.idle_expires_at LIMIT 500) ORDER BY s.id".to_owned(),
            "live_idle",
        ),
        (
            "SELECT id FROM sessions s WHERE s.id IN (SELECT p.id FROM sessions p WHERE p.ended_at IS NULL AND p.expires_at <= 'now' ORDER BY p.expires_at LIMIT 500) ORDER BY s.id".to_owned(),
            "live_lifetime",
        ),
        (
            format!("SELECT s.* FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id < {ada} ORDER BY s.id DESC LIMIT 21"),
            "SEARCH s USING",
        ),
        (
            format!("SELECT s.* FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.ip = '192.0.2.7' AND s.id < {ada} ORDER BY s.id DESC LIMIT 21"),
            "sessions_ip_id",
        ),
        (format!("SELECT id FROM sessions s WHERE s.user_id = {ada} AND s.ip = '192.0.2.7' LIMIT 1"), "SEARCH s USING"),
        ("SELECT end_reason, COUNT(*) FROM sessions s WHERE s.ended_at >= 'then' GROUP BY end_reason".to_owned(), "sessions_ended_at"),
        ("SELECT * FROM refresh_tokens WHERE token_hash = 'x'".to_owned(), "token_hash"),
        (
            format!("UPDATE refresh_tokens SET awaited_receipt = NULL FROM (SELECT column1 AS a, column2 AS b FROM (VALUES ({ada}, 7)) AS rows) AS rows WHERE refresh_tokens.session_id = rows.a AND refresh_tokens.awaited_receipt = rows.b"),
            "refresh_tokens_awaited",
        ),
        ("SELECT * FROM users s WHERE s.email = 'x'".to_owned(), "users_email"),
        (
            "SELECT s.id FROM user_search CROSS JOIN user_texts ON user_texts.id = user_search.rowid CROSS JOIN users s ON s.id = user_texts.user_id WHERE user_search MATCH '\"ada\"' LIMIT 1001".to_owned(),
            "SEARCH s USING",
        ),
        (
            "SELECT s.id FROM users s WHERE ((s.email >= 'a' AND s.email < 'b') OR (lower(s.name) >= 'a' AND lower(s.name) < 'b')) LIMIT 1001".to_owned(),
            "ix_users_name_bytes",
        ),
        (format!("UPDATE sessions AS s SET ended_at = 'now' WHERE s.ended_at IS NULL AND s.id IN ({ada})"), "SEARCH s USING"),
        (
            format!("SELECT COUNT(*) FROM (SELECT s.id FROM sessions s WHERE {live} AND s.user_id IN ({ada}, {ada}) LIMIT 10001)"),
            "SEARCH s USING INDEX",
        ),
        (
            "SELECT id FROM sessions s WHERE s.id IN (SELECT p.id FROM sessions p WHERE p.created_at < 'then' AND p.ip <> '' ORDER BY p.created_at LIMIT 500) ORDER BY s.id".to_owned(),
            "sessions_created_at",
        ),
        (
            "UPDATE audit_events AS s SET ip = NULL WHERE s.id IN (SELECT e.id FROM audit_events e WHERE e.at < 'then' AND e.ip IS NOT NULL ORDER BY e.at LIMIT 500) AND s.ip IS NOT NULL".to_owned(),
            "audit_events_at",
        ),
        (
            format!("SELECT * FROM audit_events s WHERE (s.actor_id = {ada} OR s.subject_id = {ada}) AND s.id < {ada} ORDER BY s.id DESC LIMIT 51"),
            "SEARCH s USING",
        ),
    ] {
        let plan = plan(&db, &question).await;
        assert!(plan.contains(index), "{question}: {plan}");
        assert!(!plan.contains("SCAN s") && !plan.contains("SCAN refresh"), "{question}: {plan}");
    }
    // Of an end by what is known of sessions: whatever it is, those that have ended are passed over.
    for (known, index) in [
        (format!("s.user_id = {ada}"), "INDEX ix_sessions_live_user"),
        (
            "s.user_id IN (SELECT user_id FROM user_roles WHERE role = 'x')".to_owned(),
            "INDEX ix_sessions_live_user",
        ),
        (
            "s.ip_bytes >= x'04C0000200' AND s.ip_bytes <= x'04C00002FF'".to_owned(),
            "INDEX ix_sessions_live_ip_bytes",
        ),
        (
            "s.user_agent LIKE '%x%'".to_owned(),
            "INDEX ix_sessions_live",
        ),
        (
            "s.last_seen_at <= 'then'".to_owned(),
            "INDEX ix_sessions_live",
        ),
    ] {
        for (asked, order) in [
            ("s.id", "ORDER BY s.id LIMIT 1000"),
            ("COUNT(*), COUNT(DISTINCT s.user_id)", ""),
        ] {
            let question = format!(
                "SELECT {asked} FROM sessions s WHERE s.ended_at IS NULL AND {known} {order}"
            );
            let plan = plan(&db, &question).await;
            assert!(plan.contains(index), "{question}: {plan}");
        }
        let next = format!(
            "SELECT s.id FROM sessions s WHERE s.ended_at IS NULL AND {known} AND s.id > {ada} ORDER BY s.id LIMIT 1000"
        );
        let plan = plan(&db, &next).await;
        assert!(plan.contains("INDEX ix_sessions_live"), "{next}: {plan}");
    }
    let whole = plan(&db, "SELECT * FROM sessions s WHERE s.browser = 'x'").await;
    assert!(whole.contains("SCAN s"), "the test cannot fail: {whole}");
}
