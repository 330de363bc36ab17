//! Finding users: one, or those that match.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::{organizations, user_organizations, user_roles, users};
use sea_orm::sea_query::{Order, Query};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, Iterable, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::rules::email::Email;
use crate::rules::id::{OrganizationId, UserId};
use crate::rules::record::{Listed, OrganizationRecord, UserRecord};
use crate::rules::role::Role;
use crate::store::session_list::is_live;
use crate::store::text_search::{Meant, Named};
use crate::store::users::{Credentials, with_role};
use crate::store::{Store, StoreError};

/// What a text may be that is not a part of anything.
enum Whole {
    Nothing,
    Id(Uuid),
}

fn whole(text: &str) -> Option<Whole> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Whole::Nothing);
    }
    Uuid::parse_str(text).ok().map(Whole::Id)
}

impl Store {
    /// The credentials behind an address.
    pub async fn find_credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError> {
        let question = users::Entity::find().filter(users::Column::Email.eq(email.as_str()));
        let row = self.read(|db| question.one(db)).await?;
        Ok(row.map(Credentials::from))
    }

    /// The credentials of a user.
    pub async fn find_credentials_of(
        &self,
        user_id: UserId,
    ) -> Result<Option<Credentials>, StoreError> {
        let question = users::Entity::find_by_id(user_id.0);
        let row = self.read(|db| question.one(db)).await?;
        Ok(row.map(Credentials::from))
    }

    /// One user.
    pub async fn find_user(
        &self,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<Option<UserRecord>, StoreError> {
        let question = users::Entity::find_by_id(user_id.0);
        let row = self.read(|db| question.one(db)).await?;
        Ok(self.complete(row.into_iter().collect(), now).await?.pop())
    }

    /// The user behind an address.
    pub async fn find_user_by_email(
        &self,
        email: &Email,
        now: DateTime<Utc>,
    ) -> Result<Option<UserRecord>, StoreError> {
        let question = users::Entity::find().filter(users::Column::Email.eq(email.as_str()));
        let row = self.read(|db| question.one(db)).await?;
        Ok(self.complete(row.into_iter().collect(), now).await?.pop())
    }

    /// Users who match a text, newest first, from after `cursor` on: the one whose whole identifier
    /// or address it is, else those in whose address or name it is, or begins if it is short.
    pub async fn search_users(
        &self,
        text: &str,
        cursor: Option<Uuid>,
        limit: u64,
        now: DateTime<Utc>,
    ) -> Result<Listed<UserRecord>, StoreError> {
        let mut question = users::Entity::find()
            .order_by_desc(users::Column::Id)
            .limit(limit + 1);
        if let Some(cursor) = cursor {
            question = question.filter(users::Column::Id.lt(cursor));
        }
        let mut rows = match whole(text) {
            Some(Whole::Nothing) => self.read(|db| question.all(db)).await?,
            Some(Whole::Id(id)) => {
                let question = question.filter(users::Column::Id.eq(id));
                self.read(|db| question.all(db)).await?
            }
            None => self.users_with_text(text, question, limit).await?,
        };
        let more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor = rows.last().filter(|_| more).map(|row| row.id);
        Ok(Listed {
            rows: self.complete(rows, now).await?,
            next_cursor,
        })
    }

    /// A text that very many have fills the page from the newest users; any other is asked of the
    /// index.
    async fn users_with_text(
        &self,
        text: &str,
        question: Select<users::Entity>,
        limit: u64,
    ) -> Result<Vec<users::Model>, StoreError> {
        let part = match self.meant(text).await? {
            Meant::One(user) => {
                let question = question.filter(users::Column::Id.eq(user));
                return self.read(|db| question.all(db)).await;
            }
            Meant::Part(part) => part,
        };
        if let Some(window) = part.window(limit + 1) {
            // The newest, and of these those who have it.
            let newest = question.clone().limit(window);
            let some = Query::select()
                .columns(users::Column::iter().map(|column| ("users", column)))
                .from_subquery(newest.into_query(), "users")
                .cond_where(self.has_text(&part))
                .order_by(("users", users::Column::Id), Order::Desc)
                .limit(limit + 1)
                .take();
            let some = users::Model::find_by_statement(self.backend().build(&some));
            let rows = self.read(|db| some.all(db)).await?;
            if rows.len() as u64 > limit {
                return Ok(rows);
            }
        }
        let question = match self.named(&part).await? {
            Named::These(ids) => question.filter(users::Column::Id.is_in(ids)),
            Named::Many(_) => question.filter(self.has_text(&part)),
        };
        self.read(|db| question.all(db)).await
    }

    /// How many users match, but at most one more than [`COUNTED`](crate::store::COUNTED).
    pub async fn count_users(&self, text: &str) -> Result<u64, StoreError> {
        let ids = users::Entity::find()
            .select_only()
            .column(users::Column::Id);
        match whole(text) {
            Some(Whole::Nothing) => self.count(ids.into_query()).await,
            Some(Whole::Id(id)) => {
                let ids = ids.filter(users::Column::Id.eq(id));
                self.count(ids.into_query()).await
            }
            None => match self.meant(text).await? {
                Meant::One(_) => Ok(1),
                Meant::Part(part) => match self.named(&part).await? {
                    Named::These(users) => Ok(users.len() as u64),
                    Named::Many(_) => self.count_users_with(&part).await,
                },
            },
        }
    }

    /// How many users have this role and may sign in.
    pub async fn count_enabled_with_role(&self, role: &Role) -> Result<u64, StoreError> {
        let question = users::Entity::find()
            .filter(users::Column::DisabledAt.is_null())
            .filter(users::Column::Id.in_subquery(with_role(role)));
        self.read(async |db| question.count(db).await).await
    }

    /// Adds to each user's row what other tables say, with one question a table.
    async fn complete(
        &self,
        rows: Vec<users::Model>,
        now: DateTime<Utc>,
    ) -> Result<Vec<UserRecord>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let mut roles = self.roles_of(&ids).await?;
        let mut organizations = self.organizations_of(&ids).await?;
        let mut live = self.live_sessions_by_user(&ids, now).await?;
        Ok(rows
            .into_iter()
            .map(|row| UserRecord {
                id: UserId(row.id),
                email: row.email,
                email_verified_at: row.email_verified_at,
                name: row.name,
                roles: roles.remove(&row.id).unwrap_or_default(),
                organizations: organizations.remove(&row.id).unwrap_or_default(),
                has_password: row.password_hash.is_some(),
                password_changed_at: row.password_changed_at,
                disabled_at: row.disabled_at,
                created_at: row.created_at,
                live_sessions: live.remove(&row.id).unwrap_or_default(),
            })
            .collect())
    }

