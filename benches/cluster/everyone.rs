//! "Everyone out": from its acknowledgement to nobody's being let in anywhere.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::scene::{Node, Scene};
use crate::wire::{Connection, request};
use crate::{BOUND, headline, millis, verdict};

/// Clients of each node.
const CLIENTS: usize = 2;

/// What the sweeps over a node found.
#[derive(Clone, Copy, Default)]
struct Found {
    /// When the last check began that said yes; none if none did.
    last_yes: Option<Duration>,
    yes: u64,
    sweeps: u64,
    /// When the first sweep began that found all refused, and when it ended.
    clean: (Duration, Duration),
}

pub(crate) fn measure(scene: &Scene) {
    let sessions = scene.rows.sessions;
    headline(&format!(
        "everyone out, {sessions} live sessions in the memory of each node"
    ));
    let checks = scene.checks(0..sessions);
    for node in &scene.nodes {
        node.all(&checks, 200);
    }
    let mut admin = Connection::open(scene.nodes[0].address);
    let began = Instant::now();
    admin.send(&request("DELETE", "/api/admin/sessions", &scene.admin));
    let (status, body) = admin.answer();
    let acknowledged = Instant::now();
    assert_eq!(status, 200, "{body}");
    let found: Vec<Found> = std::thread::scope(|scope| {
        let checks = &checks;
        let sweeping: Vec<_> = scene
            .nodes
            .iter()
            .map(|node| scope.spawn(move || sweep(node, checks, acknowledged)))
            .collect();
        sweeping
            .into_iter()
            .map(|one| one.join().unwrap())
            .collect()
    });
    println!(
        "the act itself:       {:.0} ms, {body}",
        millis(acknowledged - began)
    );
    for (number, found) in found.iter().enumerate() {
        let last = found.last_yes.map_or("none".to_owned(), |at| {
            format!("the last began {:.1} ms", millis(at))
        });
        println!(
            "node {number}, after it:     {} checks said yes: {last}; sweep {} found all refused, from {:.0} to {:.0} ms",
            found.yes,
            found.sweeps,
            millis(found.clean.0),
            millis(found.clean.1)
        );
    }
    let last = found
        .iter()
        .filter_map(|found| found.last_yes)
        .max()
        .unwrap_or_default();
    println!(
        "a yes after the bound of {:.0} ms: {}",
        millis(BOUND),
        verdict(last <= BOUND)
    );
}

/// Asks about all sessions, again and again, until all are refused.
fn sweep(node: &Node, checks: &[String], acknowledged: Instant) -> Found {
    let mut all = Found::default();
    loop {
        let began = acknowledged.elapsed();
        let found = Mutex::new(Found::default());
        std::thread::scope(|scope| {
            for some in checks.chunks(checks.len().div_ceil(CLIENTS)) {
                let found = &found;
                scope.spawn(move || {
                    let mut connection = Connection::open(node.address);
                    for check in some {
                        let at = acknowledged.elapsed();
                        let status = connection.ask(check);
                        assert!(status == 200 || status == 401, "{status}");
                        if status == 200 {
                            let mut found = found.lock().unwrap();
                            found.last_yes = found.last_yes.max(Some(at));
                            found.yes += 1;
                        }
                    }
                });
            }
        });
        let found = found.into_inner().unwrap();
        all.sweeps += 1;
        all.yes += found.yes;
        all.last_yes = all.last_yes.max(found.last_yes);
        if found.yes == 0 {
            all.clean = (began, acknowledged.elapsed());
            return all;
        }
    }
}
