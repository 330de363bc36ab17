//! The JSON API.

pub mod admin;
pub mod admin_outbox;
pub mod admin_policies;
pub mod admin_stats;
pub mod admin_users;
pub mod auth;
pub mod documents;
pub mod sessions;
pub mod well_known;
