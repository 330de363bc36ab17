//! What is held of one session: what the table said, how it has been used since, and which of its
//! tokens were verified lately.
//!
//! A node holds a million of these, so bytes count: of a session that is open all of it lies in
//! one piece of memory.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::rules::id::{SessionId, UserId};
use crate::rules::moment::Second;
use crate::rules::session::{Facts, Stored};
use crate::store::validity_cache::versions::Version;

/// What the table said of a session, when, and how it has been used since. Cheap to clone; all
/// clones are one.
#[derive(Clone, Debug)]
pub enum CachedSession {
    /// It is there and nobody has ended it.
    Open(Arc<HeldFacts>),
    /// Whatever else the table may say.
    Absent(Arc<Absent>),
}

/// The facts of an open session.
#[derive(Debug)]
pub struct HeldFacts {
    facts: Facts,
    answer: Answer,
    tokens: Tokens,
}

/// Why a session is not open.
#[derive(Debug)]
pub struct Absent {
    session_id: SessionId,
    stored: Stored<Infallible>,
    user_id: Option<UserId>,
    answer: Answer,
    tokens: Tokens,
}

/// When the table answered.
#[derive(Clone, Copy, Debug)]
struct Answer {
    at: Second,
    /// From before it was asked.
    version: Version,
}

impl CachedSession {
    pub(super) fn new(
        session_id: SessionId,
        stored: Stored,
        user_id: Option<UserId>,
        now: DateTime<Utc>,
        version: Version,
        before: Option<&Self>,
    ) -> Self {
        let at = now.into();
        let answer = Answer { at, version };
        // What is known of a token does not depend on the facts.
        let same_user = before.filter(|before| before.user_id() == user_id);
        let tokens = same_user.map_or_else(Tokens::default, |before| before.tokens().at(now));
        let stored = match stored {
            Stored::Open(facts) => {
                return Self::Open(Arc::new(HeldFacts {
                    facts,
                    answer,
                    tokens,
                }));
            }
            Stored::UserGone => Stored::UserGone,
            Stored::SessionGone => Stored::SessionGone,
            Stored::Ended(ended) => Stored::Ended(ended),
        };
        Self::Absent(Arc::new(Absent {
            session_id,
            stored,
            user_id,
            answer,
            tokens,
        }))
    }

    /// What the table said.
    pub fn stored(&self) -> Stored<&Arc<HeldFacts>> {
        match self {
            Self::Open(held) => Stored::Open(held),
            Self::Absent(absent) => match absent.stored {
                Stored::UserGone => Stored::UserGone,
                Stored::SessionGone => Stored::SessionGone,
                Stored::Ended(ended) => Stored::Ended(ended),
                Stored::Open(never) => match never {},
            },
        }
    }

    pub(super) fn session_id(&self) -> SessionId {
        match self {
            Self::Open(held) => held.facts.session_id,
            Self::Absent(absent) => absent.session_id,
        }
    }

    pub(super) fn user_id(&self) -> Option<UserId> {
        match self {
            Self::Open(held) => Some(held.facts.user_id),
            Self::Absent(absent) => absent.user_id,
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.stored(), Stored::Ended(_))
    }

    /// When the table answered, or some part of a second earlier.
    pub(super) fn loaded_at(&self) -> DateTime<Utc> {
        self.answer().at.at()
    }

    /// From before the table was asked.
    pub(super) fn version(&self) -> Version {
        self.answer().version
    }

    pub(super) fn tokens(&self) -> &Tokens {
        match self {
            Self::Open(held) => &held.tokens,
            Self::Absent(absent) => &absent.tokens,
        }
    }

    fn answer(&self) -> Answer {
        match self {
            Self::Open(held) => held.answer,
            Self::Absent(absent) => absent.answer,
        }
    }
}

impl HeldFacts {
    pub(super) fn loaded_at(&self) -> DateTime<Utc> {
        self.answer.at.at()
    }
}

impl Deref for HeldFacts {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

/// Tokens of one session that are remembered: the latest beside its facts, so that a check finds
/// all it needs in one place of memory, and elsewhere the one before, which is there only around a
/// refresh.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<Two>);

#[derive(Clone, Debug, Default)]
struct Two {
    latest: Option<Remembered>,
    before: Option<Box<Remembered>>,
}

/// A token whose signature was found good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    hash: [u8; 16],
    /// In seconds since 1970.
    expires_at: NonZeroU32,
    auth_time: Second,
}

impl Remembered {
    /// None for times before 1970 or after 2106.
    pub(super) fn new(hash: u128, verified: &VerifiedToken) -> Option<Self> {
        let expires_at = u32::try_from(verified.expires_at.timestamp()).ok()?;
        Some(Self {
            hash: hash.to_ne_bytes(),
            expires_at: NonZeroU32::new(expires_at)?,
            auth_time: verified.auth_time.into(),
        })
    }

    pub(super) fn expires_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.expires_at.get().into(), 0).unwrap_or_default()
    }

    pub(super) fn auth_time(&self) -> DateTime<Utc> {
        self.auth_time.at()
    }
}

impl Tokens {
    pub(super) fn find(&self, hash: u128) -> Option<Remembered> {
        let two = self.lock();
        let known = |one: &&Remembered| one.hash == hash.to_ne_bytes();
        let latest = two.latest.as_ref().filter(known);
        latest
            .or_else(|| two.before.as_deref().filter(known))
            .copied()
    }

    /// Remembers a token, in the place of the one that was remembered longest ago.
    pub(super) fn remember(&self, token: Remembered) {
        let mut two = self.lock();
        let latest = two.latest.replace(token);
        if let Some(other) = latest.filter(|latest| latest.hash != token.hash) {
            two.before = Some(Box::new(other));
        }
    }

    /// Those of them that have not expired.
    fn at(&self, now: DateTime<Utc>) -> Self {
        let mut two = self.lock().clone();
        two.latest = two.latest.filter(|one| now < one.expires_at());
        two.before = two.before.filter(|one| now < one.expires_at());
        Self(Mutex::new(two))
    }

    fn lock(&self) -> MutexGuard<'_, Two> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was learnt from a token whose signature was found good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VerifiedToken {
    /// The session it is for.
    pub session_id: SessionId,
    /// The user it is for.
    pub user_id: UserId,
    /// Refused from this instant on.
    pub expires_at: DateTime<Utc>,
    /// The proof of identity it was issued after.
    pub auth_time: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::{CachedSession, HeldFacts};
    use crate::store::validity_cache::group::Group;

    #[test]
    fn a_session_that_is_held_is_no_larger_than_it_was_made() {
        // With the counts of its `Arc` 232 bytes, the most of which glibc makes 240. Of 160 or less it would make 176, which is worse than any: that is what it cuts off
        // for the alignment of each of tokio's tasks, of which the database's driver spawns one a
        // question. Facts that lie there for long keep the memory of the task from being used again.
        assert_eq!(size_of::<HeldFacts>(), 216);
        // A group is a row of these, and is itself as large: two words fit where moka's
        // entry leaves room for one and a gap.
        assert_eq!(size_of::<CachedSession>(), 16);
        assert_eq!(size_of::<Group>(), 16);
    }
}
