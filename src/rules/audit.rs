//! What is written down about an act: who, what, to whom, from where, why.

use std::net::IpAddr;

use uuid::Uuid;

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
    SessionNamed = "session-named", "Named a session";
    EveryoneOut = "everyone-out", "Ended everyone's sessions";
    EndWhereBegun = "end-where-begun", "Began to end sessions by what is known of them";
    EndWhere = "end-where", "Ended sessions by what is known of them";
    RefreshReused = "refresh-reuse", "Used a copy of a session";
    PasswordChanged = "password-changed", "Changed the password";
    PasswordChangeFailed = "password-change-failed", "Failed to change the password";
    NewDevice = "new-device", "Signed in from a new device or network";
    SignInReported = "sign-in-reported", "Reported a sign-in as somebody else's";
    ResetAsked = "reset-asked", "Asked for a new password by mail";
    PasswordReset = "password-reset", "Chose a password by mailed link";
    EmailChangeAsked = "email-change-asked", "Asked to change the e-mail address";
    EmailChanged = "email-changed", "Changed the e-mail address";
    EmailVerifyAsked = "email-verify-asked", "Asked to verify the e-mail address";
    EmailVerified = "email-verified", "Verified the e-mail address";
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
    ImpersonationStarted = "impersonation-started", "Opened a session as another user";
    KeysRotated = "keys-rotated", "Rotated the signing key";
    CleanedUp = "cleaned-up", "Ended sessions past their limits";
    AddressesDropped = "addresses-dropped", "Dropped old client addresses";
    DeliveryRetried = "delivery-retried", "Had a delivery tried again";
    DeliveryDropped = "delivery-dropped", "Dropped a delivery";
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
    /// The receipt of the larger act that it is a part of.
    pub receipt_id: Option<Uuid>,
    /// Anything more, in plain words; never a secret.
    pub detail: Option<String>,
    /// The people who are told of it by mail, where that is not just its subject. Not part of what is
    /// written down.
    pub told: Vec<Told>,
}

/// Somebody who is told of an act.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Told {
    /// The e-mail address; without one it is the subject's own.
    pub address: Option<String>,
    /// The one-time link to tell of, where one was made.
    pub link_id: Option<Uuid>,
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
            receipt_id: None,
            detail: None,
            told: Vec::new(),
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

    /// As a part of the act with this receipt.
    pub fn receipt(mut self, receipt_id: Uuid) -> Self {
        self.receipt_id = Some(receipt_id);
        self
    }

    /// With these words.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// To be told to its subject with this one-time link.
    pub fn link(mut self, link_id: Uuid) -> Self {
        let (address, link_id) = (None, Some(link_id));
        self.told.push(Told { address, link_id });
        self
    }

    /// To be told to this e-mail address, with this one-time link if there is one.
    pub fn tell(mut self, address: impl Into<String>, link_id: Option<Uuid>) -> Self {
        let address = Some(address.into());
        self.told.push(Told { address, link_id });
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
