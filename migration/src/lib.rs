//! How the tables of Portcullis came to be, step by step, up and down.
//!
//! Knows SQL types, foreign keys and indexes. Knows no entity: a migration describes the tables as
//! they were at its own time, whatever the entities say today.

use sea_orm_migration::prelude::{MigrationTrait, async_trait};
pub use sea_orm_migration::prelude::{MigratorTrait, SchemaManager};

mod column;
mod m20261121_1_users;
mod m20261121_2_sessions;
mod m20261121_3_audit_events;
mod m20261121_4_keys_and_throttles;
mod m20261121_5_session_changes;
mod m20261125_10_session_policies;
mod m20261125_11_impersonation;
mod m20261125_12_maintenance;
mod m20261125_13_hourly_figures;
mod m20261125_14_email_verified;
mod m20261125_6_search_by_text;
mod m20261125_7_places_and_addresses;
mod m20261125_8_refresh_receipts;
mod m20261125_9_outbox;
mod m20261125_9_verification_links;

/// Runs the migrations in their order.
#[derive(Clone, Copy, Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_1_users::Migration),
            Box::new(m20261121_2_sessions::Migration),
            Box::new(m20261121_3_audit_events::Migration),
            Box::new(m20261121_4_keys_and_throttles::Migration),
            Box::new(m20261121_5_session_changes::Migration),
            Box::new(m20261125_6_search_by_text::Migration),
            Box::new(m20261125_7_places_and_addresses::Migration),
            Box::new(m20261125_8_refresh_receipts::Migration),
            Box::new(m20261125_9_outbox::Migration),
            Box::new(m20261125_9_verification_links::Migration),
            Box::new(m20261125_10_session_policies::Migration),
            Box::new(m20261125_11_impersonation::Migration),
            Box::new(m20261125_12_maintenance::Migration),
            Box::new(m20261125_13_hourly_figures::Migration),
            Box::new(m20261125_14_email_verified::Migration),
        ]
    }
}
