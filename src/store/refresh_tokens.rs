//! Refresh tokens: hashes only, their guarded rotation, and whether the answers with them have
//! arrived.

use chrono::{DateTime, Utc};
use entity::refresh_tokens;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::rules::id::SessionId;
use crate::rules::receipt::Receipt;
use crate::store::{Store, StoreError, Transaction, statement};

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
    /// What tells that an answer with it has arrived, for as long as none is known to have.
    pub awaited: Option<Receipt>,
    /// When it was last handed out while nobody was known to have it.
    pub given_at: DateTime<Utc>,
    /// To which client address, if that is kept: of the latest token of a session.
    pub given_ip: Option<String>,
}

/// A refresh token that takes the place of another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewSuccessor {
    /// Its row.
    pub id: Uuid,
    /// The session it renews.
    pub session_id: SessionId,
    /// Its hash.
    pub hash: TokenHash,
    /// What will tell that it has arrived.
    pub receipt: Receipt,
    /// Client address it is handed out to.
    pub ip: String,
}

impl From<refresh_tokens::Model> for RefreshTokenRecord {
    fn from(row: refresh_tokens::Model) -> Self {
        Self {
            id: row.id,
            session_id: SessionId(row.session_id),
            consumed_at: row.consumed_at,
            awaited: row.awaited_receipt.map(Receipt::from_number),
            given_at: row.given_at.unwrap_or(row.created_at),
            given_ip: row.given_ip,
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

    /// Notes that answers with refresh tokens have arrived, in one statement. A receipt that nobody
    /// awaits any more changes nothing.
    pub async fn note_arrivals(
        &self,
        receipts: Vec<(SessionId, Receipt)>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if receipts.is_empty() {
            return Ok(());
        }
        // Whoever changes a token holds its session's row on PostgreSQL. These are taken in one
        // order, so that nobody waits for ever.
        let (locked, also) = if self.is_embedded() {
            ("", "")
        } else {
            (
                "WITH locked AS MATERIALIZED (SELECT id FROM sessions WHERE id IN \
                 (SELECT column1 FROM (VALUES {values}) AS ids) ORDER BY id FOR NO KEY UPDATE) ",
                " AND seen.session_id IN (SELECT id FROM locked)",
            )
        };
        let values: Vec<String> = (0..receipts.len())
            .map(|row| format!("(${}, ${})", 2 * row + 1, 2 * row + 2))
            .collect();
        let sql = format!(
            "{locked}UPDATE refresh_tokens SET awaited_receipt = NULL \
             FROM (SELECT column1 AS session_id, column2 AS receipt \
              FROM (VALUES {{values}}) AS rows) AS seen \
             WHERE refresh_tokens.session_id = seen.session_id \
             AND refresh_tokens.awaited_receipt = seen.receipt{also}"
        )
        .replace("{values}", &values.join(", "));
        let values = receipts
            .into_iter()
            .flat_map(|(session_id, receipt)| [session_id.0.into(), receipt.number().into()]);
        let note = statement(self.backend(), sql, values);
        self.write(now, move |tx| {
            Box::pin(async move {
                tx.connection().execute_raw(note).await?;
                Ok(())
            })
        })
        .await
    }
}

impl Transaction {
    /// Keeps the hash of a session's first token, or of the first after a fresh proof.
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
            awaited_receipt: Set(None),
            given_at: Set(Some(self.now)),
            given_ip: Set(None),
            created_at: Set(self.now),
        };
        self.insert_token(row).await
    }

    /// Keeps the hash of a token that takes the place of another.
    pub async fn insert_successor(&mut self, new: NewSuccessor) -> Result<(), StoreError> {
        let row = refresh_tokens::ActiveModel {
            id: Set(new.id),
            session_id: Set(new.session_id.0),
            token_hash: Set(new.hash.to_vec()),
            consumed_at: Set(None),
            awaited_receipt: Set(Some(new.receipt.number())),
            given_at: Set(Some(self.now)),
            given_ip: Set(Some(new.ip)),
            created_at: Set(self.now),
        };
        self.insert_token(row).await
    }

    async fn insert_token(&mut self, row: refresh_tokens::ActiveModel) -> Result<(), StoreError> {
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
            // Whoever rotates it has it.
            .col_expr(
                refresh_tokens::Column::AwaitedReceipt,
                Expr::value(None::<i32>),
            )
            // Of a session is kept from where it was renewed last, and not all its ways.
            .col_expr(refresh_tokens::Column::GivenIp, Expr::value(None::<String>))
            .filter(refresh_tokens::Column::Id.eq(id))
            .filter(refresh_tokens::Column::ConsumedAt.is_null())
            .exec(self.connection())
            .await?;
        Ok(consumed.rows_affected == 1)
    }

    /// Notes that a token that nobody is known to have was handed out once more. False if somebody
    /// has it by now.
    pub async fn give_token_again(&mut self, id: Uuid, ip: String) -> Result<bool, StoreError> {
        let given = refresh_tokens::Entity::update_many()
            .col_expr(refresh_tokens::Column::GivenAt, Expr::value(self.now))
            .col_expr(refresh_tokens::Column::GivenIp, Expr::value(ip))
            .filter(refresh_tokens::Column::Id.eq(id))
            .filter(refresh_tokens::Column::AwaitedReceipt.is_not_null())
            .exec(self.connection())
            .await?;
        Ok(given.rows_affected == 1)
    }

    /// The token of this session that is not rotated yet.
    pub async fn find_latest_refresh_token(
        &mut self,
        session_id: SessionId,
    ) -> Result<Option<RefreshTokenRecord>, StoreError> {
        let row = refresh_tokens::Entity::find()
            .filter(refresh_tokens::Column::SessionId.eq(session_id.0))
            .filter(refresh_tokens::Column::ConsumedAt.is_null())
            .one(self.connection())
            .await?;
        Ok(row.map(RefreshTokenRecord::from))
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
