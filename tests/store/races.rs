//! Acts that race with one another, in two processes on one database.

use std::cell::Cell;
use std::sync::Arc;

use futures_util::future::{join, join_all};
use portcullis::rules::audit::{Actor, Origin};
use portcullis::rules::email::Email;
use portcullis::rules::id::UserId;
use portcullis::rules::role::Role;
use portcullis::service::Context;
use portcullis::service::authenticate::{Authentication, authenticate};
use portcullis::service::change_password::{change_password, set_password};
use portcullis::service::error::{Error, Refusal};
use portcullis::service::sign_in::SignedIn;
use portcullis::service::users::{UserPatch, delete_user, update_user};
use portcullis::settings::Secret;
use portcullis::store::Store;

use crate::bench::{Bench, make_user, sign_in_at, visitor};
use crate::support::PASSWORD;

const ROUNDS: usize = 15;
/// As many as cost no wait, together with the act.
const SIGN_INS: usize = 4;
const NEW_PASSWORD: &str = "quite another quiet password";

on_both! {
    no_sign_in_survives_a_disabling_that_was_acknowledged
    no_sign_in_survives_a_deletion_that_was_acknowledged
    no_sign_in_by_an_old_password_survives_its_change
    no_sign_in_by_an_old_password_survives_its_replacement_by_the_host
    of_sign_ins_at_once_that_keep_the_password_anew_none_is_refused
    two_administrators_who_remove_each_other_at_once_leave_one
    of_ten_users_made_at_once_with_one_address_there_is_one
}

fn disable() -> UserPatch {
    UserPatch {
        enabled: Some(false),
        ..UserPatch::default()
    }
}

