//! What the database notes of changes, whoever makes them, and what a reader finds.

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis::clock;
use portcullis::rules::audit::Origin;
use portcullis::rules::end_reason::EndReason;
use portcullis::rules::id::{SessionId, UserId};
use portcullis::service::end_session::{end, end_everyone};
use portcullis::service::reset::reset;
use portcullis::service::seed::seed;
use portcullis::service::touches::write_touches;
use portcullis::service::users::{UserPatch, delete_user, update_user};
use portcullis::store::change_list::{Changes, Reader, Trimmer};
use portcullis::store::sessions::Which;
use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::bench::{Bench, sign_in_at};
use crate::support::PASSWORD;

on_both! {
    every_way_to_change_facts_is_noted_whoever_changes_them
    what_an_impersonation_rests_on_is_noted_for_it_too
    what_changes_no_fact_is_not_noted
    a_reader_finds_each_change_once_and_goes_on_after_a_gap
    changes_that_commit_in_another_order_than_they_were_written_are_all_found
    a_mass_of_changes_counts_as_everybody
    tables_that_were_made_anew_count_as_everybody
    a_change_leaves_the_list_when_everybody_had_time_to_see_it_and_not_before
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Reads as often as it must to know all that is committed now.
async fn round(reader: &mut Reader) -> Changes {
    reader.round(clock::since_boot(), PATIENCE).await.unwrap()
}

async fn reader(bench: &Bench) -> Reader {
    let mut reader = Reader::new(bench.store());
    assert!(round(&mut reader).await.everyone, "the first round");
    assert_eq!(round(&mut reader).await, Changes::default());
    reader
}

fn set<T: Ord + Copy>(ids: &[T]) -> BTreeSet<T> {
    ids.iter().copied().collect()
}

async fn every_way_to_change_facts_is_noted_whoever_changes_them(bench: Bench) {
    let ada = bench.user("ada@test.example", &["editor"]).await;
    let database = &bench.database;
    let mut reader = reader(&bench).await;
    let user = bench.literal(ada.0);
    let organization = bench.literal(crate::bench::id());
    let when = "'2026-01-01T00:00:00Z'";
    // By hand, in the order that makes each possible.
    let of_the_user = [
        "UPDATE users SET disabled_at = {when} WHERE id = {user}",
        "UPDATE users SET disabled_at = NULL WHERE id = {user}",
        "UPDATE users SET email = 'eve@test.example' WHERE id = {user}",
        "UPDATE users SET email = 'ada@test.example', name = 'Ada' WHERE id = {user}",
        "DELETE FROM user_roles WHERE user_id = {user}",
        "INSERT INTO user_roles SELECT {user}, 'admin', {when}",
        "UPDATE user_roles SET role = 'editor' WHERE user_id = {user}",
        "INSERT INTO user_organizations VALUES ({user}, {organization}, {when})",
        "DELETE FROM user_organizations WHERE user_id = {user}",
    ];
    let sql =
        format!("INSERT INTO organizations VALUES ({organization}, 'c', 'C', {when}, {when})");
    database.execute(&sql).await;
    assert_eq!(round(&mut reader).await, Changes::default());
    for sql in of_the_user {
        let sql = sql
            .replace("{user}", &user)
            .replace("{when}", when)
            .replace("{organization}", &organization);
        assert_eq!(database.execute(&sql).await, 1, "{sql}");
        let found = round(&mut reader).await;
        assert_eq!(set(&found.users), set(&[ada]), "{sql}");
        assert!(found.sessions.is_empty() && !found.everyone, "{sql}");
    }
    let session = bench.session("ada@test.example").await;
    let row = bench.literal(session.0);
    let of_the_session = [
        "UPDATE sessions SET ended_at = {when}, end_reason = 'ended-by-admin' WHERE id = {row}",
        "UPDATE sessions SET ended_at = NULL, end_reason = NULL WHERE id = {row}",
        "UPDATE sessions SET auth_time = {when} WHERE id = {row}",
        "UPDATE sessions SET expires_at = {when} WHERE id = {row}",
        "UPDATE sessions SET idle_timeout_secs = 7 WHERE id = {row}",
        "DELETE FROM sessions WHERE id = {row}",
    ];
    for sql in of_the_session {
        let sql = sql.replace("{row}", &row).replace("{when}", when);
        assert_eq!(database.execute(&sql).await, 1, "{sql}");
        let found = round(&mut reader).await;
        assert_eq!(set(&found.sessions), set(&[session]), "{sql}");
        assert!(found.users.is_empty() && !found.everyone, "{sql}");
    }
    // A cascade: the sessions and roles of a user who is deleted.
    let session = bench.session("ada@test.example").await;
    let sql = format!("DELETE FROM users WHERE id = {user}");
    assert_eq!(database.execute(&sql).await, 1);
    let found = round(&mut reader).await;
    assert_eq!(set(&found.users), set(&[ada]));
    assert_eq!(set(&found.sessions), set(&[session]));
    by_our_own_acts(&bench, &mut reader).await;
    if database.is_postgres() {
        database.execute("TRUNCATE user_roles").await;
        assert!(round(&mut reader).await.everyone, "truncated");
    }
}

async fn by_our_own_acts(bench: &Bench, reader: &mut Reader) {
    let context = &bench.context;
    let ben = bench.user("ben@test.example", &[]).await;
    let one = bench.session("ben@test.example").await;
    let two = bench.session("ben@test.example").await;
    round(reader).await;
    let which = Which::One(one);
    end(context, which, EndReason::EndedByAdmin, Origin::HOST)
        .await
        .unwrap();
    assert_eq!(round(reader).await.sessions, [one]);
    let patch = UserPatch {
        roles: Some(vec!["editor".to_owned()]),
        ..UserPatch::default()
    };
    update_user(context, ben, patch, Origin::HOST)
        .await
        .unwrap();
    assert_eq!(set(&round(reader).await.users), set(&[ben]));
    end_everyone(context, None, Origin::HOST).await.unwrap();
    assert_eq!(round(reader).await.sessions, [two]);
    delete_user(context, ben, Origin::HOST).await.unwrap();
    assert_eq!(set(&round(reader).await.users), set(&[ben]));
    seed(context, Origin::HOST).await.unwrap();
    assert!(!round(reader).await.users.is_empty(), "seed");
    reset(context, Origin::HOST).await.unwrap();
    assert!(!round(reader).await.users.is_empty(), "reset");
}

async fn what_an_impersonation_rests_on_is_noted_for_it_too(bench: Bench) {
    let grace = bench.user("grace@test.example", &["admin"]).await;
    bench.user("ada@test.example", &[]).await;
    let opener = bench.session("grace@test.example").await;
    let looked_on = bench.session("ada@test.example").await;
    let database = &bench.database;
    let (user, own) = (bench.literal(grace.0), bench.literal(opener.0));
    let row = bench.literal(looked_on.0);
    let mut reader = reader(&bench).await;
    let changes = [
        "UPDATE sessions SET impersonator_id = {user}, impersonator_session_id = {own}, \
         impersonation_reason = 'a good reason' WHERE id = {row}",
        "UPDATE sessions SET read_only = NOT read_only WHERE id = {row}",
        "UPDATE user_roles SET role = 'editor' WHERE user_id = {user}",
        "DELETE FROM user_roles WHERE user_id = {user}",
        "UPDATE users SET disabled_at = created_at WHERE id = {user}",
        "UPDATE sessions SET ended_at = created_at, end_reason = 'idle' WHERE id = {own}",
        "DELETE FROM sessions WHERE id = {own}",
        "DELETE FROM users WHERE id = {user}",
    ];
    for sql in changes {
        let sql = sql
            .replace("{user}", &user)
            .replace("{own}", &own)
            .replace("{row}", &row);
        assert_eq!(database.execute(&sql).await, 1, "{sql}");
        let found = round(&mut reader).await;
        assert!(found.sessions.contains(&looked_on), "{sql}");
        assert!(!found.everyone, "{sql}");
    }
}

async fn what_changes_no_fact_is_not_noted(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let mut reader = reader(&bench).await;
    // A sign-in, its refresh, a use: nobody can know anything old of them.
    let session = sign_in_at(&bench.context, "ada@test.example", PASSWORD)
        .await
        .unwrap();
    bench.clock.advance(chrono::TimeDelta::seconds(30));
    bench.context.touches.note(&session.facts, bench.now());
    write_touches(&bench.context).await.unwrap();
    let hash = "UPDATE users SET password_hash = 'other'";
    assert_eq!(bench.database.execute(hash).await, 1);
    let name = "UPDATE sessions SET name = 'Kitchen'";
    assert_eq!(bench.database.execute(name).await, 1);
    assert_eq!(round(&mut reader).await, Changes::default());
}

async fn a_reader_finds_each_change_once_and_goes_on_after_a_gap(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(bench.session("ada@test.example").await);
    }
    let (mut reader, mut other) = (reader(&bench).await, reader(&bench).await);
    let end_one = async |session| {
        end(
            &bench.context,
            Which::One(session),
            EndReason::EndedByAdmin,
            Origin::HOST,
        )
        .await
        .unwrap();
    };
    end_one(sessions[0]).await;
    let found = round(&mut reader).await;
    assert_eq!((found.sessions, found.ages.len()), (vec![sessions[0]], 1));
    assert_eq!(round(&mut reader).await, Changes::default());
    end_one(sessions[1]).await;
    end_one(sessions[2]).await;
    assert_eq!(set(&round(&mut reader).await.sessions), set(&sessions[1..]));
    assert_eq!(set(&round(&mut other).await.sessions), set(&sessions));
    // A round that comes to nothing loses nothing: after a crash, which looks the same from here,
    // what was known of numbers of transactions means nothing.
    if bench.database.is_postgres() {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND application_name = 'portcullis change list'";
        bench.database.execute(cut).await;
        let lost = reader.round(clock::since_boot(), PATIENCE).await;
        assert!(lost.is_err());
        assert!(round(&mut reader).await.everyone);
        assert_eq!(round(&mut reader).await, Changes::default());
    }
    // After a gap longer than the list reaches back, nothing is taken for known.
    let later = clock::since_boot() + Duration::from_secs(301);
    assert!(reader.round(later, PATIENCE).await.unwrap().everyone);
}

