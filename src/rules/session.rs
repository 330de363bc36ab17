//! What is known of a session, and whether it may still be used.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::rules::end_reason::EndReason;
use crate::rules::id::{OrganizationId, SessionId, UserId};
use crate::rules::impersonation::Impersonation;
use crate::rules::role::{ADMIN, Role};

/// When and why a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ended {
    /// The instant.
    pub at: DateTime<Utc>,
    /// The one reason.
    pub reason: EndReason,
}

/// What the table says of a session and its user: facts, from which a verdict is formed anew on
/// every request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Facts {
    /// The session.
    pub session_id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The user's address now.
    pub email: Box<str>,
    /// The user's name now; may be empty.
    pub name: Box<str>,
    /// May the user's account be used?
    pub user_enabled: bool,
    /// The user's roles now.
    pub roles: Box<[Role]>,
    /// The user's organisation now.
    pub organization_id: Option<OrganizationId>,
    /// Sign-in.
    pub created_at: DateTime<Utc>,
    /// Latest fresh proof of identity, in whole seconds.
    pub auth_time: DateTime<Utc>,
    /// How it was proven: space-separated method names (RFC 8176).
    pub amr: Box<str>,
    /// Opened with "stay signed in".
    pub remembered: bool,
    /// Unused for this long, it ends.
    pub idle_timeout: TimeDelta,
    /// Last use that the table knows of.
    pub last_seen_at: DateTime<Utc>,
    /// Absolute lifetime.
    pub expires_at: DateTime<Utc>,
    /// When and why it ended, if it has.
    pub ended: Option<Ended>,
    /// The administrator who looks on as this user, if one does.
    pub impersonation: Option<Box<Impersonation>>,
}

impl Facts {
    /// Has the user this role now?
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|r| r.as_str() == role)
    }

    /// May whoever uses the session use the console? Never somebody who looks on as another.
    pub fn is_admin(&self) -> bool {
        self.impersonation.is_none() && self.has_role(ADMIN)
    }

    /// Whose acts these are: the administrator's, where one looks on as the user.
    pub fn actor(&self) -> UserId {
        match &self.impersonation {
            Some(impersonation) => impersonation.impersonator_id,
            None => self.user_id,
        }
    }

    /// Is whoever opened it still allowed to have it open? Always, if it was the user.
    pub fn is_granted(&self) -> bool {
        match &self.impersonation {
            Some(impersonation) => impersonation.stands(&self.roles),
            None => true,
        }
    }
}

/// What the table answered for a session id and a user id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stored {
    /// There is no such user.
    UserGone,
    /// The user is there, the session is not.
    SessionGone,
    /// It has ended. Terminal: nothing that is learnt later changes it.
    Ended(Ended),
    /// It is there and nobody has ended it.
    Open(Arc<Facts>),
}

/// May a session be used at an instant?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Yes.
    Live,
    /// It was ended.
    Ended(Ended),
    /// One of its limits has passed, and it must be ended for that reason.
    PastLimit(EndReason),
    /// Its user may not sign in.
    UserDisabled,
    /// The administrator who opened it may not have it open any more.
    ImpersonatorGone,
    /// The access token is older than the latest proof of identity (ASVS 7.2.4).
    Superseded,
    /// The access token is younger than these facts.
    FactsAreOld,
}

