//! What is held of one session: what the table said, how it has been used since, and which of its
//! tokens were verified lately.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::rules::id::{SessionId, UserId};
use crate::rules::session::Stored;
use crate::store::validity_cache::versions::Version;

/// Tokens of one session that are remembered. Mostly there is one, and two around a refresh.
const TOKENS: usize = 2;

/// What the table said of a session, when, and how it has been used since.
#[derive(Debug)]
pub struct CachedSession {
    /// What the table said.
    pub stored: Stored,
    pub(super) user_id: Option<UserId>,
    pub(super) loaded_at: DateTime<Utc>,
    /// From before the table was asked.
    pub(super) version: Version,
    last_seen_micros: AtomicI64,
    /// Here and not behind a pointer: a check finds all it needs in one place of memory.
    tokens: Mutex<[Option<Remembered>; TOKENS]>,
}

/// A token whose signature was found good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    pub(super) hash: u128,
    /// Which set of keys it was verified with.
    pub(super) generation: u64,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) auth_time: DateTime<Utc>,
}

impl CachedSession {
    pub(super) fn new(
        stored: Stored,
        user_id: Option<UserId>,
        loaded_at: DateTime<Utc>,
        version: Version,
        before: Option<&Self>,
    ) -> Self {
        let last_seen_micros = match &stored {
            Stored::Open(facts) => facts.last_seen_at.timestamp_micros(),
            Stored::UserGone | Stored::SessionGone | Stored::Ended(_) => 0,
        };
        // What is known of a token does not depend on the facts.
        let same_user = before.filter(|before| before.user_id == user_id);
        let tokens = same_user.map_or([None; TOKENS], |before| *before.tokens());
        Self {
            stored,
            user_id,
            loaded_at,
            version,
            last_seen_micros: AtomicI64::new(last_seen_micros),
            tokens: Mutex::new(tokens),
        }
    }

    /// Last use, written to the table or not yet.
    pub fn last_seen_at(&self) -> DateTime<Utc> {
        let micros = self.last_seen_micros.load(Ordering::Relaxed);
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// Notes a use. True if the previous one lies at least `step` back, so that it is worth
    /// writing down.
    pub fn seen(&self, now: DateTime<Utc>, step: TimeDelta) -> bool {
        let micros = now.timestamp_micros();
        let before = self.last_seen_micros.load(Ordering::Relaxed);
        // Most checks come soon after another: they cost one read of this word.
        if micros.saturating_sub(before) < step.num_microseconds().unwrap_or(i64::MAX) {
            return false;
        }
        self.last_seen_micros
            .compare_exchange(before, micros, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.stored, Stored::Ended(_))
    }

    pub(super) fn remembered(&self, hash: u128, generation: u64) -> Option<Remembered> {
        self.tokens()
            .iter()
            .flatten()
            .find(|known| known.hash == hash && known.generation == generation)
            .copied()
    }

    /// Remembers a token, in the place of the one that was remembered longest ago.
    pub(super) fn remember(&self, token: Remembered) {
        let mut tokens = self.tokens();
        let same = |known: &Option<Remembered>| known.is_some_and(|known| known.hash == token.hash);
        let place = match tokens.iter().position(same) {
            Some(place) => place,
            None => {
                tokens.rotate_right(1);
                0
            }
        };
        tokens[place] = Some(token);
    }

    fn tokens(&self) -> MutexGuard<'_, [Option<Remembered>; TOKENS]> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
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
