//! What refreshing promises, as simply as it can be said.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use portcullis::rules::end_reason::EndReason;

/// What a presented refresh token is answered with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// A token that was not there before.
    New,
    /// This token, once more.
    Again(usize),
    /// Nothing: the session has ended.
    Ended(EndReason),
    /// Nothing: nobody knows the token.
    Unknown,
}

#[derive(Clone, Debug)]
struct Refresh {
    successor: Option<usize>,
    given_at: DateTime<Utc>,
    /// Does the table know that somebody has it?
    arrived: bool,
    /// From before the latest proof.
    dropped: bool,
}

#[derive(Clone, Debug)]
struct Access {
    /// Handed out together with this refresh token.
    with: Option<usize>,
    expires_at: DateTime<Utc>,
    proof: usize,
}

/// All there is to know of a session's tokens.
#[derive(Clone, Debug)]
pub(super) struct Model {
    refresh: Vec<Refresh>,
    access: Vec<Access>,
    /// What each node has seen arrive and has not written.
    seen: [BTreeSet<usize>; 2],
    proof: usize,
    ended: Option<EndReason>,
}

impl Model {
    /// A session that was just opened: one refresh token.
    pub(super) fn new() -> Self {
        Self {
            refresh: vec![Refresh {
                successor: None,
                given_at: DateTime::UNIX_EPOCH,
                arrived: true,
                dropped: false,
            }],
            access: Vec::new(),
            seen: [BTreeSet::new(), BTreeSet::new()],
            proof: 0,
            ended: None,
        }
    }

    pub(super) fn present(&mut self, which: usize, node: usize, now: DateTime<Utc>) -> Answer {
        if self.refresh[which].dropped {
            return Answer::Unknown;
        }
        if let Some(reason) = self.ended {
            return Answer::Ended(reason);
        }
        let Some(next) = self.refresh[which].successor else {
            let next = self.refresh.len();
            self.refresh[which].successor = Some(next);
            self.hand_out(now, false);
            self.issue(Some(next), now);
            return Answer::New;
        };
        self.write(node);
        let successor = &mut self.refresh[next];
        if successor.successor.is_none() && !successor.arrived {
            successor.given_at = now;
        } else if successor.successor.is_some()
            || now >= successor.given_at + TimeDelta::seconds(30)
        {
            self.ended = Some(EndReason::RefreshReuse);
            return Answer::Ended(EndReason::RefreshReuse);
        }
        self.issue(Some(next), now);
        Answer::Again(next)
    }

    /// Is it admitted?
    pub(super) fn use_access(&mut self, which: usize, node: usize, now: DateTime<Utc>) -> bool {
        let access = &self.access[which];
        if now >= access.expires_at {
            return false;
        }
        self.seen[node].extend(access.with);
        self.ended.is_none() && access.proof == self.proof
    }

    pub(super) fn obtain(&mut self, now: DateTime<Utc>) {
        self.issue(None, now);
    }

    pub(super) fn prove(&mut self, now: DateTime<Utc>) {
        for token in &mut self.refresh {
            token.dropped = true;
        }
        self.proof += 1;
        self.hand_out(now, true);
        self.issue(None, now);
    }

    pub(super) fn write(&mut self, node: usize) {
        for which in std::mem::take(&mut self.seen[node]) {
            self.refresh[which].arrived = true;
        }
    }

    pub(super) fn end(&mut self, reason: EndReason) {
        self.ended.get_or_insert(reason);
    }

    fn hand_out(&mut self, now: DateTime<Utc>, arrived: bool) {
        self.refresh.push(Refresh {
            successor: None,
            given_at: now,
            arrived,
            dropped: false,
        });
    }

    fn issue(&mut self, with: Option<usize>, now: DateTime<Utc>) {
        self.access.push(Access {
            with,
            expires_at: now + TimeDelta::seconds(300),
            proof: self.proof,
        });
    }
}
