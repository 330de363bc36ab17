//! A node's act that ends the session: a transaction, and after its commit what the cache learns.

use crate::database::{Database, Stored, Transaction, Writer};
use crate::node::CachedSession::{Ended, Marked};
use crate::node::{Act, Node};
use crate::rules::Rule;

/// Once acknowledged it is not tried again: that would only raise the version once more.
pub(crate) fn begin(
    node: &mut Node,
    number: usize,
    database: &mut Database,
    off: Option<Rule>,
) -> Option<()> {
    if node.act != Act::None || node.acknowledged {
        return None;
    }
    if database.row() == Stored::Ended {
        node.act = Act::FoundEnded;
        return Some(());
    }
    database.end(Writer::Node(number))?;
    node.act = Act::Wrote;
    if off == Some(Rule::RaisedAfterCommit) {
        node.forget();
    }
    Some(())
}

pub(crate) fn go_on(node: &mut Node, off: Option<Rule>) -> Option<()> {
    match node.act {
        Act::None | Act::Wrote => return None,
        Act::Committed => {
            if off != Some(Rule::EndRaises) && off != Some(Rule::RaisedAfterCommit) {
                node.forget();
            }
            node.act = Act::Forgot;
        }
        Act::FoundEnded => {
            if off != Some(Rule::FoundEndedRaises) {
                node.forget();
            }
            acknowledge(node);
        }
        Act::Forgot if off == Some(Rule::Marks) => acknowledge(node),
        Act::Forgot => {
            if node.is_locked() && off != Some(Rule::MarkHoldsLock) {
                return None;
            }
            if matches!(node.moka, Some(Ended | Marked)) {
                acknowledge(node);
            } else {
                node.hot = Some(Marked);
                node.act = Act::Marking;
            }
        }
        Act::Marking => {
            node.moka = Some(Marked);
            acknowledge(node);
        }
    }
    Some(())
}

/// The node does not learn of the commit: nothing is marked and nothing acknowledged. A
/// transaction that is still open may commit later, as anybody's might.
pub(crate) fn give_up(node: &mut Node, number: usize, database: &mut Database) -> Option<()> {
    match node.act {
        Act::Wrote | Act::Committed => {}
        Act::None | Act::FoundEnded | Act::Forgot | Act::Marking => return None,
    }
    if database.end == Transaction::Open(Writer::Node(number)) {
        database.end = Transaction::Open(Writer::Psql);
    }
    node.forget();
    node.act = Act::None;
    Some(())
}

fn acknowledge(node: &mut Node) {
    node.act = Act::None;
    node.acknowledged = true;
}
