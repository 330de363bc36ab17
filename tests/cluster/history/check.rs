//! Does a history keep the promise?
//!
//! Pure: the same history always gets the same answer. Two operations of which neither ended before
//! the other began may have happened in either order; what is a violation is one in every order.
//! An act whose answer never came may have been done at any time since, or never.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::{Act, Ends, Name, Operation, Outcome, Session, User};

/// What must not happen.
#[derive(Clone, Debug)]
pub enum Violation {
    /// A session admitted although its end had been acknowledged: at the same node, or elsewhere
    /// and longer ago than the bound.
    AdmittedAfterEnd { said: Operation, end: Operation },
    /// A session admitted although a node had refused it longer ago than the bound: an end is final.
    AdmittedAfterRefusal { said: Operation, refusal: Operation },
    /// A session was refused that nobody had asked to end, or for a reason that nobody gave.
    RefusedWithoutEnd { said: Operation, opened: Duration },
    /// Somebody was told that address or password is wrong, who had never been barred.
    SignInRefused { said: Operation },
    /// Somebody signed in who had been barred.
    SignedInWhileBarred { said: Operation, end: Operation },
}

impl Violation {
    /// The operations of this history that it is about: those on the same session or user, or on
    /// everybody.
    pub fn story<'h>(&self, history: &'h [Operation]) -> Vec<&'h Operation> {
        let (Self::AdmittedAfterEnd { said, .. }
        | Self::AdmittedAfterRefusal { said, .. }
        | Self::RefusedWithoutEnd { said, .. }
        | Self::SignInRefused { said }
        | Self::SignedInWhileBarred { said, .. }) = self;
        let session = match &said.act {
            Act::Check(id) | Act::Refresh(id) => sessions(history).remove(id),
            Act::SignIn(_) | Act::End(_) | Act::Enable(_) => None,
        };
        let email = match (&said.act, &session) {
            (Act::SignIn(email), _) => Some(email.clone()),
            (_, session) => session.as_ref().map(|session| session.user.email.clone()),
        };
        let is_about = |operation: &&Operation| match &operation.act {
            Act::Check(id) | Act::Refresh(id) => session.as_ref().is_some_and(|s| s.id == *id),
            Act::SignIn(other) => Some(other) == email.as_ref(),
            Act::Enable(user) => Some(&user.email) == email.as_ref(),
            Act::End(ends) => match ends {
                Ends::Session(id) => session.as_ref().is_some_and(|s| s.id == *id),
                Ends::User(user) | Ends::Disable(user) | Ends::Delete(user) => {
                    Some(&user.email) == email.as_ref()
                }
                Ends::Everyone { .. } | Ends::Reseed => true,
            },
        };
        history.iter().filter(is_about).collect()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdmittedAfterEnd { said, end } => {
                let after = said.began.saturating_sub(end.ended);
                write!(f, "admitted {after:?} after the end\n  {end}\n  {said}")
            }
            Self::AdmittedAfterRefusal { said, refusal } => {
                write!(f, "admitted after it was refused\n  {refusal}\n  {said}")
            }
            Self::RefusedWithoutEnd { said, opened } => {
                write!(
                    f,
                    "refused, and nobody asked; opened at {opened:?}\n  {said}"
                )
            }
            Self::SignInRefused { said } => write!(f, "kept from signing in\n  {said}"),
            Self::SignedInWhileBarred { said, end } => {
                write!(f, "signed in while barred\n  {end}\n  {said}")
            }
        }
    }
}

/// Everything in this history that must not happen.
pub fn check(history: &[Operation], bound: Duration) -> Vec<Violation> {
    let sessions = sessions(history);
    let ends: Vec<(&Operation, &Ends)> = history
        .iter()
        .filter(|operation| operation.may_be_done())
        .filter_map(|operation| match &operation.act {
            Act::End(ends) => Some((operation, ends)),
            Act::SignIn(_) | Act::Check(_) | Act::Refresh(_) | Act::Enable(_) => None,
        })
        .collect();
    let refusals = refusals(history);
    let mut found = Vec::new();
    for said in history {
        match &said.act {
            Act::Check(id) | Act::Refresh(id) => {
                let Some(session) = sessions.get(id) else {
                    continue;
                };
                match &said.outcome {
                    Outcome::Done => {
                        let refusal = refusals.get(id).copied();
                        found.extend(wrongly_admitted(said, session, &ends, refusal, bound));
                    }
                    Outcome::Refused(code) => {
                        let may = |(end, which): &&(&Operation, &Ends)| {
                            which.names(session)
                                && which.explains(code)
                                && could_explain(end, said, session)
                        };
                        if !is_of_an_end(&said.act, code) || ends.iter().find(may).is_none() {
                            let (said, opened) = (said.clone(), session.began);
                            found.push(Violation::RefusedWithoutEnd { said, opened });
                        }
                    }
                    Outcome::Opened { .. } | Outcome::Declined | Outcome::Unknown => {}
                }
            }
            Act::SignIn(email) => found.extend(wrong_sign_in(said, email, &ends, history)),
            Act::End(_) | Act::Enable(_) => {}
        }
    }
    found
}

