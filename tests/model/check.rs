//! A check: `find_or_load`, step by step, as far as others can see it or come in between.
//!
//! `find_verified` looks before it does; one that finds nothing fresh is as one that begins later.

use crate::answer::{Answer, Promised, Source, Told};
use crate::database::{Database, Stored};
use crate::node::{CachedSession, Node, Version};
use crate::rules::Rule;

/// Where a check has got to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum At {
    None,
    /// Not among the hot sessions.
    NotHot,
    /// But in moka; not made hot yet.
    FoundBelow(CachedSession),
    Found(CachedSession),
    /// Open facts, fresh as far as the first of the two questions goes.
    HalfFresh(Version),
    /// There are no fresh facts here.
    Missed,
    /// Unconfirmed: about to ask the table for itself alone.
    Own,
    /// Waits for the key's lock.
    Queued,
    /// Holds it, and looks at what is in moka now.
    Locked(Option<CachedSession>),
    LockedHalfFresh(Version),
    /// Holds it and asks the table, after reading the version.
    Loading(Version),
    /// The table's answer is on its way.
    Loaded(Stored, Version),
    /// It is among the hot sessions.
    Kept(Stored, Version),
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Check {
    pub(crate) at: At,
    /// What it carries instead of the time at which it began.
    pub(crate) promised: Promised,
}

/// A step's outcome.
enum Then {
    Goes(At),
    Told(Answer, Source),
    Waits,
}

impl Check {
    pub(crate) const NONE: Self = Self {
        at: At::None,
        promised: Promised::Nothing,
    };
}

impl At {
    pub(crate) fn holds_lock(self) -> bool {
        match self {
            Self::Locked(_)
            | Self::LockedHalfFresh(_)
            | Self::Loading(_)
            | Self::Loaded(..)
            | Self::Kept(..) => true,
            Self::None
            | Self::NotHot
            | Self::FoundBelow(_)
            | Self::Found(_)
            | Self::HalfFresh(_)
            | Self::Missed
            | Self::Own
            | Self::Queued => false,
        }
    }

    /// The version of the facts that it has in hand.
    pub(crate) fn version(&mut self) -> Option<&mut Version> {
        match self {
            Self::FoundBelow(CachedSession::Open(version))
            | Self::Found(CachedSession::Open(version))
            | Self::HalfFresh(version)
            | Self::Locked(Some(CachedSession::Open(version)))
            | Self::LockedHalfFresh(version)
            | Self::Loading(version)
            | Self::Loaded(_, version)
            | Self::Kept(_, version) => Some(version),
            Self::None
            | Self::NotHot
            | Self::FoundBelow(_)
            | Self::Found(_)
            | Self::Missed
            | Self::Own
            | Self::Queued
            | Self::Locked(_) => None,
        }
    }

    /// May it fail here, because the table does not answer, or not in time?
    fn may_fail(self) -> bool {
        matches!(
            self,
            Self::Own | Self::Queued | Self::Loading(_) | Self::Loaded(..)
        )
    }
}

/// A check begins with its first look: had it begun earlier, it would be promised less.
pub(crate) fn begin(node: &mut Node, database: &Database) {
    let Some(place) = node.checks.iter().position(|check| check.at == At::None) else {
        return;
    };
    let at = node.hot.map_or(At::NotHot, At::Found);
    let promised = if node.acknowledged {
        Promised::AtOnce
    } else if database.ended_a_bound_ago() {
        Promised::WithinTheBound
    } else {
        Promised::Nothing
    };
    node.checks[place] = Check { at, promised };
}

/// The next step of a check. None if there is none now.
pub(crate) fn go_on(
    node: &mut Node,
    place: usize,
    database: &Database,
    off: Option<Rule>,
) -> Option<Option<Told>> {
    let at = node.checks[place].at;
    match next(node, at, database, off) {
        Then::Waits => None,
        Then::Goes(at) => {
            node.checks[place].at = at;
            Some(None)
        }
        Then::Told(answer, source) => Some(Some(tell(node, place, answer, source))),
    }
}

fn tell(node: &mut Node, place: usize, answer: Answer, source: Source) -> Told {
    let promised = node.checks[place].promised;
    node.checks[place] = Check::NONE;
    Told {
        answer,
        source,
        promised,
    }
}

