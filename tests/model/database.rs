//! The database: the row of one session, and the change list.
//!
//! Two transactions write to the list, the one that ends the session and some other one. They are
//! numbered in the order in which they write and are seen in the order in which they commit.

/// Ticks that are left until something lies a bound back; further back is all one.
pub(crate) type Left = u8;

/// Whose transaction it is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Writer {
    /// Somebody with a database shell, who tells no node.
    Psql,
    Node(usize),
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Transaction {
    /// Not begun, or taken back.
    None,
    /// Row and change are written, locked, and seen by nobody yet.
    Open(Writer),
    Committed,
}

/// What the table says of the session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Stored {
    Open,
    Ended,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Database {
    /// The one that ends the session.
    pub(crate) end: Transaction,
    /// Until its commit lies a bound back.
    recent: Left,
    /// Some other one.
    other: Transaction,
    /// Has the other one the higher number?
    other_is_higher: bool,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self {
            end: Transaction::None,
            recent: 0,
            other: Transaction::None,
            other_is_higher: false,
        }
    }

    pub(crate) fn row(&self) -> Stored {
        match self.end {
            Transaction::None | Transaction::Open(_) => Stored::Open,
            Transaction::Committed => Stored::Ended,
        }
    }

    /// Did the end commit a bound ago, or more?
    pub(crate) fn ended_a_bound_ago(&self) -> bool {
        self.row() == Stored::Ended && self.recent == 0
    }

    /// Does the end have a number that is lower than one that can be seen?
    pub(crate) fn end_is_passed(&self) -> bool {
        self.end != Transaction::None
            && self.other == Transaction::Committed
            && self.other_is_higher
    }

    pub(crate) fn end(&mut self, writer: Writer) -> Option<()> {
        if self.end != Transaction::None {
            return None;
        }
        self.end = Transaction::Open(writer);
        self.other_is_higher = false;
        Some(())
    }

    pub(crate) fn commit_end(&mut self, bound: Left) -> Option<Writer> {
        let Transaction::Open(writer) = self.end else {
            return None;
        };
        self.end = Transaction::Committed;
        self.recent = bound;
        Some(writer)
    }

    pub(crate) fn take_back_end(&mut self) -> Option<Writer> {
        let Transaction::Open(writer) = self.end else {
            return None;
        };
        self.end = Transaction::None;
        Some(writer)
    }

    pub(crate) fn write_other(&mut self) -> Option<()> {
        if self.other != Transaction::None {
            return None;
        }
        self.other = Transaction::Open(Writer::Psql);
        self.other_is_higher = self.end != Transaction::None;
        Some(())
    }

    pub(crate) fn commit_other(&mut self) -> Option<()> {
        let Transaction::Open(_) = self.other else {
            return None;
        };
        self.other = Transaction::Committed;
        Some(())
    }

    pub(crate) fn tick(&mut self) {
        self.recent = self.recent.saturating_sub(1);
    }
}
