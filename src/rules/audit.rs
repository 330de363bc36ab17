//! What is written down about an act: who, what, to whom, from where, why.

use std::net::IpAddr;

use crate::rules::id::{SessionId, UserId};

/// Who acts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Actor {
    /// A signed-in user.
    User(UserId),
    /// Somebody at the command line of the host.
    Host,
    /// Portcullis itself, as when a limit passes.
    System,
    /// Somebody who is not signed in.
    Nobody,
}

impl Actor {
    /// The kind, as stored.
    pub fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Host => "host",
            Self::System => "system",
            Self::Nobody => "nobody",
        }
    }

    /// The user, if it is one.
    pub fn user_id(self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(id),
            Self::Host | Self::System | Self::Nobody => None,
        }
    }
}

/// Who acts, and from which address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// The client's address, where there is one.
    pub ip: Option<IpAddr>,
}

impl Origin {
    /// Portcullis itself.
    pub const SYSTEM: Self = Self {
        actor: Actor::System,
        ip: None,
    };
    /// The command line of the host.
    pub const HOST: Self = Self {
        actor: Actor::Host,
        ip: None,
    };
}

macro_rules! actions {
    ($($name:ident = $code:literal, $words:literal;)*) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[expect(missing_docs, reason = "the words beside each say it")]
        pub enum Action { $($name,)* }

        impl Action {
            /// Every action there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code in the table and the API.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The words in the console.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }

            /// The action with this code, if there is one.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

actions! {
    SignedIn = "sign-in", "Signed in";
    SignInFailed = "sign-in-failed", "Failed to sign in";
    SteppedUp = "step-up", "Confirmed their identity";
    StepUpFailed = "step-up-failed", "Failed to confirm their identity";
    SessionEnded = "session-ended", "Ended a session";
    EveryoneOut = "everyone-out", "Ended everyone's sessions";
    RefreshReused = "refresh-reuse", "Used a renewal token twice";
    PasswordChanged = "password-changed", "Changed the password";
    PasswordChangeFailed = "password-change-failed", "Failed to change the password";
    UserCreated = "user-created", "Created a user";
    UserUpdated = "user-updated", "Changed a user";
    UserDisabled = "user-disabled", "Disabled a user";
    UserEnabled = "user-enabled", "Enabled a user";
    UserDeleted = "user-deleted", "Deleted a user";
    RoleGranted = "role-granted", "Gave a role";
    RoleRevoked = "role-revoked", "Took a role away";
    OrganizationCreated = "organization-created", "Created an organisation";
    MemberAdded = "member-added", "Added a member to an organisation";
    MemberRemoved = "member-removed", "Removed a member from an organisation";
    PolicySet = "policy-set", "Set a policy of sessions";
    PolicyDeleted = "policy-deleted", "Deleted a policy of sessions";
    LimitsLowered = "limits-lowered", "Lowered the limits of live sessions";
    InvitationMade = "invitation-made", "Made an invitation link";
    InvitationUsed = "invitation-used", "Chose a password by invitation link";
    FirstAdministrator = "first-administrator", "Set up the first administrator";
    KeysRotated = "keys-rotated", "Rotated the signing key";
    CleanedUp = "cleaned-up", "Ended sessions past their limits";
    Seeded = "seeded", "Laid the demonstration data";
    Reset = "reset", "Deleted everybody and everything";
}

/// One act to be written down, in the transaction that does it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEvent {
    /// Who, from where.
    pub origin: Origin,
    /// What.
    pub action: Action,
    /// To whom.
    pub subject: Option<UserId>,
    /// Which session.
    pub session_id: Option<SessionId>,
    /// Why.
    pub reason: Option<&'static str>,
    /// Anything more, in plain words; never a secret.
    pub detail: Option<String>,
}

impl AuditEvent {
    /// An act with nothing but its actor.
    pub fn new(origin: Origin, action: Action) -> Self {
        Self {
            origin,
            action,
            subject: None,
            session_id: None,
            reason: None,
            detail: None,
        }
    }

    /// Done to this user.
    pub fn subject(mut self, user_id: UserId) -> Self {
        self.subject = Some(user_id);
        self
    }

    /// Done to or in this session.
    pub fn session(mut self, session_id: SessionId) -> Self {
        self.session_id = Some(session_id);
        self
    }

    /// For this reason.
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// With these words.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn every_code_leads_back_to_its_action() {
        for action in Action::ALL {
            assert_eq!(Action::from_code(action.code()), Some(*action));
            assert!(!action.words().is_empty());
        }
        assert_eq!(Action::from_code("?"), None);
    }
}