fn next(node: &mut Node, at: At, database: &Database, off: Option<Rule>) -> Then {
    match at {
        At::None => Then::Waits,
        At::NotHot => Then::Goes(node.moka.map_or(At::Missed, At::FoundBelow)),
        At::FoundBelow(cached) => {
            node.hot = Some(cached);
            Then::Goes(At::Found(cached))
        }
        At::Found(cached) => match cached {
            CachedSession::Open(version) if first_half(node, version, off) => {
                Then::Goes(At::HalfFresh(version))
            }
            CachedSession::Open(_) => Then::Goes(At::Missed),
            CachedSession::Ended | CachedSession::Marked => {
                Then::Told(Answer::Ended, Source::Memory(cached))
            }
        },
        At::HalfFresh(version) => {
            if second_half(node, version, off) {
                Then::Told(Answer::Yes, Source::Memory(CachedSession::Open(version)))
            } else {
                Then::Goes(At::Missed)
            }
        }
        At::Missed => {
            let asks_itself = off != Some(Rule::Bound) && off != Some(Rule::NobodyJoins);
            if node.is_confirmed() || !asks_itself {
                Then::Goes(At::Queued)
            } else {
                Then::Goes(At::Own)
            }
        }
        At::Own => Then::Told(Answer::of(database.row()), Source::Table),
        At::Queued if node.is_locked() => Then::Waits,
        At::Queued => Then::Goes(At::Locked(node.moka)),
        At::Locked(_) | At::LockedHalfFresh(_) | At::Loading(_) | At::Loaded(..) | At::Kept(..) => {
            next_locked(node, at, database, off)
        }
    }
}

/// Inside `and_try_compute_with`.
fn next_locked(node: &mut Node, at: At, database: &Database, off: Option<Rule>) -> Then {
    match at {
        At::Locked(Some(CachedSession::Open(version))) if first_half(node, version, off) => {
            Then::Goes(At::LockedHalfFresh(version))
        }
        At::Locked(None | Some(CachedSession::Open(_))) => {
            Then::Goes(At::Loading(Version::Current))
        }
        At::Locked(Some(cached @ (CachedSession::Ended | CachedSession::Marked))) => {
            node.hot = Some(cached);
            Then::Told(Answer::Ended, Source::Memory(cached))
        }
        At::LockedHalfFresh(version) => {
            if !second_half(node, version, off) {
                return Then::Goes(At::Loading(Version::Current));
            }
            let cached = CachedSession::Open(version);
            node.hot = Some(cached);
            Then::Told(Answer::Yes, Source::Memory(cached))
        }
        At::Loading(version) => Then::Goes(At::Loaded(database.row(), version)),
        At::Loaded(stored, version) => {
            let version = if off == Some(Rule::VersionBeforeRow) {
                Version::Current
            } else {
                version
            };
            node.hot = Some(CachedSession::new(stored, version));
            Then::Goes(At::Kept(stored, version))
        }
        At::Kept(stored, version) => {
            let before = node.moka;
            node.moka = Some(CachedSession::new(stored, version));
            Then::Told(Answer::of(stored), Source::Load(version, before))
        }
        At::None
        | At::NotHot
        | At::FoundBelow(_)
        | At::Found(_)
        | At::HalfFresh(_)
        | At::Missed
        | At::Own
        | At::Queued => Then::Waits,
    }
}

fn first_half(node: &Node, version: Version, off: Option<Rule>) -> bool {
    if off == Some(Rule::BoundBeforeVersion) {
        version == Version::Current
    } else {
        node.is_confirmed() || off == Some(Rule::Bound)
    }
}

fn second_half(node: &Node, version: Version, off: Option<Rule>) -> bool {
    if off == Some(Rule::BoundBeforeVersion) {
        node.is_confirmed()
    } else {
        version == Version::Current
    }
}

/// The table does not answer this check, or not in time.
pub(crate) fn fail(node: &mut Node, place: usize, off: Option<Rule>) -> Option<Told> {
    if !node.checks[place].at.may_fail() {
        return None;
    }
    let answer = if off == Some(Rule::UnansweredIsUnavailable) {
        Answer::Ended
    } else {
        Answer::Unavailable
    };
    Some(tell(node, place, answer, Source::Nowhere))
}

/// Who asked hangs up, and nothing more is done for them.
pub(crate) fn drop(node: &mut Node, place: usize) -> Option<()> {
    if node.checks[place].at == At::None {
        return None;
    }
    node.checks[place] = Check::NONE;
    Some(())
}

/// A check that waits takes what another's load brings.
pub(crate) fn join(node: &mut Node, place: usize) -> Option<Told> {
    if node.checks[place].at != At::Queued || node.is_confirmed() {
        return None;
    }
    let brought = |check: &Check| {
        if let At::Kept(stored, _) = check.at {
            Some(stored)
        } else {
            None
        }
    };
    let stored = node.checks.iter().find_map(brought)?;
    Some(tell(node, place, Answer::of(stored), Source::Joined))
}
