//! The store against real databases: each promise on an SQLite file and on PostgreSQL, whatever
//! `TEST_DATABASE` says.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]

#[path = "../support/mod.rs"]
mod support;

#[macro_use]
mod bench;

mod arrivals;
mod cache;
mod cache_groups;
mod cache_race;
mod cache_stress;
mod cache_versions;
mod change_list;
mod choices;
mod crossing;
mod end_where;
mod end_where_races;
mod figures;
mod indexes;
mod keys_and_counts;
mod lineage;
mod migrations;
mod outbox;
mod races;
mod retention;
mod search;
mod sessions;
mod tokens;
