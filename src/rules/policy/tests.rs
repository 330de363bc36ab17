//! Which of several limits wins, and which are none.

use chrono::TimeDelta;

use super::{
    AtLimit, Caps, Effective, Installation, MAX_SECS, Policy, PolicyDraft, Scope, SetBy, caps,
    effective,
};
use crate::rules::role::Role;

const HERE: Installation = Installation {
    session: (secs(3600), secs(28_800)),
    remembered: (secs(604_800), secs(2_592_000)),
    max_sessions: None,
    at_limit: AtLimit::EndOldest,
};

const fn secs(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}

fn admin(policy: Policy) -> (Scope, Policy) {
    (Scope::Role(Role::admin()), policy)
}

fn acme(policy: Policy) -> (Scope, Policy) {
    (Scope::Organization("acme".into()), policy)
}

fn idle(seconds: i64) -> Policy {
    Policy {
        idle: Some(secs(seconds)),
        ..Policy::default()
    }
}

fn lifetime(seconds: i64) -> Policy {
    Policy {
        lifetime: Some(secs(seconds)),
        ..Policy::default()
    }
}

fn most(count: u32, at_limit: Option<AtLimit>) -> Policy {
    Policy {
        max_sessions: Some(count),
        at_limit,
        ..Policy::default()
    }
}

fn told(found: &Effective) -> [(i64, String); 4] {
    [&found.session, &found.remembered]
        .map(|limits| {
            [&limits.idle, &limits.lifetime]
                .map(|limit| (limit.value.num_seconds(), limit.set_by.to_string()))
        })
        .concat()
        .try_into()
        .unwrap_or_default()
}

/// A name, the policies, and idle timeout and lifetime with who set them.
type Case = (&'static str, Vec<(Scope, Policy)>, [(i64, &'static str); 2]);

#[test]
fn of_each_limit_the_strictest_wins_and_is_named() {
    let here = "installation";
    let (role, org) = ("role admin", "organisation acme");
    let cases: [Case; 10] = [
        ("none", vec![], [(3600, here), (28_800, here)]),
        (
            "stricter",
            vec![admin(idle(600))],
            [(600, role), (28_800, here)],
        ),
        (
            "one second stricter",
            vec![admin(idle(3599))],
            [(3599, role), (28_800, here)],
        ),
        (
            "the same",
            vec![admin(idle(3600))],
            [(3600, here), (28_800, here)],
        ),
        (
            "looser",
            vec![admin(idle(7200))],
            [(3600, here), (28_800, here)],
        ),
        (
            "two, in this order",
            vec![acme(idle(900)), admin(idle(600))],
            [(600, role), (28_800, here)],
        ),
        (
            "two, in the other",
            vec![admin(idle(600)), acme(idle(900))],
            [(600, role), (28_800, here)],
        ),
        (
            "two alike",
            vec![admin(idle(600)), acme(idle(600))],
            [(600, role), (28_800, here)],
        ),
        (
            "one of each",
            vec![admin(idle(600)), acme(lifetime(7200))],
            [(600, role), (7200, org)],
        ),
        (
            "a lifetime below the idle timeout",
            vec![acme(lifetime(1800))],
            [(1800, org), (1800, org)],
        ),
    ];
    for (name, policies, expected) in cases {
        let found = told(&effective(&HERE, &policies));
        let expected = expected.map(|(seconds, by)| (seconds, by.to_owned()));
        assert_eq!(found[..2], expected, "{name}");
        assert_eq!(
            found[2..].to_vec(),
            [(604_800, here.to_owned()), (2_592_000, here.to_owned())],
            "{name}"
        );
    }
}

#[test]
fn remembered_sessions_have_limits_of_their_own() {
    let policy = Policy {
        remembered_idle: Some(secs(7200)),
        remembered_lifetime: Some(secs(86_400)),
        ..idle(600)
    };
    let found = told(&effective(&HERE, &[acme(policy)])).map(|(seconds, _)| seconds);
    assert_eq!(found, [600, 28_800, 7200, 86_400]);
}

