//! A secret of the installation, sealed with the master key.

use sea_orm::entity::prelude::*;

/// A secret of the installation, sealed with the master key.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sealed_keys")]
pub struct Model {
    /// Key id: the RFC 7638 thumbprint of a signing key, else random.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// `signing`, `pepper` or `derivation`.
    pub purpose: String,
    /// AES-256-GCM: nonce, ciphertext, tag; purpose and id are the associated data.
    pub sealed: Vec<u8>,
    /// When the row was made.
    pub created_at: DateTimeUtc,
    /// No longer used for new work since then.
    pub retired_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
