//! A person who can sign in.

use sea_orm::entity::prelude::*;

/// A person who can sign in.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// UUID v7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Lower-cased and NFC; the name to sign in with.
    #[sea_orm(unique)]
    pub email: String,
    /// What to call the person; may be empty.
    pub name: String,
    /// bcrypt over the keyed pre-hash; none until a password was chosen.
    pub password_hash: Option<String>,
    /// Which pepper keyed the pre-hash.
    pub password_pepper_id: Option<String>,
    /// When the password was last chosen.
    pub password_changed_at: Option<DateTimeUtc>,
    /// Set while the account may not be used.
    pub disabled_at: Option<DateTimeUtc>,
    /// When the row was made.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
    /// Since when it is known that the user gets what is mailed to this address.
    pub email_verified_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
