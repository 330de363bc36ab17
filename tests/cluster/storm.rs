//! Everything at once: many callers at all nodes, while whatever can fail does.
//!
//! `TEST_SEED` makes the choices of another run again (what happens in between is up to the
//! machine), `TEST_STORM_SECS` lets faults happen for longer than in a normal run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::history::{Act, Operation, Outcome, check};
use crate::nodes::{BOUND, Nodes, PATIENCE};
use crate::support::chance::{Chance, seed};
use crate::support::database::variable;
use crate::workload::Workload;

use reqwest::Method;

use crate::faults::Fault;

/// How long faults happen, unless told otherwise.
const STORM: Duration = Duration::from_secs(20);

/// Nobody's token expires and nobody has to prove anew who they are; the database's connections are
/// few, so that they are all in use at times.
const VARIABLES: &[(&str, &str)] = &[
    ("PORTCULLIS_DATABASE_CONNECTIONS", "3"),
    ("PORTCULLIS_ACCESS_TOKEN_SECS", "3600"),
    ("PORTCULLIS_STEP_UP_SECS", "86400"),
];

#[tokio::test]
async fn whatever_fails_an_acknowledged_end_holds_within_the_bound_and_nobody_is_signed_out() {
    let mut chance = Chance::new(seed());
    let storm = variable("TEST_STORM_SECS").map_or(STORM, |text| {
        Duration::from_secs(text.parse().expect("TEST_STORM_SECS is a number"))
    });
    let nodes = Arc::new(Nodes::start_with(VARIABLES).await);
    let doors = nodes.nodes.iter().map(|node| node.door.clone()).collect();
    let workload = Workload::new(doors, Arc::clone(&nodes.host)).await;
    let mut faults = chance.split();
    workload
        .run(&mut chance, async {
            let began = Instant::now();
            while began.elapsed() < storm {
                tokio::time::sleep(BOUND.mul_f64(faults.below(100) as f64 / 100.0)).await;
                let lasts = BOUND.mul_f64(0.2 + faults.below(250) as f64 / 100.0);
                let fault = Fault::some(&mut faults);
                eprintln!("{:>9.3?} {fault:?} for {lasts:?}", began.elapsed());
                fault.happen(&nodes, lasts).await;
            }
            // The storm is over: every node is there again, and says so.
            for node in &nodes.nodes {
                let healed = Instant::now();
                while !is_ready(&node.door).await {
                    assert!(healed.elapsed() < PATIENCE, "a node does not recover");
                }
            }
            tokio::time::sleep(BOUND).await;
        })
        .await;
    workload.check_all().await;
    let history = workload.history();
    report(&history);
    let violations = check(&history, BOUND);
    for violation in violations.iter().take(10) {
        eprintln!("{violation}");
    }
    for operation in violations
        .first()
        .map_or(vec![], |first| first.story(&history))
    {
        eprintln!("    {operation}");
    }
    assert!(violations.is_empty(), "{} violations", violations.len());
}

async fn is_ready(door: &crate::door::Door) -> bool {
    let reply = door.call(Method::GET, "/health/ready", None, None).await;
    reply.is_some_and(|reply| reply.status == 200)
}

/// Says how often what was answered; a history in which nothing happened proves nothing.
fn report(history: &[Operation]) {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for operation in history {
        let act = match &operation.act {
            Act::SignIn(_) => "sign in",
            Act::Check(_) => "check",
            Act::Refresh(_) => "refresh",
            Act::End(_) => "end",
            Act::Enable(_) => "enable",
        };
        let outcome = match &operation.outcome {
            Outcome::Opened { .. } | Outcome::Done => "yes",
            Outcome::Refused(_) => "no",
            Outcome::Declined => "declined",
            Outcome::Unknown => "unknown",
        };
        *counts.entry((act, outcome)).or_default() += 1;
    }
    eprintln!("{counts:?}");
    for (what, least) in [
        (("sign in", "yes"), 20),
        (("check", "yes"), 1000),
        (("check", "no"), 200),
        (("check", "unknown"), 1),
        (("end", "yes"), 10),
        (("refresh", "yes"), 1),
    ] {
        assert!(
            counts.get(&what).is_some_and(|count| *count >= least),
            "{what:?}: {counts:?}"
        );
    }
}
