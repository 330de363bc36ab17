//! Users, their roles and their organisations: every change to them.

use chrono::{DateTime, Utc};
use entity::{user_roles, users};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::rules::email::Email;
use crate::rules::id::UserId;
use crate::rules::role::Role;
use crate::store::{StoreError, Transaction};

/// What signing in must know of a user.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub user_id: UserId,
    /// The address as stored.
    pub email: String,
    /// The name.
    pub name: String,
    /// bcrypt's hash, if a password was chosen.
    pub password_hash: Option<String>,
    /// The pepper that keyed the pre-hash.
    pub pepper_id: Option<String>,
    /// When the password was chosen; keeping the same one otherwise does not change it.
    pub password_changed_at: Option<DateTime<Utc>>,
    /// May the account be used?
    pub enabled: bool,
    /// Is the address known to be the user's?
    pub email_verified: bool,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({}, [redacted])", self.user_id)
    }
}

impl From<users::Model> for Credentials {
    fn from(row: users::Model) -> Self {
        Self {
            user_id: UserId(row.id),
            email: row.email,
            name: row.name,
            password_hash: row.password_hash,
            pepper_id: row.password_pepper_id,
            password_changed_at: row.password_changed_at,
            enabled: row.disabled_at.is_none(),
            email_verified: row.email_verified_at.is_some(),
        }
    }
}

/// What may be changed of a user; `None` leaves it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UserChange {
    /// The new name.
    pub name: Option<String>,
    /// Disable or enable.
    pub enabled: Option<bool>,
}

impl Transaction {
    /// Makes a user without a password.
    pub async fn insert_user(
        &mut self,
        user_id: UserId,
        email: &Email,
        name: &str,
    ) -> Result<(), StoreError> {
        let row = users::ActiveModel {
            id: Set(user_id.0),
            email: Set(email.as_str().to_owned()),
            name: Set(name.to_owned()),
            password_hash: Set(None),
            password_pepper_id: Set(None),
            password_changed_at: Set(None),
            disabled_at: Set(None),
            created_at: Set(self.now),
            updated_at: Set(self.now),
            email_verified_at: Set(None),
        };
        users::Entity::insert(row)
            .exec_without_returning(self.connection())
            .await?;
        Ok(())
    }

    /// Changes a user. False if there is none, or nothing to change.
    pub async fn update_user(
        &mut self,
        user_id: UserId,
        change: UserChange,
    ) -> Result<bool, StoreError> {
        let mut update = users::Entity::update_many()
            .col_expr(users::Column::UpdatedAt, Expr::value(self.now))
            .filter(users::Column::Id.eq(user_id.0));
        if let Some(name) = change.name {
            update = update.col_expr(users::Column::Name, Expr::value(name));
        }
        match change.enabled {
            Some(true) => {
                let none = Option::<DateTime<Utc>>::None;
                update = update
                    .col_expr(users::Column::DisabledAt, Expr::value(none))
                    .filter(users::Column::DisabledAt.is_not_null());
            }
            Some(false) => {
                update = update
                    .col_expr(users::Column::DisabledAt, Expr::value(self.now))
                    .filter(users::Column::DisabledAt.is_null());
            }
            None => {}
        }
        let updated = update.exec(self.connection()).await?;
        self.forget_user(user_id);
        Ok(updated.rows_affected == 1)
    }

    /// Keeps a password's hash. `expected` guards against a change in between: the hash that was
    /// there when this one was made.
    pub async fn set_password_hash(
        &mut self,
        user_id: UserId,
        expected: Option<&str>,
        hash: &str,
        pepper_id: &str,
        chosen: bool,
    ) -> Result<bool, StoreError> {
        let mut update = users::Entity::update_many()
            .col_expr(users::Column::PasswordHash, Expr::value(hash))
            .col_expr(users::Column::PasswordPepperId, Expr::value(pepper_id))
            .col_expr(users::Column::UpdatedAt, Expr::value(self.now))
            .filter(users::Column::Id.eq(user_id.0));
        if chosen {
            update = update.col_expr(users::Column::PasswordChangedAt, Expr::value(self.now));
        }
        update = match expected {
            Some(before) => update.filter(users::Column::PasswordHash.eq(before)),
            None => update,
        };
        Ok(update.exec(self.connection()).await?.rows_affected == 1)
    }

    /// Takes a user's password away: until another one is chosen, nobody signs in with any.
    pub async fn clear_password(&mut self, user_id: UserId) -> Result<(), StoreError> {
        users::Entity::update_many()
            .col_expr(users::Column::PasswordHash, Expr::value(None::<String>))
            .col_expr(users::Column::PasswordPepperId, Expr::value(None::<String>))
            .col_expr(users::Column::PasswordChangedAt, Expr::value(self.now))
            .col_expr(users::Column::UpdatedAt, Expr::value(self.now))
            .filter(users::Column::Id.eq(user_id.0))
            .exec(self.connection())
            .await?;
        Ok(())
    }

