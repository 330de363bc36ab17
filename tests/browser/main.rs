//! Real browsers, a real reverse proxy, and the README, each against a real server.
//!
//! Needs Chromium with its driver, nginx, openssl, bash and curl; `bin/test` installs them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]
#![expect(unreachable_pub, reason = "a test binary is read by nobody else")]

#[path = "../support/mod.rs"]
mod support;

mod binary;
mod carry_on;
mod chromium;
mod documents;
mod driver;
mod elements;
mod impersonation;
mod isolation;
mod overview;
mod pages;
mod process;
mod proxy;
mod proxy_app;
mod samples;
mod story;
mod tabs;
mod tour;
