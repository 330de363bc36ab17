//! What an act costs with ten thousand sessions and with five million, on each database: the same
//! acts in turn on a small and a large one, so that a noisy machine is noisy for both.
//!
//! `cargo bench --bench scale -- [sessions] [postgres | sqlite] [only=WORDS]` for another large size,
//! for one database only, or only for acts with these words in their names. Users grow along, ten sessions each; half of all sessions have ended. Five million
//! take up to 8 GB in the directory for temporary files, and some minutes to be made. Rows that are
//! asked about are in memory, as far as the database keeps any; sign-in is measured without the hash.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::allow_attributes,
    dead_code,
    reason = "a benchmark that cannot go on should stop; it uses a part of what benchmarks share"
)]

mod acts;
mod doing;
#[path = "../rows/mod.rs"]
mod rows;
mod scene;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use crate::acts::ACTS;
use crate::scene::Scene;
use crate::support::Database;
use crate::support::postgres::Cluster;

const SMALL: u64 = 10_000;
const LARGE: u64 = 5_000_000;

/// What an act may cost more on the large database.
const TARGET: f64 = 1.3;

/// An act that takes long is done less often.
const LONGEST: Duration = Duration::from_secs(8);

fn main() {
    // Cargo passes `--bench`.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let large = arguments
        .iter()
        .find_map(|a| a.parse().ok())
        .unwrap_or(LARGE);
    let named = |name: &str| arguments.iter().any(|a| a == name);
    let only = arguments
        .iter()
        .find_map(|argument| argument.strip_prefix("only="))
        .unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        if !named("sqlite") {
            postgres(large, only).await;
        }
        if !named("postgres") {
            sqlite(large, only).await;
        }
    });
}

async fn postgres(large: u64, only: &str) {
    let cluster = Cluster::start();
    let admin = cluster.database().connect().await;
    let run = async |sql: &str| {
        sea_orm::ConnectionTrait::execute_unprepared(&admin, sql)
            .await
            .unwrap()
    };
    for setting in [
        "shared_buffers = '2GB'",
        "max_wal_size = '16GB'",
        "checkpoint_timeout = '30min'",
    ] {
        run(&format!("ALTER SYSTEM SET {setting}")).await;
    }
    for name in ["small", "large"] {
        run(&format!("CREATE DATABASE {name}")).await;
    }
    admin.close().await.unwrap();
    cluster.stop();
    cluster.resume();
    let url = cluster.database().url;
    let (server, _) = url.rsplit_once('/').unwrap();
    let database = |name: &str| Database {
        url: format!("{server}/{name}"),
    };
    let small = Scene::make(database("small"), SMALL).await;
    let large = Scene::make(database("large"), large).await;
    compare("PostgreSQL", small, large, only).await;
}

async fn sqlite(large: u64, only: &str) {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let small = Scene::make(Database::make_sqlite(one.path()), SMALL).await;
    let large = Scene::make(Database::make_sqlite(other.path()), large).await;
    compare("SQLite", small, large, only).await;
}

async fn compare(database: &str, mut small: Scene, mut large: Scene, only: &str) {
    let sizes = [small.rows.sessions, large.rows.sessions];
    println!(
        "\n{database}, medians in milliseconds; load of the machine {}",
        load_average()
    );
    println!(
        "{:<52} {:>9} {:>9} {:>7}",
        "sessions", sizes[0], sizes[1], "ratio"
    );
    for act in ACTS.iter().filter(|act| act.name().contains(only)) {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let began = Instant::now();
        let (warm_up, rounds) = act.rounds();
        for round in 0..warm_up + rounds {
            if round > 2 && began.elapsed() > LONGEST {
                break;
            }
            if round == warm_up {
                (one, other) = (Vec::new(), Vec::new());
            }
            one.push(small.time(*act).await);
            other.push(large.time(*act).await);
        }
        let (one, other) = (median(one), median(other));
        let ratio = other / one;
        let verdict = match ratio > TARGET {
            true if act.answers_more() => "  for a larger answer",
            true => "  more than allowed",
            false => "",
        };
        println!(
            "{:<52} {one:>9.3} {other:>9.3} {ratio:>7.2}{verdict}",
            act.name()
        );
    }
    small.close().await;
    large.close().await;
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap();
    text.split(' ').take(2).collect::<Vec<_>>().join(", ")
}
