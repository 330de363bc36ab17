//! A node: its cache, its reader of the change list, its act, and who is asking it.

use crate::check::{At, Check};
use crate::database::{Left, Stored};

/// Most checks that one node answers at once.
pub(crate) const CHECKS: usize = 2;

/// Compared with today's and with nothing else: it is that one, or was raised since.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Version {
    Current,
    Old,
}

/// What the cache holds of the session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum CachedSession {
    Open(Version),
    /// As a load found it.
    Ended,
    /// As an act left it.
    Marked,
}

impl CachedSession {
    pub(crate) fn new(stored: Stored, version: Version) -> Self {
        match stored {
            Stored::Open => Self::Open(version),
            Stored::Ended => Self::Ended,
        }
    }
}

/// What a reader remembers of its last round.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Cursor {
    /// Does the end lie before this place in the list?
    pub(crate) end: bool,
}

/// Does a round say that the session has changed?
pub(crate) type Changed = bool;

/// One round of the feed, with the time that was taken when it began.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Round {
    None,
    /// The list was not asked yet.
    Began(Left),
    /// The answer is on its way.
    Read(Left, Cursor, Changed),
    /// The first half of what it says is done: the version is raised, if it was to be.
    Learning(Left, Changed),
}

/// An act of this node that ends the session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Act {
    None,
    /// Its transaction is open.
    Wrote,
    /// Its transaction has committed; the node may not know yet.
    Committed,
    /// Its transaction found that somebody else had ended the session.
    FoundEnded,
    /// The version is raised.
    Forgot,
    /// It holds the key's lock, and the hot sessions have the mark.
    Marking,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Node {
    pub(crate) hot: Option<CachedSession>,
    pub(crate) moka: Option<CachedSession>,
    /// Until that round lies a bound back that was confirmed last.
    pub(crate) confirmed: Left,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) round: Round,
    pub(crate) act: Act,
    /// It has told somebody that the session has ended. Known to the properties alone, and no crash
    /// undoes it.
    pub(crate) acknowledged: bool,
    pub(crate) checks: [Check; CHECKS],
}

impl Node {
    pub(crate) fn new() -> Self {
        Self {
            hot: None,
            moka: None,
            confirmed: 0,
            cursor: None,
            round: Round::None,
            act: Act::None,
            acknowledged: false,
            checks: [Check::NONE; CHECKS],
        }
    }

    /// Everything that was in memory is lost.
    pub(crate) fn crash(&mut self) {
        *self = Self {
            acknowledged: self.acknowledged,
            ..Self::new()
        };
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed > 0
    }

    /// Does a load or a mark hold the key's lock?
    pub(crate) fn is_locked(&self) -> bool {
        self.act == Act::Marking || self.checks.iter().any(|check| check.at.holds_lock())
    }

    /// Raises the version: whatever facts there are, wherever they are, are of an older one now.
    pub(crate) fn forget(&mut self) {
        let raise = |held: &mut Option<CachedSession>| {
            if let Some(CachedSession::Open(version)) = held {
                *version = Version::Old;
            }
        };
        raise(&mut self.hot);
        raise(&mut self.moka);
        for check in &mut self.checks {
            if let Some(version) = check.at.version() {
                *version = Version::Old;
            }
        }
    }

    pub(crate) fn confirm(&mut self, began: Left) {
        self.confirmed = self.confirmed.max(began);
    }

    pub(crate) fn tick(&mut self) {
        self.confirmed = self.confirmed.saturating_sub(1);
        match &mut self.round {
            Round::None => {}
            Round::Began(left) | Round::Read(left, ..) | Round::Learning(left, _) => {
                *left = left.saturating_sub(1);
            }
        }
    }

    pub(crate) fn reads_nothing(&self) -> bool {
        self.round == Round::None
    }

    pub(crate) fn checks_under_way(&self) -> usize {
        let under_way = self.checks.iter().filter(|check| check.at != At::None);
        under_way.count()
    }
}
