//! What the cache keeps, for how long, and what it asks the table for.

use std::cell::Cell;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use portcullis::rules::amr::Amr;
use portcullis::rules::end_reason::EndReason;
use portcullis::rules::id::{SessionId, UserId};
use portcullis::rules::person::Person;
use portcullis::rules::session::{Ended, Facts, Stored};
use portcullis::store::StoreError;
use portcullis::store::validity_cache::{CachedSession, ValidityCache, VerifiedToken};

use crate::bench::id;

pub(crate) const T0: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
const TTL: TimeDelta = TimeDelta::seconds(60);
pub(crate) const BOUND: Duration = Duration::from_secs(1);

pub(crate) fn cache() -> ValidityCache {
    followed(10_000)
}

/// A cache whose change list is always known.
pub(crate) fn followed(capacity: u64) -> ValidityCache {
    let cache = unfollowed(capacity);
    cache.confirm(Duration::MAX);
    cache
}

pub(crate) fn unfollowed(capacity: u64) -> ValidityCache {
    ValidityCache::new(capacity, TTL, TimeDelta::seconds(300), BOUND).unwrap()
}

/// Whose sessions these are.
pub(crate) const NOBODY: UserId = UserId(uuid::Uuid::nil());

pub(crate) fn open(session_id: SessionId) -> Stored {
    Stored::Open(facts(session_id))
}

pub(crate) fn facts(session_id: SessionId) -> Facts {
    Facts {
        session_id,
        user_id: NOBODY,
        person: Person::new("ada@test.example", "Ada", []),
        user_enabled: true,
        organization_id: None,
        created_at: T0.into(),
        auth_time: T0.into(),
        amr: Amr::new("pwd"),
        remembered: false,
        idle_timeout_secs: 3600,
        last_seen: T0.into(),
        expires_at: (T0 + TimeDelta::seconds(28800)).into(),
        impersonation: None,
    }
}

