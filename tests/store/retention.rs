//! What is kept and for how long, and which node sees to it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use portcullis::rules::audit::Origin;
use portcullis::rules::figures::Hour;
use portcullis::rules::retention::Kept;
use portcullis::service::cleanup::{CleanedUp, cleanup, dry_run, retention, round};
use portcullis::service::lease::{MAINTENANCE, PERIOD, give_back};
use portcullis::service::mail::files;

use crate::bench::{Bench, id};

on_both! {
    each_kind_is_kept_for_its_time_and_no_longer
    more_than_a_batch_goes_in_one_clean_up
    a_dry_run_counts_and_changes_nothing
    one_node_at_a_time_does_the_rounds
    a_node_that_lost_its_lease_stops
    each_node_deletes_its_own_old_mails_and_no_other_file
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// An identifier of an instant, as those of audit events are.
fn id_at(at: DateTime<Utc>) -> uuid::Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap();
    uuid::Builder::from_unix_timestamp_millis(millis, &id().as_bytes()[..10].try_into().unwrap())
        .into_uuid()
}

/// A row of each kind that began to count at this instant.
async fn lay(bench: &Bench, at: DateTime<Utc>) {
    let user = bench.database.count("SELECT COUNT(*) FROM users").await;
    assert_eq!(user, 1, "one user to own them");
    let (when, now) = (text(at), text(bench.now() + TimeDelta::days(1)));
    let row = bench.literal(id());
    let other = bench.literal(id());
    let session = |row: &str, ended: &str| {
        format!(
            "INSERT INTO sessions (id, user_id, remembered, amr, auth_time, idle_timeout_secs, \
             last_seen_at, idle_expires_at, expires_at, ip, user_agent, device, browser, os, \
             ended_at, end_reason, created_at, updated_at) \
             SELECT {row}, id, false, 'pwd', '{when}', 3600, '{when}', '{now}', '{now}', '', '', \
             '', '', '', {ended}, '{when}', '{when}' FROM users"
        )
    };
    let hash = |id: uuid::Uuid| {
        if bench.database.is_postgres() {
            format!("'\\x{}'", id.simple())
        } else {
            format!("x'{}'", id.simple())
        }
    };
    let token = |session: &str, consumed: &str| {
        format!(
            "INSERT INTO refresh_tokens (id, session_id, token_hash, consumed_at, created_at) \
             VALUES ({}, {session}, {}, {consumed}, '{when}')",
            bench.literal(id()),
            hash(id())
        )
    };
    for sql in [
        session(&row, &format!("'{when}', 'signed-out'")),
        token(&row, "NULL"),
        session(&other, "NULL, NULL"),
        token(&other, &format!("'{when}'")),
        token(&other, "NULL"),
        format!(
            "INSERT INTO verification_tokens (id, user_id, purpose, token_hash, expires_at, created_at) \
             SELECT {}, id, 'invitation', {}, '{when}', '{when}' FROM users",
            bench.literal(id()),
            hash(id())
        ),
        format!(
            "INSERT INTO audit_events (id, at, action, actor_kind) VALUES ({}, '{when}', 'sign-in', 'host')",
            bench.literal(id_at(at))
        ),
        format!(
            "INSERT INTO throttles (key, failures, blocked_until, updated_at) \
             VALUES ('{}', 1, '{when}', '{when}')",
            id()
        ),
        format!(
            "INSERT INTO outbox (id, event_id, consumer, at, action, actor_kind, attempts, due_at, delivered_at) \
             VALUES ({}, {}, 'mail', '{when}', 'new-device', 'user', 1, '{when}', '{when}')",
            bench.literal(id()),
            bench.literal(id())
        ),
        format!(
            "INSERT INTO hourly_figures (kind, dimension, hour, member, counted_at) \
             VALUES ('created', 'all', {}, '{}', '{when}')",
            // Told by the instant at which the hour is over.
            Hour::of(at).0,
            id()
        ),
        format!(
            "INSERT INTO outbox (id, event_id, consumer, at, action, actor_kind, attempts, due_at, dead_at) \
             VALUES ({}, {}, 'webhook', '{when}', 'session-ended', 'user', 20, '{when}', '{when}')",
            bench.literal(id()),
            bench.literal(id())
        ),
    ] {
        assert_eq!(bench.database.execute(&sql).await, 1, "{sql}");
    }
}

