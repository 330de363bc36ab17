//! Sessions change only where the table says that they may.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use portcullis::rules::audit::Origin;
use portcullis::rules::end_reason::EndReason;
use portcullis::rules::id::{SessionId, UserId};
use portcullis::rules::record::SessionRecord;
use portcullis::rules::session::{Ended, Stored};
use portcullis::service::cleanup::cleanup;
use portcullis::service::end_session::end;
use portcullis::store::session_uses::Use;
use portcullis::store::sessions::Which;
use portcullis::store::{Store, StoreError};

use crate::bench::Bench;
use crate::cache::stored;

const IDLE: TimeDelta = TimeDelta::seconds(3600);

on_both! {
    of_twenty_that_end_a_session_at_once_one_did_it
    an_ended_session_is_never_used_or_ended_again
    uses_count_only_forwards_and_only_of_live_sessions
    an_end_reaches_exactly_the_sessions_it_names
    limits_are_written_down_with_their_own_reason
}

async fn end_now(
    store: &Store,
    now: DateTime<Utc>,
    which: Which,
    reason: EndReason,
) -> Vec<(SessionId, UserId)> {
    let ended = store.write(now, move |tx| {
        Box::pin(async move { tx.end_sessions(which, reason, None).await })
    });
    ended.await.unwrap()
}

async fn row(bench: &Bench, session: SessionId) -> SessionRecord {
    bench
        .store()
        .find_session(session, bench.now())
        .await
        .unwrap()
        .unwrap()
}

async fn use_at(bench: &Bench, session: SessionId, after: i64) {
    let at = bench.now() + TimeDelta::seconds(after);
    let used = Use {
        session_id: session,
        at,
        idle_timeout: IDLE,
    };
    bench.store().touch(vec![used], bench.now()).await.unwrap();
}

async fn of_twenty_that_end_a_session_at_once_one_did_it(bench: Bench) {
    let user = bench.user("ada@test.example", &[]).await;
    let beside = bench.beside().await;
    for _ in 0..5 {
        let session = bench.session("ada@test.example").await;
        let ends = (0..20).map(|number| {
            let store = if number % 2 == 0 {
                bench.store()
            } else {
                &beside.store
            };
            end_now(
                store,
                bench.now(),
                Which::One(session),
                EndReason::EndedByUser,
            )
        });
        let ended: Vec<_> = join_all(ends).await.into_iter().flatten().collect();
        assert_eq!(ended, [(session, user)]);
    }
}

async fn an_ended_session_is_never_used_or_ended_again(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let session = bench.session("ada@test.example").await;
    bench.clock.advance(TimeDelta::seconds(5));
    let ended = end_now(
        bench.store(),
        bench.now(),
        Which::One(session),
        EndReason::EndedByUser,
    )
    .await;
    assert_eq!(ended.len(), 1);
    let before = row(&bench, session).await;
    let mark = Ended {
        at: bench.now(),
        reason: EndReason::EndedByUser,
    };
    assert_eq!(before.ended, Some(mark));

    bench.clock.advance(TimeDelta::seconds(5));
    use_at(&bench, session, 1).await;
    let tried = bench.store().write(bench.now(), move |tx| {
        Box::pin(async move {
            let used = tx.use_session(session, IDLE).await?;
            let proven = tx.prove_identity(session).await?;
            Ok::<_, StoreError>((used, proven))
        })
    });
    assert_eq!(tried.await.unwrap(), (false, None));
    bench.clock.advance(TimeDelta::days(2));
    for which in [
        Which::One(session),
        Which::Everyone,
        Which::User(before.user_id),
    ] {
        let again = end_now(bench.store(), bench.now(), which, EndReason::EndedByAdmin).await;
        assert_eq!(again, []);
    }
    assert_eq!(
        cleanup(&bench.context, Origin::HOST).await.unwrap().ended,
        0
    );
    assert_eq!(row(&bench, session).await, before);
    // By the table alone too, as a process sees it that has just been started.
    let beside = bench.beside().await;
    let facts = beside
        .store
        .session_facts(session, before.user_id, bench.now())
        .await
        .unwrap();
    assert_eq!(stored(&facts), Stored::Ended(mark));
}

