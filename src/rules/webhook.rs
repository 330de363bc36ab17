//! What a webhook is told of, and by which name. The names are a promise to whoever receives them.
//!
//! Told is what ends sessions and what changes who may do what; not who came and went, nor what was
//! tried in vain, of which there is far more. Where one act is written down by several events, one of
//! them is told.

use crate::rules::audit::{Action, AuditEvent};

/// Acts whose detail is one of our own identifiers.
const WITH_DETAIL: [Action; 6] = [
    Action::RoleGranted,
    Action::RoleRevoked,
    Action::OrganizationCreated,
    Action::MemberAdded,
    Action::MemberRemoved,
    Action::KeysRotated,
];

/// The type of the event that a webhook gets of this act. None if it is not told of it.
pub fn event_type(action: Action) -> Option<&'static str> {
    match action {
        Action::SessionEnded => Some("session.ended"),
        Action::RefreshReused => Some("session.copied"),
        Action::EveryoneOut => Some("sessions.everyone_out"),
        Action::EndWhere => Some("sessions.ended_by_query"),
        Action::PasswordChanged => Some("user.password_changed"),
        Action::EmailChanged => Some("user.email_changed"),
        Action::EmailVerified => Some("user.email_verified"),
        Action::NewDevice => Some("user.new_device"),
        Action::SignInReported => Some("user.sign_in_reported"),
        Action::UserCreated => Some("user.created"),
        Action::UserUpdated => Some("user.updated"),
        Action::UserDisabled => Some("user.disabled"),
        Action::UserEnabled => Some("user.enabled"),
        Action::UserDeleted => Some("user.deleted"),
        Action::RoleGranted => Some("user.role_granted"),
        Action::RoleRevoked => Some("user.role_revoked"),
        Action::InvitationMade => Some("user.invitation_made"),
        Action::ImpersonationStarted => Some("user.impersonation_started"),
        Action::OrganizationCreated => Some("organization.created"),
        Action::MemberAdded => Some("organization.member_added"),
        Action::MemberRemoved => Some("organization.member_removed"),
        Action::PolicySet => Some("policy.set"),
        Action::PolicyDeleted => Some("policy.deleted"),
        Action::KeysRotated => Some("keys.rotated"),
        Action::Reset => Some("everything.deleted"),
        // Changes nothing, or nothing that is not told of by another event.
        Action::SignedIn
        | Action::SignInFailed
        | Action::SteppedUp
        | Action::StepUpFailed
        | Action::SessionNamed
        | Action::EndWhereBegun
        | Action::PasswordChangeFailed
        | Action::PasswordReset
        | Action::ResetAsked
        | Action::EmailChangeAsked
        | Action::EmailVerifyAsked
        | Action::InvitationUsed
        | Action::FirstAdministrator
        | Action::LimitsLowered
        | Action::CleanedUp
        | Action::AddressesDropped
        | Action::DeliveryRetried
        | Action::DeliveryDropped
        | Action::Seeded => None,
    }
}

/// The detail of an act that is told: a role, an organisation's short name or a key. Other details may
/// hold words that somebody typed, or whom somebody searched for.
pub fn detail(event: &AuditEvent) -> Option<&str> {
    let detail = event.detail.as_deref();
    detail.filter(|_| WITH_DETAIL.contains(&event.action))
}

#[cfg(test)]
mod tests {
    use super::event_type;
    use crate::rules::audit::Action;

    #[test]
    fn the_document_lists_every_type_and_no_other() {
        let document = include_str!("../../docs/webhooks.md");
        let listed: Vec<&str> = document
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .filter(|name| name.contains('.'))
            .collect();
        let mut told: Vec<&str> = Action::ALL
            .iter()
            .filter_map(|action| event_type(*action))
            .collect();
        let mut sorted = listed.clone();
        sorted.sort_unstable();
        told.sort_unstable();
        assert_eq!(sorted, told);
        told.dedup();
        assert_eq!(told.len(), listed.len(), "two acts have the same type");
        for name in listed {
            let signs = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
            assert!(name.chars().all(signs), "{name}");
        }
    }
}
