//! Sessions that administrators opened as other users, found by who opened them.

use entity::sessions;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::store::sessions::Which;
use crate::store::{StoreError, Transaction};

/// Which impersonations to end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Impersonations {
    /// Those that were opened from these sessions.
    From(Which),
    /// Those that were opened from these sessions, at most a thousand.
    FromThese(Vec<SessionId>),
    /// Those that were opened as this user.
    As(UserId),
}

impl Impersonations {
    /// None where all sessions are meant, and impersonations with them.
    fn condition(self) -> Option<Condition> {
        use sessions::Column::{ImpersonatorId, ImpersonatorSessionId, UserId as Owner};
        let all = Condition::all();
        match self {
            Self::From(Which::One(id)) => Some(all.add(ImpersonatorSessionId.eq(id.0))),
            Self::From(Which::OneOf(user, id)) => Some(
                all.add(ImpersonatorId.eq(user.0))
                    .add(ImpersonatorSessionId.eq(id.0)),
            ),
            Self::From(Which::User(user)) => Some(all.add(ImpersonatorId.eq(user.0))),
            Self::From(Which::UserExcept(user, id)) => Some(
                all.add(ImpersonatorId.eq(user.0))
                    .add(ImpersonatorSessionId.ne(id.0)),
            ),
            Self::From(Which::Everyone | Which::EveryoneExcept(_)) => None,
            // Not each of them has ended; those that have are told by `FromThese`.
            Self::From(Which::Matching(..)) => None,
            Self::FromThese(these) => {
                Some(all.add(ImpersonatorSessionId.is_in(these.into_iter().map(|id| id.0))))
            }
            Self::As(user) => Some(all.add(Owner.eq(user.0)).add(ImpersonatorId.is_not_null())),
        }
    }
}

impl Transaction {
    /// Ends live impersonations, as `end_sessions` ends sessions.
    pub async fn end_impersonations(
        &mut self,
        which: Impersonations,
        reason: EndReason,
        by: Option<UserId>,
    ) -> Result<Vec<(SessionId, UserId)>, StoreError> {
        let Some(condition) = which.condition() else {
            return Ok(Vec::new());
        };
        // Ended ones too: another process may have ended them while this one still believes them
        // live. Few are within their lifetime.
        let ids = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(condition)
            .filter(sessions::Column::ExpiresAt.gt(self.now))
            .order_by_asc(sessions::Column::Id)
            .lock_exclusive()
            .into_tuple::<uuid::Uuid>()
            .all(self.connection())
            .await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        for id in &ids {
            self.forget(SessionId(*id));
        }
        let these = Condition::all().add(sessions::Column::Id.is_in(ids));
        self.end_where(these, reason, by).await
    }
}
