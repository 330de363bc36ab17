//! The tables of Portcullis as Rust types.
//!
//! Knows column names and types. Has no behaviour: rules live in `portcullis::rules`, queries in
//! `portcullis::store`; how the tables came to be stands in the `migration` package.

pub mod accounts;
pub mod audit_events;
pub mod hourly_figures;
pub mod leases;
pub mod organizations;
pub mod outbox;
pub mod refresh_tokens;
pub mod sealed_keys;
pub mod session_policies;
pub mod sessions;
pub mod throttles;
pub mod user_organizations;
pub mod user_roles;
pub mod users;
pub mod verification_tokens;
