//! Checks from memory: how many of them read the database, and how many a node answers, left
//! alone and while sessions end on another one.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::sched_setaffinity;

use crate::pins::Pins;
use crate::scene::{Node, Scene};
use crate::support::postgres::Cluster;
use crate::wire::{Connection, request};
use crate::{BOUND, headline, median, millis, verdict};

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
        let stop = AtomicBool::new(false);
        let lag = std::thread::scope(|scope| {
            let sampling = scope.spawn(|| longest_lag(node, &stop));
            while began.elapsed() < Duration::from_secs(until) {
                drive(node, &checks, Duration::from_secs(5));
            }
            stop.store(true, Ordering::Relaxed);
            sampling.join().unwrap()
        });
        let after = figures();
        let (loads, done) = (after[0] - before[0], after[1] - before[1]);
        let reads = loads * 1000.0 / done;
        println!("in {until} seconds:        {done} checks, {loads} reads");
        println!(
            "reads a 1,000 checks: {reads:.3}, at most 1: {}",
            verdict(reads <= 1.0)
        );
        println!(
            "longest feed lag:     {:.0} ms; above {:.0} every check reads",
            millis(lag),
            millis(BOUND)
        );
    }
    println!(
        "(a session is read once a minute, PORTCULLIS_CACHE_TTL_SECS, however often it is asked about)"
    );
}

/// How long ago at most the node had read the change list, each time that it was asked.
fn longest_lag(node: &Node, stop: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let lag = node.figure("portcullis_feed_lag_seconds");
        longest = longest.max(Duration::from_secs_f64(lag));
        std::thread::sleep(Duration::from_millis(20));
    }
    longest
}

/// Turns of three kinds: nothing ends; sessions end on another node; as many end in another
/// installation, which takes as much of the machine and tells this node nothing.
///
/// A node has a machine of its own where it matters, so it is measured on a core that only it and
/// its clients have; and once more with all on all cores, where the first ratio tells of the
/// machine more than of the node.
pub(crate) fn while_sessions_end(
    server: &Cluster,
    scene: &Scene,
    elsewhere: &Scene,
    asked: Range<u64>,
) {
    let node = &scene.nodes[1];
    let mut ends = Ends {
        here: asked.end..scene.rows.sessions,
        there: 0..elsewhere.rows.sessions,
    };
    let checks = scene.checks(asked);
    node.all(&checks, 200);
    let none = Pins::none();
    if let Some(pins) = Pins::apart() {
        headline(
            "checks of a node while 100 sessions a second end on another; \
             the node and its clients on one core, all the rest on another",
        );
        pins.put(node, [scene, elsewhere], server);
        measure(node, &checks, scene, elsewhere, &mut ends, &pins);
    } else {
        println!("there is one core only: nothing can be told of a node on a machine of its own");
    }
    headline("the same, with all on all cores");
    none.put(node, [scene, elsewhere], server);
    measure(node, &checks, scene, elsewhere, &mut ends, &none);
}

/// Sessions that are still to end.
struct Ends {
    here: Range<u64>,
    there: Range<u64>,
}

fn measure(
    node: &Node,
    checks: &[String],
    scene: &Scene,
    elsewhere: &Scene,
    ends: &mut Ends,
    pins: &Pins,
) {
    drive(node, checks, TURN);
    let mut turns: [Vec<Turn>; 3] = Default::default();
    for _ in 0..TURNS {
        turns[0].push(turn(node, checks));
        turns[1].push(while_some_end(node, checks, scene, &mut ends.here, pins));
        turns[2].push(while_some_end(
            node,
            checks,
            elsewhere,
            &mut ends.there,
            pins,
        ));
    }
    let speed = |kind: usize| {
        let turns = turns[kind].iter();
        median(&mut turns.map(|turn| turn.checks).collect::<Vec<_>>())
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
    let (alone, apart) = (
        ratio(1, 0, |turn| turn.checks),
        ratio(1, 2, |turn| turn.checks),
    );
    let kept = |ratio: f64| verdict((0.9..=1.1).contains(&ratio));
    println!(
        "to alone:             {alone:.3} (median of {TURNS}), within 10 %: {}",
        kept(alone)
    );
    println!(
        "to ends elsewhere:    {apart:.3}, within 10 %: {}",
        kept(apart)
    );
    println!(
        "processor a check:    {:.3} times that of alone",
        ratio(1, 0, |turn| turn.micros)
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
    pins: &Pins,
) -> Turn {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            sched_setaffinity(None, &pins.rest).unwrap();
            end_some(scene, sessions, &stop);
        });
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
