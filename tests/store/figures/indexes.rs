//! Neither counting figures nor reading them reads the whole table of sessions.

use portcullis::rules::figures::Range;
use portcullis::service::figures::{keep, overview};

use crate::bench::Bench;
use crate::indexes::{SESSIONS, fill, plan, whole_reads};

#[tokio::test]
async fn postgres_never_reads_all_sessions_for_figures() {
    let bench = Bench::postgres().await;
    bench.user("ada@test.example", &["admin"]).await;
    fill(&bench).await;
    let now = bench.now().to_rfc3339();
    let run = async |sql: &str| bench.database.execute(sql).await;
    // Most have ended long ago, and each has its events, over three weeks.
    let ended = "UPDATE sessions SET ended_at = idle_expires_at - interval '2 days', end_reason = 'idle' \
                 WHERE ended_at IS NULL AND ctid NOT IN (SELECT ctid FROM sessions WHERE ended_at IS NULL LIMIT 50)";
    assert_ne!(run(ended).await, 0);
    let some_time_ago = "UPDATE sessions SET ended_at = ended_at - random() * interval '20 days' \
                         WHERE ended_at IS NOT NULL";
    assert_ne!(run(some_time_ago).await, 0);
    let events = format!(
        "INSERT INTO audit_events (id, at, action, actor_kind, session_id, reason) \
         SELECT (lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') || '70008' \
          || lpad(to_hex(n), 15, '0'))::uuid, t, \
          (ARRAY['signed-in', 'session-ended', 'sign-in-failed'])[n % 3 + 1], 'user', id, 'idle' \
         FROM (SELECT id, n, timestamptz '{now}' - n * interval '90 seconds' AS t \
          FROM (SELECT id, row_number() OVER () AS n FROM sessions) AS numbered) AS timed"
    );
    assert!(run(&events).await >= SESSIONS as u64);
    run("VACUUM ANALYZE").await;
    let sessions = async || {
        let all = whole_reads(&bench).await;
        all.into_iter().find(|(table, _)| table == "sessions")
    };
    bench
        .store()
        .schema_connection()
        .clone()
        .close()
        .await
        .unwrap();
    let before = sessions().await;
    let questions = bench.beside().await;
    // As far back as sessions are kept is caught up with, a day at a time.
    for _ in 0..31 {
        keep(&questions, None).await.unwrap();
    }
    for range in Range::ALL {
        let figures = overview(&questions, range).await.unwrap();
        assert_eq!(figures.now.live_sessions.count, 50);
        assert_eq!(figures.as_of, bench.now());
    }
    let settled = bench
        .database
        .count("SELECT COUNT(*) FROM hourly_figures WHERE settled");
    assert!(settled.await > 480);
    let connection = questions.store.schema_connection().clone();
    connection.close().await.unwrap();
    assert_eq!(sessions().await, before, "the table was read whole");
}

