//! A node by whose clock sessions would end at the wrong time.

use std::sync::Arc;

use chrono::TimeDelta;
use migration::{Migrator, MigratorTrait};
use portcullis::clock::MovedClock;
use portcullis::http::server::check_clock;
use portcullis::service::Context;
use portcullis::store::Store;

use crate::support::{Database, settings};

#[tokio::test]
async fn a_node_whose_clock_is_off_does_not_serve_and_says_by_how_much() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::make(directory.path()).await;
    let settings = settings(directory.path(), &database, &[]);
    let store = Store::open(&settings).await.unwrap();
    Migrator::up(store.schema_connection(), None).await.unwrap();
    let clock = MovedClock::default();
    let context = Context::start(settings, store, Arc::new(clock.clone()))
        .await
        .unwrap();
    // An embedded database tells whole seconds.
    for (seconds, serves) in [(0, true), (3, true), (60, false), (-60, false)] {
        clock.advance(TimeDelta::seconds(seconds));
        let checked = check_clock(&context).await;
        clock.advance(TimeDelta::seconds(-seconds));
        match checked {
            Ok(()) => assert!(serves, "{seconds}"),
            Err(error) => {
                assert!(!serves, "{seconds}");
                let said = error.to_string();
                assert!(
                    said.contains("60 seconds") || said.contains("59 seconds"),
                    "{said}"
                );
            }
        }
    }
}
