//! What many callers asked of the nodes and were told, each with the instants between which it
//! happened.
//!
//! Knows what an act can bring about and which sessions it is about. What may have been said when
//! is told by [`check`].

mod check;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use check::{Violation, check};

/// A name: of a session, or of a user.
pub type Name = Arc<str>;

/// Who was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    Node(usize),
    /// Another process on the same database, or somebody who changed the tables by hand.
    Beside,
}

/// One question or act, of one caller.
#[derive(Clone, Debug)]
pub struct Operation {
    pub place: Place,
    /// Since the history began, as is the next.
    pub began: Duration,
    /// When the answer was there, or nobody waited for it any longer.
    pub ended: Duration,
    pub act: Act,
    pub outcome: Outcome,
}

/// A user, by id and address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    pub id: Name,
    pub email: Name,
}

/// What was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Act {
    /// To sign in with this address.
    SignIn(Name),
    /// Whether a token of this session admits.
    Check(Name),
    /// New tokens for this session.
    Refresh(Name),
    /// That sessions end.
    End(Ends),
    /// That this user may sign in again.
    Enable(User),
}

/// Which sessions are to end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ends {
    /// This one.
    Session(Name),
    /// All of this user that there are.
    User(User),
    /// All that there are, but for one.
    Everyone { except: Option<Name> },
    /// All of this user, who may not sign in any more.
    Disable(User),
    /// All of this user, who is not there any more.
    Delete(User),
    /// All of the demonstration users, who are made anew.
    Reseed,
}

/// What came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// A session was opened, of this user.
    Opened { session: Name, user: Name },
    /// It was done; a check: yes.
    Done,
    /// The presented credential does not admit, with the code of the reason.
    Refused(Name),
    /// It was not done, for a reason that has nothing to do with who asked.
    Declined,
    /// The node said that it cannot tell, or nothing. It may be done, and may still be done later.
    Unknown,
}

/// A session that was opened.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: Name,
    pub user: User,
    /// It was opened between these two.
    pub began: Duration,
    pub ended: Duration,
}

/// The end of the addresses of demonstration users.
pub const DEMO: &str = "@demo.example";

impl Ends {
    /// Is this session among them, if it is there at the time?
    pub fn names(&self, session: &Session) -> bool {
        match self {
            Self::Session(id) => *id == session.id,
            Self::User(user) | Self::Disable(user) | Self::Delete(user) => {
                user.id == session.user.id
            }
            Self::Everyone { except } => except.as_ref() != Some(&session.id),
            Self::Reseed => session.user.email.ends_with(DEMO),
        }
    }

    /// Can a session be among them that somebody with this address opens at the same time?
    pub fn may_name_one_of(&self, email: &str) -> bool {
        match self {
            Self::User(user) => *user.email == *email,
            Self::Everyone { .. } => true,
            Self::Disable(_) | Self::Delete(_) | Self::Reseed => self.bars(email),
            Self::Session(_) => false,
        }
    }

    /// Is it about who has this address, and keeps them from signing in?
    pub fn bars(&self, email: &str) -> bool {
        match self {
            Self::Disable(user) | Self::Delete(user) => *user.email == *email,
            // Between the old user and the new one the password is compared with the old one's.
            Self::Reseed => email.ends_with(DEMO),
            Self::Session(_) | Self::User(_) | Self::Everyone { .. } => false,
        }
    }

    /// Can it be what a refusal with this code speaks of?
    pub fn explains(&self, code: &str) -> bool {
        match code {
            "user-disabled" => matches!(self, Self::Disable(_)),
            "user-gone" => matches!(self, Self::Delete(_) | Self::Reseed),
            _ => true,
        }
    }
}

impl Operation {
    /// Was it done, or may it have been?
    pub fn may_be_done(&self) -> bool {
        matches!(
            self.outcome,
            Outcome::Done | Outcome::Opened { .. } | Outcome::Unknown
        )
    }

    /// Could it have happened after that instant?
    pub fn may_happen_after(&self, instant: Duration) -> bool {
        self.outcome == Outcome::Unknown || self.ended > instant
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            began,
            ended,
            act,
            outcome,
        } = self;
        write!(
            f,
            "{began:>12.3?} to {ended:>12.3?} {place:?}: {act:?}: {outcome:?}"
        )
    }
}
