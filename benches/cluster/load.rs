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
    // At first none needs to be read; later each is once again, as it is after a minute.
    for until in [50, 75] {
        while began.elapsed() < Duration::from_secs(until) {
            drive(node, &checks, Duration::from_secs(5));
        }
        let after = figures();
        let (loads, done) = (after[0] - before[0], after[1] - before[1]);
        let reads = loads * 1000.0 / done;
        println!("in {until} seconds:        {done} checks, {loads} reads");
        println!(
            "reads a 1,000 checks: {reads:.3}, at most 1: {}",
            verdict(reads <= 1.0)
        );
    }
    println!(
        "(a session is read once a minute, PORTCULLIS_CACHE_TTL_SECS, however often it is asked about)"
    );
}

/// Three turns by turns: nothing ends; sessions end on another node; as many end in another
/// installation on the same machine, which takes as much of it and tells this node nothing.
pub(crate) fn while_sessions_end(scene: &Scene, elsewhere: &Scene, asked: Range<u64>) {
    headline("checks of a node while 100 sessions a second end on another");
    let node = &scene.nodes[1];
    let mut here = asked.end..scene.rows.sessions;
    let mut there = 0..elsewhere.rows.sessions;
    let checks = scene.checks(asked);
    node.all(&checks, 200);
    drive(node, &checks, TURN);
    let mut turns: [Vec<Turn>; 3] = Default::default();
    for _ in 0..TURNS {
        turns[0].push(turn(node, &checks));
        turns[1].push(while_some_end(node, &checks, scene, &mut here));
        turns[2].push(while_some_end(node, &checks, elsewhere, &mut there));
    }
    let speed = |kind: usize| {
        median(
            &mut turns[kind]
                .iter()
                .map(|turn| turn.checks)
                .collect::<Vec<_>>(),
        )
    };
    println!(
        "checks a second:      {:.0} alone, {:.0} while sessions end, {:.0} while they end elsewhere",
        speed(0),
        speed(1),
        speed(2)
    );
    let ratio = |one: usize, other: usize, of: fn(&Turn) -> f64| {
        let pairs = turns[one].iter().zip(&turns[other]);
        median(
            &mut pairs
                .map(|(one, other)| of(one) / of(other))
                .collect::<Vec<_>>(),
        )
    };
    let (shared, own) = (
        ratio(1, 0, |turn| turn.checks),
        ratio(1, 2, |turn| turn.checks),
    );
    let kept = |ratio: f64| verdict((0.9..=1.1).contains(&ratio));
    println!(
        "to alone:             {shared:.3} (median of {TURNS}), within 10 %: {}",
        kept(shared)
    );
    println!("to ends elsewhere:    {own:.3}, within 10 %: {}", kept(own));
    println!(
        "processor a check:    {:.3} times that of alone",
        ratio(1, 0, |turn| turn.micros)
    );
    println!(
        "(the ends cost the other nodes and the database what the first ratio lacks, on one machine)"
    );
}

/// What was seen in one turn.
struct Turn {
    /// Checks a second.
    checks: f64,
    /// The node's processor time for each, in microseconds.
    micros: f64,
}

fn while_some_end(
    node: &Node,
    checks: &[String],
    scene: &Scene,
    sessions: &mut Range<u64>,
) -> Turn {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| end_some(scene, sessions, &stop));
        let turn = turn(node, checks);
        stop.store(true, Ordering::Relaxed);
        turn
    })
}

fn turn(node: &Node, checks: &[String]) -> Turn {
    let cpu = node.cpu_micros();
    let began = Instant::now();
    let done = drive(node, checks, TURN) as f64;
    Turn {
        checks: done / began.elapsed().as_secs_f64(),
        micros: (node.cpu_micros() - cpu) / done,
    }
}

/// Asks for these in turn, over several connections, for so long. Returns how often.
fn drive(node: &Node, checks: &[String], span: Duration) -> u64 {
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
                    assert_eq!(connection.ask(check), 200);
                    count += 1;
                }
                done.fetch_add(count, Ordering::Relaxed);
            });
        }
    });
    done.into_inner()
}

/// Ends sessions on the first node at an even pace until told to stop.
fn end_some(scene: &Scene, sessions: &mut Range<u64>, stop: &AtomicBool) {
    let mut connection = Connection::open(scene.nodes[0].address);
    let began = Instant::now();
    for (number, session) in (1..).zip(sessions) {
        let path = format!("/api/admin/sessions/{}", scene.rows.session_id(session).0);
        assert_eq!(connection.ask(&request("DELETE", &path, &scene.admin)), 204);
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let due = began + PACE * number;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    panic!("there are no more sessions to end");
}
