//! Histories written by hand: for each thing that must not happen one in which it does, and beside
//! it those in which it nearly does.

use std::time::Duration;

use super::{Act, Ends, Name, Operation, Outcome, Place, User, Violation, check};

const BOUND: Duration = Duration::from_millis(1000);
const A: Place = Place::Node(0);
const B: Place = Place::Node(1);

fn name(text: &str) -> Name {
    text.into()
}

fn user(text: &str) -> User {
    User {
        id: name(text),
        email: name(&format!("{text}@test.example")),
    }
}

/// From and to in milliseconds.
fn operation(place: Place, from: u64, to: u64, act: Act, outcome: Outcome) -> Operation {
    Operation {
        place,
        began: Duration::from_millis(from),
        ended: Duration::from_millis(to),
        act,
        outcome,
    }
}

fn opened(from: u64, to: u64, session: &str, of: &str) -> Operation {
    let (session, user_id) = (name(session), name(of));
    let outcome = Outcome::Opened {
        session,
        user: user_id,
    };
    operation(A, from, to, Act::SignIn(user(of).email), outcome)
}

fn said(place: Place, from: u64, to: u64, session: &str, outcome: Outcome) -> Operation {
    operation(place, from, to, Act::Check(name(session)), outcome)
}

fn end(place: Place, from: u64, to: u64, which: Ends, outcome: Outcome) -> Operation {
    operation(place, from, to, Act::End(which), outcome)
}

fn no(code: &str) -> Outcome {
    Outcome::Refused(name(code))
}

fn session(id: &str) -> Ends {
    Ends::Session(name(id))
}

const EVERYONE: Ends = Ends::Everyone { except: None };

/// What is found: each kind by its first letters.
fn found(history: &[Operation]) -> Vec<&'static str> {
    let kind = |violation: &Violation| match violation {
        Violation::AdmittedAfterEnd { .. } => "admitted after end",
        Violation::AdmittedAfterRefusal { .. } => "admitted after refusal",
        Violation::RefusedWithoutEnd { .. } => "refused without end",
        Violation::SignInRefused { .. } => "sign-in refused",
        Violation::SignedInWhileBarred { .. } => "signed in while barred",
    };
    check(history, BOUND).iter().map(kind).collect()
}

/// Ada's session `s`, opened between 0 and 10, and then this.
fn after_sign_in(rest: impl IntoIterator<Item = Operation>) -> Vec<&'static str> {
    let mut history = vec![opened(0, 10, "s", "ada")];
    history.extend(rest);
    // Nothing depends on the order in which it was written down.
    let forwards = found(&history);
    history.reverse();
    assert_eq!(found(&history).len(), forwards.len());
    forwards
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_history_in_which_all_is_well_is_well() {
    let rest = [
        said(A, 20, 21, "s", Outcome::Done),
        said(B, 20, 21, "s", Outcome::Done),
        end(A, 30, 40, session("s"), Outcome::Done),
        said(A, 41, 42, "s", no("session-ended")),
        said(B, 41, 42, "s", Outcome::Done),
        said(B, 1041, 1042, "s", no("session-ended")),
        said(B, 1050, 6050, "s", Outcome::Unknown),
    ];
    assert_eq!(after_sign_in(rest), NOTHING);
}

#[test]
fn the_node_that_acknowledged_an_end_says_no_at_once() {
    let at = |place, from| {
        let ended = end(A, 30, 40, session("s"), Outcome::Done);
        after_sign_in([ended, said(place, from, 2000, "s", Outcome::Done)])
    };
    // What began before the answer was there may have been answered before.
    assert_eq!(at(A, 40), NOTHING);
    assert_eq!(at(A, 41), ["admitted after end"]);
    assert_eq!(at(B, 1040), NOTHING);
    assert_eq!(at(B, 1041), ["admitted after end"]);
    assert_eq!(at(Place::Beside, 1041), ["admitted after end"]);
}

#[test]
fn new_tokens_are_never_given_out_from_memory() {
    let at = |from| {
        let ended = end(A, 30, 40, session("s"), Outcome::Done);
        let refresh = Act::Refresh(name("s"));
        after_sign_in([ended, operation(B, from, 2000, refresh, Outcome::Done)])
    };
    assert_eq!(at(40), NOTHING);
    assert_eq!(at(41), ["admitted after end"]);
}