/// How many rows there are.
async fn rows(bench: &Bench) -> BTreeMap<&'static str, i64> {
    let mut rows = BTreeMap::new();
    for table in ["users", "session_changes", "leases"]
        .into_iter()
        .chain(Kept::ALL.map(Kept::table))
    {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        rows.insert(table, bench.database.count(&sql).await);
    }
    rows
}

fn deleted(done: &CleanedUp, kept: Kept) -> u64 {
    done.deleted.iter().find(|(k, _)| *k == kept).unwrap().1
}

async fn each_kind_is_kept_for_its_time_and_no_longer(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    // Figures go by whole hours.
    bench
        .clock
        .advance(Hour::of(bench.now()).end() - bench.now());
    let retention = retention(&bench.context.settings);
    assert_eq!(retention.ended_sessions, TimeDelta::days(30));
    assert_eq!(retention.audit, TimeDelta::days(365));
    for kept in Kept::ALL {
        let cutoff = bench.now() - kept.period(retention);
        // One kind at a time: all of one instant, and some kinds are kept longer than others.
        cleanup(&bench.context, Origin::HOST).await.unwrap();
        // A session that has ended is counted by the instant, an event by its millisecond.
        lay(&bench, cutoff - TimeDelta::milliseconds(1)).await;
        lay(&bench, cutoff + TimeDelta::milliseconds(1)).await;
        let done = cleanup(&bench.context, Origin::HOST).await.unwrap();
        assert_eq!(deleted(&done, kept), 1, "{kept:?}");
        let left = format!("SELECT COUNT(*) FROM {}", kept.table());
        assert_ne!(bench.database.count(&left).await, 0, "{kept:?}");
        for table in Kept::ALL.map(Kept::table) {
            bench
                .database
                .execute(&format!("DELETE FROM {table}"))
                .await;
        }
    }
}

async fn more_than_a_batch_goes_in_one_clean_up(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let old = bench.now() - TimeDelta::days(40);
    lay(&bench, old).await;
    let (cte, hash) = if bench.database.is_postgres() {
        (
            "SELECT generate_series(1, 450) AS n",
            "sha256(gen_random_uuid()::text::bytea)",
        )
    } else {
        (
            "SELECT 1 AS n UNION ALL SELECT n + 1 FROM series WHERE n < 450",
            "randomblob(32)",
        )
    };
    let sql = format!(
        "WITH RECURSIVE series AS ({cte}) \
         INSERT INTO verification_tokens (id, user_id, purpose, token_hash, expires_at, created_at) \
         SELECT {}, users.id, 'invitation', {hash}, '{at}', '{at}' FROM series, users",
        if bench.database.is_postgres() {
            "gen_random_uuid()"
        } else {
            "randomblob(16)"
        },
        at = text(old)
    );
    assert_eq!(bench.database.execute(&sql).await, 450);
    let done = cleanup(&bench.context, Origin::HOST).await.unwrap();
    assert_eq!(deleted(&done, Kept::OneTimeLinks), 451);
    assert_eq!(deleted(&done, Kept::EndedSessions), 1);
    // The tokens of a session go with it; those of a live one stay, but for a rotated one.
    let tokens = "SELECT COUNT(*) FROM refresh_tokens";
    assert_eq!(bench.database.count(tokens).await, 1);
    let audit = "SELECT COUNT(*) FROM audit_events WHERE action = 'cleaned-up' \
                 AND detail = '0 sessions; deleted: 1 ended sessions, 1 deliveries that failed'";
    assert_eq!(bench.database.count(audit).await, 1);
    // Once more is no change, and nothing to write down.
    let again = cleanup(&bench.context, Origin::HOST).await.unwrap();
    assert!(again.deleted.iter().all(|(_, count)| *count == 0));
    assert_eq!(bench.database.count(audit).await, 1);
}

async fn a_dry_run_counts_and_changes_nothing(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    bench.session("ada@test.example").await;
    bench.clock.advance(TimeDelta::seconds(3600));
    lay(&bench, bench.now() - TimeDelta::days(401)).await;
    let before = rows(&bench).await;
    let would = dry_run(&bench.context).await.unwrap();
    assert_eq!(rows(&bench).await, before);
    assert_eq!(would.ended, 1);
    assert!(
        would.deleted.iter().all(|(_, count)| *count == 1),
        "{would:?}"
    );
    assert_eq!(
        bench
            .database
            .count("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL")
            .await,
        2
    );
    // The clean-up does what was said.
    let done = cleanup(&bench.context, Origin::HOST).await.unwrap();
    assert_eq!(done, would);
    let after = dry_run(&bench.context).await.unwrap();
    assert_eq!(after.ended, 0);
    assert!(
        after.deleted.iter().all(|(_, count)| *count == 0),
        "{after:?}"
    );
}