/// The hole that a reader falls into who remembers the highest number it has seen.
async fn changes_that_commit_in_another_order_than_they_were_written_are_all_found(bench: Bench) {
    if !bench.database.is_postgres() {
        // One writer at a time: there is no other order.
        return;
    }
    bench.user("ada@test.example", &[]).await;
    let early = bench.session("ada@test.example").await;
    let late = bench.session("ada@test.example").await;
    let mut reader = reader(&bench).await;
    let end = |session: SessionId| {
        let id = bench.literal(session.0);
        format!("UPDATE sessions SET ended_at = now(), end_reason = 'idle' WHERE id = {id}")
    };
    let [first, second] = [
        bench.database.connect().await,
        bench.database.connect().await,
    ];
    // Written first, committed last.
    let slow = first.begin().await.unwrap();
    slow.execute_unprepared(&end(early)).await.unwrap();
    let quick = second.begin().await.unwrap();
    quick.execute_unprepared(&end(late)).await.unwrap();
    quick.commit().await.unwrap();
    assert_eq!(round(&mut reader).await.sessions, [late]);
    // Rounds, and other transactions, go on while the slow one is open.
    assert_eq!(round(&mut reader).await, Changes::default());
    bench.session("ada@test.example").await;
    assert_eq!(round(&mut reader).await, Changes::default());
    slow.commit().await.unwrap();
    assert_eq!(round(&mut reader).await.sessions, [early]);
    assert_eq!(round(&mut reader).await, Changes::default());
    // One that comes to nothing was never there.
    let undone = first.begin().await.unwrap();
    undone.execute_unprepared(&end(early)).await.unwrap();
    undone.rollback().await.unwrap();
    assert_eq!(round(&mut reader).await, Changes::default());
}

