//! The one door to moka: session facts in front of the table, each with the tokens of its session
//! that were verified lately.
//!
//! Two things keep a load that began before a change from putting old facts back. Facts carry the
//! version that their session, their user and everybody had before the table was asked; a change
//! raises a version, and facts of another version than today's are not believed, wherever they
//! come from. And loading and marking both go through `entry(key)` with `and_compute_with` or
//! `and_try_compute_with`, which hold the key's lock, so that a mark is never overwritten and
//! however many requests want a session that is not here, one of them asks the table. `insert`,
//! `get_with` and `invalidate` hold no such lock against one another and are banned in the whole
//! house. A key is that of a group of a few sessions, for moka's books are dear; whoever puts in
//! what is known of one of them leaves the others as they are.
//!
//! Changes that other processes make are learnt from the change list. Facts are believed only while
//! that list was read within the bound; marks of ended sessions always are, for an end is final.
//!
//! A check of a session that is here is one look: a token names its session in a place that needs
//! no parsing, and whether this very token was verified before stands beside the facts. Most looks
//! end at the hot sessions, a table in front of moka.
//!
//! moka drops what has been left alone for a while: facts in use are loaded anew, and so put in
//! anew, long before; and each load of a session drops those of its group that were left alone for
//! as long. When there is no room moka drops the group that was left alone longest, and not what
//! was asked for seldom: only a signed token leads here, so nobody can flush the cache with
//! inventions, and a mark that has just been made must not lose against a session that many ask
//! about.
//!
//! Knows nothing of what facts mean.

mod cached_session;
mod group;
mod hot_sessions;
mod versions;
#[doc(hidden)]
pub mod weakness;

use std::future::Future;
use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};
use moka::policy::EvictionPolicy;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::clock;
use crate::entropy::{self, EntropyError};
use crate::rules::id::{SessionId, UserId};
use crate::rules::session::{Ended, Stored};
use crate::store::StoreError;
use crate::store::validity_cache::cached_session::Remembered;
pub use crate::store::validity_cache::cached_session::{
    Absent, CachedSession, HeldFacts, VerifiedToken,
};
use crate::store::validity_cache::group::{Group, GroupKey, Groups};
use crate::store::validity_cache::hot_sessions::HotSessions;
use crate::store::validity_cache::versions::{Version, Versions};

/// Kept longer than anything that is judged by the clock of the process, which moka does not know.
const SLACK: Duration = Duration::from_secs(60);

/// Session facts and verified tokens, kept for a while.
#[derive(Debug)]
pub struct ValidityCache {
    sessions: Cache<GroupKey, Group>,
    groups: Groups,
    hot: HotSessions,
    facts_ttl: TimeDelta,
    /// Left alone for so long, a session is dropped.
    idle: Duration,
    bound: Duration,
    /// When the last reading of the change list began that is applied here, in microseconds since
    /// the machine started.
    confirmed_micros: AtomicU64,
    token_key: [u8; 16],
    generation: AtomicU64,
    versions: Versions,
    loads: AtomicU64,
}

impl ValidityCache {
    /// A cache of at most `capacity` sessions, in which facts are believed for `facts_ttl` and
    /// marks of ended sessions outlive every token. Nothing else is believed for longer than the
    /// `bound` after [`Self::confirm`].
    pub fn new(
        capacity: u64,
        facts_ttl: TimeDelta,
        token_life: TimeDelta,
        bound: Duration,
    ) -> Result<Self, EntropyError> {
        let longest = facts_ttl.max(token_life).to_std().unwrap_or_default();
        let idle = longest + SLACK;
        Ok(Self {
            // The time that is counted from the last use costs no memory; the one that is counted
            // from the last writing would cost a list of all in the order of their writing.
            sessions: Cache::builder()
                .max_capacity(capacity)
                .weigher(|_, group: &Group| group.len())
                .eviction_policy(EvictionPolicy::lru())
                .time_to_idle(idle)
                .build(),
            groups: Groups::new(capacity),
            hot: HotSessions::new(capacity),
            facts_ttl,
            idle,
            bound,
            confirmed_micros: AtomicU64::new(0),
            token_key: entropy::random_bytes()?,
            generation: AtomicU64::new(0),
            versions: Versions::new(),
            loads: AtomicU64::new(0),
        })
    }

    /// What is remembered of this very token, and the facts of the session that it seems to be
    /// for, if they are here and fresh.
    pub async fn find_verified(
        &self,
        seems_for: SessionId,
        token: &str,
        now: DateTime<Utc>,
    ) -> Option<(VerifiedToken, Option<CachedSession>)> {
        let cached = self.find(seems_for).await?;
        let hash = self.token_hash(token, self.generation());
        let found = cached.tokens().find(hash)?;
        let verified = VerifiedToken {
            session_id: seems_for,
            user_id: cached.user_id()?,
            expires_at: found.expires_at(),
            auth_time: found.auth_time(),
        };
        let fresh = self.is_fresh(seems_for, &cached, now);
        Some((verified, fresh.then_some(cached)))
    }

