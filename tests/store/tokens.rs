//! What may be used once is used once, whoever tries at the same moment.

use chrono::TimeDelta;
use futures_util::future::join_all;
use portcullis::rules::id::UserId;
use portcullis::store::StoreError;
use portcullis::store::verification_tokens::Purpose;

use crate::bench::{Bench, id};

on_both! {
    of_twenty_that_consume_a_refresh_token_at_once_one_does
    of_twenty_that_use_a_one_time_link_at_once_one_does
    a_one_time_link_is_good_for_its_purpose_and_until_its_time
    a_newer_link_voids_the_older_ones_of_this_user_only
}

async fn of_twenty_that_consume_a_refresh_token_at_once_one_does(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let session = bench.session("ada@test.example").await;
    let beside = bench.beside().await;
    for round in 0..5_u8 {
        let token = id();
        let kept = bench.store().write(bench.now(), move |tx| {
            Box::pin(async move { tx.insert_refresh_token(token, session, &[round; 32]).await })
        });
        kept.await.unwrap();
        let tries = (0..20).map(|number| {
            let store = if number % 2 == 0 {
                bench.store()
            } else {
                &beside.store
            };
            store.write(bench.now(), move |tx| {
                Box::pin(async move { tx.consume_refresh_token(token).await })
            })
        });
        let outcomes: Vec<Result<bool, StoreError>> = join_all(tries).await;
        assert_eq!(
            outcomes
                .into_iter()
                .filter(|done| *done.as_ref().unwrap())
                .count(),
            1
        );
        let found = bench
            .store()
            .find_refresh_token(&[round; 32])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.consumed_at, Some(bench.now()));
    }
}

async fn keep(bench: &Bench, purpose: Purpose, user: Option<UserId>, hash: [u8; 32]) {
    let expires_at = bench.now() + TimeDelta::seconds(100);
    let kept = bench.store().write(bench.now(), move |tx| {
        Box::pin(async move {
            tx.replace_verification_token(id(), purpose, user, &hash, expires_at)
                .await
        })
    });
    let kept: Result<(), StoreError> = kept.await;
    kept.unwrap();
}

async fn consume(bench: &Bench, purpose: Purpose, hash: [u8; 32]) -> Option<Option<UserId>> {
    let consumed = bench.store().write(bench.now(), move |tx| {
        Box::pin(async move { tx.consume_verification_token(purpose, &hash).await })
    });
    let consumed: Result<_, StoreError> = consumed.await;
    consumed.unwrap()
}

async fn of_twenty_that_use_a_one_time_link_at_once_one_does(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    for round in 0..5 {
        keep(&bench, Purpose::Invitation, Some(ada), [round; 32]).await;
        let tries = (0..20).map(|_| consume(&bench, Purpose::Invitation, [round; 32]));
        let used: Vec<_> = join_all(tries).await.into_iter().flatten().collect();
        assert_eq!(used, [Some(ada)]);
    }
}

async fn a_one_time_link_is_good_for_its_purpose_and_until_its_time(bench: Bench) {
    let find = async |purpose, hash: [u8; 32]| {
        bench
            .store()
            .find_verification_token(purpose, &hash, bench.now())
            .await
            .unwrap()
    };
    keep(&bench, Purpose::SetUp, None, [1; 32]).await;
    assert_eq!(consume(&bench, Purpose::Invitation, [1; 32]).await, None);
    assert_eq!(consume(&bench, Purpose::SetUp, [2; 32]).await, None);
    assert_eq!(find(Purpose::SetUp, [1; 32]).await, Some(None));
    bench.clock.advance(TimeDelta::seconds(99));
    assert_eq!(find(Purpose::SetUp, [1; 32]).await, Some(None));
    bench.clock.advance(TimeDelta::seconds(1));
    assert_eq!(find(Purpose::SetUp, [1; 32]).await, None);
    assert_eq!(consume(&bench, Purpose::SetUp, [1; 32]).await, None);
    keep(&bench, Purpose::SetUp, None, [3; 32]).await;
    bench.clock.advance(TimeDelta::seconds(99));
    assert_eq!(consume(&bench, Purpose::SetUp, [3; 32]).await, Some(None));
    assert_eq!(find(Purpose::SetUp, [3; 32]).await, None);
}

async fn a_newer_link_voids_the_older_ones_of_this_user_only(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    let ben = bench.user("ben@test.example", &[]).await;
    keep(&bench, Purpose::Invitation, Some(ada), [1; 32]).await;
    keep(&bench, Purpose::Invitation, Some(ben), [2; 32]).await;
    keep(&bench, Purpose::SetUp, None, [3; 32]).await;
    keep(&bench, Purpose::Invitation, Some(ada), [4; 32]).await;
    assert_eq!(consume(&bench, Purpose::Invitation, [1; 32]).await, None);
    assert_eq!(
        consume(&bench, Purpose::Invitation, [2; 32]).await,
        Some(Some(ben))
    );
    assert_eq!(consume(&bench, Purpose::SetUp, [3; 32]).await, Some(None));
    assert_eq!(
        consume(&bench, Purpose::Invitation, [4; 32]).await,
        Some(Some(ada))
    );
}
