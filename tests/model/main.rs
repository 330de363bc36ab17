//! The protocol that keeps an ended session out, and a search through everything that can happen
//! to it, in every order.
//!
//! The model knows one session, the table and the change list, and nodes with a cache (the hot
//! sessions and moka), a reader of the list, checks, and acts that end the session. Each thing that
//! others can see or come in between of is a step of its own: a load reads the version, then the
//! row, then its answer arrives, first among the hot sessions, then in moka; a round takes the
//! time, reads, raises, confirms; an act writes, commits, raises, marks, acknowledges. Between any
//! two steps time may pass, an answer be lost, a caller hang up, a cache forget, a node crash. The
//! names are those of the code, in `store/validity_cache.rs`, `store/change_list.rs`,
//! `store/transaction.rs` and `service/follow_changes.rs`; who changes the protocol there changes
//! it here.
//!
//! What it makes simpler, and why it may:
//!
//! - A version is only ever compared with today's, so it is that one or an old one. Raising it for
//!   other reasons (the user, everybody, a neighbour in its slot) makes more facts old and is left
//!   out.
//! - The lock of a session is that of the few that moka holds together with it. That one of those is
//!   loaded or marked is a wait for the lock, and leaves what is held of this one as it is, or
//!   forgets it.
//! - Facts whose own lifetime has passed are asked for again as if the cache had forgotten them.
//! - An outage is that every question in it fails; a node that is down is one that nobody asks. A
//!   push is a hint that a round should begin, which it may at any time.
//! - A check carries not the time at which it began but what is promised because of it, and begins
//!   with its first look. The bound is counted from the commit, before which nobody acknowledges.
//! - On SQLite changes commit as they are numbered, which is one of the orders here.
//! - Nodes meet in the database alone: to one of them the others are somebody with a database
//!   shell. So one node is searched through in depth, and two with less to happen to them.
//!
//! It leaves out what is written of a session but its end; the trimming of the list, which takes
//! minutes; a database that crashes and loses commits or gives numbers again; and clocks that stand
//! still.
//!
//! States are told apart by a hash of 64 bits. That it hides any of some million has a chance far
//! below one in a million.
//!
//! With one rule taken away, the same search must find a way round the promise that rests on it.
//! `cargo test --test model -- --nocapture` says how many states there are, and shows the ways.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on should stop, and says how far it got"
)]

mod act;
mod answer;
mod check;
mod database;
mod feed;
mod node;
mod properties;
mod rules;
mod world;

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use crate::properties::{AT_ONCE, NOT_BY_AN_OUTAGE, ONLY_THE_ENDED, WITHIN_THE_BOUND};
use crate::rules::Rule;
use crate::world::Portcullis;

const ONE_NODE: Portcullis = Portcullis {
    nodes: 1,
    checks: 1,
    bound: 1,
    other_writer: false,
    mishaps: true,
    off: None,
};

/// Searches everything, or until a promise is broken.
fn search(portcullis: Portcullis) -> impl Checker<Portcullis> {
    let began = Instant::now();
    let checker = portcullis
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let (states, took) = (checker.unique_state_count(), began.elapsed());
    println!("{portcullis:?}: {states} states in {took:.1?}");
    checker
}

#[test]
fn the_promises_hold_while_two_checks_meet() {
    let checker = search(Portcullis {
        checks: 2,
        ..ONE_NODE
    });
    checker.assert_properties();
}

#[test]
fn the_promises_hold_while_transactions_commit_in_another_order() {
    let checker = search(Portcullis {
        bound: 2,
        other_writer: true,
        ..ONE_NODE
    });
    checker.assert_properties();
}

#[test]
fn the_promises_hold_with_two_nodes() {
    let checker = search(Portcullis {
        nodes: 2,
        mishaps: false,
        ..ONE_NODE
    });
    checker.assert_properties();
}

/// Old facts are told by their version. What marks are for is that a refusal needs no table.
#[test]
fn the_promises_do_not_rest_on_marks() {
    for off in [Rule::Marks, Rule::MarkHoldsLock] {
        let checker = search(Portcullis {
            off: Some(off),
            ..ONE_NODE
        });
        for promise in [WITHIN_THE_BOUND, AT_ONCE, ONLY_THE_ENDED, NOT_BY_AN_OUTAGE] {
            checker.assert_no_discovery(promise);
        }
    }
}

#[test]
fn each_rule_is_needed() {
    for (off, broken) in [
        (Rule::FeedRaises, WITHIN_THE_BOUND),
        (Rule::RaisedBeforeConfirmed, WITHIN_THE_BOUND),
        (Rule::ConfirmedAsOfTheBeginning, WITHIN_THE_BOUND),
        (Rule::CursorIsASnapshot, WITHIN_THE_BOUND),
        (Rule::VersionBeforeRow, AT_ONCE),
        (Rule::Bound, WITHIN_THE_BOUND),
        (Rule::BoundBeforeVersion, WITHIN_THE_BOUND),
        (Rule::NobodyJoins, WITHIN_THE_BOUND),
        // Even though the mark is put under the lock: a slow look-up that found facts in moka
        // before the mark was put there makes them hot after it.
        (Rule::EndRaises, AT_ONCE),
        (Rule::RaisedAfterCommit, AT_ONCE),
        (Rule::FoundEndedRaises, AT_ONCE),
        (Rule::UnansweredIsUnavailable, ONLY_THE_ENDED),
        (Rule::UnansweredIsUnavailable, NOT_BY_AN_OUTAGE),
    ] {
        let checker = search(Portcullis {
            checks: if off == Rule::NobodyJoins { 2 } else { 1 },
            other_writer: off == Rule::CursorIsASnapshot,
            off: Some(off),
            ..ONE_NODE
        });
        let Some(way) = checker.discovery(broken) else {
            panic!("without {off:?} it still holds: {broken}");
        };
        println!("{broken}, but: {:?}", way.into_actions());
    }
}
