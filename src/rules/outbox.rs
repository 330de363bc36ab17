//! Who is told of which acts, and how long it is tried.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::rules::audit::{Action, AuditEvent};
use crate::rules::id::{SessionId, UserId};

/// Somebody who is told of acts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Consumer {
    /// People, by mail.
    Mail,
}

impl Consumer {
    /// Every consumer there is.
    pub const ALL: &'static [Self] = &[Self::Mail];

    /// The code in the table and the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::Mail => "mail",
        }
    }

    /// The words in the console.
    pub fn words(self) -> &'static str {
        match self {
            Self::Mail => "Mail",
        }
    }

    /// The consumer with this code, if there is one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|consumer| consumer.code() == code)
    }

    /// Is this consumer told of this act? For what nobody is told of, nothing is written.
    pub fn wants(self, event: &AuditEvent) -> bool {
        match self {
            Self::Mail => is_told_by_mail(event),
        }
    }
}

fn is_told_by_mail(event: &AuditEvent) -> bool {
    match event.action {
        Action::PasswordChanged
        | Action::RefreshReused
        | Action::NewDevice
        | Action::ResetAsked
        | Action::EmailChanged => true,
        // Without a link there is nothing to tell.
        Action::InvitationMade | Action::EmailChangeAsked => event.link_id.is_some(),
        Action::SignedIn
        | Action::SignInFailed
        | Action::SteppedUp
        | Action::StepUpFailed
        | Action::SessionEnded
        | Action::EveryoneOut
        | Action::EndWhereBegun
        | Action::EndWhere
        | Action::PasswordChangeFailed
        | Action::UserCreated
        | Action::UserUpdated
        | Action::UserDisabled
        | Action::UserEnabled
        | Action::UserDeleted
        | Action::RoleGranted
        | Action::RoleRevoked
        | Action::InvitationUsed
        | Action::SignInReported
        | Action::PasswordReset
        | Action::FirstAdministrator
        | Action::KeysRotated
        | Action::CleanedUp
        | Action::SessionNamed
        | Action::ImpersonationStarted
        | Action::OrganizationCreated
        | Action::MemberAdded
        | Action::MemberRemoved
        | Action::PolicySet
        | Action::PolicyDeleted
        | Action::LimitsLowered
        | Action::AddressesDropped
        | Action::DeliveryRetried
        | Action::DeliveryDropped
        | Action::Seeded
        | Action::Reset => false,
    }
}

/// How long nobody else tries what somebody has begun to deliver. Each attempt must be given up
/// before.
pub const LEASE: TimeDelta = TimeDelta::seconds(120);

/// A delivery that has failed this often is given up: after about half a day.
pub const MAX_ATTEMPTS: u32 = 20;

/// How long to wait after the attempt of this number has failed: 10 s at first, doubled each time,
/// at most an hour. None if it was the last.
pub fn wait_after(attempt: u32) -> Option<TimeDelta> {
    if attempt >= MAX_ATTEMPTS {
        return None;
    }
    let doubled = attempt.saturating_sub(1).min(16);
    Some(TimeDelta::seconds(10 << doubled).min(TimeDelta::hours(1)))
}

/// One act that one consumer is to be told of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Delivery {
    /// This row.
    pub id: Uuid,
    /// The act; the same for every consumer, and each time it is tried.
    pub event_id: Uuid,
    /// Who tells, as code.
    pub consumer: String,
    /// Which of those that this consumer tells, where there are several.
    pub target: Option<Uuid>,
    /// When the act was done.
    pub at: DateTime<Utc>,
    /// What was done, as code.
    pub action: String,
    /// Kind of actor.
    pub actor_kind: String,
    /// The acting user.
    pub actor_id: Option<UserId>,
    /// The user it was done to.
    pub subject_id: Option<UserId>,
    /// The session concerned.
    pub session_id: Option<SessionId>,
    /// Client address.
    pub ip: Option<String>,
    /// Why, as code.
    pub reason: Option<String>,
    /// Anything more.
    pub detail: Option<String>,
    /// The e-mail address to tell, where it is not the subject's own.
    pub address: Option<String>,
    /// The one-time link to tell of, where one was made.
    pub link_id: Option<Uuid>,
    /// Times it was tried, the current one included.
    pub attempts: u32,
    /// Not to be tried before.
    pub due_at: DateTime<Utc>,
    /// When it was given up, if it was.
    pub dead_at: Option<DateTime<Utc>>,
    /// Why the latest try failed; without personal data.
    pub last_error: Option<String>,
}

/// Which deliveries to list.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DeliveryStatus {
    /// Those that were given up.
    #[default]
    Dead,
    /// Those that are still to be made.
    Waiting,
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{Consumer, MAX_ATTEMPTS, wait_after};

    #[test]
    fn the_wait_grows_is_capped_and_ends() {
        let cases = [
            (1, Some(10)),
            (2, Some(20)),
            (9, Some(2560)),
            (10, Some(3600)),
            (MAX_ATTEMPTS - 1, Some(3600)),
            (MAX_ATTEMPTS, None),
            (u32::MAX, None),
        ];
        for (attempt, seconds) in cases {
            assert_eq!(
                wait_after(attempt),
                seconds.map(TimeDelta::seconds),
                "{attempt}"
            );
        }
    }

    #[test]
    fn every_code_leads_back_to_its_consumer() {
        for consumer in Consumer::ALL {
            assert_eq!(Consumer::from_code(consumer.code()), Some(*consumer));
            assert!(!consumer.words().is_empty());
        }
        assert_eq!(Consumer::from_code("?"), None);
    }
}
