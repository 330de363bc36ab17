//! Policies of sessions.

use chrono::{DateTime, TimeDelta, Utc};
use entity::{session_policies, user_roles};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult,
    QueryFilter, QuerySelect,
};
use uuid::Uuid;

use crate::rules::id::{OrganizationId, UserId};
use crate::rules::policy::{AtLimit, Policy, Scope};
use crate::rules::role::Role;
use crate::store::{Store, StoreError, Transaction, statement};

const CORRUPT: StoreError = StoreError::Corrupt("session_policies");

/// Whose sessions a stored policy is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Whose {
    /// Those of users with this role.
    Role(Role),
    /// Those of members of this organisation.
    Organization(OrganizationId),
    /// One user's.
    User(UserId),
}

/// A policy as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyRecord {
    /// Its row.
    pub id: Uuid,
    /// Whose sessions it is for.
    pub scope: Scope,
    /// The same, by identifier.
    pub whose: Whose,
    /// What it asks for.
    pub policy: Policy,
    /// Since when live sessions keep within it; none while some may not yet.
    pub applied_at: Option<DateTime<Utc>>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    role: Option<String>,
    organization_id: Option<Uuid>,
    slug: Option<String>,
    idle_secs: Option<i32>,
    lifetime_secs: Option<i32>,
    remembered_idle_secs: Option<i32>,
    remembered_lifetime_secs: Option<i32>,
    max_sessions: Option<i32>,
    at_limit: Option<String>,
    end_on_role_change: bool,
    applied_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn into_record(self) -> Result<PolicyRecord, StoreError> {
        let (scope, whose) = match (self.role, self.organization_id, self.slug) {
            (Some(role), None, _) => {
                let role = Role::new(&role).map_err(|_| CORRUPT)?;
                (Scope::Role(role.clone()), Whose::Role(role))
            }
            (None, Some(id), Some(slug)) => (
                Scope::Organization(slug.into()),
                Whose::Organization(OrganizationId(id)),
            ),
            (Some(_), Some(_), _) | (None, _, _) => return Err(CORRUPT),
        };
        let at_limit = self
            .at_limit
            .map(|code| AtLimit::from_code(&code).ok_or(CORRUPT));
        let max_sessions = self.max_sessions.map(u32::try_from).transpose();
        Ok(PolicyRecord {
            id: self.id,
            scope,
            whose,
            policy: Policy {
                idle: span(self.idle_secs),
                lifetime: span(self.lifetime_secs),
                remembered_idle: span(self.remembered_idle_secs),
                remembered_lifetime: span(self.remembered_lifetime_secs),
                max_sessions: max_sessions.map_err(|_| CORRUPT)?,
                at_limit: at_limit.transpose()?,
                end_on_role_change: self.end_on_role_change,
            },
            applied_at: self.applied_at,
            updated_at: self.updated_at,
        })
    }
}

impl Store {
    /// Every policy, by scope.
    pub async fn policies(&self) -> Result<Vec<PolicyRecord>, StoreError> {
        let question = statement(self.backend(), asked(ALL), []);
        let rows = self.read(|db| Row::find_by_statement(question).all(db));
        records(rows.await?)
    }

    /// The policies that apply to a user, by scope.
    pub async fn policies_of(&self, user_id: UserId) -> Result<Vec<(Scope, Policy)>, StoreError> {
        let question = statement(self.backend(), asked(OF_USER), [user_id.0.into()]);
        let rows = self.read(|db| Row::find_by_statement(question).all(db));
        Ok(scoped(records(rows.await?)?))
    }

    /// Has anybody this role?
    pub async fn is_role_known(&self, role: &Role) -> Result<bool, StoreError> {
        let question = user_roles::Entity::find()
            .filter(user_roles::Column::Role.eq(role.as_str()))
            .limit(1);
        Ok(self.read(|db| question.one(db)).await?.is_some())
    }
}

impl Transaction {
    /// The policies that apply to a user, by scope. Read after the user's row was locked, they are
    /// those of the user's roles and organisations of this moment.
    pub async fn policies_of(
        &mut self,
        user_id: UserId,
    ) -> Result<Vec<(Scope, Policy)>, StoreError> {
        let db = self.connection();
        let question = statement(
            db.get_database_backend(),
            asked(OF_USER),
            [user_id.0.into()],
        );
        let rows = Row::find_by_statement(question).all(db).await?;
        Ok(scoped(records(rows)?))
    }

