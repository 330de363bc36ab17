//! What administrators and the command line do with users.

use crate::entropy;
use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::email::Email;
use crate::rules::end_reason::EndReason;
use crate::rules::id::UserId;
use crate::rules::record::UserRecord;
use crate::rules::role::{ADMIN, IMPERSONATOR, Role};
use crate::service::Context;
use crate::service::change_password::judge_password;
use crate::service::end_session::{end_impersonations, end_sessions};
use crate::service::error::Error;
use crate::service::invitation::{Draft, Invitation};
use crate::service::policies::{ends_on_role_change, keep_within_policies};
use crate::service::typed_user::{valid_name, valid_role, valid_roles};
use crate::settings::Secret;
use crate::store::impersonations::Impersonations;
use crate::store::sessions::Which;
use crate::store::users::UserChange;
use crate::store::verification_tokens::Purpose;
use crate::store::{StoreError, Transaction};

/// Most roles of one user, so that tokens and headers stay small.
const MAX_ROLES: usize = 32;

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Name to sign in with, as typed.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// Roles, as typed.
    pub roles: Vec<String>,
}

/// What to change of a user; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct UserPatch {
    /// New name.
    pub name: Option<String>,
    /// All roles from now on, as typed.
    pub roles: Option<Vec<String>>,
    /// May the account be used?
    pub enabled: Option<bool>,
}

/// Makes a user who has no password yet, and the link on which to choose one.
pub async fn create_user(
    context: &Context,
    new: NewUser,
    origin: Origin,
) -> Result<(UserRecord, Invitation), Error> {
    let draft = Draft::new(context)?;
    let invitation = draft.invitation(context);
    let valid = Valid::new(new)?;
    let now = context.now();
    let user_id = UserId(entropy::new_id(now)?);
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                valid.insert(tx, user_id, origin).await?;
                draft.keep(tx, user_id, origin).await
            })
        })
        .await?;
    Ok((get_user(context, user_id).await?, invitation))
}

/// Makes a user with a password, from the host's command line.
pub async fn create_user_with_password(
    context: &Context,
    new: NewUser,
    password: &Secret,
    origin: Origin,
) -> Result<UserRecord, Error> {
    let valid = Valid::new(new)?;
    judge_password(context, password, valid.email.as_str(), &valid.name)?;
    let hash = context.passwords.hash(&context.keys(), password).await?;
    let now = context.now();
    let user_id = UserId(entropy::new_id(now)?);
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                valid.insert(tx, user_id, origin).await?;
                tx.set_password_hash(user_id, None, &hash.hash, &hash.pepper_id, true)
                    .await?;
                Ok::<_, Error>(())
            })
        })
        .await?;
    get_user(context, user_id).await
}

/// One user.
pub async fn get_user(context: &Context, user_id: UserId) -> Result<UserRecord, Error> {
    context
        .store
        .find_user(user_id, context.now())
        .await?
        .ok_or(Error::NotFound("user"))
}

/// Changes a user. Roles and state count from the user's next request, and so do the limits of live
/// sessions that a new role brings; taking a role away ends the sessions where a policy says so,
/// disabling ends them all, and enabling brings none back.
pub async fn update_user(
    context: &Context,
    user_id: UserId,
    patch: UserPatch,
    origin: Origin,
) -> Result<UserRecord, Error> {
    if patch.enabled == Some(false) && origin.actor.user_id() == Some(user_id) {
        return Err(Error::Conflict("You cannot disable your own account."));
    }
    let change = Change {
        name: patch.name.as_deref().map(valid_name).transpose()?,
        roles: patch
            .roles
            .map(valid_roles)
            .transpose()?
            .map(RoleChange::All),
        enabled: patch.enabled,
    };
    change_user(context, user_id, change, origin).await?;
    get_user(context, user_id).await
}

