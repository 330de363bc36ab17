//! Sessions that moka holds together. Its books take more memory than the facts of a session, and
//! as much for one entry as for another: so an entry is a group of a few sessions, found by a part
//! of their ids, and each pays for its share.
//!
//! A group is never changed: whoever has the lock of its key puts another in its place.

use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::rules::id::SessionId;
use crate::store::validity_cache::cached_session::CachedSession;

/// Sessions of a group, on average, when there is no more room. The more, the less a session pays
/// for; but they wait for one another's loads, and where room is made they go together.
const TOGETHER: u64 = 8;

/// Places of a group, or twice as many, and so on: more than are mostly needed. So one group takes
/// as much memory as another, and as the one that is put in its place; and more than what glibc
/// cuts off for the alignment of each of tokio's tasks, of which the database's driver spawns one a
/// question. What lies there for long keeps the memory of a task from being used again.
const PLACES: usize = 16;

/// How many groups there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups(NonZeroU32);

/// What a group is found by.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct GroupKey(u32);

/// What is held of the sessions of one group. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Group(Arc<[Option<CachedSession>]>);

impl Groups {
    /// For so many sessions.
    pub(super) fn new(capacity: u64) -> Self {
        let count = u32::try_from(capacity.div_ceil(TOGETHER)).unwrap_or(u32::MAX);
        Self(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN))
    }

    /// The last bytes of a version 7 id are random (RFC 9562, 5.7).
    pub(super) fn key(self, session_id: SessionId) -> GroupKey {
        let [.., a, b, c, d] = *session_id.0.as_bytes();
        GroupKey(u32::from_be_bytes([a, b, c, d]) % self.0)
    }
}

impl Group {
    /// This session and what was held of the others since `oldest`.
    pub(super) fn with(
        before: Option<&Self>,
        cached: CachedSession,
        oldest: DateTime<Utc>,
    ) -> Self {
        let session_id = cached.session_id();
        let is_kept = |other: &&CachedSession| {
            other.session_id() != session_id && other.loaded_at() >= oldest
        };
        let others = before.into_iter().flat_map(Self::sessions).filter(is_kept);
        let mut all = Vec::with_capacity(PLACES);
        all.extend(others.cloned().chain([cached]).map(Some));
        all.resize(all.len().next_multiple_of(PLACES), None);
        Self(all.into())
    }

    /// By its whole id, of which the key is but a part.
    pub(super) fn find(&self, session_id: SessionId) -> Option<&CachedSession> {
        self.sessions()
            .find(|cached| cached.session_id() == session_id)
    }

    /// How many sessions it holds.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.sessions().count()).unwrap_or(u32::MAX)
    }

    fn sessions(&self) -> impl Iterator<Item = &CachedSession> {
        self.0.iter().map_while(Option::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use uuid::Uuid;

    use super::{Group, Groups, PLACES, TOGETHER};
    use crate::rules::id::SessionId;
    use crate::rules::session::Stored;
    use crate::store::validity_cache::cached_session::CachedSession;
    use crate::store::validity_cache::versions::Version;

    const T0: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

    fn at(second: i64) -> DateTime<Utc> {
        T0 + TimeDelta::seconds(second)
    }

    /// Ids that differ in the part that no key is made of.
    fn id(number: u64) -> SessionId {
        SessionId(Uuid::from_u64_pair(number, 0))
    }

    fn cached(number: u64, second: i64) -> CachedSession {
        let (id, version) = (id(number), Version::default());
        CachedSession::new(id, Stored::SessionGone, None, at(second), version, None)
    }

    /// Which of them are held, and from when.
    fn held(group: &Group) -> Vec<(u64, i64)> {
        let found = |number| Some((number, group.find(id(number))?.loaded_at()));
        let found = (0..10).filter_map(found);
        found
            .map(|(number, loaded_at)| (number, (loaded_at - T0).num_seconds()))
            .collect()
    }

    #[test]
    fn each_of_a_group_is_found_by_its_whole_id_and_put_in_its_own_place() {
        let groups = Groups::new(1_000_000);
        assert_eq!(groups.key(id(1)), groups.key(id(2)));
        let mut group = Group::with(None, cached(1, 10), T0);
        assert_eq!((held(&group), group.len()), (vec![(1, 10)], 1));
        group = Group::with(Some(&group), cached(2, 20), T0);
        group = Group::with(Some(&group), cached(1, 30), T0);
        assert_eq!((held(&group), group.len()), (vec![(1, 30), (2, 20)], 2));
        // What was left alone for long goes when another comes; its own time does not matter.
        group = Group::with(Some(&group), cached(3, 0), at(20));
        assert_eq!(held(&group), [(1, 30), (2, 20), (3, 0)]);
        group = Group::with(Some(&group), cached(4, 40), at(21));
        assert_eq!((held(&group), group.len()), (vec![(1, 30), (4, 40)], 2));
    }

    #[test]
    fn a_group_takes_in_however_many_there_are_and_its_memory_has_few_sizes() {
        let mut group = Group::with(None, cached(0, 0), T0);
        for number in 1..40 {
            group = Group::with(Some(&group), cached(number, 0), T0);
            assert_eq!(group.0.len() % PLACES, 0, "{number}");
        }
        assert_eq!((group.len(), group.0.len()), (40, 48));
        // With the counts of its `Arc` 272 bytes.
        assert_eq!(PLACES * size_of::<Option<CachedSession>>(), 256);
    }

    #[test]
    fn groups_are_as_many_as_leave_each_a_few_sessions() {
        let spread = |capacity| {
            let groups = Groups::new(capacity);
            let key = |number: u64| groups.key(SessionId(Uuid::from_u64_pair(0, number * 7_919)));
            (0..1_000)
                .map(key)
                .collect::<std::collections::HashSet<_>>()
        };
        for (capacity, count) in [(0, 1), (1, 1), (TOGETHER, 1), (TOGETHER * 10, 10)] {
            assert_eq!(spread(capacity).len(), count, "{capacity}");
        }
        assert_eq!(spread(u64::MAX).len(), 1_000);
    }
}
