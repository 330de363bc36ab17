//! Figures of the whole installation.

use chrono::{DateTime, TimeDelta, Utc};
use entity::{audit_events, sessions, users};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::rules::audit::Action;
use crate::rules::record::Statistics;
use crate::store::session_list::is_live;
use crate::store::{Store, StoreError};

impl Store {
    /// Figures as of `now`.
    pub async fn statistics(&self, now: DateTime<Utc>) -> Result<Statistics, StoreError> {
        let day_ago = now - TimeDelta::hours(24);
        let users = users::Entity::find();
        let disabled = users::Entity::find().filter(users::Column::DisabledAt.is_not_null());
        let live = sessions::Entity::find().filter(is_live(now));
        let signed_in = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::UserId)
            .filter(is_live(now))
            .filter(sessions::Column::ImpersonatorId.is_null())
            .distinct();
        let audited = |action: Action| {
            audit_events::Entity::find()
                .filter(audit_events::Column::Action.eq(action.code()))
                .filter(audit_events::Column::Id.gte(first_id_at(day_ago)))
        };
        let ended = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::EndReason)
            .column_as(sessions::Column::Id.count(), "ended")
            .filter(sessions::Column::EndedAt.gte(day_ago))
            .group_by(sessions::Column::EndReason)
            .order_by_asc(sessions::Column::EndReason)
            .into_tuple::<(Option<String>, i64)>();
        Ok(Statistics {
            users: self.read(async |db| users.count(db).await).await?,
            disabled_users: self.read(async |db| disabled.count(db).await).await?,
            live_sessions: self.read(async |db| live.count(db).await).await?,
            signed_in_users: self.read(async |db| signed_in.count(db).await).await?,
            sign_ins_24h: self
                .read(async |db| audited(Action::SignedIn).count(db).await)
                .await?,
            failed_sign_ins_24h: self
                .read(async |db| audited(Action::SignInFailed).count(db).await)
                .await?,
            ended_24h: self
                .read(|db| ended.all(db))
                .await?
                .into_iter()
                .filter_map(|(reason, count)| Some((reason?, u64::try_from(count).ok()?)))
                .collect(),
        })
    }
}

/// Identifiers begin with their time, so their index is an index by time.
pub(super) fn first_id_at(at: DateTime<Utc>) -> uuid::Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}