    /// Changes a policy. False if there is none.
    pub async fn update_policy(
        &mut self,
        whose: &Whose,
        policy: &Policy,
    ) -> Result<bool, StoreError> {
        use session_policies::Column;
        let none = Option::<DateTime<Utc>>::None;
        let secs = |span: Option<TimeDelta>| Expr::value(whole(span));
        let updated = session_policies::Entity::update_many()
            .col_expr(Column::IdleSecs, secs(policy.idle))
            .col_expr(Column::LifetimeSecs, secs(policy.lifetime))
            .col_expr(Column::RememberedIdleSecs, secs(policy.remembered_idle))
            .col_expr(
                Column::RememberedLifetimeSecs,
                secs(policy.remembered_lifetime),
            )
            .col_expr(Column::MaxSessions, Expr::value(count(policy.max_sessions)))
            .col_expr(
                Column::AtLimit,
                Expr::value(policy.at_limit.map(AtLimit::code)),
            )
            .col_expr(
                Column::EndOnRoleChange,
                Expr::value(policy.end_on_role_change),
            )
            .col_expr(Column::AppliedAt, Expr::value(none))
            .col_expr(Column::UpdatedAt, Expr::value(self.now))
            .filter(is_for(whose))
            .exec(self.connection())
            .await?;
        Ok(updated.rows_affected == 1)
    }

    /// Makes a policy where there is none.
    pub async fn insert_policy(
        &mut self,
        id: Uuid,
        whose: &Whose,
        policy: &Policy,
    ) -> Result<(), StoreError> {
        let (role, organization_id) = match whose {
            Whose::Role(role) => (Some(role.as_str().to_owned()), None),
            Whose::Organization(id) => (None, Some(id.0)),
            Whose::User(_) => return Err(CORRUPT),
        };
        let row = session_policies::ActiveModel {
            id: Set(id),
            role: Set(role),
            organization_id: Set(organization_id),
            idle_secs: Set(whole(policy.idle)),
            lifetime_secs: Set(whole(policy.lifetime)),
            remembered_idle_secs: Set(whole(policy.remembered_idle)),
            remembered_lifetime_secs: Set(whole(policy.remembered_lifetime)),
            max_sessions: Set(count(policy.max_sessions)),
            at_limit: Set(policy.at_limit.map(|at_limit| at_limit.code().to_owned())),
            end_on_role_change: Set(policy.end_on_role_change),
            applied_at: Set(None),
            created_at: Set(self.now),
            updated_at: Set(self.now),
        };
        session_policies::Entity::insert(row)
            .exec_without_returning(self.connection())
            .await?;
        Ok(())
    }

    /// Deletes a policy. False if there was none.
    pub async fn delete_policy(&mut self, whose: &Whose) -> Result<bool, StoreError> {
        let deleted = session_policies::Entity::delete_many()
            .filter(is_for(whose))
            .exec(self.connection())
            .await?;
        Ok(deleted.rows_affected == 1)
    }

    /// Live sessions keep within this policy from now on, unless it was changed since.
    pub async fn mark_policy_applied(&mut self, policy: &PolicyRecord) -> Result<bool, StoreError> {
        use session_policies::Column;
        let updated = session_policies::Entity::update_many()
            .col_expr(Column::AppliedAt, Expr::value(self.now))
            .filter(Column::Id.eq(policy.id))
            .filter(Column::UpdatedAt.eq(policy.updated_at))
            .filter(Column::AppliedAt.is_null())
            .exec(self.connection())
            .await?;
        Ok(updated.rows_affected == 1)
    }
}

/// Every policy.
const ALL: &[&str] = &["session_policies p"];

/// The policies that apply to the user `$1`, however many there are for others: neither database
/// finds either of two kinds at once by an index.
const OF_USER: &[&str] = &[
    "user_roles r JOIN session_policies p ON p.role = r.role AND r.user_id = $1",
    "user_organizations m \
     JOIN session_policies p ON p.organization_id = m.organization_id AND m.user_id = $1",
];

fn asked(from: &[&str]) -> String {
    let questions: Vec<String> = from
        .iter()
        .map(|from| {
            format!(
                "SELECT p.*, o.slug FROM {from} LEFT JOIN organizations o ON o.id = p.organization_id"
            )
        })
        .collect();
    questions.join(" UNION ALL ")
}

fn records(rows: Vec<Row>) -> Result<Vec<PolicyRecord>, StoreError> {
    let records = rows.into_iter().map(Row::into_record);
    let mut records = records.collect::<Result<Vec<_>, _>>()?;
    records.sort_by(|one, other| one.scope.cmp(&other.scope));
    Ok(records)
}

fn scoped(records: Vec<PolicyRecord>) -> Vec<(Scope, Policy)> {
    let pairs = records.into_iter();
    pairs.map(|record| (record.scope, record.policy)).collect()
}

fn is_for(whose: &Whose) -> Condition {
    use session_policies::Column;
    let all = Condition::all();
    match whose {
        Whose::Role(role) => all.add(Column::Role.eq(role.as_str())),
        Whose::Organization(id) => all.add(Column::OrganizationId.eq(id.0)),
        // No policy is for one user.
        Whose::User(_) => all.add(Expr::value(false)),
    }
}

fn span(secs: Option<i32>) -> Option<TimeDelta> {
    secs.map(|secs| TimeDelta::seconds(secs.into()))
}

/// A length of time as the tables keep it.
pub(super) fn whole(span: Option<TimeDelta>) -> Option<i32> {
    span.map(|span| i32::try_from(span.num_seconds()).unwrap_or(i32::MAX))
}

fn count(count: Option<u32>) -> Option<i32> {
    count.map(|count| i32::try_from(count).unwrap_or(i32::MAX))
}
