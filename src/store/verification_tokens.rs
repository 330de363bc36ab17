//! One-time links and codes: hashes only, used once.

use chrono::{DateTime, Utc};
use entity::verification_tokens::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};
use uuid::Uuid;

use crate::rules::id::{SessionId, UserId};
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
    /// Choosing a new password instead of a forgotten one.
    Reset,
    /// Saying that a sign-in was somebody else's.
    Report,
    /// Confirming a new e-mail address.
    EmailChange,
    /// Showing that mails to the address of now arrive.
    EmailVerify,
}

/// What a link is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// Its row.
    pub id: Uuid,
    /// Whom it lets in.
    pub user_id: UserId,
    /// The session it is about.
    pub session_id: Option<SessionId>,
    /// The e-mail address that it confirms, or was mailed to.
    pub email: Option<String>,
    /// Dead from then on.
    pub expires_at: DateTime<Utc>,
    /// Was it used, or replaced?
    pub consumed: bool,
}

impl Purpose {
    /// The code in the table.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::SetUp => "set-up",
            Self::Reset => "reset",
            Self::Report => "report",
            Self::EmailChange => "email-change",
            Self::EmailVerify => "email-verify",
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

    /// The link with this token, if it is good at `now`.
    pub async fn find_link(
        &self,
        purpose: Purpose,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<Link>, StoreError> {
        let question = usable(purpose, now).filter(Column::TokenHash.eq(hash.to_vec()));
        Ok(self.read(|db| question.one(db)).await?.and_then(link))
    }
}

impl Transaction {
    /// Keeps a link. Older ones stay as they are.
    pub async fn insert_link(
        &mut self,
        purpose: Purpose,
        new: Link,
        hash: &TokenHash,
    ) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(new.id),
            user_id: Set(Some(new.user_id.0)),
            purpose: Set(purpose.code().to_owned()),
            token_hash: Set(hash.to_vec()),
            expires_at: Set(new.expires_at),
            consumed_at: Set(new.consumed.then_some(self.now)),
            created_at: Set(self.now),
            session_id: Set(new.session_id.map(|session| session.0)),
            email: Set(new.email),
        };
        Entity::insert(row)
            .exec_without_returning(self.connection())
            .await?;
        Ok(())
    }

    /// The newest link of a user, good or not.
    pub async fn newest_link(
        &mut self,
        purpose: Purpose,
        user_id: UserId,
    ) -> Result<Option<Link>, StoreError> {
        let row = Entity::find()
            .filter(Column::UserId.eq(user_id.0))
            .filter(Column::Purpose.eq(purpose.code()))
            .order_by_desc(Column::Id)
            .one(self.connection())
            .await?;
        Ok(row.and_then(link))
    }

    /// One link, good or not.
    pub async fn find_link_by_id(&mut self, id: Uuid) -> Result<Option<Link>, StoreError> {
        let row = Entity::find_by_id(id).one(self.connection()).await?;
        Ok(row.and_then(link))
    }

    /// Uses a link, once. None if it is unknown, used, replaced or expired.
    pub async fn consume_link(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
    ) -> Result<Option<Link>, StoreError> {
        let rows = self.consume(purpose, hash).await?;
        Ok(rows.into_iter().next().and_then(link))
    }

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

    /// This token, if it is good, held until the end of the act: nobody else uses or voids it
    /// meanwhile.
    pub async fn hold_verification_token(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
    ) -> Result<Option<UsableToken>, StoreError> {
        let row = usable(purpose, self.now)
            .filter(Column::TokenHash.eq(hash.to_vec()))
            .lock_exclusive()
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
            session_id: Set(None),
            email: Set(None),
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

    /// No choice of a session to end is good any more: of these users, of whom there are at most
    /// [`CHUNK`](crate::store::sessions::CHUNK), or of anybody.
    pub async fn void_session_choices(&mut self, of: Option<&[UserId]>) -> Result<(), StoreError> {
        let mut update = Entity::update_many()
            .col_expr(Column::ConsumedAt, Expr::value(self.now))
            .filter(Column::Purpose.eq(Purpose::SessionChoice.code()))
            .filter(Column::ConsumedAt.is_null());
        if let Some(users) = of {
            update = update.filter(Column::UserId.is_in(users.iter().map(|user| user.0)));
        }
        update.exec(self.connection()).await?;
        Ok(())
    }

    /// Uses a token, once. None if it is unknown, used, replaced or expired.
    pub async fn consume_verification_token(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
    ) -> Result<Option<Option<UserId>>, StoreError> {
        let rows = self.consume(purpose, hash).await?;
        Ok(rows.first().map(|row| row.user_id.map(UserId)))
    }

    async fn consume(
        &mut self,
        purpose: Purpose,
        hash: &TokenHash,
    ) -> Result<Vec<Model>, StoreError> {
        Ok(Entity::update_many()
            .col_expr(Column::ConsumedAt, Expr::value(self.now))
            .filter(Column::TokenHash.eq(hash.to_vec()))
            .filter(Column::Purpose.eq(purpose.code()))
            .filter(Column::ConsumedAt.is_null())
            .filter(Column::ExpiresAt.gt(self.now))
            .exec_with_returning(self.connection())
            .await?)
    }
}

fn link(row: Model) -> Option<Link> {
    Some(Link {
        id: row.id,
        user_id: UserId(row.user_id?),
        session_id: row.session_id.map(SessionId),
        email: row.email,
        expires_at: row.expires_at,
        consumed: row.consumed_at.is_some(),
    })
}

fn usable(purpose: Purpose, now: DateTime<Utc>) -> Select<Entity> {
    Entity::find()
        .filter(Column::Purpose.eq(purpose.code()))
        .filter(Column::ConsumedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
}
