//! Demonstration users and organisations, laid anew each time.

use crate::entropy;
use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{OrganizationId, UserId};
use crate::service::Context;
use crate::service::error::Error;
use crate::service::organizations;
use crate::service::users::{NewUser, Valid, remove};
use crate::settings::Secret;

/// The password of every demonstration user.
pub const PASSWORD: &str = "open the gate slowly";

/// Address, name, roles, organisation.
const USERS: &[(&str, &str, &[&str], &str)] = &[
    ("ada@demo.example", "Ada Admin", &["admin"], "castle"),
    ("ben@demo.example", "Ben Builder", &["editor"], "castle"),
    ("cleo@demo.example", "Cleo Clerk", &[], "castle"),
    (
        "dan@demo.example",
        "Dan Drawbridge",
        &["editor", "billing"],
        "harbour",
    ),
    ("eve@demo.example", "Eve Evans", &[], "harbour"),
];

const ORGANIZATIONS: &[(&str, &str)] = &[("castle", "Castle Works"), ("harbour", "Harbour Trust")];

/// Replaces the demonstration users: those of before are deleted, their sessions with them, and new
/// ones made. Everybody else stays. Returns the addresses.
pub async fn seed(context: &Context, origin: Origin) -> Result<Vec<&'static str>, Error> {
    let password = Secret::new(PASSWORD.to_owned());
    let hash = context.passwords.hash(&context.keys(), &password).await?;
    let now = context.now();
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                for (address, name, roles, slug) in USERS {
                    let new = NewUser {
                        email: (*address).to_owned(),
                        name: (*name).to_owned(),
                        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
                    };
                    let valid = Valid::new(new)?;
                    if let Some(before) = tx.find_user_by_email(&valid.email).await? {
                        remove(tx, before, EndReason::Reseeded, origin).await?;
                    }
                    let user_id = UserId(entropy::new_id(now)?);
                    valid.insert(tx, user_id, origin).await?;
                    tx.set_password_hash(user_id, None, &hash.hash, &hash.pepper_id, true)
                        .await?;
                    let organization = organization(slug);
                    let id = OrganizationId(entropy::new_id(now)?);
                    let id = match tx.find_organization(organization.0).await? {
                        Some(found) => found,
                        None => {
                            organizations::insert(tx, id, organization.0, organization.1, origin)
                                .await?;
                            id
                        }
                    };
                    tx.insert_membership(user_id, id).await?;
                }
                Ok::<_, Error>(tx.audit(AuditEvent::new(origin, Action::Seeded)).await?)
            })
        })
        .await?;
    Ok(USERS.iter().map(|(address, ..)| *address).collect())
}

fn organization(slug: &str) -> (&'static str, &'static str) {
    ORGANIZATIONS
        .iter()
        .find(|(known, _)| *known == slug)
        .copied()
        .unwrap_or(("demo", "Demo"))
}