async fn a_mass_of_changes_counts_as_everybody(bench: Bench) {
    let ada: UserId = bench.user("ada@test.example", &[]).await;
    let mut reader = reader(&bench).await;
    let user = bench.literal(ada.0);
    let note = |count: u32| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO session_changes (user_id) SELECT {user} FROM n"
        )
    };
    bench.database.execute(&note(10_000)).await;
    let found = round(&mut reader).await;
    assert_eq!((found.everyone, found.users.len()), (false, 10_000));
    bench.database.execute(&note(10_001)).await;
    let found = round(&mut reader).await;
    assert!(found.everyone && found.users.is_empty());
    assert_eq!(round(&mut reader).await, Changes::default());
}

async fn tables_that_were_made_anew_count_as_everybody(bench: Bench) {
    use migration::{Migrator, MigratorTrait};
    bench.user("ada@test.example", &[]).await;
    bench.session("ada@test.example").await;
    let mut reader = reader(&bench).await;
    // Dropping a table notes nothing.
    Migrator::fresh(bench.store().schema_connection())
        .await
        .unwrap();
    assert!(round(&mut reader).await.everyone);
    assert_eq!(round(&mut reader).await, Changes::default());
}

async fn a_change_leaves_the_list_when_everybody_had_time_to_see_it_and_not_before(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    let (early, late) = (bench.literal(ada.0), bench.literal(crate::bench::id()));
    let note = |user: &str| format!("INSERT INTO session_changes (user_id) VALUES ({user})");
    let listed = async || {
        bench
            .database
            .count("SELECT COUNT(*) FROM session_changes")
            .await
    };
    bench.database.execute("DELETE FROM session_changes").await;
    let mut trimmer = Trimmer::default();
    let mut trim = async |seconds| {
        let at = Duration::from_secs(seconds);
        trimmer.trim(bench.store(), at).await.unwrap()
    };
    if bench.database.is_postgres() {
        // Written before the first mark, seen by others only after it.
        let connection = bench.database.connect().await;
        let slow = connection.begin().await.unwrap();
        slow.execute_unprepared(&note(&late)).await.unwrap();
        bench.database.execute(&note(&early)).await;
        assert_eq!(trim(0).await, 0);
        slow.commit().await.unwrap();
    } else {
        bench.database.execute(&note(&early)).await;
        assert_eq!(trim(0).await, 0);
        bench.database.execute(&note(&late)).await;
    }
    assert_eq!((trim(300).await, listed().await), (0, 2));
    assert_eq!((trim(599).await, listed().await), (0, 2));
    let left: i64 = if bench.database.is_postgres() { 2 } else { 1 };
    assert_eq!(
        (trim(600).await, listed().await),
        (2 - left.unsigned_abs(), left)
    );
    // Marks that were taken later reach all. How soon depends on transactions of other databases
    // of the same server, which count as well.
    let mut at = 600;
    while listed().await > 0 {
        at += 600;
        trim(at).await;
        assert!(at < 600_000, "a change is never deleted");
    }
}