    /// Changes a user's e-mail address to one that has just shown to be the user's.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else has it.
    pub async fn set_email(&mut self, user_id: UserId, email: &Email) -> Result<bool, StoreError> {
        let updated = users::Entity::update_many()
            .col_expr(users::Column::Email, Expr::value(email.as_str()))
            .col_expr(users::Column::EmailVerifiedAt, Expr::value(self.now))
            .col_expr(users::Column::UpdatedAt, Expr::value(self.now))
            .filter(users::Column::Id.eq(user_id.0))
            .exec(self.connection())
            .await?;
        self.forget_user(user_id);
        Ok(updated.rows_affected == 1)
    }

    /// Notes since when this address is known to be the user's. False if it was before, or is not the
    /// user's.
    pub async fn verify_email(&mut self, user_id: UserId, email: &str) -> Result<bool, StoreError> {
        let updated = users::Entity::update_many()
            .col_expr(users::Column::EmailVerifiedAt, Expr::value(self.now))
            .col_expr(users::Column::UpdatedAt, Expr::value(self.now))
            .filter(users::Column::Id.eq(user_id.0))
            .filter(users::Column::Email.eq(email))
            .filter(users::Column::EmailVerifiedAt.is_null())
            .exec(self.connection())
            .await?;
        Ok(updated.rows_affected == 1)
    }

    /// Deletes a user and, by their foreign keys, everything that is the user's. False if there
    /// was none.
    pub async fn delete_user(&mut self, user_id: UserId) -> Result<bool, StoreError> {
        self.forget_user(user_id);
        self.drop_mails_about(user_id).await?;
        let deleted = users::Entity::delete_by_id(user_id.0)
            .exec(self.connection())
            .await?;
        Ok(deleted.rows_affected == 1)
    }

    /// A user's credentials, held until the transaction ends: a password change, a disabling or a
    /// deletion at the same moment happens wholly before or wholly after this act.
    pub async fn lock_user(&mut self, user_id: UserId) -> Result<Option<Credentials>, StoreError> {
        let row = users::Entity::find_by_id(user_id.0)
            .lock_exclusive()
            .one(self.connection())
            .await?;
        Ok(row.map(Credentials::from))
    }

    /// The user behind an address.
    pub async fn find_user_by_email(
        &mut self,
        email: &Email,
    ) -> Result<Option<UserId>, StoreError> {
        let row = users::Entity::find()
            .filter(users::Column::Email.eq(email.as_str()))
            .one(self.connection())
            .await?;
        Ok(row.map(|row| UserId(row.id)))
    }

    /// The users who have this role and whose accounts may be used. They are held until the
    /// transaction ends, so that two acts cannot each leave the other's user as the last one.
    pub async fn lock_enabled_with_role(
        &mut self,
        role: &Role,
    ) -> Result<Vec<Credentials>, StoreError> {
        let rows = users::Entity::find()
            .filter(users::Column::DisabledAt.is_null())
            .filter(users::Column::Id.in_subquery(with_role(role)))
            .order_by_asc(users::Column::Id)
            .lock_exclusive()
            .all(self.connection())
            .await?;
        Ok(rows.into_iter().map(Credentials::from).collect())
    }

    /// The user's roles, sorted.
    pub async fn roles_of(&mut self, user_id: UserId) -> Result<Vec<Role>, StoreError> {
        let rows = user_roles::Entity::find()
            .filter(user_roles::Column::UserId.eq(user_id.0))
            .order_by_asc(user_roles::Column::Role)
            .all(self.connection())
            .await?;
        rows.iter()
            .map(|row| Role::new(&row.role).map_err(|_| StoreError::Corrupt("user_roles")))
            .collect()
    }

    /// Gives a role the user does not have.
    pub async fn insert_role(&mut self, user_id: UserId, role: &Role) -> Result<(), StoreError> {
        let row = user_roles::ActiveModel {
            user_id: Set(user_id.0),
            role: Set(role.as_str().to_owned()),
            created_at: Set(self.now),
        };
        user_roles::Entity::insert(row)
            .exec_without_returning(self.connection())
            .await?;
        self.forget_user(user_id);
        Ok(())
    }

    /// Takes a role away. False if the user did not have it.
    pub async fn delete_role(&mut self, user_id: UserId, role: &Role) -> Result<bool, StoreError> {
        let deleted = user_roles::Entity::delete_by_id((user_id.0, role.as_str().to_owned()))
            .exec(self.connection())
            .await?;
        self.forget_user(user_id);
        Ok(deleted.rows_affected == 1)
    }
}

pub(super) fn with_role(role: &Role) -> sea_orm::sea_query::SelectStatement {
    sea_orm::QueryTrait::into_query(
        user_roles::Entity::find()
            .select_only()
            .column(user_roles::Column::UserId)
            .filter(user_roles::Column::Role.eq(role.as_str())),
    )
}
