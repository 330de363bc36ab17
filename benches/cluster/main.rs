//! What several nodes on one database promise, measured from outside: the real program as three
//! processes on a PostgreSQL server of this benchmark's own.
//!
//! `cargo bench --bench cluster -- [ends | reads | load | everyone | memory] [sessions]` for one
//! part only, and for another number of sessions in memory than a million. The nodes, the database
//! and the clients share one machine, so times are longer than on machines of their own. Where it
//! matters (`load`) the node that is measured and its clients have a core to themselves, and all
//! the rest another.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::allow_attributes,
    dead_code,
    reason = "a benchmark that cannot go on should stop; it uses a part of what benchmarks share"
)]

mod ends;
mod everyone;
mod load;
mod memory;
mod pins;
#[path = "../rows/mod.rs"]
mod rows;
mod scene;
#[path = "../../tests/support/mod.rs"]
mod support;
mod wire;

use std::time::Duration;

use crate::scene::Scene;
use crate::support::postgres::Cluster;

/// Within this time after an end was acknowledged on one node, every other refuses.
const BOUND: Duration = Duration::from_secs(1);

fn main() {
    // Cargo passes `--bench`.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let sessions = arguments
        .iter()
        .find_map(|a| a.parse().ok())
        .unwrap_or(1_000_000);
    let named: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|a| a.parse::<u64>().is_err())
        .collect();
    let wanted = |name: &str| named.is_empty() || named.contains(&name);
    let server = Cluster::start();
    if wanted("ends") || wanted("reads") || wanted("load") {
        let scene = Scene::start(&server, "three", 3, 10_000);
        if wanted("ends") {
            ends::measure(&scene, 0..500);
        }
        if wanted("reads") {
            load::reads(&scene, 500..600);
        }
        if wanted("load") {
            let elsewhere = Scene::start(&server, "elsewhere", 1, 10_000);
            load::while_sessions_end(&server, &scene, &elsewhere, 600..1_600);
        }
    }
    if wanted("everyone") {
        everyone::measure(&Scene::start(&server, "everyone", 3, 10_000));
    }
    if wanted("memory") {
        memory::measure(&Scene::start(&server, "memory", 1, sessions));
    }
}

/// Says what is measured next, and how busy the machine is.
fn headline(text: &str) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    let load = load.split(' ').next().unwrap();
    println!("\n{text} (load of the machine {load})");
}

fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "NOT KEPT" }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
