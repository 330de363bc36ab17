//! What a check is answered, and what it may not be.

use crate::database::Stored;
use crate::node::{CachedSession, Version};

/// What who asks is promised, because of when they asked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Promised {
    Nothing,
    /// A bound or more after the end had committed: not to be told yes.
    WithinTheBound,
    /// After this very node had acknowledged an end, a bound ago or just now: not to be told yes.
    AtOnce,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Source {
    /// What was here already.
    Memory(CachedSession),
    /// A load of its own; the version that it has when it arrives, and what it takes the place of.
    Load(Version, Option<CachedSession>),
    /// The table, asked while unconfirmed.
    Table,
    /// Another check's load.
    Joined,
    /// Nowhere: the table did not answer.
    Nowhere,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Answer {
    Yes,
    Ended,
    Unavailable,
}

/// What somebody was told in the last step.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Told {
    pub(crate) answer: Answer,
    pub(crate) source: Source,
    pub(crate) promised: Promised,
}

impl Answer {
    pub(crate) fn of(stored: Stored) -> Self {
        match stored {
            Stored::Open => Self::Yes,
            Stored::Ended => Self::Ended,
        }
    }
}
