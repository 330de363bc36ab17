//! Looking on as another user: who may, as whom, why, for how long, and what is then possible.

use chrono::TimeDelta;

use crate::rules::id::{SessionId, UserId};
use crate::rules::role::{ADMIN, IMPERSONATOR, Role, has};

/// The absolute lifetime of such a session, at most.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(30);

/// Shortest reason, in characters.
pub const REASON_MIN_CHARS: usize = 10;

/// Longest reason, in characters.
pub const REASON_MAX_CHARS: usize = 500;

/// What is known of a session that an administrator opened as another user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Impersonation {
    /// The administrator.
    pub impersonator_id: UserId,
    /// The administrator's own session, from which it was opened.
    pub opened_from: SessionId,
    /// Why, in the administrator's words.
    pub reason: Box<str>,
    /// For looking alone.
    pub read_only: bool,
    /// The administrator's roles now; none where they, their account's use or their own session
    /// are gone.
    pub impersonator_roles: Box<[Role]>,
}

impl Impersonation {
    /// May the administrator still have it open, with the roles that the user has now?
    pub fn stands(&self, user_has: impl Fn(&str) -> bool) -> bool {
        may_impersonate(|role| has(&self.impersonator_roles, role)) && !is_protected(user_has)
    }
}

/// Why an administrator may not open a session as somebody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Objection {
    /// They lack the right, or look on as somebody else already.
    NoRight,
    /// It is they themselves.
    Oneself,
    /// The user is an administrator, or has the right to look on as others.
    Protected,
    /// The user's account may not be used.
    Disabled,
}

/// The user as whom a session is to be opened.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Who.
    pub user_id: UserId,
    /// May the account be used?
    pub enabled: bool,
    /// The roles now.
    pub roles: &'a [Role],
}

/// May this administrator, who has such roles, open a session as that user?
pub fn judge(
    by: UserId,
    by_has: impl Fn(&str) -> bool,
    target: Target<'_>,
) -> Result<(), Objection> {
    if !may_impersonate(by_has) {
        Err(Objection::NoRight)
    } else if by == target.user_id {
        Err(Objection::Oneself)
    } else if is_protected(|role| has(target.roles, role)) {
        Err(Objection::Protected)
    } else if !target.enabled {
        Err(Objection::Disabled)
    } else {
        Ok(())
    }
}

/// To be an administrator is not enough, nor is the right without being one.
pub fn may_impersonate(has: impl Fn(&str) -> bool) -> bool {
    has(ADMIN) && has(IMPERSONATOR)
}

/// Nobody looks on as somebody with powers over others: they would lend themselves those.
fn is_protected(has: impl Fn(&str) -> bool) -> bool {
    has(ADMIN) || has(IMPERSONATOR)
}

/// Why a stated reason is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "Say why, in {REASON_MIN_CHARS} to {REASON_MAX_CHARS} characters on one line; the person and every administrator will read it."
)]
pub struct ReasonError;

/// Takes a reason, without the blanks around it.
pub fn reason(typed: &str) -> Result<String, ReasonError> {
    let reason = typed.trim();
    let chars = reason.chars().count();
    if !(REASON_MIN_CHARS..=REASON_MAX_CHARS).contains(&chars)
        || reason.chars().any(char::is_control)
    {
        return Err(ReasonError);
    }
    Ok(reason.to_owned())
}

/// What a request wants, as far as it matters to somebody who looks on as another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Want {
    /// To see something.
    Look,
    /// To change something; nobody has said what, so it may be anything.
    Change,
    /// To change something that an administrator may change as the user, if they opened the session
    /// for that.
    ChangeAsUser,
    /// To be done with it.
    Leave,
}

/// Why somebody who looks on as another may not do something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// The session is for looking alone.
    ReadOnly,
    /// Only the person may do this.
    Personal,
}