/// Deletes a user. The user's sessions end first, for that reason.
pub async fn delete_user(context: &Context, user_id: UserId, origin: Origin) -> Result<(), Error> {
    if origin.actor.user_id() == Some(user_id) {
        return Err(Error::Conflict("You cannot delete your own account."));
    }
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let administrators = administrators(tx).await?;
                remove(tx, user_id, EndReason::UserDeleted, origin).await?;
                keep_an_administrator(tx, administrators).await
            })
        })
        .await
}

/// Ends a user's sessions and deletes the user, inside an act.
pub(super) async fn remove(
    tx: &mut Transaction,
    user_id: UserId,
    reason: EndReason,
    origin: Origin,
) -> Result<(), Error> {
    if tx.lock_user(user_id).await?.is_none() {
        return Err(Error::NotFound("user"));
    }
    end_sessions(tx, Which::User(user_id), reason, origin).await?;
    tx.delete_user(user_id).await?;
    Ok(tx
        .audit(AuditEvent::new(origin, Action::UserDeleted).subject(user_id))
        .await?)
}

/// Gives one role.
pub async fn grant_role(
    context: &Context,
    user_id: UserId,
    role: &str,
    origin: Origin,
) -> Result<(), Error> {
    let roles = RoleChange::Give(valid_role(role)?);
    let change = Change {
        roles: Some(roles),
        ..Change::default()
    };
    change_user(context, user_id, change, origin).await
}

/// Takes one role away.
pub async fn revoke_role(
    context: &Context,
    user_id: UserId,
    role: &str,
    origin: Origin,
) -> Result<(), Error> {
    let roles = RoleChange::Take(valid_role(role)?);
    let change = Change {
        roles: Some(roles),
        ..Change::default()
    };
    change_user(context, user_id, change, origin).await
}

/// What to change, checked.
#[derive(Debug, Default)]
struct Change {
    name: Option<String>,
    roles: Option<RoleChange>,
    enabled: Option<bool>,
}

#[derive(Debug)]
enum RoleChange {
    All(Vec<Role>),
    Give(Role),
    Take(Role),
}

async fn change_user(
    context: &Context,
    user_id: UserId,
    change: Change,
    origin: Origin,
) -> Result<(), Error> {
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let administrators = administrators(tx).await?;
                if tx.lock_user(user_id).await?.is_none() {
                    return Err(Error::NotFound("user"));
                }
                if let Some(name) = change.name {
                    let name = UserChange {
                        name: Some(name),
                        enabled: None,
                    };
                    tx.update_user(user_id, name).await?;
                    let event = AuditEvent::new(origin, Action::UserUpdated).subject(user_id);
                    tx.audit(event).await?;
                }
                if let Some(roles) = change.roles {
                    set_roles(tx, user_id, roles, origin).await?;
                }
                if let Some(enabled) = change.enabled {
                    set_enabled(tx, user_id, enabled, origin).await?;
                }
                keep_an_administrator(tx, administrators).await
            })
        })
        .await
}

/// A user whose every field has been checked.
pub(super) struct Valid {
    pub(super) email: Email,
    pub(super) name: String,
    roles: Vec<Role>,
}

impl Valid {
    pub(super) fn new(new: NewUser) -> Result<Self, Error> {
        let email = Email::new(&new.email).map_err(|error| Error::Invalid {
            field: "email",
            problem: error.to_string(),
        })?;
        Ok(Self {
            email,
            name: valid_name(&new.name)?,
            roles: valid_roles(new.roles)?,
        })
    }

    pub(super) async fn insert(
        self,
        tx: &mut Transaction,
        user_id: UserId,
        origin: Origin,
    ) -> Result<(), Error> {
        match tx.insert_user(user_id, &self.email, &self.name).await {
            Err(StoreError::Conflict) => {
                return Err(Error::Conflict(
                    "There is a user with this e-mail address already.",
                ));
            }
            inserted => inserted?,
        }
        tx.audit(AuditEvent::new(origin, Action::UserCreated).subject(user_id))
            .await?;
        set_roles(tx, user_id, RoleChange::All(self.roles), origin).await
    }
}