/// Several sign-ins in both processes, and in the middle of them an act that must end them all.
async fn sign_ins_around<T>(
    bench: &Bench,
    beside: &Arc<Context>,
    email: &str,
    round: usize,
    act: impl Future<Output = T>,
) -> (Vec<SignedIn>, T) {
    // What earlier rounds left would keep these from being looked at.
    bench.database.execute("DELETE FROM throttles").await;
    let done = Cell::new(0);
    let sign_ins = join_all((0..SIGN_INS).map(async |number| {
        let context = if number % 2 == 0 {
            &bench.context
        } else {
            beside
        };
        let outcome = sign_in_at(context, email, PASSWORD).await;
        done.set(done.get() + 1);
        outcome
    }));
    let act = async {
        // At another moment in each round: when none, one, … all of them are done.
        while done.get() < round % (SIGN_INS + 1) {
            tokio::task::yield_now().await;
        }
        act.await
    };
    let (sign_ins, outcome) = join(sign_ins, act).await;
    let (mut signed_in, mut put_out) = (Vec::new(), 0);
    for sign_in in sign_ins {
        match sign_in {
            Ok(done) => signed_in.push(done),
            Err(Error::InvalidCredentials) => {}
            // Opened, and ended by the act before it could be handed over.
            Err(Error::Refused(Refusal::SessionEnded { .. })) => put_out += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(signed_in.len() + put_out >= round % (SIGN_INS + 1));
    (signed_in, outcome)
}

/// By the process that acknowledged the act, at once.
async fn assert_refused(context: &Context, signed_in: &[SignedIn]) {
    for done in signed_in {
        let outcome = authenticate(context, done.tokens.access.text.reveal())
            .await
            .unwrap();
        assert!(matches!(outcome, Authentication::Refused(_)), "{outcome:?}");
    }
}

async fn no_sign_in_survives_a_disabling_that_was_acknowledged(bench: Bench) {
    let beside = bench.beside().await;
    for round in 0..ROUNDS {
        let email = format!("user{round}@test.example");
        let user = bench.user(&email, &[]).await;
        let act = update_user(&bench.context, user, disable(), Origin::HOST);
        let (signed_in, outcome) = sign_ins_around(&bench, &beside, &email, round, act).await;
        outcome.unwrap();
        assert_eq!(bench.open_sessions(user).await, 0, "round {round}");
        assert_refused(&bench.context, &signed_in).await;
    }
}

async fn no_sign_in_survives_a_deletion_that_was_acknowledged(bench: Bench) {
    let beside = bench.beside().await;
    for round in 0..ROUNDS {
        let email = format!("user{round}@test.example");
        let user = bench.user(&email, &[]).await;
        let act = delete_user(&bench.context, user, Origin::HOST);
        let (signed_in, outcome) = sign_ins_around(&bench, &beside, &email, round, act).await;
        outcome.unwrap();
        assert_eq!(bench.open_sessions(user).await, 0, "round {round}");
        assert_refused(&bench.context, &signed_in).await;
    }
}

async fn no_sign_in_by_an_old_password_survives_its_change(bench: Bench) {
    let beside = bench.beside().await;
    for round in 0..ROUNDS {
        let email = format!("user{round}@test.example");
        let user = bench.user(&email, &[]).await;
        let own = sign_in_at(&bench.context, &email, PASSWORD).await.unwrap();
        let token = own.tokens.access.text.reveal();
        let Authentication::SignedIn(me) = authenticate(&bench.context, token).await.unwrap()
        else {
            panic!("refused");
        };
        let (old, new) = (
            Secret::new(PASSWORD.to_owned()),
            Secret::new(NEW_PASSWORD.to_owned()),
        );
        let visitor = visitor();
        let act = change_password(&bench.context, &me, &old, &new, true, &visitor);
        let (signed_in, outcome) = sign_ins_around(&bench, &beside, &email, round, act).await;
        let changed = outcome.unwrap();
        assert_eq!(bench.open_sessions(user).await, 1, "round {round}");
        assert_refused(&bench.context, &signed_in).await;
        let token = changed.tokens.access.text.reveal();
        let outcome = authenticate(&bench.context, token).await.unwrap();
        assert!(
            matches!(outcome, Authentication::SignedIn(_)),
            "{outcome:?}"
        );
    }
}

async fn no_sign_in_by_an_old_password_survives_its_replacement_by_the_host(bench: Bench) {
    let beside = bench.beside().await;
    let new = Secret::new(NEW_PASSWORD.to_owned());
    for round in 0..ROUNDS {
        let email = format!("user{round}@test.example");
        let user = bench.user(&email, &[]).await;
        let act = set_password(&bench.context, user, &new, Origin::HOST);
        let (signed_in, outcome) = sign_ins_around(&bench, &beside, &email, round, act).await;
        outcome.unwrap();
        assert_eq!(bench.open_sessions(user).await, 0, "round {round}");
        assert_refused(&bench.context, &signed_in).await;
    }
}

async fn of_sign_ins_at_once_that_keep_the_password_anew_none_is_refused(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let mut settings = bench.settings();
    settings.bcrypt_cost += 1;
    let store = Store::open(&settings).await.unwrap();
    let clock = Arc::new(bench.clock.clone());
    let dearer = Context::start(settings, store, clock).await.unwrap();
    let sign_ins = (0..SIGN_INS).map(|_| sign_in_at(&dearer, "ada@test.example", PASSWORD));
    for outcome in join_all(sign_ins).await {
        assert!(outcome.is_ok(), "{outcome:?}");
    }
    assert!(
        sign_in_at(&dearer, "ada@test.example", "a wrong password")
            .await
            .is_err()
    );
}

async fn two_administrators_who_remove_each_other_at_once_leave_one(bench: Bench) {
    let beside = bench.beside().await;
    let by = |user| Origin {
        actor: Actor::User(user),
        ip: None,
    };
    let remove = async |context: &Context, way: usize, actor: UserId, user: UserId| match way {
        0 => delete_user(context, user, by(actor)).await,
        1 => update_user(context, user, disable(), by(actor))
            .await
            .map(drop),
        _ => {
            let none = UserPatch {
                roles: Some(Vec::new()),
                ..UserPatch::default()
            };
            update_user(context, user, none, by(actor)).await.map(drop)
        }
    };
    for round in 0..18 {
        bench.database.execute("DELETE FROM users").await;
        let one = bench.user("one@test.example", &["admin"]).await;
        let two = bench.user("two@test.example", &["admin"]).await;
        let (first, second) = join(
            remove(&bench.context, round % 3, one, two),
            remove(&beside, round / 3 % 3, two, one),
        )
        .await;
        let outcomes = [first, second];
        let left = bench
            .store()
            .count_enabled_with_role(&Role::admin())
            .await
            .unwrap();
        assert_eq!(left, 1, "round {round}: {outcomes:?}");
        let refused = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Err(Error::Conflict(_))));
        assert_eq!(refused.count(), 1, "round {round}: {outcomes:?}");
    }
}

async fn of_ten_users_made_at_once_with_one_address_there_is_one(bench: Bench) {
    let beside = bench.beside().await;
    // However it is typed.
    let typed = ["Ada@test.example", "ada@TEST.example", " ada@test.example"];
    let made = join_all((0..10).map(|number| {
        let context = if number % 2 == 0 {
            &bench.context
        } else {
            &beside
        };
        make_user(context, typed[number % typed.len()], &["editor"])
    }))
    .await;
    let refused = made
        .iter()
        .filter(|outcome| matches!(outcome, Err(Error::Conflict(_))));
    assert_eq!(refused.count(), 9, "{made:?}");
    assert_eq!(bench.database.count("SELECT COUNT(*) FROM users").await, 1);
    let ada = Email::new("ada@test.example").unwrap();
    let found = bench
        .store()
        .find_user_by_email(&ada, bench.now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.roles.len(), 1, "a refused act left something");
}