/// May this be done? Whoever is there themselves is not concerned.
pub fn allows(impersonation: Option<&Impersonation>, want: Want) -> Result<(), Refused> {
    let Some(impersonation) = impersonation else {
        return Ok(());
    };
    match want {
        Want::Look | Want::Leave => Ok(()),
        Want::Change | Want::ChangeAsUser if impersonation.read_only => Err(Refused::ReadOnly),
        Want::Change => Err(Refused::Personal),
        Want::ChangeAsUser => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{
        Impersonation, Objection, Refused, Target, Want, allows, judge, may_impersonate, reason,
    };
    use crate::rules::id::{SessionId, UserId};
    use crate::rules::role::{Role, has};

    fn roles(names: &[&str]) -> Box<[Role]> {
        names.iter().flat_map(|name| Role::new(name)).collect()
    }

    fn looking_on(read_only: bool, impersonator_roles: &[&str]) -> Impersonation {
        Impersonation {
            impersonator_id: UserId(Uuid::nil()),
            opened_from: SessionId(Uuid::nil()),
            reason: "a ticket of theirs".into(),
            read_only,
            impersonator_roles: roles(impersonator_roles),
        }
    }

    #[test]
    fn who_may_look_on_as_whom() {
        let (grace, ada) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let both: &[&str] = &["admin", "editor", "impersonator"];
        let none: &[&str] = &[];
        let cases = [
            ("with the right", both, ada, none, true, Ok(())),
            ("an editor", both, ada, &["editor"], true, Ok(())),
            (
                "an administrator alone",
                &["admin"],
                ada,
                none,
                true,
                Err(Objection::NoRight),
            ),
            (
                "the right alone",
                &["impersonator"],
                ada,
                none,
                true,
                Err(Objection::NoRight),
            ),
            ("nothing", none, ada, none, true, Err(Objection::NoRight)),
            ("oneself", both, grace, both, true, Err(Objection::Oneself)),
            (
                "another administrator",
                both,
                ada,
                &["admin"],
                true,
                Err(Objection::Protected),
            ),
            (
                "another impersonator",
                both,
                ada,
                &["impersonator"],
                true,
                Err(Objection::Protected),
            ),
            (
                "somebody disabled",
                both,
                ada,
                none,
                false,
                Err(Objection::Disabled),
            ),
        ];
        for (name, by, user_id, target, enabled, expected) in cases {
            let target = roles(target);
            let target = Target {
                user_id,
                enabled,
                roles: &target,
            };
            assert_eq!(
                judge(grace, |role| by.contains(&role), target),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn it_stands_while_both_have_the_roles_for_it() {
        let none: &[&str] = &[];
        let cases = [
            (&["admin", "impersonator"][..], none, true),
            (&["admin", "impersonator"], &["editor"], true),
            (&["admin"], none, false),
            (&["impersonator"], none, false),
            (none, none, false),
            (&["admin", "impersonator"], &["admin"], false),
            (&["admin", "impersonator"], &["impersonator"], false),
        ];
        for (by, user, expected) in cases {
            let impersonation = looking_on(true, by);
            assert_eq!(
                impersonation.stands(|role| user.contains(&role)),
                expected,
                "{by:?} {user:?}"
            );
        }
        let both = roles(&["admin", "impersonator"]);
        assert!(may_impersonate(|role| has(&both, role)));
    }

    #[test]
    fn what_is_possible_while_looking_on() {
        use Want::{Change, ChangeAsUser, Leave, Look};
        let read_only = looking_on(true, &[]);
        let changing = looking_on(false, &[]);
        let cases = [
            (None, Look, Ok(())),
            (None, Change, Ok(())),
            (None, ChangeAsUser, Ok(())),
            (None, Leave, Ok(())),
            (Some(&read_only), Look, Ok(())),
            (Some(&read_only), Change, Err(Refused::ReadOnly)),
            (Some(&read_only), ChangeAsUser, Err(Refused::ReadOnly)),
            (Some(&read_only), Leave, Ok(())),
            (Some(&changing), Look, Ok(())),
            (Some(&changing), Change, Err(Refused::Personal)),
            (Some(&changing), ChangeAsUser, Ok(())),
            (Some(&changing), Leave, Ok(())),
        ];
        for (by, want, expected) in cases {
            assert_eq!(allows(by, want), expected, "{by:?} {want:?}");
        }
    }

    #[test]
    fn a_reason_has_ten_to_five_hundred_characters_on_one_line() {
        let cases = [
            ("", false),
            ("too short", false),
            ("          ", false),
            ("    nine ch    ", false),
            ("just enough", true),
            ("ten chars.", true),
            ("two lines\nof a reason", false),
            ("a\u{7f}control character", false),
            (&"é".repeat(500), true),
            (&"é".repeat(501), false),
        ];
        for (typed, good) in cases {
            assert_eq!(reason(typed).is_ok(), good, "{typed}");
        }
        assert_eq!(reason("  it is trimmed  ").as_deref(), Ok("it is trimmed"));
    }
}