    /// Remembers a token whose signature was found good, beside its session's facts, with the
    /// keys of the `generation` it was verified with.
    pub fn remember_token(
        &self,
        cached: &CachedSession,
        token: &str,
        verified: VerifiedToken,
        generation: u64,
    ) {
        if cached.user_id() != Some(verified.user_id) {
            return;
        }
        let hash = self.token_hash(token, generation);
        if let Some(token) = Remembered::new(hash, &verified) {
            cached.tokens().remember(token);
        }
    }

    /// Which set of keys tokens are verified with now.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Forgets every verified token, as when a key is withdrawn.
    pub fn forget_tokens(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// The facts of a session: from memory while they are fresh, else from `load`, which is run
    /// by one of all who ask for this session at once.
    ///
    /// Where the change list was not read within the bound, `load` is run for each who asks: facts
    /// that were loaded for somebody else may not know of an end that was acknowledged since, and
    /// to wait for the key's lock would only put the loads one behind the other.
    pub async fn find_or_load<F>(
        &self,
        session_id: SessionId,
        user_id: UserId,
        now: DateTime<Utc>,
        load: F,
    ) -> Result<CachedSession, StoreError>
    where
        F: Future<Output = Result<Stored, StoreError>>,
    {
        if let Some(cached) = self.find(session_id).await
            && self.is_fresh(session_id, &cached, now)
            && let Some(answer) = answer_for(user_id, &cached, now)
        {
            return Ok(answer);
        }
        if !self.is_confirmed() {
            self.loads.fetch_add(1, Ordering::Relaxed);
            let version = Version::default();
            let stored = load.await?;
            return Ok(CachedSession::new(
                session_id,
                stored,
                Some(user_id),
                now,
                version,
                None,
            ));
        }
        let mut apart = None;
        let outcome = self
            .sessions
            .entry(self.groups.key(session_id))
            .and_try_compute_with(async |entry| {
                let group = entry.map(|entry| entry.into_value());
                let before = group.as_ref().and_then(|group| group.find(session_id));
                if let Some(before) = before
                    && self.is_fresh(session_id, before, now)
                    && let Some(answer) = answer_for(user_id, before, now)
                {
                    self.put_hot(session_id, before);
                    apart = Some(answer);
                    return Ok(Op::Nop);
                }
                self.loads.fetch_add(1, Ordering::Relaxed);
                // Before the question: a change that commits after it finds these facts old.
                let version = self.versions.of(session_id, user_id);
                let stored = load.await?;
                let user_id = Some(user_id);
                let loaded = CachedSession::new(session_id, stored, user_id, now, version, before);
                let anothers = |before: &CachedSession| {
                    matches!(before, CachedSession::Open(_)) && before.user_id() != user_id
                };
                if before.is_some_and(anothers) && matches!(loaded, CachedSession::Absent(_)) {
                    // That a session is not this user's says nothing to the user whose it is.
                    apart = Some(loaded);
                    return Ok(Op::Nop);
                }
                self.put_hot(session_id, &loaded);
                // moka sees to it only where the whole group is left alone.
                let oldest = now - self.idle;
                let group = Group::with(group.as_ref(), loaded, oldest);
                Ok::<_, StoreError>(Op::Put(group))
            })
            .await?;
        if let Some(apart) = apart {
            return Ok(apart);
        }
        let found = match outcome {
            CompResult::Inserted(entry)
            | CompResult::ReplacedWith(entry)
            | CompResult::Unchanged(entry)
            | CompResult::Removed(entry) => entry.into_value().find(session_id).cloned(),
            CompResult::StillNone(_) => None,
        };
        // `Nop` is answered only where it is there, and whatever is put in has it.
        found.ok_or(StoreError::Unavailable(None))
    }

    /// From now on this session is refused, whatever load is under way.
    pub async fn mark_ended(&self, session_id: SessionId, ended: Ended) {
        // At once; the mark may have to wait for a load.
        self.forget(session_id);
        self.sessions
            .entry(self.groups.key(session_id))
            .and_compute_with(async |entry| {
                let group = entry.map(|entry| entry.into_value());
                let before = group.as_ref().and_then(|group| group.find(session_id));
                if before.is_some_and(CachedSession::is_ended) {
                    return Op::Nop;
                }
                let mark = Stored::Ended(ended);
                let user_id = before.and_then(CachedSession::user_id);
                let version = Version::default();
                let marked =
                    CachedSession::new(session_id, mark, user_id, ended.at, version, before);
                self.put_hot(session_id, &marked);
                // Another process's clock may have told the instant: nothing is old because of it.
                let oldest = DateTime::<Utc>::MIN_UTC;
                Op::Put(Group::with(group.as_ref(), marked, oldest))
            })
            .await;
    }

    /// The next check of this session asks the table, unless it is marked as ended; and so does
    /// every load of it that is under way: what it brings is old when it arrives.
    pub fn forget(&self, session_id: SessionId) {
        self.versions.raise(session_id.0);
    }

    /// As [`Self::forget`], for each session of this user.
    pub fn forget_user(&self, user_id: UserId) {
        self.versions.raise(user_id.0);
    }

    /// As [`Self::forget`], for everybody's sessions.
    pub fn forget_everyone(&self) {
        self.versions.raise_all();
    }

    /// Every change that was committed before `since_boot` is known here.
    pub fn confirm(&self, since_boot: Duration) {
        let micros = u64::try_from(since_boot.as_micros()).unwrap_or(u64::MAX);
        self.confirmed_micros.fetch_max(micros, Ordering::AcqRel);
    }

    /// Is every change known here that is older than the bound?
    pub fn is_confirmed(&self) -> bool {
        let confirmed = Duration::from_micros(self.confirmed_micros.load(Ordering::Acquire));
        clock::since_boot() < confirmed.saturating_add(self.bound)
    }

    /// How long ago the last reading of the change list began that is applied here; none if there
    /// was none.
    pub fn lag(&self) -> Option<Duration> {
        let confirmed = Duration::from_micros(self.confirmed_micros.load(Ordering::Acquire));
        (!confirmed.is_zero()).then(|| clock::since_boot().saturating_sub(confirmed))
    }

    /// How many sessions are held.
    pub async fn held(&self) -> u64 {
        // moka counts when it tidies up, which it does when it is used, and it seldom is.
        self.sessions.run_pending_tasks().await;
        self.sessions.weighted_size()
    }

    /// How often the table was asked.
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// Drops what has been left alone for long. moka does so when it is used, but an idle server's
    /// memory is given back too.
    pub async fn tidy(&self, now: DateTime<Utc>) {
        for () in self.hot.forget_before(now - self.idle) {
            // Checks go first.
            tokio::task::yield_now().await;
        }
        self.sessions.run_pending_tasks().await;
    }

    async fn find(&self, session_id: SessionId) -> Option<CachedSession> {
        if let Some(held) = self.hot.get(session_id) {
            return Some(CachedSession::Open(held));
        }
        let group = self.sessions.get(&self.groups.key(session_id)).await?;
        let cached = group.find(session_id)?;
        self.put_hot(session_id, cached);
        Some(cached.clone())
    }

    fn put_hot(&self, session_id: SessionId, cached: &CachedSession) {
        match cached {
            CachedSession::Open(held) => self.hot.put(held),
            // What lies there is old.
            CachedSession::Absent(_) => self.hot.forget(session_id),
        }
    }

    fn is_fresh(&self, session_id: SessionId, cached: &CachedSession, now: DateTime<Utc>) -> bool {
        let current = |user_id| self.versions.of(session_id, user_id);
        // In this order: a version that is compared before the list is known to have been read
        // within the bound may be raised by a reading that only then confirms.
        cached.is_ended()
            || (self.is_confirmed()
                && now < cached.loaded_at() + self.facts_ttl
                && cached.user_id().map(current) == Some(cached.version()))
    }

    /// SipHash-1-3 with 128 bits under a key nobody outside this process knows: who cannot know
    /// the key cannot make two tokens that meet, nor one that meets a verified token. Of other keys
    /// that tokens are verified with, the hash is another.
    fn token_hash(&self, token: &str, generation: u64) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.token_key);
        hasher.write_u64(generation);
        hasher.write(token.as_bytes());
        hasher.finish128().as_u128()
    }
}

/// What facts that are fresh say to somebody who asks for this user's session: of another user's
/// open session, that there is none; of another's that is not there, nothing.
fn answer_for(
    user_id: UserId,
    cached: &CachedSession,
    now: DateTime<Utc>,
) -> Option<CachedSession> {
    if cached.user_id() == Some(user_id) || cached.is_ended() {
        return Some(cached.clone());
    }
    let version = Version::default();
    let (gone, session_id) = (Stored::SessionGone, cached.session_id());
    matches!(cached, CachedSession::Open(_))
        .then(|| CachedSession::new(session_id, gone, Some(user_id), now, version, None))
}
