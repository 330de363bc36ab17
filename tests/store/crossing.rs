//! Acts that want the same sessions at the same moment: none misses any, and none waits for ever.

use std::pin::pin;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::{Either, join, join5, select};
use portcullis::entropy;
use portcullis::rules::audit::Origin;
use portcullis::rules::end_reason::EndReason;
use portcullis::rules::id::{SessionId, UserId};
use portcullis::rules::record::Device;
use portcullis::rules::session::Stored;
use portcullis::service::Context;
use portcullis::service::cleanup::cleanup;
use portcullis::service::end_session::{end, end_everyone};
use portcullis::service::touches::write_touches;
use portcullis::store::StoreError;
use portcullis::store::sessions::{NewSession, Which};
use sea_orm::{ConnectionTrait, DatabaseConnection};

use crate::bench::Bench;

on_both! {
    everyone_is_out_though_another_ends_some_of_them_at_the_same_moment
    an_idle_session_is_judged_after_the_uses_that_are_being_written
}

/// Opens sessions without sign-ins. Their identifiers ascend.
async fn open_sessions(bench: &Bench, user: UserId, count: usize) -> Vec<SessionId> {
    let now = bench.now();
    let lifetimes = bench.context.settings.lifetimes(false);
    let mut opened = Vec::with_capacity(count);
    while opened.len() < count {
        let ids: Vec<_> = (opened.len()..count)
            .take(500)
            .map(|_| SessionId(entropy::new_id(now).unwrap()))
            .collect();
        opened.extend(&ids);
        let made = bench.store().write(now, move |tx| {
            Box::pin(async move {
                for id in ids {
                    let new = NewSession {
                        id,
                        user_id: user,
                        remembered: false,
                        lifetimes,
                        amr: "pwd",
                        device: Device::default(),
                        ip: [192, 0, 2, 7].into(),
                        place: None,
                        impersonation: None,
                    };
                    tx.insert_session(new).await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        made.await.unwrap();
    }
    opened.sort_unstable();
    opened
}

/// Somebody with `psql` or `sqlite3` in the middle of a change.
async fn by_hand(bench: &Bench, change: &str) -> DatabaseConnection {
    let hand = bench.database.connect().await;
    let begin = if bench.database.is_postgres() {
        "BEGIN"
    } else {
        "BEGIN IMMEDIATE"
    };
    for sql in [begin, change] {
        hand.execute_unprepared(sql).await.unwrap();
    }
    hand
}

/// Comes back when so many wait for what another holds; SQLite does not tell.
async fn until_waiting(bench: &Bench, count: i64) {
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while bench.database.is_postgres() && bench.database.count(waiting).await < count {}
}

async fn everyone_is_out_though_another_ends_some_of_them_at_the_same_moment(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    // More than one transaction ends, and of the first of them more than are left for a second.
    let (all, by_another) = (1_500, 600);
    open_sessions(&bench, ada, all).await;
    let hand = by_hand(
        &bench,
        &format!(
            "UPDATE sessions SET ended_at = updated_at, end_reason = 'signed-out' \
             WHERE id IN (SELECT id FROM sessions ORDER BY id LIMIT {by_another})"
        ),
    )
    .await;
    let (ended, ()) = join(end_everyone(&bench.context, None, Origin::HOST), async {
        until_waiting(&bench, 1).await;
        hand.execute_unprepared("COMMIT").await.unwrap();
    })
    .await;
    assert_eq!(bench.open_sessions(ada).await, 0);
    let rest = all - by_another;
    assert_eq!(ended.unwrap(), rest as u64);
    let audited = "SELECT COUNT(*) FROM audit_events WHERE action = 'session-ended'";
    assert_eq!(bench.database.count(audited).await, rest as i64);
}

async fn use_now(bench: &Bench, context: &Context, sessions: &[SessionId], user: UserId) {
    for session in sessions {
        let cached = bench
            .store()
            .session_facts(*session, user, bench.now())
            .await
            .unwrap();
        let Stored::Open(facts) = cached.stored() else {
            panic!("{cached:?}");
        };
        context.touches.note(facts, bench.now());
    }
}

async fn an_idle_session_is_judged_after_the_uses_that_are_being_written(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    // Uses are written in this order, and somebody will hold the first row.
    let both = open_sessions(&bench, ada, 2).await;
    let held = both[0];
    bench.clock.advance(TimeDelta::seconds(1000));
    use_now(&bench, &bench.context, &[held], ada).await;
    write_touches(&bench.context).await.unwrap();
    bench.clock.advance(TimeDelta::seconds(1000));
    use_now(&bench, &bench.context, &both, ada).await;
    let hold = format!(
        "UPDATE sessions SET name = name WHERE id = {}",
        bench.literal(held.0)
    );
    let hand = by_hand(&bench, &hold).await;
    let writing = tokio::spawn({
        let context = Arc::clone(&bench.context);
        async move { write_touches(&context).await }
    });
    until_waiting(&bench, 1).await;

    // By the table, which has not heard of the latest use, the other one is past its limit.
    bench.clock.advance(TimeDelta::seconds(1600));
    let judged = pin!(cleanup(&bench.context, Origin::HOST));
    let meanwhile = pin!(async {
        for _ in 0..50 {
            bench.open_sessions(ada).await;
        }
    });
    let Either::Right(((), judged)) = select(judged, meanwhile).await else {
        panic!("judged without the uses that are being written");
    };
    hand.execute_unprepared("COMMIT").await.unwrap();
    assert_eq!(judged.await.unwrap().ended, 0);
    writing.await.unwrap().unwrap();
    assert_eq!(bench.open_sessions(ada).await, 2);
}

/// SQLite has one writer at a time, who waits for nobody.
#[tokio::test]
async fn acts_on_the_same_sessions_never_wait_for_each_other_for_ever() {
    let bench = Bench::postgres().await;
    let beside = bench.beside().await;
    // One that has no uses to write before it cleans up.
    let third = bench.beside().await;
    let ada = bench.user("ada@test.example", &[]).await;
    for round in 0..40 {
        let sessions = open_sessions(&bench, ada, 30).await;
        bench.clock.advance(TimeDelta::seconds(10));
        use_now(&bench, &bench.context, &sessions, ada).await;
        use_now(&bench, &beside, &sessions, ada).await;
        if round % 2 == 0 {
            // Past their limit, so that the clean-up wants them too.
            bench.clock.advance(TimeDelta::seconds(3600));
        }
        let which = Which::UserExcept(ada, sessions[round % sessions.len()]);
        let outcomes = join5(
            write_touches(&beside),
            cleanup(&third, Origin::HOST),
            write_touches(&bench.context),
            end(&bench.context, which, EndReason::EndedByUser, Origin::HOST),
            end_everyone(&beside, None, Origin::HOST),
        )
        .await;
        let all_done = matches!(outcomes, (Ok(()), Ok(_), Ok(()), Ok(_), Ok(_)));
        assert!(all_done, "round {round}: {outcomes:?}");
        assert_eq!(bench.open_sessions(ada).await, 0, "round {round}");
    }
}
