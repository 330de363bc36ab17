//! The black box: everything here speaks HTTP to a listening server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "a test that cannot go on should stop"
)]

#[path = "../support/mod.rs"]
mod support;

mod cli;
mod cli_refusals;
mod crash;
mod doors;
mod faults;
mod main_job;
mod refresh;
mod sessions;
mod stale;
mod tokens;
