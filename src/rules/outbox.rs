//! Who is told of which acts, and how long it is tried.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::rules::audit::{Action, AuditEvent, Told};
use crate::rules::id::{SessionId, UserId};
use crate::rules::webhook::event_type;

/// Somebody who is told of acts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Consumer {
    /// People, by mail.
    Mail,
    /// The operator's own server, by HTTP.
    Webhook,
}

impl Consumer {
    /// Every consumer there is.
    pub const ALL: &'static [Self] = &[Self::Mail, Self::Webhook];

    /// Those who listen: people always, a webhook where one is set.
    pub fn listening(webhook: bool) -> &'static [Self] {
        if webhook { Self::ALL } else { &[Self::Mail] }
    }

    /// The code in the table and the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }

    /// The words in the console.
    pub fn words(self) -> &'static str {
        match self {
            Self::Mail => "Mail",
            Self::Webhook => "Webhook",
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
            Self::Webhook => event_type(event.action).is_some(),
        }
    }

    /// Whom this consumer tells of this act: each is a delivery of its own, so that one who cannot be
    /// told keeps nobody else waiting, and nobody is told twice for it.
    pub fn tells(self, event: &AuditEvent) -> Vec<Told> {
        let people = matches!(self, Self::Mail) && !event.told.is_empty();
        match (self.wants(event), people) {
            (false, _) => Vec::new(),
            (true, true) => event.told.clone(),
            (true, false) => vec![Told::default()],
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
        // Without a link, or anybody else to tell, there is nothing to tell.
        Action::InvitationMade | Action::EmailChangeAsked | Action::EmailVerifyAsked => {
            !event.told.is_empty()
        }
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
        | Action::EmailVerified
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
    /// The receipt of the larger act that it is a part of.
    pub receipt_id: Option<Uuid>,
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
    use uuid::Uuid;

    use super::{Consumer, MAX_ATTEMPTS, wait_after};
    use crate::rules::audit::{Action, AuditEvent, Origin};

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
    fn each_who_is_told_is_a_delivery_of_its_own() {
        let act = |action| AuditEvent::new(Origin::HOST, action);
        let (one, other) = ("old@test.example", "new@test.example");
        let changed = act(Action::EmailChanged).tell(one, None).tell(other, None);
        let link = act(Action::InvitationMade).link(Uuid::nil());
        for (event, mail, webhook) in [
            (act(Action::SessionEnded), 0, 1),
            (act(Action::SignedIn), 0, 0),
            (act(Action::ResetAsked), 1, 0),
            (act(Action::PasswordChanged), 1, 1),
            (act(Action::InvitationMade), 0, 1),
            (link, 1, 1),
            (changed, 2, 1),
        ] {
            assert_eq!(Consumer::Mail.tells(&event).len(), mail, "{event:?}");
            // The webhook is told of acts, not to whom they were told.
            let told = Consumer::Webhook.tells(&event);
            assert_eq!(told.len(), webhook, "{event:?}");
            assert!(told.iter().all(|told| told.address.is_none()));
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
