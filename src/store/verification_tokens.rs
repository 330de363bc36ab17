//! One-time links and codes: hashes only, used once.

use chrono::{DateTime, Utc};
use entity::verification_tokens::{ActiveModel, Column, Entity};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, Select};
use uuid::Uuid;

use crate::rules::id::UserId;
use crate::store::refresh_tokens::TokenHash;
use crate::store::{Store, StoreError, Transaction};

/// A token that is good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UsableToken {
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Good until then.
    pub expires_at: DateTime<Utc>,
}

/// What a one-time token is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Choosing a password, the first or a new one.
    Invitation,
    /// Making the first administrator.
    SetUp,
    /// Choosing which session ends, after a proof of identity for which there was no room.
    SessionChoice,
}

impl Purpose {
    fn code(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::SetUp => "set-up",
            Self::SessionChoice => "session-choice",
        }
    }
}

impl Store {
    /// Is this token good at `now`, and for whom?
    pub async fn find_verification_token(
        &self,
        purpose: Purpose,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<Option<UserId>>, StoreError> {
        let question = usable(purpose, now).filter(Column::TokenHash.eq(hash.to_vec()));
        let row = self.read(|db| question.one(db)).await?;
        Ok(row.map(|row| row.user_id.map(UserId)))
    }
}

impl Transaction {
    /// Keeps a token's hash; older ones of the same purpose and user are void from now on.
    pub async fn replace_verification_token(
        &mut self,
        id: Uuid,
        purpose: Purpose,
        user_id: Option<UserId>,
        hash: &TokenHash,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.void_verification_tokens(purpose, user_id).await?;
        self.insert_verification_token(id, purpose, user_id, hash, expires_at)
            .await
    }

    /// Keeps a token's hash beside others of the same purpose and user; those that are good for
    /// nothing any more go.
    pub async fn add_verification_token(
        &mut self,
        id: Uuid,
        purpose: Purpose,
        user_id: UserId,
        hash: &TokenHash,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let dead = Condition::any()
            .add(Column::ConsumedAt.is_not_null())
            .add(Column::ExpiresAt.lte(self.now));
        Entity::delete_many()
            .filter(Column::Purpose.eq(purpose.code()))
            .filter(Column::UserId.eq(user_id.0))
            .filter(dead)
            .exec(self.connection())
            .await?;
        self.insert_verification_token(id, purpose, Some(user_id), hash, expires_at)
            .await
    }

    /// This token, if it is good.
    pub async fn find_verification_token(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
    ) -> Result<Option<UsableToken>, StoreError> {
        let row = usable(purpose, self.now)
            .filter(Column::TokenHash.eq(hash.to_vec()))
            .one(self.connection())
            .await?;
        Ok(row.map(|row| UsableToken {
            created_at: row.created_at,
            expires_at: row.expires_at,
        }))
    }

    async fn insert_verification_token(
        &mut self,
        id: Uuid,
        purpose: Purpose,
        user_id: Option<UserId>,
        hash: &TokenHash,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(id),
            user_id: Set(user_id.map(|user| user.0)),
            purpose: Set(purpose.code().to_owned()),
            token_hash: Set(hash.to_vec()),
            expires_at: Set(expires_at),
            consumed_at: Set(None),
            created_at: Set(self.now),
        };
        Entity::insert(row)
            .exec_without_returning(self.connection())
            .await?;
        Ok(())
    }

    /// No token of this purpose and user is good any more.
    pub async fn void_verification_tokens(
        &mut self,
        purpose: Purpose,
        user_id: Option<UserId>,
    ) -> Result<(), StoreError> {
        let whose = match user_id {
            Some(user) => Column::UserId.eq(user.0),
            None => Column::UserId.is_null(),
        };
        Entity::update_many()
            .col_expr(Column::ConsumedAt, Expr::value(self.now))
            .filter(Column::Purpose.eq(purpose.code()))
            .filter(whose)
            .filter(Column::ConsumedAt.is_null())
            .exec(self.connection())
            .await?;
        Ok(())
    }

    /// Uses a token, once. None if it is unknown, used, replaced or expired.
    pub async fn consume_verification_token(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
    ) -> Result<Option<Option<UserId>>, StoreError> {
        let rows = Entity::update_many()
            .col_expr(Column::ConsumedAt, Expr::value(self.now))
            .filter(Column::TokenHash.eq(hash.to_vec()))
            .filter(Column::Purpose.eq(purpose.code()))
            .filter(Column::ConsumedAt.is_null())
            .filter(Column::ExpiresAt.gt(self.now))
            .exec_with_returning(self.connection())
            .await?;
        Ok(rows.first().map(|row| row.user_id.map(UserId)))
    }
}

fn usable(purpose: Purpose, now: DateTime<Utc>) -> Select<Entity> {
    Entity::find()
        .filter(Column::Purpose.eq(purpose.code()))
        .filter(Column::ConsumedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
}
