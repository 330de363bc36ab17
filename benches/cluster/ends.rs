//! From the acknowledgement of an end on one node to the first refusal on each of the others.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::scene::{Node, Scene};
use crate::wire::{Connection, request};
use crate::{BOUND, headline, millis, verdict};

pub(crate) fn measure(scene: &Scene, sessions: Range<u64>) {
    headline(&format!(
        "{} ends on one node, polled on the others",
        sessions.end - sessions.start
    ));
    let (acting, others) = scene.nodes.split_first().unwrap();
    let mut admin = Connection::open(acting.address);
    let mut polls: Vec<Connection> = others
        .iter()
        .map(|node| Connection::open(node.address))
        .collect();
    let mut times = Vec::new();
    let mut at_once = 0;
    for session in sessions {
        let check = crate::wire::check(&scene.token(session));
        for connection in &mut polls {
            assert_eq!(connection.ask(&check), 200);
        }
        let path = format!("/api/admin/sessions/{}", scene.rows.session_id(session).0);
        let end = request("DELETE", &path, &scene.admin);
        let begun = AtomicBool::new(false);
        let (acknowledged, refused) = std::thread::scope(|scope| {
            let polls = &mut polls;
            let begun = &begun;
            let polling = scope.spawn(move || poll(polls, &check, begun));
            while !begun.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
            assert_eq!(admin.ask(&end), 204);
            (Instant::now(), polling.join().unwrap())
        });
        for at in refused {
            at_once += usize::from(at < acknowledged);
            times.push(at.saturating_duration_since(acknowledged));
        }
    }
    let trip = round_trip(&others[0], &scene.admin);
    report(times, at_once, trip);
}

/// Asks each node in turn, without a pause, until it refuses. Returns when each was heard to.
fn poll(connections: &mut [Connection], check: &str, begun: &AtomicBool) -> Vec<Instant> {
    let mut refused = vec![None; connections.len()];
    while refused.contains(&None) {
        for (connection, at) in connections.iter_mut().zip(&mut refused) {
            if at.is_none() && connection.ask(check) == 401 {
                *at = Some(Instant::now());
            }
        }
        begun.store(true, Ordering::Release);
    }
    refused.into_iter().flatten().collect()
}

/// How long a check takes that nobody waits for.
fn round_trip(node: &Node, token: &str) -> Duration {
    let mut connection = Connection::open(node.address);
    let check = crate::wire::check(token);
    let mut times: Vec<Duration> = (0..500)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(connection.ask(&check), 200);
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn report(mut times: Vec<Duration>, at_once: usize, trip: Duration) {
    times.sort_unstable();
    let at = |hundredths: usize| times[(times.len() * hundredths).div_ceil(100).max(1) - 1];
    println!(
        "refusals heard:       {}, of which {at_once} before the acknowledgement was",
        times.len()
    );
    println!(
        "p50:                  {:.2} ms, at most 10: {}",
        millis(at(50)),
        verdict(millis(at(50)) <= 10.0)
    );
    println!(
        "p99:                  {:.2} ms, at most 50: {}",
        millis(at(99)),
        verdict(millis(at(99)) <= 50.0)
    );
    println!(
        "longest:              {:.2} ms, at most {:.0}: {}",
        millis(at(100)),
        millis(BOUND),
        verdict(at(100) <= BOUND)
    );
    println!(
        "in each of them:      half of a round trip, of {:.2} ms, and the wait for the next poll",
        millis(trip)
    );
}