    async fn roles_of(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<Role>>, StoreError> {
        let question = user_roles::Entity::find()
            .filter(user_roles::Column::UserId.is_in(ids.iter().copied()))
            .order_by_asc(user_roles::Column::Role);
        let mut roles: HashMap<Uuid, Vec<Role>> = HashMap::new();
        for row in self.read(|db| question.all(db)).await? {
            let role = Role::new(&row.role).map_err(|_| StoreError::Corrupt("user_roles"))?;
            roles.entry(row.user_id).or_default().push(role);
        }
        Ok(roles)
    }

    async fn organizations_of(
        &self,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Vec<OrganizationRecord>>, StoreError> {
        let memberships = user_organizations::Entity::find()
            .filter(user_organizations::Column::UserId.is_in(ids.iter().copied()))
            .order_by_asc(user_organizations::Column::CreatedAt)
            .order_by_asc(user_organizations::Column::OrganizationId);
        let memberships = self.read(|db| memberships.all(db)).await?;
        let wanted: Vec<Uuid> = memberships.iter().map(|m| m.organization_id).collect();
        let question =
            organizations::Entity::find().filter(organizations::Column::Id.is_in(wanted));
        let known: HashMap<Uuid, OrganizationRecord> = self
            .read(|db| question.all(db))
            .await?
            .into_iter()
            .map(|row| {
                let id = OrganizationId(row.id);
                (
                    row.id,
                    OrganizationRecord {
                        id,
                        slug: row.slug,
                        name: row.name,
                    },
                )
            })
            .collect();
        let mut by_user: HashMap<Uuid, Vec<OrganizationRecord>> = HashMap::new();
        for membership in memberships {
            if let Some(organization) = known.get(&membership.organization_id) {
                by_user
                    .entry(membership.user_id)
                    .or_default()
                    .push(organization.clone());
            }
        }
        Ok(by_user)
    }

    async fn live_sessions_by_user(
        &self,
        ids: &[Uuid],
        now: DateTime<Utc>,
    ) -> Result<HashMap<Uuid, u64>, StoreError> {
        use entity::sessions::{Column, Entity};
        let question = Entity::find()
            .select_only()
            .column(Column::UserId)
            .column_as(Column::Id.count(), "live")
            .filter(Column::UserId.is_in(ids.iter().copied()))
            .filter(is_live(now))
            .group_by(Column::UserId)
            .into_tuple::<(Uuid, i64)>();
        let counts = self.read(|db| question.all(db)).await?;
        Ok(counts
            .into_iter()
            .map(|(id, live)| (id, u64::try_from(live).unwrap_or_default()))
            .collect())
    }
}