async fn one_node_at_a_time_does_the_rounds(bench: Bench) {
    let (one, other) = (bench.context.clone(), bench.beside().await);
    assert_ne!(one.node, other.node);
    assert!(round(&one).await.unwrap().is_some());
    assert!(round(&other).await.unwrap().is_none());
    // By hand it is done whoever has the lease.
    cleanup(&other, Origin::HOST).await.unwrap();
    // It is renewed by every round ...
    for _ in 0..5 {
        bench.clock.advance(TimeDelta::seconds(60));
        assert!(round(&one).await.unwrap().is_some());
        assert!(round(&other).await.unwrap().is_none());
    }
    // ... and another takes it over from one that does no more: not before its end, and then at once.
    bench.clock.advance(PERIOD - TimeDelta::seconds(1));
    assert!(round(&other).await.unwrap().is_none());
    bench.clock.advance(TimeDelta::seconds(1));
    bench.user("ada@test.example", &[]).await;
    lay(&bench, bench.now() - TimeDelta::days(400)).await;
    let done = round(&other).await.unwrap().unwrap();
    assert_eq!(deleted(&done, Kept::EndedSessions), 1);
    assert!(round(&one).await.unwrap().is_none());
    // Whoever stops gives it back; whoever has it not cannot.
    give_back(&one).await.unwrap();
    assert!(round(&one).await.unwrap().is_none());
    give_back(&other).await.unwrap();
    assert!(round(&one).await.unwrap().is_some());
    let holder = bench.store().lease_holder(MAINTENANCE, bench.now()).await;
    assert_eq!(holder.unwrap().as_deref(), Some(one.node.as_str()));
    // Somebody deleted the row by hand: the next to come makes it.
    bench.database.execute("DELETE FROM leases").await;
    assert!(round(&other).await.unwrap().is_some());
    assert!(round(&one).await.unwrap().is_none());
}

async fn each_node_deletes_its_own_old_mails_and_no_other_file(bench: Bench) {
    let directory = files::directory(&bench.context.settings);
    // There is none yet.
    assert!(round(&bench.context).await.unwrap().is_some());
    std::fs::create_dir_all(&directory).unwrap();
    let lay = |name: &str, at: DateTime<Utc>| {
        let file = std::fs::File::create(directory.join(name)).unwrap();
        file.set_modified(at.into()).unwrap();
    };
    let limit = bench.now() - TimeDelta::days(7);
    let (id, old) = (id(), limit - TimeDelta::days(1));
    lay(&format!("{id}.eml"), limit);
    lay(&format!("{id}.part"), old);
    let stay = [
        (
            format!("{}.eml", crate::bench::id()),
            limit + TimeDelta::seconds(1),
        ),
        (format!("{id}.txt"), old),
        (format!("{}.eml", id.simple()), old),
        ("notes.eml".to_owned(), old),
        (format!("{id}.eml.bak"), old),
    ];
    for (name, at) in &stay {
        lay(name, *at);
    }
    let elsewhere = bench.directory().join("kept");
    std::fs::write(&elsewhere, "").unwrap();
    let link = directory.join(format!("{}.eml", crate::bench::id()));
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    std::fs::create_dir(directory.join(format!("{}.eml", crate::bench::id()))).unwrap();
    // Also a node that does not hold the lease.
    let other = bench.beside().await;
    assert!(round(&other).await.unwrap().is_none());
    let left = std::fs::read_dir(&directory).unwrap().count();
    assert_eq!(left, stay.len() + 2);
    for (name, _) in &stay {
        assert!(directory.join(name).exists(), "{name}");
    }
    assert!(elsewhere.exists() && link.is_symlink());
}

async fn a_node_that_lost_its_lease_stops(bench: Bench) {
    use portcullis::service::lease::Lease;

    let other = bench.beside().await;
    let lease = Lease::take(&bench.context).await.unwrap().unwrap();
    assert!(lease.holds().await.unwrap());
    bench.clock.advance(PERIOD);
    let taken = Lease::take(&other).await.unwrap();
    assert!(taken.is_some());
    assert!(!lease.holds().await.unwrap());
    // In time it is renewed, which the other notices.
    bench.clock.advance(PERIOD / 2);
    assert!(taken.as_ref().unwrap().holds().await.unwrap());
    bench.clock.advance(PERIOD / 2);
    assert!(Lease::take(&bench.context).await.unwrap().is_none());
}