/// Is it the refusal of a session that is over?
fn is_of_an_end(act: &Act, code: &str) -> bool {
    // A refresh token goes with its session's row, and is then one that nobody issued.
    let gone = code == "invalid-token" && matches!(act, Act::Refresh(_));
    gone || ["session-ended", "user-disabled", "user-gone"].contains(&code)
}

fn sessions(history: &[Operation]) -> HashMap<Name, Session> {
    let opened = history.iter().filter_map(|operation| {
        let (Act::SignIn(email), Outcome::Opened { session, user }) =
            (&operation.act, &operation.outcome)
        else {
            return None;
        };
        let session = Session {
            id: session.clone(),
            user: User {
                id: user.clone(),
                email: email.clone(),
            },
            began: operation.began,
            ended: operation.ended,
        };
        Some((session.id.clone(), session))
    });
    opened.collect()
}

/// The first refusal of each session that says that it is over.
fn refusals(history: &[Operation]) -> HashMap<Name, &Operation> {
    let mut first: HashMap<Name, &Operation> = HashMap::new();
    for operation in history {
        let (Act::Check(id), Outcome::Refused(code)) = (&operation.act, &operation.outcome) else {
            continue;
        };
        if !is_of_an_end(&operation.act, code) {
            continue;
        }
        let earliest = first.entry(id.clone()).or_insert(operation);
        if operation.ended < earliest.ended {
            *earliest = operation;
        }
    }
    first
}

fn wrongly_admitted(
    said: &Operation,
    session: &Session,
    ends: &[(&Operation, &Ends)],
    refusal: Option<&Operation>,
    bound: Duration,
) -> Option<Violation> {
    // New tokens are given out by the table's word alone, so that no bound excuses them.
    let excused = |place| {
        let from_memory = matches!(said.act, Act::Check(_)) && said.place != place;
        if from_memory { bound } else { Duration::ZERO }
    };
    let broken = ends.iter().find(|(end, which)| {
        end.outcome == Outcome::Done
            && which.names(session)
            && surely_there(session, end, which)
            && said.began > end.ended + excused(end.place)
    });
    if let Some((end, _)) = broken {
        let (said, end) = (said.clone(), (*end).clone());
        return Some(Violation::AdmittedAfterEnd { said, end });
    }
    let refusal = refusal.filter(|refusal| said.began > refusal.ended + bound)?;
    Some(Violation::AdmittedAfterRefusal {
        said: said.clone(),
        refusal: refusal.clone(),
    })
}

/// Was the session there when the end was done? One that was being opened at the same time may
/// have come after it; but never to a user who was deleted.
fn surely_there(session: &Session, end: &Operation, which: &Ends) -> bool {
    session.ended < end.began || matches!(which, Ends::Delete(_))
}

/// May the end have been done before this was said, and after the session was opened?
fn could_explain(end: &Operation, said: &Operation, session: &Session) -> bool {
    end.began < said.ended && end.may_happen_after(session.began)
}

fn wrong_sign_in(
    said: &Operation,
    email: &str,
    ends: &[(&Operation, &Ends)],
    history: &[Operation],
) -> Option<Violation> {
    match &said.outcome {
        Outcome::Refused(code) => {
            let explained = |(end, which): &(&Operation, &Ends)| {
                let was_opened = **code == *"session-ended";
                let explains = if was_opened {
                    which.may_name_one_of(email) && end.may_happen_after(said.began)
                } else {
                    which.bars(email)
                };
                explains && end.began < said.ended
            };
            let said = said.clone();
            (!ends.iter().any(explained)).then_some(Violation::SignInRefused { said })
        }
        Outcome::Opened { .. } => {
            let broken = ends.iter().find(|(end, which)| {
                let barred = match which {
                    Ends::Disable(user) | Ends::Delete(user) => *user.email == *email,
                    Ends::Session(_) | Ends::User(_) | Ends::Everyone { .. } | Ends::Reseed => {
                        false
                    }
                };
                let enabled = |other: &Operation| {
                    matches!(&other.act, Act::Enable(user) if *user.email == *email)
                        && other.may_be_done()
                        && other.began < said.ended
                        && other.may_happen_after(end.began)
                };
                barred
                    && end.outcome == Outcome::Done
                    && said.began > end.ended
                    && !history.iter().any(enabled)
            });
            broken.map(|(end, _)| Violation::SignedInWhileBarred {
                said: said.clone(),
                end: (*end).clone(),
            })
        }
        Outcome::Done | Outcome::Declined | Outcome::Unknown => None,
    }
}
