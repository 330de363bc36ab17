//! Checks from memory: how many of them read the database, and how many a node answers, left
//! alone and while sessions end on another one.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::scene::{Node, Scene};
use crate::wire::{Connection, request};
use crate::{headline, median, verdict};

const CONNECTIONS: usize = 4;

/// Turns of each kind, and how long one takes.
const TURNS: usize = 9;
const TURN: Duration = Duration::from_secs(3);

/// Between two ends.
const PACE: Duration = Duration::from_millis(10);

pub(crate) fn reads(scene: &Scene, sessions: Range<u64>) {
    let node = &scene.nodes[1];
    let count = sessions.end - sessions.start;
    headline(&format!("database reads of warm checks, {count} sessions"));
    let checks = scene.checks(sessions);
    node.all(&checks, 200);
    let figures = || {
        ["portcullis_session_loads_total", "portcullis_checks_total"].map(|name| node.figure(name))
    };
    let before = figures();
    let began = Instant::now();
    // Long enough for each session to be read again, as it is after a minute.
    while began.elapsed() < Duration::from_secs(70) {
        drive(node, &checks, Duration::from_secs(5), 200);
    }
    let after = figures();
    let (loads, done) = (after[0] - before[0], after[1] - before[1]);
    let reads = loads * 1000.0 / done;
    println!(
        "checks, reads:        {done}, {loads} in {:.0} s",
        began.elapsed().as_secs_f64()
    );
    println!(
        "reads a 1,000 checks: {reads:.3}, at most 1: {}",
        verdict(reads <= 1.0)
    );
    println!(
        "one session is read once a minute (PORTCULLIS_CACHE_TTL_SECS), however often it is asked about"
    );
}

pub(crate) fn while_sessions_end(scene: &Scene, asked: Range<u64>, mut to_end: Range<u64>) {
    headline("checks of a node while 100 sessions a second end on another");
    let (acting, node) = (&scene.nodes[0], &scene.nodes[1]);
    let checks = scene.checks(asked);
    node.all(&checks, 200);
    drive(node, &checks, TURN, 200);
    let (mut alone, mut meanwhile) = (Vec::new(), Vec::new());
    let (mut ratios, mut costs) = (Vec::new(), Vec::new());
    let mut ended = 0;
    for _ in 0..TURNS {
        let one = turn(node, &checks);
        let stop = AtomicBool::new(false);
        let other = std::thread::scope(|scope| {
            let ending = scope.spawn(|| end_some(scene, acting, &mut to_end, &stop));
            let other = turn(node, &checks);
            stop.store(true, Ordering::Relaxed);
            ended += ending.join().unwrap();
            other
        });
        ratios.push(other.0 / one.0);
        costs.push(other.1 / one.1);
        alone.push(one.0);
        meanwhile.push(other.0);
    }
    let pace = f64::from(ended) / (TURN.as_secs_f64() * TURNS as f64);
    println!(
        "checks a second:      {:.0} alone, {:.0} meanwhile",
        median(&mut alone),
        median(&mut meanwhile)
    );
    let ratio = median(&mut ratios);
    println!(
        "ratio:                {ratio:.3} (median of {TURNS} pairs, {pace:.0} ends a second), within 10 %: {}",
        verdict((0.9..=1.1).contains(&ratio))
    );
    println!(
        "processor a check:    {:.3} times as much (the node's own; ends cost the other node and the database",
        median(&mut costs)
    );
    println!(
        "                      theirs, which on one machine is taken from the checks a second)"
    );
}

/// Checks a second, and the node's processor time for each in microseconds.
fn turn(node: &Node, checks: &[String]) -> (f64, f64) {
    let cpu = node.cpu_micros();
    let began = Instant::now();
    let done = drive(node, checks, TURN, 200) as f64;
    let elapsed = began.elapsed().as_secs_f64();
    (done / elapsed, (node.cpu_micros() - cpu) / done)
}

/// Asks for these in turn, over several connections, for so long. Returns how often.
fn drive(node: &Node, checks: &[String], span: Duration, status: u16) -> u64 {
    let done = AtomicU64::new(0);
    let until = Instant::now() + span;
    std::thread::scope(|scope| {
        for number in 0..CONNECTIONS {
            let done = &done;
            scope.spawn(move || {
                let mut connection = Connection::open(node.address);
                let from = checks.len() * number / CONNECTIONS;
                let mut count = 0;
                for check in checks.iter().cycle().skip(from) {
                    if Instant::now() >= until {
                        break;
                    }
                    assert_eq!(connection.ask(check), status);
                    count += 1;
                }
                done.fetch_add(count, Ordering::Relaxed);
            });
        }
    });
    done.into_inner()
}

/// Ends sessions at an even pace until told to stop. Returns how many.
fn end_some(scene: &Scene, node: &Node, sessions: &mut Range<u64>, stop: &AtomicBool) -> u32 {
    let mut connection = Connection::open(node.address);
    let began = Instant::now();
    let mut ended = 0;
    while !stop.load(Ordering::Relaxed) {
        let session = sessions.next().expect("more sessions to end");
        let path = format!("/api/admin/sessions/{}", scene.rows.session_id(session).0);
        assert_eq!(connection.ask(&request("DELETE", &path, &scene.admin)), 204);
        ended += 1;
        let due = began + PACE * ended;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    ended
}
