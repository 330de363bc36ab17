//! Organisations and their members.

use crate::entropy;
use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{OrganizationId, UserId};
use crate::rules::slug::Slug;
use crate::service::Context;
use crate::service::end_session::end_sessions;
use crate::service::error::Error;
use crate::service::policies::{ends_on_role_change, keep_within_policies};
use crate::service::typed_user::valid_name;
use crate::store::sessions::Which;
use crate::store::{StoreError, Transaction};

/// Makes an organisation.
pub async fn create_organization(
    context: &Context,
    slug: &str,
    name: &str,
    origin: Origin,
) -> Result<OrganizationId, Error> {
    let slug = Slug::new(slug.trim()).map_err(|error| Error::Invalid {
        field: "organization",
        problem: format!("`{slug}`: {error}"),
    })?;
    let name = valid_name(name)?;
    let now = context.now();
    let id = OrganizationId(entropy::new_id(now)?);
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move { insert(tx, id, slug.as_str(), &name, origin).await })
        })
        .await?;
    Ok(id)
}

/// Makes a user a member. The policy of the organisation counts for live sessions too.
pub async fn add_member(
    context: &Context,
    slug: &str,
    user_id: UserId,
    origin: Origin,
) -> Result<(), Error> {
    let slug = slug.to_owned();
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let organization = find(tx, &slug).await?;
                if tx.lock_user(user_id).await?.is_none() {
                    return Err(Error::NotFound("user"));
                }
                match tx.insert_membership(user_id, organization).await {
                    Err(StoreError::Conflict) => {
                        return Err(Error::Conflict("The user is a member already."));
                    }
                    inserted => inserted?,
                }
                let event = AuditEvent::new(origin, Action::MemberAdded).subject(user_id);
                tx.audit(event.detail(slug)).await?;
                keep_within_policies(tx, user_id, origin).await
            })
        })
        .await
}

/// Takes a membership away. It counts from the user's next request; whether the user's sessions
/// end, their policies say.
pub async fn remove_member(
    context: &Context,
    slug: &str,
    user_id: UserId,
    origin: Origin,
) -> Result<u64, Error> {
    let slug = slug.to_owned();
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let organization = find(tx, &slug).await?;
                if tx.lock_user(user_id).await?.is_none() {
                    return Err(Error::NotFound("user"));
                }
                let ends = ends_on_role_change(tx, user_id).await?;
                if !tx.delete_membership(user_id, organization).await? {
                    return Err(Error::NotFound("membership"));
                }
                let event = AuditEvent::new(origin, Action::MemberRemoved).subject(user_id);
                tx.audit(event.detail(slug)).await?;
                if !ends {
                    return Ok(0);
                }
                let which = Which::User(user_id);
                Ok(end_sessions(tx, which, EndReason::RoleTaken, origin)
                    .await?
                    .len() as u64)
            })
        })
        .await
}

/// Makes an organisation, inside an act.
pub(super) async fn insert(
    tx: &mut Transaction,
    id: OrganizationId,
    slug: &str,
    name: &str,
    origin: Origin,
) -> Result<(), Error> {
    match tx.insert_organization(id, slug, name).await {
        Err(StoreError::Conflict) => {
            return Err(Error::Conflict(
                "There is an organisation with this short name already.",
            ));
        }
        inserted => inserted?,
    }
    let event = AuditEvent::new(origin, Action::OrganizationCreated);
    Ok(tx.audit(event.detail(slug)).await?)
}

async fn find(tx: &mut Transaction, slug: &str) -> Result<OrganizationId, Error> {
    let found = tx.find_organization(slug).await?;
    found.ok_or_else(|| unknown(slug))
}

/// Nobody made this organisation.
pub(super) fn unknown(slug: &str) -> Error {
    Error::Invalid {
        field: "organization",
        problem: format!("There is no organisation `{slug}`."),
    }
}