#[test]
fn each_way_to_end_names_its_sessions() {
    let (ada, ben) = (|| user("ada"), || user("ben"));
    let ways = [
        (session("s"), true),
        (session("t"), false),
        (Ends::User(ada()), true),
        (Ends::User(ben()), false),
        (EVERYONE, true),
        (
            Ends::Everyone {
                except: Some(name("s")),
            },
            false,
        ),
        (
            Ends::Everyone {
                except: Some(name("t")),
            },
            true,
        ),
        (Ends::Disable(ada()), true),
        (Ends::Disable(ben()), false),
        (Ends::Delete(ada()), true),
        (Ends::Delete(ben()), false),
        (Ends::Reseed, false),
    ];
    for (which, named) in ways {
        let ended = || end(A, 30, 40, which.clone(), Outcome::Done);
        let yes = after_sign_in([ended(), said(B, 5000, 5001, "s", Outcome::Done)]);
        let no = after_sign_in([ended(), said(B, 5000, 5001, "s", no("session-ended"))]);
        let expected = if named { (1, 0) } else { (0, 1) };
        assert_eq!((yes.len(), no.len()), expected, "{which:?}");
    }
}

#[test]
fn who_is_seeded_anew_is_out() {
    let email = name("ben@demo.example");
    let outcome = Outcome::Opened {
        session: name("s"),
        user: name("u"),
    };
    let history = [
        operation(A, 0, 10, Act::SignIn(email), outcome),
        end(Place::Beside, 30, 40, Ends::Reseed, Outcome::Done),
        said(A, 1041, 1042, "s", Outcome::Done),
    ];
    assert_eq!(found(&history), ["admitted after end"]);
}

#[test]
fn a_session_that_was_opened_at_the_same_time_may_have_come_before_or_after() {
    let both = |which: Ends| {
        let ended = || end(A, 5, 40, which.clone(), Outcome::Done);
        let yes = after_sign_in([ended(), said(A, 5000, 5001, "s", Outcome::Done)]);
        let no = after_sign_in([ended(), said(A, 5000, 5001, "s", no("session-ended"))]);
        (yes, no)
    };
    assert_eq!(both(EVERYONE), (vec![], vec![]));
    assert_eq!(both(Ends::Disable(user("ada"))), (vec![], vec![]));
    // Nobody comes after a deletion.
    let deleted = both(Ends::Delete(user("ada")));
    assert_eq!(deleted, (vec!["admitted after end"], vec![]));
}

#[test]
fn an_act_whose_answer_never_came_explains_a_no_and_forbids_no_yes() {
    let unknown = || end(A, 30, 40, session("s"), Outcome::Unknown);
    let yes = said(A, 5000, 5001, "s", Outcome::Done);
    let no_later = said(A, 9000, 9001, "s", no("session-ended"));
    assert_eq!(after_sign_in([unknown(), yes, no_later]), NOTHING);
    // Not even by one that was asked for before, and delivered late.
    let late = end(A, 0, 1, EVERYONE, Outcome::Unknown);
    let refused = said(A, 50, 51, "s", no("session-ended"));
    assert_eq!(after_sign_in([late, refused]), NOTHING);
    // But one that was declined explains nothing.
    let declined = end(A, 30, 40, session("s"), Outcome::Declined);
    let refused = said(A, 50, 51, "s", no("session-ended"));
    assert_eq!(after_sign_in([declined, refused]), ["refused without end"]);
}

#[test]
fn nobody_is_refused_before_somebody_asked() {
    let at = |to| {
        let refused = said(B, 20, to, "s", no("session-ended"));
        after_sign_in([refused, end(A, 30, 40, session("s"), Outcome::Done)])
    };
    assert_eq!(at(31), NOTHING);
    assert_eq!(at(30), ["refused without end"]);
    let never = said(B, 20, 30, "s", no("session-ended"));
    assert_eq!(after_sign_in([never]), ["refused without end"]);
}

