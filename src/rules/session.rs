//! What is known of a session, and whether it may still be used.

use chrono::{DateTime, TimeDelta, Utc};

use crate::rules::amr::Amr;
use crate::rules::end_reason::EndReason;
use crate::rules::id::{OrganizationId, SessionId, UserId};
use crate::rules::impersonation::Impersonation;
use crate::rules::moment::{LastUse, Moment, Second};
use crate::rules::person::Person;
use crate::rules::role::ADMIN;

/// When and why a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ended {
    /// The instant.
    pub at: DateTime<Utc>,
    /// The one reason.
    pub reason: EndReason,
}

/// What the table says of a session and its user: facts, from which a verdict is formed anew on
/// every request. Small, since a node holds a million of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Facts {
    /// The session.
    pub session_id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The user's address, name and roles now.
    pub person: Person,
    /// May the user's account be used?
    pub user_enabled: bool,
    /// The user's organisation now.
    pub organization_id: Option<OrganizationId>,
    /// Sign-in.
    pub created_at: Moment,
    /// Latest fresh proof of identity.
    pub auth_time: Second,
    /// How it was proven.
    pub amr: Amr,
    /// Opened with "stay signed in".
    pub remembered: bool,
    /// Unused for so many seconds, it ends.
    pub idle_timeout_secs: u32,
    /// Last use, written to the table or not yet.
    pub last_seen: LastUse,
    /// Absolute lifetime.
    pub expires_at: Moment,
    /// The administrator who looks on as this user, if one does.
    pub impersonation: Option<Box<Impersonation>>,
}

impl Facts {
    /// Has the user this role now?
    pub fn has_role(&self, role: &str) -> bool {
        self.person.roles().any(|own| own == role)
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
            Some(impersonation) => impersonation.stands(|role| self.has_role(role)),
            None => true,
        }
    }

    /// Unused for this long, it ends.
    pub fn idle_timeout(&self) -> TimeDelta {
        TimeDelta::seconds(self.idle_timeout_secs.into())
    }
}

/// What the table answered for a session id and a user id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stored<F = Facts> {
    /// There is no such user.
    UserGone,
    /// The user is there, the session is not.
    SessionGone,
    /// It has ended. Terminal: nothing that is learnt later changes it.
    Ended(Ended),
    /// It is there and nobody has ended it.
    Open(F),
}

/// May an open session be used at an instant?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Yes.
    Live,
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
pub fn judge(facts: &Facts, token_auth_time: DateTime<Utc>, now: DateTime<Utc>) -> Verdict {
    if !facts.user_enabled {
        return Verdict::UserDisabled;
    }
    if !facts.is_granted() {
        return Verdict::ImpersonatorGone;
    }
    if now >= facts.expires_at.at() {
        return Verdict::PastLimit(EndReason::AbsoluteLifetime);
    }
    if now >= facts.last_seen.at() + facts.idle_timeout() {
        return Verdict::PastLimit(EndReason::Idle);
    }
    match token_auth_time.cmp(&facts.auth_time.at()) {
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

    use super::{Facts, Verdict, is_fresh, judge};
    use crate::rules::amr::Amr;
    use crate::rules::end_reason::EndReason;
    use crate::rules::id::{SessionId, UserId};
    use crate::rules::impersonation::Impersonation;
    use crate::rules::person::Person;
    use crate::rules::role::{IMPERSONATOR, Role};

    const T0: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

    fn at(seconds: i64) -> DateTime<Utc> {
        T0 + TimeDelta::seconds(seconds)
    }

    fn facts() -> Facts {
        Facts {
            session_id: SessionId(Uuid::nil()),
            user_id: UserId(Uuid::nil()),
            person: Person::new("ada@example.org", "Ada", []),
            user_enabled: true,
            organization_id: None,
            created_at: T0.into(),
            auth_time: T0.into(),
            amr: Amr::new("pwd"),
            remembered: false,
            idle_timeout_secs: 60,
            last_seen: T0.into(),
            expires_at: at(100).into(),
            impersonation: None,
        }
    }

    #[test]
    fn the_verdict_at_each_edge() {
        use Verdict::{FactsAreOld, ImpersonatorGone, Live, PastLimit, Superseded, UserDisabled};
        let seen = |seconds| Facts {
            last_seen: at(seconds).into(),
            ..facts()
        };
        let disabled = Facts {
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
        let (allowed, no_more) = (looked_on(&[admin.clone(), right]), looked_on(&[admin]));
        let proven = Facts {
            auth_time: at(5).into(),
            ..facts()
        };
        let (idle, lifetime) = (
            PastLimit(EndReason::Idle),
            PastLimit(EndReason::AbsoluteLifetime),
        );
        let cases = [
            ("at sign-in", facts(), at(0), at(0), Live),
            ("idle −1", facts(), at(0), at(59), Live),
            ("idle 0", facts(), at(0), at(60), idle),
            ("idle +1", facts(), at(0), at(61), idle),
            ("used since", seen(30), at(0), at(61), Live),
            ("lifetime −1", seen(99), at(0), at(99), Live),
            ("lifetime 0", seen(99), at(0), at(100), lifetime),
            ("lifetime +1", seen(100), at(0), at(101), lifetime),
            ("both limits", facts(), at(0), at(500), lifetime),
            ("disabled", disabled.clone(), at(0), at(1), UserDisabled),
            ("disabled first", disabled, at(0), at(500), UserDisabled),
            ("looked on by somebody who may", allowed, at(0), at(1), Live),
            (
                "by somebody who may no more",
                no_more.clone(),
                at(0),
                at(1),
                ImpersonatorGone,
            ),
            (
                "who may no more first",
                no_more,
                at(0),
                at(500),
                ImpersonatorGone,
            ),
            ("older proof", proven.clone(), at(4), at(6), Superseded),
            ("this proof", proven.clone(), at(5), at(6), Live),
            ("younger proof", proven, at(6), at(6), FactsAreOld),
        ];
        for (name, facts, token_auth_time, now, expected) in cases {
            assert_eq!(judge(&facts, token_auth_time, now), expected, "{name}");
        }
    }

    #[test]
    fn a_use_is_noted_once_a_step_and_only_forwards() {
        let (facts, step) = (facts(), TimeDelta::seconds(10));
        let uses = [
            (5, false),
            (9, false),
            (10, true),
            (10, false),
            (19, false),
            (20, true),
            (3, false),
        ];
        for (second, worth) in uses {
            assert_eq!(facts.last_seen.note(at(second), step), worth, "{second}");
        }
        assert_eq!(facts.last_seen.at(), at(20));
    }

    #[test]
    fn proof_is_fresh_until_its_age_is_reached() {
        let max_age = TimeDelta::seconds(600);
        for (age, fresh) in [(0, true), (599, true), (600, false), (601, false)] {
            assert_eq!(is_fresh(T0, max_age, at(age)), fresh, "{age}");
        }
    }
}
