//! Ways to break the cache's promise on purpose, for the tests that must notice when it is broken.
//!
//! No setting, command or request leads here, and none may: `tests/house.rs` holds that nothing of
//! the program asks for a weakness. It is looked at where something changes and in no check.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::store::validity_cache::ValidityCache;

/// What is left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weakness {
    /// What this very process did itself.
    OwnActs,
    /// That facts grow old when something changes.
    Versions,
    /// What the change list says.
    Changes,
}

/// Those that were asked for; in production none.
#[derive(Debug, Default)]
pub(super) struct Weaknesses(AtomicU8);

impl Weaknesses {
    pub(super) fn have(&self, weakness: Weakness) -> bool {
        self.0.load(Ordering::Relaxed) & bit(weakness) != 0
    }
}

impl ValidityCache {
    /// From now on something is left out on which the promise rests. For tests alone.
    pub fn weaken(&self, weakness: Weakness) {
        let Weaknesses(bits) = &self.versions.weaknesses;
        bits.fetch_or(bit(weakness), Ordering::Relaxed);
    }

    pub(in crate::store) fn is_weak(&self, weakness: Weakness) -> bool {
        self.versions.weaknesses.have(weakness)
    }
}

fn bit(weakness: Weakness) -> u8 {
    match weakness {
        Weakness::OwnActs => 1,
        Weakness::Versions => 2,
        Weakness::Changes => 4,
    }
}