#[tokio::test]
async fn sqlite_never_reads_all_sessions_for_figures() {
    let bench = Bench::sqlite().await;
    let db = bench.database.connect().await;
    let id = bench.literal(uuid::Uuid::nil());
    let own = "s.impersonator_id IS NULL";
    let created = format!("{own} AND s.id >= {id} AND s.id < {id}");
    let ended = format!("{own} AND s.ended_at >= 'then' AND s.ended_at < 'now'");
    let live = "s.ended_at IS NULL AND s.idle_expires_at > 'now' AND s.expires_at > 'now'";
    let opened_live = format!("{created} AND {live}");
    let mut questions = Vec::new();
    for (condition, index) in [
        (&created, "SEARCH s USING"),
        (&ended, "ix_sessions_ended_at"),
        (&opened_live, "SEARCH s USING"),
    ] {
        for question in [
            format!(
                "SELECT s.organization_id, s.amr, '' AS reason, COUNT(*) FROM sessions AS s \
                 WHERE {condition} GROUP BY s.organization_id, s.amr, 3"
            ),
            format!(
                "SELECT COALESCE(r.role, '') AS role, COUNT(*) FROM sessions AS s \
                 LEFT JOIN user_roles AS r ON r.user_id = s.user_id WHERE {condition} GROUP BY 1"
            ),
            format!(
                "SELECT COUNT(*) FROM (SELECT 1 AS one FROM sessions AS s WHERE {condition} LIMIT 20001) AS few"
            ),
            format!("SELECT s.* FROM sessions AS s WHERE {condition} LIMIT 2001"),
        ] {
            questions.push((question, index));
        }
    }
    let events = format!("e.action = 'signed-in' AND e.id >= {id} AND e.id < {id}");
    let gone = format!(
        "SELECT e.session_id FROM audit_events AS e WHERE {events} AND e.session_id IS NOT NULL \
         AND e.session_id >= {id} AND e.session_id < {id} \
         AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.id = e.session_id)"
    );
    questions.push((gone.clone(), "ix_audit_events_action_id"));
    questions.push((gone, "SEARCH s USING"));
    questions.push((
        format!("SELECT COUNT(*) FROM audit_events AS e WHERE {events}"),
        "ix_audit_events_action_id",
    ));
    questions.push((
        format!("SELECT s.user_id FROM sessions AS s WHERE {live} AND {own} LIMIT 10001"),
        "ix_sessions_live",
    ));
    questions.push((
        "SELECT u.id FROM users AS u WHERE u.disabled_at IS NOT NULL LIMIT 10001".to_owned(),
        "ix_users_disabled_at",
    ));
    let of_hours = "FROM hourly_figures AS s WHERE s.kind = 'created' AND s.dimension = 'all'";
    let from_one =
        format!("{of_hours} AND s.hour >= 1 AND s.hour <= 9 AND s.counted_at <= 'later'");
    for question in [
        format!(
            "SELECT s.member, (s.hour - 1) / 24, SUM(s.count) {of_hours} AND s.hour >= 1 AND s.hour <= 9 GROUP BY 1, 2"
        ),
        format!(
            "SELECT MAX(hour) FROM (SELECT s.hour, s.hour - ROW_NUMBER() OVER (ORDER BY s.hour) AS run \
             {from_one} AND s.settled) AS hours WHERE run = 0"
        ),
        format!("SELECT s.hour {from_one} AND s.settled ORDER BY s.hour"),
        format!("SELECT s.hour, s.counted_at {from_one} ORDER BY s.hour LIMIT 100"),
        "SELECT s.count, s.counted_at FROM hourly_figures AS s WHERE s.kind = 'live' \
         AND s.dimension = 'all' AND s.hour <= 9 ORDER BY s.hour DESC LIMIT 1"
            .to_owned(),
    ] {
        questions.push((question, "SEARCH s USING"));
    }
    // Few among all that are live, and not by passing those.
    questions.push((
        "SELECT s.user_id FROM sessions AS s WHERE s.impersonator_id IS NOT NULL \
         AND s.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM sessions AS own \
         WHERE own.user_id = s.user_id AND own.ended_at IS NULL AND own.impersonator_id IS NULL)"
            .to_owned(),
        "SEARCH s USING INDEX ix_sessions_impersonator_id",
    ));
    for (question, index) in questions {
        let plan = plan(&db, &question).await;
        assert!(plan.contains(index), "{question}: {plan}");
        assert!(
            !plan.contains("SCAN s") && !plan.contains("SCAN e"),
            "{question}: {plan}"
        );
    }
    // All that are live, of an index that holds nothing else.
    for question in [
        "SELECT COUNT(*) FROM sessions AS s WHERE s.ended_at IS NULL",
        "SELECT COUNT(*) FROM (SELECT DISTINCT s.user_id FROM sessions AS s WHERE s.ended_at IS NULL) AS users",
    ] {
        let plan = plan(&db, question).await;
        assert!(
            plan.contains("COVERING INDEX ix_sessions_live"),
            "{question}: {plan}"
        );
    }
}
