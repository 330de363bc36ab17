//! HTTP: routes, guards, pages, API.
//!
//! Knows requests and answers; a handler parses, calls one act of `service`, and renders. Knows no
//! SQL and no rule.

pub mod api;
pub mod body;
pub mod carry_on;
pub mod cookies;
pub mod edge;
pub mod guarded_body;
pub mod guards;
pub mod metrics;
pub mod pages;
pub mod problem;
pub mod request_log;
pub mod routes;
pub mod server;
pub mod state;
pub mod views;
