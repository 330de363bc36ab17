//! The memory that a node needs for the sessions it was asked about.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::scene::Scene;
use crate::wire::{Connection, check};
use crate::{headline, verdict};

/// Clients that ask, and requests that each sends at once.
const CLIENTS: u64 = 4;
const AT_ONCE: u64 = 16;

/// For a million sessions, in bytes.
const TARGET: f64 = 600e6;

/// How often the memory is told on the way.
const STEPS: u64 = 5;

pub(crate) fn measure(scene: &Scene) {
    let sessions = scene.rows.sessions;
    headline(&format!(
        "memory of a node that is asked about {sessions} sessions"
    ));
    let node = &scene.nodes[0];
    // What the first requests of all need is no session's.
    node.all(&vec![check(&scene.admin); 2_000], 200);
    let idle = node.resident();
    println!("idle:                 {}", amount(idle));
    let began = Instant::now();
    for step in 0..STEPS {
        ask(
            scene,
            sessions * step / STEPS,
            sessions * (step + 1) / STEPS,
        );
        let held = node.figure("portcullis_sessions_in_memory");
        println!(
            "{:<21} {}, {held} held, after {:.0} s",
            format!("{} asked about:", sessions * (step + 1) / STEPS),
            amount(node.resident()),
            began.elapsed().as_secs_f64()
        );
    }
    // Let what is done in the background be done.
    std::thread::sleep(std::time::Duration::from_secs(10));
    let held = node.figure("portcullis_sessions_in_memory");
    let grown = node.resident() - idle;
    let million = grown * 1e6 / held;
    println!(
        "more than idle:       {} for {held} held, {:.0} bytes each",
        amount(grown),
        grown / held
    );
    let told = if held < 1e6 {
        " (reckoned; what does not grow with them is reckoned too high)"
    } else {
        ""
    };
    println!(
        "a million:            {}{told}, at most {}: {}",
        amount(million),
        amount(TARGET),
        verdict(million <= TARGET)
    );
}

/// Bytes, in units of 1,000,000 and of 1,048,576.
fn amount(bytes: f64) -> String {
    format!("{:.1} MB ({:.1} MiB)", bytes / 1e6, bytes / 1_048_576.0)
}

fn ask(scene: &Scene, from: u64, to: u64) {
    let next = AtomicU64::new(from);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = Connection::open(scene.nodes[0].address);
                loop {
                    let first = next.fetch_add(AT_ONCE, Ordering::Relaxed);
                    let some = first.min(to)..(first + AT_ONCE).min(to);
                    if some.is_empty() {
                        break;
                    }
                    let requests: String = scene.checks(some.clone()).concat();
                    connection.send(&requests);
                    for _ in some {
                        assert_eq!(connection.answer().0, 200);
                    }
                }
            });
        }
    });
}