/// Judges a session for a token that was issued after the proof at `token_auth_time`.
///
/// `last_seen_at` may be later than the one in the facts, where uses have not been written yet.
pub fn judge(
    facts: &Facts,
    last_seen_at: DateTime<Utc>,
    token_auth_time: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Verdict {
    if let Some(ended) = facts.ended {
        return Verdict::Ended(ended);
    }
    if !facts.user_enabled {
        return Verdict::UserDisabled;
    }
    if !facts.is_granted() {
        return Verdict::ImpersonatorGone;
    }
    if now >= facts.expires_at {
        return Verdict::PastLimit(EndReason::AbsoluteLifetime);
    }
    if now >= last_seen_at.max(facts.last_seen_at) + facts.idle_timeout {
        return Verdict::PastLimit(EndReason::Idle);
    }
    match token_auth_time.cmp(&facts.auth_time) {
        std::cmp::Ordering::Less => Verdict::Superseded,
        std::cmp::Ordering::Equal => Verdict::Live,
        std::cmp::Ordering::Greater => Verdict::FactsAreOld,
    }
}

/// Is the latest proof of identity young enough for a dangerous act (ASVS 7.5.3, RFC 9470)?
pub fn is_fresh(auth_time: DateTime<Utc>, max_age: TimeDelta, now: DateTime<Utc>) -> bool {
    now < auth_time + max_age
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use uuid::Uuid;

    use super::{Ended, Facts, Verdict, is_fresh, judge};
    use crate::rules::end_reason::EndReason;
    use crate::rules::id::{SessionId, UserId};
    use crate::rules::impersonation::Impersonation;
    use crate::rules::role::{IMPERSONATOR, Role};

    const T0: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

    fn at(seconds: i64) -> DateTime<Utc> {
        T0 + TimeDelta::seconds(seconds)
    }

    fn facts() -> Facts {
        Facts {
            session_id: SessionId(Uuid::nil()),
            user_id: UserId(Uuid::nil()),
            email: "ada@example.org".into(),
            name: "Ada".into(),
            user_enabled: true,
            roles: Box::default(),
            organization_id: None,
            created_at: T0,
            auth_time: T0,
            amr: "pwd".into(),
            remembered: false,
            idle_timeout: TimeDelta::seconds(60),
            last_seen_at: T0,
            expires_at: at(100),
            ended: None,
            impersonation: None,
        }
    }

    #[test]
    fn the_verdict_at_each_edge() {
        use Verdict::{Live, PastLimit};
        let ended = Ended {
            at: at(10),
            reason: EndReason::SignedOut,
        };
        let with_end = Facts {
            ended: Some(ended),
            ..facts()
        };
        let disabled = Facts {
            user_enabled: false,
            ..facts()
        };
        let both = Facts {
            ended: Some(ended),
            user_enabled: false,
            ..facts()
        };
        let looked_on = |roles: &[Role]| Facts {
            impersonation: Some(Box::new(Impersonation {
                impersonator_id: UserId(Uuid::nil()),
                opened_from: SessionId(Uuid::nil()),
                reason: "a stated reason".into(),
                read_only: true,
                impersonator_roles: roles.into(),
            })),
            ..facts()
        };
        let (admin, right) = (
            Role::admin(),
            Role::new(IMPERSONATOR).unwrap_or(Role::admin()),
        );
        let proven = Facts {
            auth_time: at(5),
            ..facts()
        };
        let cases = [
            ("at sign-in", facts(), at(0), at(0), at(0), Live),
            ("idle −1", facts(), at(0), at(0), at(59), Live),
            (
                "idle 0",
                facts(),
                at(0),
                at(0),
                at(60),
                PastLimit(EndReason::Idle),
            ),
            (
                "idle +1",
                facts(),
                at(0),
                at(0),
                at(61),
                PastLimit(EndReason::Idle),
            ),
            ("used since", facts(), at(30), at(0), at(61), Live),
            (
                "a use the table knows and the memory not",
                facts(),
                at(-50),
                at(0),
                at(59),
                Live,
            ),
            ("lifetime −1", facts(), at(99), at(0), at(99), Live),
            (
                "lifetime 0",
                facts(),
                at(99),
                at(0),
                at(100),
                PastLimit(EndReason::AbsoluteLifetime),
            ),
            (
                "lifetime +1",
                facts(),
                at(100),
                at(0),
                at(101),
                PastLimit(EndReason::AbsoluteLifetime),
            ),
            (
                "both limits",
                facts(),
                at(0),
                at(0),
                at(500),
                PastLimit(EndReason::AbsoluteLifetime),
            ),
            (
                "ended",
                with_end.clone(),
                at(0),
                at(0),
                at(11),
                Verdict::Ended(ended),
            ),
            (
                "ended comes before limits",
                with_end,
                at(0),
                at(0),
                at(500),
                Verdict::Ended(ended),
            ),
            (
                "disabled",
                disabled,
                at(0),
                at(0),
                at(1),
                Verdict::UserDisabled,
            ),
            (
                "ended comes before disabled",
                both,
                at(0),
                at(0),
                at(1),
                Verdict::Ended(ended),
            ),
            (
                "looked on by somebody who may",
                looked_on(&[admin.clone(), right]),
                at(0),
                at(0),
                at(1),
                Live,
            ),
            (
                "looked on by somebody who may no longer",
                looked_on(&[admin]),
                at(0),
                at(0),
                at(1),
                Verdict::ImpersonatorGone,
            ),
            (
                "older proof",
                proven.clone(),
                at(5),
                at(4),
                at(6),
                Verdict::Superseded,
            ),
            ("this proof", proven.clone(), at(5), at(5), at(6), Live),
            (
                "younger proof",
                proven,
                at(5),
                at(6),
                at(6),
                Verdict::FactsAreOld,
            ),
        ];
        for (name, facts, last_seen, token_auth_time, now, expected) in cases {
            assert_eq!(
                judge(&facts, last_seen, token_auth_time, now),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn proof_is_fresh_until_its_age_is_reached() {
        let max_age = TimeDelta::seconds(600);
        for (age, fresh) in [(0, true), (599, true), (600, false), (601, false)] {
            assert_eq!(is_fresh(T0, max_age, at(age)), fresh, "{age}");
        }
    }
}