pub(crate) fn ended() -> Ended {
    Ended {
        at: T0,
        reason: EndReason::EndedByAdmin,
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    T0 + TimeDelta::seconds(seconds)
}

pub(crate) fn stored(cached: &CachedSession) -> Stored {
    match cached.stored() {
        Stored::UserGone => Stored::UserGone,
        Stored::SessionGone => Stored::SessionGone,
        Stored::Ended(ended) => Stored::Ended(ended),
        Stored::Open(facts) => Stored::Open(Facts::clone(facts)),
    }
}

pub(crate) fn is_open(cached: &CachedSession) -> bool {
    matches!(cached.stored(), Stored::Open(_))
}

#[tokio::test]
async fn a_thousand_that_ask_at_once_for_a_cold_session_cost_one_read() {
    let (cache, session) = (cache(), SessionId(id()));
    let asked = Cell::new(0);
    let load = async || {
        asked.set(asked.get() + 1);
        // Slow enough that all the others have asked meanwhile.
        for _ in 0..2_000 {
            tokio::task::yield_now().await;
        }
        Ok(open(session))
    };
    let answers =
        join_all((0..1_000).map(|_| cache.find_or_load(session, NOBODY, T0, load()))).await;
    assert!(answers.into_iter().all(|answer| is_open(&answer.unwrap())));
    assert_eq!((asked.get(), cache.loads()), (1, 1));
}

#[tokio::test]
async fn facts_are_believed_until_their_time_by_the_clock_of_the_process_is_over() {
    let (cache, session) = (cache(), SessionId(id()));
    let load = async || Ok(open(session));
    for (second, loads) in [(0, 1), (1, 1), (59, 1), (60, 2), (119, 2), (120, 3)] {
        cache
            .find_or_load(session, NOBODY, at(second), load())
            .await
            .unwrap();
        assert_eq!(cache.loads(), loads, "at second {second}");
    }
}

#[tokio::test]
async fn where_the_table_does_not_answer_nothing_is_believed_past_its_time_and_nothing_is_kept() {
    let (cache, session) = (cache(), SessionId(id()));
    let outage = async || Err(StoreError::Unavailable(None));
    assert!(
        cache
            .find_or_load(session, NOBODY, at(0), outage())
            .await
            .is_err()
    );
    let cached = cache
        .find_or_load(session, NOBODY, at(0), async { Ok(open(session)) })
        .await;
    assert!(is_open(&cached.unwrap()), "the outage was remembered");
    assert!(is_open(
        &cache
            .find_or_load(session, NOBODY, at(59), outage())
            .await
            .unwrap()
    ));
    assert!(
        cache
            .find_or_load(session, NOBODY, at(60), outage())
            .await
            .is_err()
    );
    assert!(
        cache
            .find_or_load(session, NOBODY, at(61), async { Ok(open(session)) })
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn an_ended_mark_is_replaced_by_no_load_and_no_forgetting_and_no_other_mark() {
    let (cache, session) = (cache(), SessionId(id()));
    cache
        .find_or_load(session, NOBODY, T0, async { Ok(open(session)) })
        .await
        .unwrap();
    cache.mark_ended(session, ended()).await;
    cache
        .mark_ended(
            session,
            Ended {
                at: at(5),
                reason: EndReason::Idle,
            },
        )
        .await;
    cache.forget(session);
    for second in [0, 59, 60, 299, 100_000] {
        let load = async { panic!("the table was asked about a session that has ended") };
        let cached = cache
            .find_or_load(session, NOBODY, at(second), load)
            .await
            .unwrap();
        assert_eq!(stored(&cached), Stored::Ended(ended()));
    }
}

#[tokio::test]
async fn a_mark_counts_for_a_session_that_was_never_loaded() {
    let (cache, session) = (cache(), SessionId(id()));
    cache.mark_ended(session, ended()).await;
    let cached = cache
        .find_or_load(session, NOBODY, T0, async { Ok(open(session)) })
        .await
        .unwrap();
    assert_eq!(stored(&cached), Stored::Ended(ended()));
}

#[tokio::test]
async fn what_was_forgotten_is_asked_for_again_and_the_rest_is_not() {
    let (cache, session, other) = (cache(), SessionId(id()), SessionId(id()));
    for session in [session, other] {
        cache
            .find_or_load(session, NOBODY, T0, async { Ok(open(session)) })
            .await
            .unwrap();
    }
    cache.forget(session);
    cache.forget(SessionId(id()));
    let gone = cache
        .find_or_load(session, NOBODY, T0, async { Ok(Stored::UserGone) })
        .await
        .unwrap();
    assert_eq!(stored(&gone), Stored::UserGone);
    let kept = cache
        .find_or_load(other, NOBODY, T0, async { Ok(Stored::UserGone) })
        .await
        .unwrap();
    assert!(is_open(&kept));
}

fn verified(session_id: SessionId) -> VerifiedToken {
    VerifiedToken {
        session_id,
        user_id: NOBODY,
        expires_at: at(300),
        auth_time: T0,
    }
}

#[tokio::test]
async fn a_token_is_remembered_by_all_its_characters_beside_its_session_only() {
    const TOKEN: &str = "aaaa.bbbb.cccc";
    let (cache, session, other) = (cache(), SessionId(id()), SessionId(id()));
    let load = |session| async move { Ok(open(session)) };
    let cached = cache
        .find_or_load(session, NOBODY, T0, load(session))
        .await
        .unwrap();
    cache
        .find_or_load(other, NOBODY, T0, load(other))
        .await
        .unwrap();
    let known = verified(session);
    cache.remember_token(&cached, TOKEN, known, cache.generation());
    let find = async |session, token: &str, second| {
        let found = cache.find_verified(session, token, at(second)).await;
        found.map(|(token, facts)| (token, facts.is_some()))
    };
    assert_eq!(find(session, TOKEN, 0).await, Some((known, true)));
    for text in [
        "aaaa.bbbb.cccd",
        "aaaa.bbbb.ccc",
        "aaaa.bbbb.cccc ",
        "Aaaa.bbbb.cccc",
        "",
    ] {
        assert_eq!(find(session, text, 0).await, None, "{text}");
    }
    // Whoever writes another session into a token finds nothing there.
    assert_eq!(find(other, TOKEN, 0).await, None);
    assert_eq!(find(SessionId(id()), TOKEN, 0).await, None);
    // Facts that are old are not handed out; what is known of the token outlives them.
    assert_eq!(find(session, TOKEN, 60).await, Some((known, false)));
    cache
        .find_or_load(session, NOBODY, at(60), load(session))
        .await
        .unwrap();
    assert_eq!(find(session, TOKEN, 60).await, Some((known, true)));
    cache.mark_ended(session, ended()).await;
    let (_, facts) = cache.find_verified(session, TOKEN, at(60)).await.unwrap();
    assert_eq!(stored(&facts.unwrap()), Stored::Ended(ended()));
}

#[tokio::test]
async fn a_token_is_remembered_no_longer_than_the_keys_it_was_verified_with() {
    let (cache, session) = (cache(), SessionId(id()));
    let cached = cache
        .find_or_load(session, NOBODY, T0, async { Ok(open(session)) })
        .await
        .unwrap();
    let before = cache.generation();
    cache.remember_token(&cached, "early", verified(session), before);
    cache.forget_tokens();
    // Verified with the old keys, and remembered only after they were withdrawn.
    cache.remember_token(&cached, "late", verified(session), before);
    for token in ["early", "late"] {
        assert!(
            cache.find_verified(session, token, T0).await.is_none(),
            "{token}"
        );
    }
    // However many there are of one session, they do not pile up.
    for number in 0..10 {
        cache.remember_token(
            &cached,
            &number.to_string(),
            verified(session),
            cache.generation(),
        );
    }
    assert!(cache.find_verified(session, "9", T0).await.is_some());
    assert!(cache.find_verified(session, "0", T0).await.is_none());
}