async fn set_roles(
    tx: &mut Transaction,
    user_id: UserId,
    change: RoleChange,
    origin: Origin,
) -> Result<(), Error> {
    let before = tx.roles_of(user_id).await?;
    let mut after = match change {
        RoleChange::All(roles) => roles,
        RoleChange::Give(role) => before.iter().cloned().chain([role]).collect(),
        RoleChange::Take(role) if !before.contains(&role) => {
            return Err(Error::NotFound("role of this user"));
        }
        RoleChange::Take(role) => before.iter().filter(|has| **has != role).cloned().collect(),
    };
    after.sort_unstable();
    after.dedup();
    if after.len() > MAX_ROLES {
        return Err(Error::Invalid {
            field: "roles",
            problem: format!("A user has at most {MAX_ROLES} roles."),
        });
    }
    let taken: Vec<&Role> = before.iter().filter(|it| !after.contains(it)).collect();
    let ends = !taken.is_empty() && ends_on_role_change(tx, user_id).await?;
    let given: Vec<&Role> = after.iter().filter(|it| !before.contains(it)).collect();
    for role in &given {
        tx.insert_role(user_id, role).await?;
        let event = AuditEvent::new(origin, Action::RoleGranted).subject(user_id);
        tx.audit(event.detail(role.as_str())).await?;
    }
    for role in taken {
        tx.delete_role(user_id, role).await?;
        let event = AuditEvent::new(origin, Action::RoleRevoked).subject(user_id);
        tx.audit(event.detail(role.as_str())).await?;
    }
    // Either role, given or taken away, ends what neither may be without or nobody may be with.
    let has = |roles: &[Role], name: &str| roles.iter().any(|role| role.as_str() == name);
    if [ADMIN, IMPERSONATOR]
        .iter()
        .any(|name| has(&before, name) != has(&after, name))
    {
        let own = Impersonations::From(Which::User(user_id));
        for which in [own, Impersonations::As(user_id)] {
            end_impersonations(tx, which, origin).await?;
        }
    }
    if ends {
        end_sessions(tx, Which::User(user_id), EndReason::RoleTaken, origin).await?;
    } else if !given.is_empty() {
        keep_within_policies(tx, user_id, origin).await?;
    }
    Ok(())
}

pub(super) async fn set_enabled(
    tx: &mut Transaction,
    user_id: UserId,
    enabled: bool,
    origin: Origin,
) -> Result<(), Error> {
    let change = UserChange {
        name: None,
        enabled: Some(enabled),
    };
    if !tx.update_user(user_id, change).await? {
        return Ok(());
    }
    let action = if enabled {
        Action::UserEnabled
    } else {
        end_sessions(tx, Which::User(user_id), EndReason::UserDisabled, origin).await?;
        for purpose in [Purpose::EmailChange, Purpose::EmailVerify] {
            tx.void_verification_tokens(purpose, Some(user_id)).await?;
        }
        Action::UserDisabled
    };
    Ok(tx
        .audit(AuditEvent::new(origin, action).subject(user_id))
        .await?)
}

/// How many administrators can sign in; held, so that acts at the same moment count one another.
async fn administrators(tx: &mut Transaction) -> Result<usize, Error> {
    let enabled = tx.lock_enabled_with_role(&Role::admin()).await?;
    Ok(enabled.iter().filter(|c| c.password_hash.is_some()).count())
}

/// An act that would leave nobody to administer is refused whole.
async fn keep_an_administrator(tx: &mut Transaction, before: usize) -> Result<(), Error> {
    if before > 0 && administrators(tx).await? == 0 {
        return Err(Error::Conflict(
            "This would leave no administrator who can sign in; make another one first.",
        ));
    }
    Ok(())
}