#[test]
fn the_least_number_and_the_strictest_answer_win_each_for_itself() {
    use AtLimit::{Ask, EndOldest, Refuse};
    let five = Installation {
        max_sessions: Some(5),
        at_limit: Ask,
        ..HERE
    };
    let cases = [
        (HERE, vec![], None, EndOldest),
        (HERE, vec![admin(most(3, None))], Some((3, true)), EndOldest),
        (five, vec![], Some((5, false)), Ask),
        (
            five,
            vec![admin(most(6, Some(EndOldest)))],
            Some((5, false)),
            Ask,
        ),
        (five, vec![admin(most(5, None))], Some((5, false)), Ask),
        (
            five,
            vec![admin(most(4, Some(Refuse)))],
            Some((4, true)),
            Refuse,
        ),
        (
            five,
            vec![admin(most(2, None)), acme(most(9, Some(Refuse)))],
            Some((2, true)),
            Refuse,
        ),
    ];
    for (installation, policies, most, at_limit) in cases {
        let found = effective(&installation, &policies);
        let by_policy = |set_by: &SetBy| *set_by != SetBy::Installation;
        let counted = found
            .max_sessions
            .map(|limit| (limit.value, by_policy(&limit.set_by)));
        assert_eq!(
            (counted, found.at_limit.value),
            (most, at_limit),
            "{policies:?}"
        );
    }
    let codes: Vec<_> = AtLimit::ALL
        .iter()
        .map(|it| AtLimit::from_code(it.code()))
        .collect();
    assert_eq!(codes, [Some(EndOldest), Some(Ask), Some(Refuse)]);
    assert_eq!(AtLimit::from_code("wait"), None);
}

#[test]
fn one_policy_that_wants_it_ends_sessions_when_a_role_is_taken() {
    let ends = Policy {
        end_on_role_change: true,
        ..Policy::default()
    };
    let who = |policies: &[(Scope, Policy)]| effective(&HERE, policies).end_on_role_change;
    assert_eq!(who(&[admin(idle(600))]), None);
    let scope = Some(Scope::Organization("acme".into()));
    assert_eq!(who(&[admin(idle(600)), acme(ends)]), scope);
}

#[test]
fn live_sessions_are_kept_within_what_policies_say_and_nothing_else() {
    let cap = |idle: Option<i64>, lifetime: Option<i64>| Caps {
        idle: idle.map(secs),
        lifetime: lifetime.map(secs),
    };
    assert!(caps(&[], false).is_empty());
    assert_eq!(
        caps(&[admin(idle(600)), acme(idle(900))], false),
        cap(Some(600), None)
    );
    assert_eq!(
        caps(&[acme(lifetime(900))], false),
        cap(Some(900), Some(900))
    );
    assert!(caps(&[acme(lifetime(900))], true).is_empty());
}

#[test]
fn a_draft_is_refused_by_field_and_bounds() {
    let draft = PolicyDraft::default;
    let secs = |idle_secs, lifetime_secs| PolicyDraft {
        idle_secs,
        lifetime_secs,
        ..draft()
    };
    let cases = [
        (draft(), Some(("idle_secs", "at least one"))),
        (
            secs(Some(59), None),
            Some(("idle_secs", "59 is not a whole number from 60 to 31536000")),
        ),
        (
            secs(Some(-1), None),
            Some(("idle_secs", "-1 is not a whole number")),
        ),
        (secs(Some(0), None), Some(("idle_secs", "0 is not"))),
        (secs(Some(60), None), None),
        (secs(None, Some(MAX_SECS)), None),
        (
            secs(None, Some(MAX_SECS + 1)),
            Some(("lifetime_secs", "from 60 to 31536000")),
        ),
        (
            secs(None, Some(i64::MAX)),
            Some(("lifetime_secs", "from 60")),
        ),
        (
            secs(Some(601), Some(600)),
            Some((
                "idle_secs",
                "601 seconds is longer than lifetime_secs with 600 seconds",
            )),
        ),
        (secs(Some(600), Some(600)), None),
        (
            PolicyDraft {
                remembered_idle_secs: Some(7200),
                remembered_lifetime_secs: Some(3600),
                ..draft()
            },
            Some((
                "remembered_idle_secs",
                "longer than remembered_lifetime_secs",
            )),
        ),
        (
            PolicyDraft {
                max_sessions: Some(0),
                ..draft()
            },
            Some(("max_sessions", "from 1 to 1000")),
        ),
        (
            PolicyDraft {
                max_sessions: Some(1001),
                ..draft()
            },
            Some(("max_sessions", "1001")),
        ),
        (
            PolicyDraft {
                max_sessions: Some(1),
                ..draft()
            },
            None,
        ),
        (
            PolicyDraft {
                at_limit: Some("wait".to_owned()),
                ..draft()
            },
            Some(("at_limit", "`wait`")),
        ),
        (
            PolicyDraft {
                at_limit: Some("ask".to_owned()),
                ..draft()
            },
            None,
        ),
        (
            PolicyDraft {
                end_on_role_change: true,
                ..draft()
            },
            None,
        ),
    ];
    for (draft, expected) in cases {
        let fault = draft.check().err();
        assert_eq!(
            fault.as_ref().map(|f| f.field),
            expected.map(|(field, _)| field),
            "{draft:?}"
        );
        if let Some((_, words)) = expected {
            let said = fault.map(|f| f.problem).unwrap_or_default();
            assert!(said.contains(words), "{said}");
        }
    }
}
