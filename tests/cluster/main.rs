//! Several servers on one PostgreSQL, and what may go wrong between them.
//!
//! The promise: an end that one server has acknowledged holds on that server at once and on every
//! other within the bound, whatever fails; and nothing that fails signs anybody out. Here the real
//! program runs three times on a PostgreSQL of a test's own, each with a network to it that can be
//! cut. [`elsewhere`], [`by_hand`], [`keys`], [`partition`], [`pause`], [`commit`] and [`crash`] each
//! try one thing that may happen; [`storm`] lets everything happen at random and holds the history of
//! it to the promise; [`weakness`] shows that a server that breaks the promise is found out that way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::allow_attributes,
    unreachable_pub,
    reason = "a test that cannot go on should stop"
)]

#[path = "../support/mod.rs"]
mod support;

mod by_hand;
mod commit;
mod crash;
mod door;
mod elsewhere;
mod faults;
mod history;
mod keys;
mod nodes;
mod partition;
mod pause;
mod proxy;
mod storm;
mod weakness;
mod workload;
