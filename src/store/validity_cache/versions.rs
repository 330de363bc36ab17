//! Versions of what is known, so that facts can be told to be older than a change.
//!
//! A version is raised after the change it stands for was committed, and read before the table is
//! asked. It only ever grows, so the sum of several says whether any of them was raised, unless they
//! were raised by four thousand million while facts count as fresh, which is by as many changes in
//! a minute.

use std::sync::atomic::{AtomicU32, Ordering};

use uuid::Uuid;

use crate::rules::id::{SessionId, UserId};
use crate::store::validity_cache::weakness::{Weakness, Weaknesses};

/// How finely sessions and users are told apart: a change of one makes one in this many be asked
/// about again.
const SLOTS: usize = 32_768;

/// What the facts of a session are compared by.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Version(u32);

#[derive(Debug)]
pub(super) struct Versions {
    slots: Box<[AtomicU32]>,
    everyone: AtomicU32,
    pub(super) weaknesses: Weaknesses,
}

impl Versions {
    pub(super) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(),
            everyone: AtomicU32::new(0),
            weaknesses: Weaknesses::default(),
        }
    }

    pub(super) fn of(&self, session_id: SessionId, user_id: UserId) -> Version {
        let slot = |id| self.slot(id).load(Ordering::Acquire);
        let everyone = self.everyone.load(Ordering::Acquire);
        let sum = slot(session_id.0).wrapping_add(slot(user_id.0));
        Version(sum.wrapping_add(everyone))
    }

    pub(super) fn raise(&self, id: Uuid) {
        if !self.weaknesses.have(Weakness::Versions) {
            self.slot(id).fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(super) fn raise_all(&self) {
        if !self.weaknesses.have(Weakness::Versions) {
            self.everyone.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The last bytes of a version 7 id are random (RFC 9562, 5.7).
    fn slot(&self, id: Uuid) -> &AtomicU32 {
        let [.., high, low] = *id.as_bytes();
        &self.slots[usize::from(u16::from_be_bytes([high, low])) % SLOTS]
    }
}
