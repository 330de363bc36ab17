//! Whoever is honest is never signed out: a browser with many tabs, on a network that loses answers,
//! in front of several nodes.

use chrono::TimeDelta;
use portcullis::service::authenticate::{Authentication, authenticate};
use portcullis::service::receipts::write_receipts;
use portcullis::service::refresh::refresh;
use portcullis::settings::Secret;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::bench::visitor;
use crate::lineage::Stage;

/// A tab's request, all with the cookies that the browser had when the tabs were opened.
#[derive(Clone, Debug)]
struct Tab {
    node: usize,
    /// Does the answer come back?
    arrives: bool,
    /// And does the tab go on at once?
    goes_on: bool,
    /// Are all receipts written by now?
    written: bool,
}

/// Tabs that are opened together, and the time until the next ones are.
#[derive(Clone, Debug)]
struct Opened {
    tabs: Vec<Tab>,
    pause: i64,
}

fn opened() -> impl Strategy<Value = Opened> {
    let tab = (0..2_usize, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(node, arrives, goes_on, written)| Tab {
            node,
            arrives,
            goes_on,
            written,
        },
    );
    let pause = prop_oneof![Just(0), Just(31), Just(300), Just(3600), Just(86_400)];
    (prop::collection::vec(tab, 1..8), pause).prop_map(|(tabs, pause)| Opened { tabs, pause })
}

#[test]
fn an_honest_browser_is_never_signed_out() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stage = runtime.block_on(Stage::set());
    let config = Config {
        cases: 100,
        failure_persistence: None,
        ..Config::default()
    };
    let days = prop::collection::vec(opened(), 1..12);
    let outcome = TestRunner::new(config).run(&days, |days| {
        runtime.block_on(async {
            let (_, mut cookie) = stage.session().await;
            for Opened { tabs, pause } in &days {
                cookie = open(&stage, cookie, tabs).await;
                stage.bench.clock.advance(TimeDelta::seconds(*pause));
            }
        });
        Ok(())
    });
    outcome.unwrap();
}

/// Opens tabs, each four seconds after the other. Returns the browser's refresh cookie afterwards.
async fn open(stage: &Stage, cookie: Secret, tabs: &[Tab]) -> Secret {
    let mut after = cookie.clone();
    for tab in tabs {
        let context = &stage.nodes[tab.node];
        let renewed = refresh(context, &cookie, &visitor()).await;
        let renewed = renewed.unwrap_or_else(|error| panic!("{error:?}"));
        if tab.arrives {
            after = renewed.tokens.refresh;
            if tab.goes_on {
                let access = renewed.tokens.access.text;
                let seen = authenticate(context, access.reveal()).await.unwrap();
                assert!(matches!(seen, Authentication::SignedIn(_)), "{seen:?}");
            }
        }
        if tab.written {
            for node in &stage.nodes {
                write_receipts(node).await.unwrap();
            }
        }
        stage.bench.clock.advance(TimeDelta::seconds(4));
    }
    after
}
