//! The installation's sealed secrets.

use chrono::{DateTime, Utc};
use entity::sealed_keys::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::store::{Store, StoreError, Transaction};

/// What a key is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyPurpose {
    /// Signs access tokens.
    Signing,
    /// Keys the pre-hash of passwords.
    Pepper,
    /// Other keys are derived from it.
    Derivation,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Signing, Self::Pepper, Self::Derivation];

    /// As stored.
    pub fn code(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Pepper => "pepper",
            Self::Derivation => "derivation",
        }
    }

    fn from_code(code: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.code() == code)
            .ok_or(StoreError::Corrupt("sealed_keys"))
    }
}

/// A sealed key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedKey {
    /// Its identifier.
    pub id: String,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Nonce, ciphertext and tag.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Not used for new work from then on.
    pub retired_at: Option<DateTime<Utc>>,
}

impl TryFrom<Model> for SealedKey {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            purpose: KeyPurpose::from_code(&row.purpose)?,
            id: row.id,
            sealed: row.sealed,
            created_at: row.created_at,
            retired_at: row.retired_at,
        })
    }
}

impl Store {
    /// All keys, newest first.
    pub async fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        let question = Entity::find().order_by_desc(Column::CreatedAt);
        let rows = self.read(|db| question.all(db)).await?;
        rows.into_iter().map(SealedKey::try_from).collect()
    }
}

impl Transaction {
    /// Keeps a key. [`StoreError::Conflict`] if one of this purpose is in use already.
    pub async fn insert_key(&mut self, key: SealedKey) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(key.id),
            purpose: Set(key.purpose.code().to_owned()),
            sealed: Set(key.sealed),
            created_at: Set(key.created_at),
            retired_at: Set(key.retired_at),
        };
        Entity::insert(row)
            .exec_without_returning(self.connection())
            .await?;
        Ok(())
    }

    /// The key of this purpose that is in use does no new work from this instant on.
    pub async fn retire_key(
        &mut self,
        purpose: KeyPurpose,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::RetiredAt, Expr::value(at))
            .filter(Column::Purpose.eq(purpose.code()))
            .filter(Column::RetiredAt.is_null())
            .exec(self.connection())
            .await?;
        Ok(())
    }

    /// Deletes keys of this purpose that were retired before an instant.
    pub async fn delete_keys_retired_before(
        &mut self,
        purpose: KeyPurpose,
        before: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let deleted = Entity::delete_many()
            .filter(Column::Purpose.eq(purpose.code()))
            .filter(Column::RetiredAt.lt(before))
            .exec(self.connection())
            .await?;
        Ok(deleted.rows_affected)
    }
}
