//! The black box: everything here speaks HTTP to a listening server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that cannot go on should stop"
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod cli;
mod cli_refusals;
mod clock;
mod crash;
mod crash_at_random;
mod csrf;
mod csrf_ways_round;
mod doors;
mod elsewhere;
mod end_where;
mod exposure;
mod faults;
mod guessing;
mod hashing;
mod headers;
mod headers_kinds;
mod impersonation;
mod logs;
mod mail;
mod main_job;
mod metrics;
mod pages;
mod places;
mod policies;
mod problems;
mod refresh;
mod retention;
mod sessions;
mod sign_in;
mod slow;
mod stale;
mod stats;
mod step_up;
mod tokens;
mod webhook;
