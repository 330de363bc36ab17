//! The audit: written in the transaction of each act, together with the outbox; read page by page.

use chrono::{DateTime, Utc};
use entity::{audit_events, users};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use std::collections::HashMap;
use uuid::Uuid;

use crate::entropy;
use crate::rules::audit::{Action, AuditEvent};
use crate::rules::id::{SessionId, UserId};
use crate::rules::record::{AuditRecord, Listed};
use crate::store::acts::Act;
use crate::store::{Store, StoreError, Transaction};

/// Rows written by one statement: within what both databases take as parameters.
const CHUNK: usize = 500;

/// What administrators search the audit by.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AuditSearch {
    /// Acts by or on this user.
    pub user_id: Option<UserId>,
    /// Acts of this kind.
    pub action: Option<Action>,
    /// Acts that are a part of the one with this receipt.
    pub receipt_id: Option<Uuid>,
}

impl Transaction {
    /// Writes an act down.
    pub async fn audit(&mut self, event: AuditEvent) -> Result<(), StoreError> {
        self.audit_all(vec![event]).await
    }

    /// Writes several acts down, and puts those that somebody is told of into the outbox: one fact,
    /// in one transaction with what it is about.
    pub async fn audit_all(&mut self, events: Vec<AuditEvent>) -> Result<(), StoreError> {
        for chunk in events.chunks(CHUNK) {
            let mut rows = Vec::with_capacity(chunk.len());
            let mut known = Vec::with_capacity(chunk.len());
            for event in chunk {
                let id = entropy::new_id(self.now)?;
                if event.action == Action::SignInFailed {
                    self.note_act(Act::SignInFailed);
                }
                rows.push(row(id, event, self.now));
                known.push((id, event));
            }
            audit_events::Entity::insert_many(rows)
                .exec_without_returning(self.connection())
                .await?;
            self.tell_of(&known).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Acts that match, newest first, from after `cursor` on.
    pub async fn search_audit(
        &self,
        search: AuditSearch,
        cursor: Option<Uuid>,
        limit: u64,
    ) -> Result<Listed<AuditRecord>, StoreError> {
        use audit_events::Column;
        let mut question = audit_events::Entity::find()
            .order_by_desc(Column::Id)
            .limit(limit + 1);
        if let Some(user) = search.user_id {
            question = question.filter(
                Condition::any()
                    .add(Column::ActorId.eq(user.0))
                    .add(Column::SubjectId.eq(user.0)),
            );
        }
        if let Some(action) = search.action {
            question = question.filter(Column::Action.eq(action.code()));
        }
        if let Some(receipt) = search.receipt_id {
            question = question.filter(Column::ReceiptId.eq(receipt));
        }
        if let Some(cursor) = cursor {
            question = question.filter(Column::Id.lt(cursor));
        }
        let mut rows = self.read(|db| question.all(db)).await?;
        let more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor = rows.last().filter(|_| more).map(|row| row.id);
        let emails = self.emails_in(&rows).await?;
        let email = |id: Option<Uuid>| id.and_then(|id| emails.get(&id).cloned());
        let rows = rows
            .into_iter()
            .map(|row| AuditRecord {
                id: row.id,
                at: row.at,
                action: row.action,
                actor_kind: row.actor_kind,
                actor_id: row.actor_id.map(UserId),
                actor_email: email(row.actor_id),
                subject_id: row.subject_id.map(UserId),
                subject_email: email(row.subject_id),
                session_id: row.session_id.map(SessionId),
                ip: row.ip,
                reason: row.reason,
                receipt_id: row.receipt_id,
                detail: row.detail,
            })
            .collect();
        Ok(Listed { rows, next_cursor })
    }

    async fn emails_in(
        &self,
        rows: &[audit_events::Model],
    ) -> Result<HashMap<Uuid, String>, StoreError> {
        let ids = rows
            .iter()
            .flat_map(|row| [row.actor_id, row.subject_id])
            .flatten();
        let question = users::Entity::find()
            .select_only()
            .column(users::Column::Id)
            .column(users::Column::Email)
            .filter(users::Column::Id.is_in(ids))
            .into_tuple::<(Uuid, String)>();
        Ok(self
            .read(|db| question.all(db))
            .await?
            .into_iter()
            .collect())
    }
}

fn row(id: Uuid, event: &AuditEvent, now: DateTime<Utc>) -> audit_events::ActiveModel {
    audit_events::ActiveModel {
        id: Set(id),
        at: Set(now),
        action: Set(event.action.code().to_owned()),
        actor_kind: Set(event.origin.actor.kind().to_owned()),
        actor_id: Set(event.origin.actor.user_id().map(|user| user.0)),
        subject_id: Set(event.subject.map(|user| user.0)),
        session_id: Set(event.session_id.map(|session| session.0)),
        ip: Set(event.origin.ip.map(|ip| ip.to_string())),
        reason: Set(event.reason.map(str::to_owned)),
        receipt_id: Set(event.receipt_id),
        detail: Set(event.detail.clone()),
    }
}
