//! When what the cache holds counts as old, and when it is not believed at all.

use std::time::Duration;

use portcullis::clock;
use portcullis::rules::id::SessionId;
use portcullis::rules::session::Stored;

use crate::bench::id;
use crate::cache::{BOUND, NOBODY, T0, cache, ended, followed, is_open, open, stored, unfollowed};

#[tokio::test]
async fn facts_that_were_asked_for_before_a_change_are_old_when_they_arrive() {
    let (cache, session) = (cache(), SessionId(id()));
    let changes: [(&str, &dyn Fn()); 3] = [
        ("of the session", &|| cache.forget(session)),
        ("of its user", &|| cache.forget_user(NOBODY)),
        ("of everybody", &|| cache.forget_everyone()),
    ];
    for (whose, change) in changes {
        // The change commits while the table's answer is on its way.
        let load = async {
            change();
            Ok(open(session))
        };
        cache.find_or_load(session, NOBODY, T0, load).await.unwrap();
        let load = async { Ok(Stored::UserGone) };
        let cached = cache.find_or_load(session, NOBODY, T0, load).await.unwrap();
        assert_eq!(stored(&cached), Stored::UserGone, "{whose}");
        // And facts that lie here already are.
        change();
        let load = async { Ok(open(session)) };
        let cached = cache.find_or_load(session, NOBODY, T0, load).await.unwrap();
        assert_eq!(stored(&cached), open(session), "{whose}");
        change();
    }
}

#[tokio::test]
async fn sessions_that_crowd_each_other_out_are_still_each_answered_for_as_they_are() {
    // All of them lead to the same place among the hot ones.
    let cache = followed(1);
    let sessions: Vec<SessionId> = (0..40)
        .map(|number| SessionId(uuid::Uuid::from_u64_pair(number, number << 56)))
        .collect();
    for (number, session) in sessions.iter().enumerate() {
        let load = async { Ok(open(*session)) };
        cache
            .find_or_load(*session, NOBODY, T0, load)
            .await
            .unwrap();
        if number % 2 == 0 {
            cache.mark_ended(*session, ended()).await;
        }
    }
    for (number, session) in sessions.iter().enumerate() {
        let row = if number % 2 == 0 {
            Stored::Ended(ended())
        } else {
            open(*session)
        };
        let load = async { Ok(row.clone()) };
        let cached = cache
            .find_or_load(*session, NOBODY, T0, load)
            .await
            .unwrap();
        assert_eq!(stored(&cached), row, "{number}");
    }
}

#[tokio::test]
async fn facts_are_believed_only_while_the_change_list_was_read_within_the_bound() {
    let (cache, session, ended_one) = (unfollowed(100), SessionId(id()), SessionId(id()));
    let load = async || Ok(open(session));
    let expect = async |loads: u64, why: &str| {
        let cached = cache.find_or_load(session, NOBODY, T0, load()).await;
        assert!(is_open(&cached.unwrap()));
        assert_eq!(cache.loads(), loads, "{why}");
    };
    cache.mark_ended(ended_one, ended()).await;
    expect(1, "never read").await;
    expect(2, "still not").await;
    let now = clock::since_boot();
    cache.confirm(now + Duration::from_secs(3600));
    expect(3, "what was loaded before is not kept").await;
    expect(3, "read, and the facts are here").await;

    let cache = unfollowed(100);
    let past = now.checked_sub(BOUND).unwrap();
    cache.confirm(past);
    for loads in [1, 2] {
        let cached = cache.find_or_load(session, NOBODY, T0, load()).await;
        assert!(is_open(&cached.unwrap()));
        assert_eq!(cache.loads(), loads, "a bound ago");
    }
    // An end is final, however long ago the list was read.
    cache.mark_ended(ended_one, ended()).await;
    let none = async { panic!("asked about a session that has ended") };
    let cached = cache.find_or_load(ended_one, NOBODY, T0, none).await;
    assert_eq!(stored(&cached.unwrap()), Stored::Ended(ended()));
}
