//! Sessions that are held together: each is still its own, and together they are no more than there
//! is room for.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join;
use portcullis::rules::id::SessionId;
use portcullis::rules::session::{Ended, Facts, Stored};
use portcullis::store::StoreError;
use portcullis::store::validity_cache::{CachedSession, ValidityCache, VerifiedToken};

use crate::bench::id;
use crate::cache::{NOBODY, T0, ended, facts, followed, is_open, open, stored};

/// Room for so few that all are in one group.
const FEW: u64 = 4;

/// Left alone for so long, a session is dropped: for as long as a token lives, and a minute.
const LEFT_ALONE_SECS: i64 = 360;

fn at(second: i64) -> DateTime<Utc> {
    T0 + TimeDelta::seconds(second)
}

async fn load(cache: &ValidityCache, session: SessionId, second: i64) -> CachedSession {
    let load = async { Ok(open(session)) };
    let found = cache.find_or_load(session, NOBODY, at(second), load).await;
    found.unwrap()
}

/// From memory, or not at all.
async fn find(cache: &ValidityCache, session: SessionId, second: i64) -> Option<CachedSession> {
    let outage = async { Err(StoreError::Unavailable(None)) };
    let found = cache.find_or_load(session, NOBODY, at(second), outage);
    found.await.ok()
}

#[tokio::test]
async fn each_has_its_own_facts_its_own_tokens_and_its_own_end() {
    let cache = followed(FEW);
    let sessions = [SessionId(id()), SessionId(id()), SessionId(id())];
    for (session, number) in sessions.into_iter().zip(1..) {
        let own = Facts {
            idle_timeout_secs: number,
            ..facts(session)
        };
        let load = async { Ok(Stored::Open(own)) };
        let cached = cache.find_or_load(session, NOBODY, T0, load).await.unwrap();
        let verified = VerifiedToken {
            session_id: session,
            user_id: NOBODY,
            expires_at: at(300),
            auth_time: T0,
        };
        let token = number.to_string();
        cache.remember_token(&cached, &token, verified, cache.generation());
    }
    cache.mark_ended(sessions[1], ended()).await;
    for (session, number) in sessions.into_iter().zip(1_u32..) {
        let found = find(&cache, session, 0).await.unwrap();
        match stored(&found) {
            Stored::Ended(end) => assert_eq!((end, number), (ended(), 2)),
            Stored::Open(facts) => {
                assert_eq!(facts.session_id, session);
                assert_eq!(facts.idle_timeout_secs, number);
                assert_ne!(number, 2);
            }
            Stored::UserGone | Stored::SessionGone => panic!("{number} is gone"),
        }
        for token in 1..=3 {
            let known = cache.find_verified(session, &token.to_string(), T0).await;
            assert_eq!(known.is_some(), token == number, "{number} by {token}");
        }
    }
    // Somebody else who is led to the same group finds nobody there.
    assert!(find(&cache, SessionId(id()), 0).await.is_none());
    assert_eq!(cache.held().await, 3);
}

#[tokio::test]
async fn what_happens_to_one_while_another_is_loaded_is_not_lost() {
    let (cache, one, other) = (followed(FEW), SessionId(id()), SessionId(id()));
    load(&cache, other, 0).await;
    let loads = async {
        let load = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            Ok(open(one))
        };
        cache.find_or_load(one, NOBODY, T0, load).await.unwrap()
    };
    let ends = async {
        tokio::task::yield_now().await;
        cache.mark_ended(other, ended()).await;
    };
    let (loaded, ()) = join(loads, ends).await;
    assert!(is_open(&loaded));
    assert!(is_open(&find(&cache, one, 0).await.unwrap()));
    let marked = find(&cache, other, 0).await.unwrap();
    assert_eq!(stored(&marked), Stored::Ended(ended()));
}

#[tokio::test]
async fn one_that_was_left_alone_is_given_back_though_another_is_in_use() {
    let cache = followed(FEW);
    let (used, left, marked) = (SessionId(id()), SessionId(id()), SessionId(id()));
    load(&cache, left, 0).await;
    cache.mark_ended(marked, ended()).await;
    for (second, held) in [
        (0, 3),
        (60, 3),
        (LEFT_ALONE_SECS, 3),
        (LEFT_ALONE_SECS + 60, 1),
    ] {
        load(&cache, used, second).await;
        assert_eq!(cache.held().await, held, "at second {second}");
    }
    // A mark is told by the clock of whoever ended it, and by that clock nothing else is old.
    let late = Ended {
        at: at(1_000_000),
        ..ended()
    };
    cache.mark_ended(marked, late).await;
    assert_eq!(cache.held().await, 2);
}

#[tokio::test]
async fn no_more_are_held_than_there_is_room_for_and_hardly_fewer() {
    const ROOM: u64 = 1_000;
    let cache = followed(ROOM);
    for second in 0..5_000 {
        load(&cache, SessionId(id()), second / 100).await;
    }
    let held = cache.held().await;
    assert!((ROOM - 50..=ROOM).contains(&held), "{held}");
}