#[test]
fn an_outage_is_no_refusal_whatever_its_code() {
    for code in ["token-expired", "no-credential", "anything"] {
        let ended = end(A, 30, 40, session("s"), Outcome::Done);
        let refused = said(A, 50, 51, "s", no(code));
        assert_eq!(
            after_sign_in([ended, refused]),
            ["refused without end"],
            "{code}"
        );
    }
}

#[test]
fn a_refusal_gives_a_reason_that_there_is() {
    let given = |which: Ends, code| {
        let ended = end(A, 30, 40, which, Outcome::Done);
        after_sign_in([ended, said(A, 50, 51, "s", no(code))])
    };
    assert_eq!(given(EVERYONE, "user-disabled"), ["refused without end"]);
    assert_eq!(given(EVERYONE, "user-gone"), ["refused without end"]);
    assert_eq!(given(Ends::Disable(user("ada")), "user-disabled"), NOTHING);
    assert_eq!(given(Ends::Delete(user("ada")), "user-gone"), NOTHING);
}

#[test]
fn an_end_is_final_even_if_nobody_acknowledged_it() {
    let at = |place, from| {
        after_sign_in([
            end(A, 30, 40, session("s"), Outcome::Unknown),
            said(A, 50, 60, "s", no("session-ended")),
            said(place, from, 3000, "s", Outcome::Done),
        ])
    };
    for place in [A, B] {
        assert_eq!(at(place, 1060), NOTHING);
        assert_eq!(at(place, 1061), ["admitted after refusal"]);
    }
}

#[test]
fn nobody_is_kept_from_signing_in_by_an_outage() {
    let tried = || {
        let act = Act::SignIn(user("ada").email);
        operation(A, 50, 60, act, no("invalid-credentials"))
    };
    assert_eq!(found(&[tried()]), ["sign-in refused"]);
    let barred = |which, from| end(A, from, 200, which, Outcome::Unknown);
    assert_eq!(found(&[barred(EVERYONE, 30), tried()]), ["sign-in refused"]);
    let disable = || Ends::Disable(user("ada"));
    assert_eq!(found(&[barred(disable(), 59), tried()]), NOTHING);
    assert_eq!(
        found(&[barred(disable(), 60), tried()]),
        ["sign-in refused"]
    );
}

#[test]
fn a_session_that_is_ended_as_soon_as_it_is_opened_is_refused_as_such() {
    let tried = || {
        let act = Act::SignIn(user("ada").email);
        operation(A, 50, 60, act, no("session-ended"))
    };
    let ended = |which, from, to| end(B, from, to, which, Outcome::Done);
    assert_eq!(found(&[tried()]), ["sign-in refused"]);
    for which in [EVERYONE, Ends::User(user("ada")), Ends::Delete(user("ada"))] {
        assert_eq!(found(&[ended(which.clone(), 40, 51), tried()]), NOTHING);
        assert_eq!(found(&[ended(which.clone(), 59, 80), tried()]), NOTHING);
        let before = ended(which.clone(), 40, 50);
        assert_eq!(found(&[before, tried()]), ["sign-in refused"]);
        let after = ended(which, 60, 80);
        assert_eq!(found(&[after, tried()]), ["sign-in refused"]);
    }
    let of_another = ended(Ends::User(user("ben")), 40, 80);
    assert_eq!(found(&[of_another, tried()]), ["sign-in refused"]);
}

#[test]
fn who_is_barred_does_not_sign_in() {
    let with = |others: Vec<Operation>| {
        let mut history = vec![end(A, 0, 10, Ends::Disable(user("ada")), Outcome::Done)];
        history.extend(others);
        history.push(opened(50, 60, "s", "ada"));
        found(&history)
    };
    let enable = |from, to, outcome| operation(B, from, to, Act::Enable(user("ada")), outcome);
    assert_eq!(with(vec![]), ["signed in while barred"]);
    assert_eq!(with(vec![enable(20, 30, Outcome::Done)]), NOTHING);
    assert_eq!(with(vec![enable(59, 99, Outcome::Unknown)]), NOTHING);
    let too_late = vec![enable(60, 99, Outcome::Done)];
    assert_eq!(with(too_late), ["signed in while barred"]);
    let declined = vec![enable(20, 30, Outcome::Declined)];
    assert_eq!(with(declined), ["signed in while barred"]);
}
