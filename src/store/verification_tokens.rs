//! One-time links and codes: hashes only, used once.

use chrono::{DateTime, Utc};
use entity::verification_tokens::{ActiveModel, Column, Entity};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, Select};
use uuid::Uuid;

use crate::rules::id::UserId;
use crate::store::refresh_tokens::TokenHash;
use crate::store::{Store, StoreError, Transaction};

/// What a one-time token is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Choosing a password, the first or a new one.
    Invitation,
    /// Making the first administrator.
    SetUp,
}

impl Purpose {
    fn code(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::SetUp => "set-up",
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
