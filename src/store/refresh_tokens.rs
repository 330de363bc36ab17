//! Refresh tokens: hashes only, and their guarded rotation.

use chrono::{DateTime, Utc};
use entity::refresh_tokens;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::rules::id::SessionId;
use crate::store::{Store, StoreError, Transaction};

/// SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// A refresh token that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefreshTokenRecord {
    /// Its row.
    pub id: Uuid,
    /// The session it renews.
    pub session_id: SessionId,
    /// When it was rotated, if it was.
    pub consumed_at: Option<DateTime<Utc>>,
}

impl From<refresh_tokens::Model> for RefreshTokenRecord {
    fn from(row: refresh_tokens::Model) -> Self {
        Self {
            id: row.id,
            session_id: SessionId(row.session_id),
            consumed_at: row.consumed_at,
        }
    }
}

impl Store {
    /// The token with this hash.
    pub async fn find_refresh_token(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<RefreshTokenRecord>, StoreError> {
        let question = by_hash(hash);
        let row = self.read(|db| question.one(db)).await?;
        Ok(row.map(RefreshTokenRecord::from))
    }
}

impl Transaction {
    /// Keeps a token's hash.
    pub async fn insert_refresh_token(
        &mut self,
        id: Uuid,
        session_id: SessionId,
        hash: &TokenHash,
    ) -> Result<(), StoreError> {
        let row = refresh_tokens::ActiveModel {
            id: Set(id),
            session_id: Set(session_id.0),
            token_hash: Set(hash.to_vec()),
            consumed_at: Set(None),
            created_at: Set(self.now),
        };
        refresh_tokens::Entity::insert(row)
            .exec_without_returning(self.connection())
            .await?;
        Ok(())
    }

    /// The token with this hash, as this transaction sees it.
    pub async fn find_refresh_token(
        &mut self,
        hash: &TokenHash,
    ) -> Result<Option<RefreshTokenRecord>, StoreError> {
        let row = by_hash(hash).one(self.connection()).await?;
        Ok(row.map(RefreshTokenRecord::from))
    }

    /// Marks a token as rotated. False if it already was: of two that try at once, one does.
    pub async fn consume_refresh_token(&mut self, id: Uuid) -> Result<bool, StoreError> {
        let consumed = refresh_tokens::Entity::update_many()
            .col_expr(refresh_tokens::Column::ConsumedAt, Expr::value(self.now))
            .filter(refresh_tokens::Column::Id.eq(id))
            .filter(refresh_tokens::Column::ConsumedAt.is_null())
            .exec(self.connection())
            .await?;
        Ok(consumed.rows_affected == 1)
    }

    /// Deletes all tokens of a session, as when new ones are issued after a fresh proof.
    pub async fn delete_refresh_tokens_of(
        &mut self,
        session_id: SessionId,
    ) -> Result<(), StoreError> {
        refresh_tokens::Entity::delete_many()
            .filter(refresh_tokens::Column::SessionId.eq(session_id.0))
            .exec(self.connection())
            .await?;
        Ok(())
    }
}

fn by_hash(hash: &TokenHash) -> sea_orm::Select<refresh_tokens::Entity> {
    refresh_tokens::Entity::find().filter(refresh_tokens::Column::TokenHash.eq(hash.to_vec()))
}
