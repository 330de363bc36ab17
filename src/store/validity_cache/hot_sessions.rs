//! Sessions that can be found without asking moka, whose look-ups keep books that cost more than
//! the whole rest of a check.
//!
//! A small table of places, found by a part of the session's id. It may forget anything at any
//! time, and may hold what is old: whoever finds something here asks its version.

use std::array;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::rules::id::SessionId;
use crate::store::validity_cache::CachedSession;

/// Sessions whose ids lead to the same place and that are held side by side.
const WAYS: usize = 4;

/// Buckets that are allocated together, when the first of them is needed: a server with few
/// sessions pays for few.
const CHUNK: usize = 128;

type Held = Option<(SessionId, Arc<CachedSession>)>;

#[derive(Debug, Default)]
#[repr(align(128))]
struct Bucket(Mutex<[Held; WAYS]>);

impl Bucket {
    fn lock(&self) -> MutexGuard<'_, [Held; WAYS]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct HotSessions {
    chunks: Box<[OnceLock<Box<[Bucket; CHUNK]>>]>,
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

    pub(super) fn get(&self, session_id: SessionId) -> Option<Arc<CachedSession>> {
        let (chunk, bucket) = self.place(session_id);
        let held = chunk.get()?[bucket].lock();
        held.iter()
            .flatten()
            .find(|(id, _)| *id == session_id)
            .map(|(_, cached)| Arc::clone(cached))
    }

    /// Holds this, in the place of another session if there is none left.
    pub(super) fn put(&self, session_id: SessionId, cached: Arc<CachedSession>) {
        let (chunk, bucket) = self.place(session_id);
        let chunk = chunk.get_or_init(|| Box::new(array::from_fn(|_| Bucket::default())));
        let mut held = chunk[bucket].lock();
        let own = |held: &Held| held.as_ref().is_some_and(|(id, _)| *id == session_id);
        let way = held
            .iter()
            .position(own)
            .or_else(|| held.iter().position(Option::is_none))
            .unwrap_or_else(|| usize::from(session_id.0.as_bytes()[8]) % WAYS);
        held[way] = Some((session_id, cached));
    }

    /// The last bytes of a version 7 id are random (RFC 9562, 5.7).
    fn place(&self, session_id: SessionId) -> (&OnceLock<Box<[Bucket; CHUNK]>>, usize) {
        let [.., a, b, c, d] = *session_id.0.as_bytes();
        let spread = u32::from_be_bytes([a, b, c, d]) as usize;
        (
            &self.chunks[(spread / CHUNK) % self.chunks.len()],
            spread % CHUNK,
        )
    }
}
