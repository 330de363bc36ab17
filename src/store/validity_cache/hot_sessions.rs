//! Open sessions that can be found without asking moka, whose look-ups keep books that cost more
//! than the whole rest of a check.
//!
//! A small table of places, found by a part of the session's id. It may forget anything at any
//! time, and may hold what is old: whoever finds something here asks its version.

use std::array;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::{DateTime, Utc};

use crate::rules::id::SessionId;
use crate::store::validity_cache::cached_session::HeldFacts;

/// Sessions whose ids lead to the same bucket and that are held side by side: as many as there is
/// room for beside the lock.
const WAYS: usize = 5;

/// Buckets that are allocated together, when the first of them is needed: a server with few
/// sessions pays for few.
const CHUNK: usize = 128;

/// One line of the processor's cache.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket(Mutex<Ways>);

#[derive(Debug, Default)]
struct Ways {
    /// A part of the id of each, so that another session's memory is seldom looked at in vain.
    tags: [u16; WAYS],
    held: [Option<Arc<HeldFacts>>; WAYS],
}

impl Ways {
    fn find(&self, session_id: SessionId) -> Option<(usize, &Arc<HeldFacts>)> {
        let tag = tag(session_id);
        (0..WAYS)
            .filter(|way| self.tags[*way] == tag)
            .filter_map(|way| self.held[way].as_ref().map(|held| (way, held)))
            .find(|(_, held)| held.session_id == session_id)
    }
}

impl Bucket {
    fn lock(&self) -> MutexGuard<'_, Ways> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Chunk = OnceLock<Box<[Bucket; CHUNK]>>;

#[derive(Debug)]
pub(super) struct HotSessions {
    chunks: Box<[Chunk]>,
}

impl HotSessions {
    /// A table of about `capacity` places.
    pub(super) fn new(capacity: u64) -> Self {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let chunks = capacity.div_ceil(WAYS * CHUNK).max(1);
        Self {
            chunks: (0..chunks).map(|_| OnceLock::new()).collect(),
        }
    }

    pub(super) fn get(&self, session_id: SessionId) -> Option<Arc<HeldFacts>> {
        let (chunk, bucket) = self.place(session_id);
        let ways = chunk.get()?[bucket].lock();
        ways.find(session_id).map(|(_, held)| Arc::clone(held))
    }

    /// Holds this, in the place of another session if there is none left.
    pub(super) fn put(&self, held: &Arc<HeldFacts>) {
        let session_id = held.session_id;
        let (chunk, bucket) = self.place(session_id);
        let chunk = chunk.get_or_init(|| Box::new(array::from_fn(|_| Bucket::default())));
        let mut ways = chunk[bucket].lock();
        let way = ways
            .find(session_id)
            .map(|(way, _)| way)
            .or_else(|| ways.held.iter().position(Option::is_none))
            .unwrap_or_else(|| usize::from(session_id.0.as_bytes()[8]) % WAYS);
        ways.tags[way] = tag(session_id);
        let before = ways.held[way].replace(Arc::clone(held));
        drop(ways);
        // May be the last that holds it.
        drop(before);
    }

    pub(super) fn forget(&self, session_id: SessionId) {
        let (chunk, bucket) = self.place(session_id);
        let Some(chunk) = chunk.get() else { return };
        let mut ways = chunk[bucket].lock();
        if let Some((way, _)) = ways.find(session_id) {
            ways.held[way] = None;
        }
    }

    /// Forgets those that were loaded before this, some at a time.
    pub(super) fn forget_before(&self, loaded_at: DateTime<Utc>) -> impl Iterator<Item = ()> {
        self.chunks
            .iter()
            .filter_map(OnceLock::get)
            .map(move |chunk| {
                for bucket in chunk.iter() {
                    for held in &mut bucket.lock().held {
                        held.take_if(|held| held.loaded_at() < loaded_at);
                    }
                }
            })
    }

    /// The last bytes of a version 7 id are random (RFC 9562, 5.7).
    fn place(&self, session_id: SessionId) -> (&Chunk, usize) {
        let [.., a, b, c, d] = *session_id.0.as_bytes();
        let spread = u32::from_be_bytes([a, b, c, d]) as usize;
        (
            &self.chunks[(spread / CHUNK) % self.chunks.len()],
            spread % CHUNK,
        )
    }
}

/// Random too, and none of those that the place is found by.
fn tag(session_id: SessionId) -> u16 {
    let [.., high, low, _, _, _, _] = *session_id.0.as_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use uuid::Uuid;

    use super::{Bucket, HotSessions, WAYS};
    use crate::rules::amr::Amr;
    use crate::rules::id::{SessionId, UserId};
    use crate::rules::person::Person;
    use crate::rules::session::{Facts, Stored};
    use crate::store::validity_cache::CachedSession;
    use crate::store::validity_cache::versions::Version;

    const T0: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

    fn put(hot: &HotSessions, session_id: SessionId, loaded_at: DateTime<Utc>) {
        let facts = Facts {
            session_id,
            user_id: UserId(Uuid::nil()),
            person: Person::new("ada@example.org", "Ada", []),
            user_enabled: true,
            organization_id: None,
            created_at: T0.into(),
            auth_time: T0.into(),
            amr: Amr::default(),
            remembered: false,
            idle_timeout_secs: 60,
            last_seen: T0.into(),
            expires_at: T0.into(),
            impersonation: None,
        };
        let stored = Stored::Open(facts);
        let version = Version::default();
        let cached = CachedSession::new(session_id, stored, None, loaded_at, version, None);
        if let CachedSession::Open(held) = cached {
            hot.put(&held);
        }
    }

    /// Ids that lead to one bucket; every second one has the tag of the one before.
    fn crowd(count: u64) -> Vec<SessionId> {
        let id = |number| SessionId(Uuid::from_u64_pair(number, (number / 2) << 32));
        (0..count).map(id).collect()
    }

    #[test]
    fn a_bucket_is_one_line_of_the_cache() {
        assert_eq!(size_of::<Bucket>(), 64);
    }

    #[test]
    fn each_that_is_held_is_found_as_itself() {
        let (hot, crowd) = (HotSessions::new(1), crowd(20));
        for session_id in &crowd {
            put(&hot, *session_id, T0);
            put(&hot, *session_id, T0 + TimeDelta::seconds(1));
        }
        let mut found = 0;
        for session_id in &crowd {
            if let Some(held) = hot.get(*session_id) {
                found += 1;
                assert_eq!(held.session_id, *session_id);
                assert_eq!(held.loaded_at(), T0 + TimeDelta::seconds(1));
                hot.forget(*session_id);
                assert!(hot.get(*session_id).is_none());
            }
        }
        assert_eq!(found, WAYS);
    }

    #[test]
    fn those_that_were_loaded_long_ago_are_given_back_and_no_others() {
        let (hot, crowd) = (HotSessions::new(1), crowd(3));
        for (session_id, second) in crowd.iter().zip(0..) {
            put(&hot, *session_id, T0 + TimeDelta::seconds(second));
        }
        hot.forget_before(T0 + TimeDelta::seconds(2)).for_each(drop);
        let held: Vec<bool> = crowd.iter().map(|id| hot.get(*id).is_some()).collect();
        assert_eq!(held, [false, false, true]);
    }
}
