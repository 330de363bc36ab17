//! A node follows the change list, round by round.
//!
//! A push is a hint and may be lost; a round may begin at any time anyway, so it needs no state.

use crate::database::{Database, Left, Stored};
use crate::node::{Cursor, Node, Round};
use crate::rules::Rule;

pub(crate) fn begin(node: &mut Node, bound: Left) {
    node.round = Round::Began(bound);
}

pub(crate) fn go_on(
    node: &mut Node,
    database: &Database,
    bound: Left,
    off: Option<Rule>,
) -> Option<()> {
    node.round = match node.round {
        Round::None => return None,
        Round::Began(began) => {
            let now = cursor(database, off);
            // Without a cursor, everybody's facts count as changed.
            let changed = node.cursor.is_none_or(|before| now.end && !before.end);
            Round::Read(began, now, changed)
        }
        Round::Read(began, now, changed) => {
            node.cursor = Some(now);
            let began = if off == Some(Rule::ConfirmedAsOfTheBeginning) {
                bound
            } else {
                began
            };
            if off == Some(Rule::RaisedBeforeConfirmed) {
                node.confirm(began);
            } else if changed && off != Some(Rule::FeedRaises) {
                node.forget();
            }
            Round::Learning(began, changed)
        }
        Round::Learning(began, changed) => {
            if off != Some(Rule::RaisedBeforeConfirmed) {
                node.confirm(began);
            } else if changed {
                node.forget();
            }
            Round::None
        }
    };
    Some(())
}

pub(crate) fn lose(node: &mut Node) -> Option<()> {
    match node.round {
        Round::Began(_) | Round::Read(..) => {
            node.round = Round::None;
            Some(())
        }
        // It has arrived.
        Round::None | Round::Learning(..) => None,
    }
}

/// What the reader will remember: all that it could see, or, if that rule is off, all that has no
/// higher number than what it could see.
fn cursor(database: &Database, off: Option<Rule>) -> Cursor {
    let sees_end = database.row() == Stored::Ended;
    let passes_end = off == Some(Rule::CursorIsASnapshot) && database.end_is_passed();
    Cursor {
        end: sees_end || passes_end,
    }
}
