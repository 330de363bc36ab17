//! How long sessions may live and how many there may be: by installation, role and organisation,
//! and of all that apply to a user the strictest.

mod draft;
#[cfg(test)]
mod tests;

use std::fmt;

use chrono::TimeDelta;

pub use crate::rules::policy::draft::{MAX_SECS, MAX_SESSIONS, MIN_SECS, PolicyDraft, PolicyFault};
use crate::rules::role::Role;

macro_rules! at_limit {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $words:literal;)*) => {
        /// What happens to a sign-in for which there is no room; the later, the stricter.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum AtLimit { $($(#[$doc])* $name,)* }

        impl AtLimit {
            /// Every answer there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code in the table, the settings and the API.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The words in the console.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }

            /// The answer with this code, if there is one.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

at_limit! {
    /// The session that was opened first ends.
    EndOldest = "end-oldest", "end the oldest session";
    /// The person says which session ends.
    Ask = "ask", "ask which session to end";
    /// Nobody is let in.
    Refuse = "refuse", "refuse the sign-in";
}

/// Whose sessions a policy is for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// Those of users with this role.
    Role(Role),
    /// Those of members of the organisation with this short name.
    Organization(Box<str>),
}

impl Scope {
    /// The kind, as the API says it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Role(_) => "role",
            Self::Organization(_) => "organization",
        }
    }

    /// Which one of its kind.
    pub fn name(&self) -> &str {
        match self {
            Self::Role(role) => role.as_str(),
            Self::Organization(slug) => slug,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => write!(f, "role {role}"),
            Self::Organization(slug) => write!(f, "organisation {slug}"),
        }
    }
}

/// What a role or an organisation asks for; what is not set is left to others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// Unused for this long, a session ends.
    pub idle: Option<TimeDelta>,
    /// After this long it ends, however much it is used.
    pub lifetime: Option<TimeDelta>,
    /// As `idle`, for sessions opened with "stay signed in".
    pub remembered_idle: Option<TimeDelta>,
    /// As `lifetime`, for these.
    pub remembered_lifetime: Option<TimeDelta>,
    /// Most sessions of one user at once.
    pub max_sessions: Option<u32>,
    /// What happens to a sign-in beyond that.
    pub at_limit: Option<AtLimit>,
    /// Do the user's sessions end when a role or membership is taken away?
    pub end_on_role_change: bool,
}

/// Who set a limit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SetBy {
    /// The settings of the installation.
    Installation,
    /// The policy of a role or an organisation.
    Policy(Scope),
}

impl fmt::Display for SetBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installation => f.write_str("installation"),
            Self::Policy(scope) => scope.fmt(f),
        }
    }
}

/// A value, and who set it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limit<T> {
    /// The value.
    pub value: T,
    /// Who set it.
    pub set_by: SetBy,
}

/// The two limits of a session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Unused for this long, it ends.
    pub idle: Limit<TimeDelta>,
    /// After this long it ends, however much it is used.
    pub lifetime: Limit<TimeDelta>,
}

/// What holds for a user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Effective {
    /// Limits of a session.
    pub session: Limits,
    /// Limits of a session opened with "stay signed in".
    pub remembered: Limits,
    /// Most sessions at once, if there is a most.
    pub max_sessions: Option<Limit<u32>>,
    /// What happens to a sign-in beyond that.
    pub at_limit: Limit<AtLimit>,
    /// Who wants the user's sessions to end when a role or membership is taken away, if anybody.
    pub end_on_role_change: Option<Scope>,
}

impl Effective {
    /// The limits of a session.
    pub fn limits(&self, remembered: bool) -> &Limits {
        if remembered {
            &self.remembered
        } else {
            &self.session
        }
    }
}

/// What the settings of the installation say; they always apply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Installation {
    /// Idle timeout and absolute lifetime of a session.
    pub session: (TimeDelta, TimeDelta),
    /// Those of a session opened with "stay signed in".
    pub remembered: (TimeDelta, TimeDelta),
    /// Most sessions at once, if there is a most.
    pub max_sessions: Option<u32>,
    /// What happens to a sign-in beyond that.
    pub at_limit: AtLimit,
}

/// What holds for a user to whom these policies apply: of each value the strictest, whoever set it.
/// So a policy can tighten what the installation allows and never loosen it; where two say the same,
/// the first is named.
pub fn effective(installation: &Installation, policies: &[(Scope, Policy)]) -> Effective {
    let pair = |(idle, lifetime), idle_of: Get<TimeDelta>, lifetime_of: Get<TimeDelta>| {
        let lifetime = least(lifetime, policies, lifetime_of);
        let idle = least(idle, policies, idle_of);
        Limits {
            // Nobody can leave unused for longer what has ended by then.
            idle: if idle.value > lifetime.value {
                lifetime.clone()
            } else {
                idle
            },
            lifetime,
        }
    };
    let of_installation = installation.max_sessions.map(by_installation);
    let mut at_limit = by_installation(installation.at_limit);
    for (scope, policy) in policies {
        if let Some(stricter) = policy.at_limit.filter(|other| *other > at_limit.value) {
            at_limit = Limit {
                value: stricter,
                set_by: SetBy::Policy(scope.clone()),
            };
        }
    }
    Effective {
        session: pair(installation.session, |p| p.idle, |p| p.lifetime),
        remembered: pair(
            installation.remembered,
            |p| p.remembered_idle,
            |p| p.remembered_lifetime,
        ),
        max_sessions: least_of(of_installation, policies, |p| p.max_sessions),
        at_limit,
        end_on_role_change: policies
            .iter()
            .find(|(_, policy)| policy.end_on_role_change)
            .map(|(scope, _)| scope.clone()),
    }
}

type Get<T> = fn(&Policy) -> Option<T>;

fn by_installation<T>(value: T) -> Limit<T> {
    Limit {
        value,
        set_by: SetBy::Installation,
    }
}

fn least<T: Ord + Copy>(of_all: T, policies: &[(Scope, Policy)], get: Get<T>) -> Limit<T> {
    let first = by_installation(of_all);
    least_of(Some(first.clone()), policies, get).unwrap_or(first)
}

fn least_of<T: Ord + Copy>(
    of_all: Option<Limit<T>>,
    policies: &[(Scope, Policy)],
    get: Get<T>,
) -> Option<Limit<T>> {
    policies.iter().fold(of_all, |least, (scope, policy)| {
        let other = get(policy).filter(|other| least.as_ref().is_none_or(|it| *other < it.value));
        match other {
            Some(value) => Some(Limit {
                value,
                set_by: SetBy::Policy(scope.clone()),
            }),
            None => least,
        }
    })
}

/// What live sessions must be brought within.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Caps {
    /// Longest idle timeout, if it has one.
    pub idle: Option<TimeDelta>,
    /// Longest absolute lifetime, if it has one.
    pub lifetime: Option<TimeDelta>,
}

impl Caps {
    /// Is there nothing to keep within?
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// What these policies ask of a live session.
pub fn caps(policies: &[(Scope, Policy)], remembered: bool) -> Caps {
    let all = |get: Get<TimeDelta>| policies.iter().filter_map(|(_, p)| get(p)).min();
    let (idle, lifetime) = if remembered {
        (all(|p| p.remembered_idle), all(|p| p.remembered_lifetime))
    } else {
        (all(|p| p.idle), all(|p| p.lifetime))
    };
    Caps {
        idle: idle.into_iter().chain(lifetime).min(),
        lifetime,
    }
}
