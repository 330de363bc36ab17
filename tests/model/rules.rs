//! The rules that the protocol rests on, each of which can be taken away to see what it is for.

/// A rule of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    /// A round of the feed raises the version of what has changed.
    FeedRaises,
    /// And only then confirms.
    RaisedBeforeConfirmed,
    /// With the instant at which it began, not that of its answer.
    ConfirmedAsOfTheBeginning,
    /// A reader remembers its snapshot, not the highest number it saw.
    CursorIsASnapshot,
    /// A load reads the version before the row.
    VersionBeforeRow,
    /// Facts are not believed where nothing was confirmed within the bound.
    Bound,
    /// Whether it was is asked before the version is compared.
    BoundBeforeVersion,
    /// While unconfirmed, nobody takes what another's load brings.
    NobodyJoins,
    /// An act that has ended the session raises its version.
    EndRaises,
    /// After its commit, not before.
    RaisedAfterCommit,
    /// So does an act that finds it ended by somebody else.
    FoundEndedRaises,
    /// A question that was not answered says nothing of the session.
    UnansweredIsUnavailable,
    /// An act that has ended the session marks it.
    Marks,
    /// Under the lock of its key.
    MarkHoldsLock,
}
