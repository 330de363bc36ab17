//! From where and with what users have signed in.

use entity::sessions;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::rules::end_reason::EndReason;
use crate::rules::familiar::Seen;
use crate::rules::id::UserId;
use crate::store::{Store, StoreError};

impl Store {
    /// Has this user ever signed in from this address, as far as the table remembers? Where an
    /// administrator looked on from says nothing of the user.
    pub async fn has_signed_in_from(&self, user_id: UserId, ip: &str) -> Result<bool, StoreError> {
        let question = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(sessions::Column::UserId.eq(user_id.0))
            .filter(sessions::Column::Ip.eq(ip))
            .filter(sessions::Column::ImpersonatorId.is_null())
            .limit(1)
            .into_tuple::<Uuid>();
        Ok(self.read(|db| question.one(db)).await?.is_some())
    }

    /// Where and with what this user has signed in lately, newest first.
    pub async fn seen_sign_ins(
        &self,
        user_id: UserId,
        limit: u64,
    ) -> Result<Vec<Seen>, StoreError> {
        let question = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Ip)
            .column(sessions::Column::Browser)
            .column(sessions::Column::Os)
            .filter(sessions::Column::UserId.eq(user_id.0))
            // An administrator's device is not the user's.
            .filter(sessions::Column::ImpersonatorId.is_null())
            // Nor is a thief's.
            .filter(no_thief())
            .order_by_desc(sessions::Column::Id)
            .limit(limit)
            .into_tuple::<(Option<String>, String, String)>();
        let rows = self.read(|db| question.all(db)).await?;
        let seen = |(ip, browser, os): (Option<String>, String, String)| Seen {
            // One that was deleted for its age is like no other.
            ip: ip.unwrap_or_default(),
            browser,
            os,
        };
        Ok(rows.into_iter().map(seen).collect())
    }
}

/// Not ended as somebody else's.
fn no_thief() -> Condition {
    let thieves = [EndReason::Reported, EndReason::RefreshReuse].map(EndReason::code);
    Condition::any()
        .add(sessions::Column::EndReason.is_null())
        .add(sessions::Column::EndReason.is_not_in(thieves))
}
