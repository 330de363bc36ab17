//! What was seen of answers to refreshes is written, though it may be late.

use chrono::TimeDelta;
use futures_util::future::join_all;
use portcullis::rules::end_reason::EndReason;
use portcullis::rules::id::SessionId;
use portcullis::rules::receipt::Receipt;
use portcullis::service::Context;
use portcullis::service::authenticate::{Authentication, authenticate};
use portcullis::service::error::{Error, Refusal};
use portcullis::service::receipts::write_receipts;
use portcullis::service::refresh::refresh;
use portcullis::service::sign_in::SignedIn;
use portcullis::settings::Secret;

use crate::bench::{Bench, id, sign_in_at, visitor};
use crate::support::PASSWORD;

on_both! {
    a_receipt_that_could_not_be_written_is_kept_for_the_next_time
    however_many_receipts_there_are_all_are_written_and_each_for_its_own_token
    nodes_that_write_the_same_receipts_while_sessions_are_renewed_wait_for_nobody_for_ever
}

/// A session that was renewed once: its first refresh token, and what the renewal gave.
async fn renewed(bench: &Bench) -> (Secret, SignedIn) {
    let first = sign_in_at(&bench.context, "ada@test.example", PASSWORD).await;
    let first = first.unwrap().tokens.refresh;
    let renewed = refresh(&bench.context, &first, &visitor()).await.unwrap();
    (first, renewed)
}

async fn check(context: &Context, signed_in: &SignedIn) {
    let access = signed_in.tokens.access.text.reveal();
    let seen = authenticate(context, access).await.unwrap();
    assert!(matches!(seen, Authentication::SignedIn(_)), "{seen:?}");
}

fn is_theft(outcome: &Result<SignedIn, Error>) -> bool {
    let Err(Error::Refused(Refusal::SessionEnded { end, .. })) = outcome else {
        return false;
    };
    end.is_some_and(|(_, reason)| reason == EndReason::RefreshReuse)
}

async fn awaited(bench: &Bench) -> i64 {
    let sql = "SELECT COUNT(*) FROM refresh_tokens WHERE awaited_receipt IS NOT NULL";
    bench.database.count(sql).await
}

async fn a_receipt_that_could_not_be_written_is_kept_for_the_next_time(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let (first, next) = renewed(&bench).await;
    check(&bench.context, &next).await;
    let away = "ALTER TABLE refresh_tokens RENAME TO elsewhere";
    bench.database.execute(away).await;
    for _ in 0..2 {
        assert!(write_receipts(&bench.context).await.is_err());
    }
    let back = "ALTER TABLE elsewhere RENAME TO refresh_tokens";
    bench.database.execute(back).await;
    assert_eq!(awaited(&bench).await, 1);
    write_receipts(&bench.context).await.unwrap();
    assert_eq!(awaited(&bench).await, 0);
    bench.clock.advance(TimeDelta::seconds(30));
    let outcome = refresh(&bench.context, &first, &visitor()).await;
    assert!(is_theft(&outcome), "{outcome:?}");
}

async fn however_many_receipts_there_are_all_are_written_and_each_for_its_own_token(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let (_, seen) = renewed(&bench).await;
    let (unseen, other) = renewed(&bench).await;
    let receipts = &bench.context.receipts;
    for number in 0..2_500 {
        receipts.note(SessionId(id()), Receipt::from_number(number));
        // Of the right session, for a token that is not its own.
        receipts.note(other.facts.session_id, Receipt::from_number(number));
    }
    check(&bench.context, &seen).await;
    write_receipts(&bench.context).await.unwrap();
    assert_eq!(awaited(&bench).await, 1);
    bench.clock.advance(TimeDelta::seconds(3000));
    let outcome = refresh(&bench.context, &unseen, &visitor()).await;
    let again = outcome.unwrap().tokens.refresh;
    assert_eq!(again.reveal(), other.tokens.refresh.reveal());
}

async fn nodes_that_write_the_same_receipts_while_sessions_are_renewed_wait_for_nobody_for_ever(
    bench: Bench,
) {
    bench.user("ada@test.example", &[]).await;
    let beside = bench.beside().await;
    let mut sessions = Vec::new();
    for _ in 0..40 {
        let (_, next) = renewed(&bench).await;
        check(&bench.context, &next).await;
        check(&beside, &next).await;
        sessions.push(next.tokens.refresh);
    }
    let renewals = join_all(sessions.iter().enumerate().map(async |(number, token)| {
        let node = if number % 2 == 0 {
            &bench.context
        } else {
            &beside
        };
        refresh(node, token, &visitor()).await
    }));
    let (one, other, renewals) = futures_util::future::join3(
        write_receipts(&bench.context),
        write_receipts(&beside),
        renewals,
    )
    .await;
    one.unwrap();
    other.unwrap();
    assert!(renewals.iter().all(Result::is_ok));
    // Each was rotated and has a successor now that nobody has used.
    assert_eq!(awaited(&bench).await, 40);
}
