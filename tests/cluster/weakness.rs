//! A server that breaks the promise is found out: the same callers and the same judgement as in
//! [`storm`](crate::storm), over servers from which something is left out on which the promise rests.
//!
//! They run inside the test's process, since the program itself cannot be told to leave it out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::store::validity_cache::weakness::Weakness;

use crate::door::Door;
use crate::history::{Violation, check};
use crate::nodes::{BOUND, MASTER_KEY, NODES, host};
use crate::proxy::{Link, Proxy};
use crate::support::chance::{Chance, seed};
use crate::support::postgres::Cluster;
use crate::support::{Database, Server};
use crate::workload::Workload;

/// Longest that a weakness may stay unnoticed.
const LIMIT: Duration = Duration::from_secs(40);

/// How long nothing must be found where there is nothing to find.
const SOUND: Duration = Duration::from_secs(5);

/// Of a test's passwords.
const HASH_COST: u32 = 4;

/// Lets callers loose on three servers with this weakness until something is found, but not for
/// longer than `limit`.
async fn found_in(weakness: Option<Weakness>, link: Link, limit: Duration) -> Vec<Violation> {
    let cluster = Cluster::start();
    let directory = tempfile::tempdir().unwrap();
    let host = host(&directory, &cluster.database(), HASH_COST).await;
    let (mut proxies, mut servers) = (Vec::new(), Vec::new());
    for _ in 0..NODES {
        let directory = tempfile::tempdir().unwrap();
        let variables = [("PORTCULLIS_MASTER_KEY", MASTER_KEY)];
        let proxy = Proxy::start(cluster.address());
        proxy.set(link);
        let database = Database {
            url: cluster.url_at(proxy.address),
        };
        proxies.push(proxy);
        let server = Server::start_in(directory, database, &variables, Default::default()).await;
        if let Some(weakness) = weakness {
            server.context.store.cache().weaken(weakness);
        }
        servers.push(server);
    }
    let doors = servers
        .iter()
        .map(|server| Door::new(&server.base))
        .collect();
    let workload = Workload::new(doors, Arc::clone(&host)).await;
    let began = Instant::now();
    let enough = async {
        // What is still under way is not written down, and may explain a no, but never a yes.
        let found = || check(&workload.history(), BOUND).iter().any(is_a_wrong_yes);
        while began.elapsed() < limit && !found() {
            tokio::time::sleep(BOUND / 4).await;
        }
    };
    workload.run(&mut Chance::new(seed()), enough).await;
    let found = check(&workload.history(), BOUND);
    eprintln!(
        "{weakness:?}: {} found after {:?}",
        found.len(),
        began.elapsed()
    );
    if let Some(first) = found.first() {
        eprintln!("{first}");
    }
    found
}

async fn assert_noticed(weakness: Weakness, link: Link) -> Vec<Violation> {
    let found = found_in(Some(weakness), link, LIMIT).await;
    assert!(!found.is_empty(), "{weakness:?} stays unnoticed");
    for violation in &found {
        assert!(is_a_wrong_yes(violation), "{weakness:?}: {violation}");
    }
    found
}

fn is_a_wrong_yes(violation: &Violation) -> bool {
    matches!(
        violation,
        Violation::AdmittedAfterEnd { .. } | Violation::AdmittedAfterRefusal { .. }
    )
}

fn is_at_the_same_node(violation: &Violation) -> bool {
    matches!(violation, Violation::AdmittedAfterEnd { said, end } if said.place == end.place)
}

#[tokio::test]
async fn callers_find_nothing_in_servers_from_which_nothing_is_left_out() {
    let found = found_in(None, Link::Up, SOUND).await;
    assert!(found.is_empty(), "{}", found[0]);
}

#[tokio::test]
async fn a_node_whose_memory_is_not_told_of_its_own_acts_is_found_out() {
    // The change list tells the node soon; with a network this slow, not sooner than it is asked.
    let slow = Link::Slow(Duration::from_millis(5));
    let found = assert_noticed(Weakness::OwnActs, slow).await;
    assert!(
        found.iter().all(is_at_the_same_node),
        "the others were told"
    );
}

#[tokio::test]
async fn a_node_whose_facts_never_grow_old_is_found_out() {
    assert_noticed(Weakness::Versions, Link::Up).await;
}

#[tokio::test]
async fn a_node_that_does_not_heed_the_change_list_is_found_out() {
    let found = assert_noticed(Weakness::Changes, Link::Up).await;
    assert!(
        !found.iter().any(is_at_the_same_node),
        "its own acts it knows"
    );
}
