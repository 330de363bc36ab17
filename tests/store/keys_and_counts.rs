//! Keys are shared by all processes; failed attempts are counted by all of them together.

use std::sync::Arc;

use futures_util::future::join_all;
use migration::{Migrator, MigratorTrait};
use portcullis::rules::audit::Origin;
use portcullis::service::Context;
use portcullis::service::error::Error;
use portcullis::store::keys::KeyPurpose;
use portcullis::store::throttles::Throttle;
use portcullis::store::{Store, StoreError};

use crate::bench::{Bench, sign_in_at};
use crate::support::PASSWORD;

on_both! {
    processes_that_start_at_once_share_one_key_of_each_purpose
    of_rotations_at_once_every_one_is_whole
    counting_at_once_loses_no_attempt
    guesses_made_at_once_do_not_pass_before_the_first_is_counted
}

async fn processes_that_start_at_once_share_one_key_of_each_purpose(bench: Bench) {
    for _ in 0..3 {
        bench.database.execute("DELETE FROM sealed_keys").await;
        std::fs::remove_file(bench.settings().data_dir.join("master.key")).unwrap();
        let start = async || {
            let settings = bench.settings();
            let store = Store::open(&settings).await.unwrap();
            Migrator::up(store.schema_connection(), None).await.unwrap();
            Context::start(settings, store, Arc::new(bench.clock.clone()))
                .await
                .unwrap()
        };
        let contexts = join_all((0..4).map(|_| start())).await;
        let keys = bench.store().keys().await.unwrap();
        for purpose in KeyPurpose::ALL {
            let in_use = keys
                .iter()
                .filter(|key| key.purpose == purpose && key.retired_at.is_none());
            assert_eq!(in_use.count(), 1, "{purpose:?}");
        }
        for context in &contexts {
            assert_eq!(context.keys().pepper_id(), contexts[0].keys().pepper_id());
            assert!(context.keys().same_signing_keys(&contexts[0].keys()));
        }
    }
}

async fn of_rotations_at_once_every_one_is_whole(bench: Bench) {
    let beside = bench.beside().await;
    let rotations = (0..6).map(|number| {
        let context = if number % 2 == 0 {
            &bench.context
        } else {
            &beside
        };
        context.rotate_keys(Origin::HOST)
    });
    let done: Vec<_> = join_all(rotations).await.into_iter().flatten().collect();
    assert!(!done.is_empty());
    let keys = bench.store().keys().await.unwrap();
    let signing: Vec<_> = keys
        .iter()
        .filter(|key| key.purpose == KeyPurpose::Signing)
        .collect();
    assert_eq!(
        signing.len(),
        1 + done.len(),
        "a rotation that was refused left something"
    );
    let in_use: Vec<_> = signing
        .iter()
        .filter(|key| key.retired_at.is_none())
        .collect();
    assert_eq!(in_use.len(), 1);
    assert!(done.contains(&in_use[0].id));
}

async fn counting_at_once_loses_no_attempt(bench: Bench) {
    let beside = bench.beside().await;
    let now = bench.now();
    let attempts = (0..50).map(|number| {
        let store = if number % 2 == 0 {
            bench.store()
        } else {
            &beside.store
        };
        store.write(now, move |tx| {
            Box::pin(async move {
                let before = tx.lock_throttle("somebody").await?;
                let failures = before.failures + 1;
                tx.update_throttle("somebody", Throttle { failures, ..before })
                    .await
            })
        })
    });
    let outcomes: Vec<Result<(), StoreError>> = join_all(attempts).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(
        bench
            .database
            .count("SELECT CAST(failures AS BIGINT) FROM throttles")
            .await,
        50
    );
}

async fn guesses_made_at_once_do_not_pass_before_the_first_is_counted(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let beside = bench.beside().await;
    let guesses = (0..50).map(|number| {
        let context = if number % 2 == 0 {
            &bench.context
        } else {
            &beside
        };
        sign_in_at(context, "ada@test.example", "not the password at all")
    });
    let (mut looked_at, mut throttled) = (0, 0);
    for outcome in join_all(guesses).await {
        let error = outcome.unwrap_err();
        assert!(
            matches!(error, Error::InvalidCredentials | Error::Throttled { .. }),
            "{error:?}"
        );
        if matches!(error, Error::InvalidCredentials) {
            looked_at += 1;
        } else {
            throttled += 1;
        }
    }
    // Five are free; the sixth makes the next one wait. The clock of this test stands still.
    assert_eq!((looked_at, throttled), (6, 44));
    // The right one waits too, and is not refused for ever.
    let outcome = sign_in_at(&bench.context, "ada@test.example", PASSWORD).await;
    assert!(
        matches!(
            outcome,
            Err(Error::Throttled {
                retry_after_secs: 1..=2
            })
        ),
        "{outcome:?}"
    );
    bench.clock.advance(chrono::TimeDelta::seconds(2));
    sign_in_at(&bench.context, "ada@test.example", PASSWORD)
        .await
        .unwrap();
}