async fn uses_count_only_forwards_and_only_of_live_sessions(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let session = bench.session("ada@test.example").await;
    let opened = bench.now();
    for (after, expected) in [(10, 10), (5, 10), (10, 10), (11, 11), (-100, 11)] {
        use_at(&bench, session, after).await;
        let row = row(&bench, session).await;
        assert_eq!(
            row.last_seen_at,
            opened + TimeDelta::seconds(expected),
            "after a use at {after}"
        );
        assert_eq!(row.idle_expires_at, row.last_seen_at + IDLE);
    }
    // Exactly at its idle limit it is over, and no use brings it back.
    use_at(&bench, session, 11 + 3600).await;
    assert_eq!(
        row(&bench, session).await.last_seen_at,
        opened + TimeDelta::seconds(11)
    );
    use_at(&bench, session, 11 + 3599).await;
    assert_eq!(
        row(&bench, session).await.last_seen_at,
        opened + TimeDelta::seconds(11 + 3599)
    );
    // Nor past its absolute lifetime, however lively it was.
    for half_hour in 3..16 {
        use_at(&bench, session, half_hour * 1800).await;
    }
    use_at(&bench, session, 8 * 3600 - 1).await;
    let last = row(&bench, session).await.last_seen_at;
    assert_eq!(last, opened + TimeDelta::seconds(8 * 3600 - 1));
    use_at(&bench, session, 8 * 3600).await;
    assert_eq!(row(&bench, session).await.last_seen_at, last);
}

async fn an_end_reaches_exactly_the_sessions_it_names(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    let ben = bench.user("ben@test.example", &[]).await;
    type Named = fn(SessionId, SessionId, UserId, UserId) -> Which;
    // Who is out afterwards: Ada's first and second session, Ben's.
    let cases: [(Named, [bool; 3]); 7] = [
        (|first, _, _, _| Which::One(first), [true, false, false]),
        (
            |first, _, ada, _| Which::OneOf(ada, first),
            [true, false, false],
        ),
        (
            |first, _, _, ben| Which::OneOf(ben, first),
            [false, false, false],
        ),
        (|_, _, ada, _| Which::User(ada), [true, true, false]),
        (
            |_, second, ada, _| Which::UserExcept(ada, second),
            [true, false, false],
        ),
        (|_, _, _, _| Which::Everyone, [true, true, true]),
        (
            |first, _, _, _| Which::EveryoneExcept(first),
            [false, true, true],
        ),
    ];
    for (number, (named, expected)) in cases.into_iter().enumerate() {
        let first = bench.session("ada@test.example").await;
        let second = bench.session("ada@test.example").await;
        let bens = bench.session("ben@test.example").await;
        let which = named(first, second, ada, ben);
        let count = end(&bench.context, which, EndReason::EndedByAdmin, Origin::HOST)
            .await
            .unwrap();
        assert_eq!(
            count,
            expected.iter().filter(|out| **out).count() as u64,
            "case {number}"
        );
        for (session, out) in [first, second, bens].into_iter().zip(expected) {
            assert_eq!(
                row(&bench, session).await.ended.is_some(),
                out,
                "case {number}"
            );
        }
        end(
            &bench.context,
            Which::Everyone,
            EndReason::EveryoneOut,
            Origin::HOST,
        )
        .await
        .unwrap();
    }
}

async fn limits_are_written_down_with_their_own_reason(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let idle = bench.session("ada@test.example").await;
    let lively = bench.session("ada@test.example").await;
    let opened = bench.now();
    bench.clock.advance(TimeDelta::seconds(3599));
    assert_eq!(
        cleanup(&bench.context, Origin::HOST).await.unwrap().ended,
        0
    );
    use_at(&bench, lively, 0).await;
    bench.clock.advance(TimeDelta::seconds(1));
    assert_eq!(
        cleanup(&bench.context, Origin::HOST).await.unwrap().ended,
        1
    );
    let expected = Ended {
        at: opened + IDLE,
        reason: EndReason::Idle,
    };
    assert_eq!(row(&bench, idle).await.ended, Some(expected));
    for _ in 0..8 {
        use_at(&bench, lively, 0).await;
        bench.clock.advance(TimeDelta::seconds(3500));
    }
    assert_eq!(
        cleanup(&bench.context, Origin::HOST).await.unwrap().ended,
        1
    );
    let ended = row(&bench, lively).await.ended.unwrap();
    assert_eq!(ended.reason, EndReason::AbsoluteLifetime);
}
