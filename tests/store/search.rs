//! Whom a text finds, on either database, whoever wrote the rows.

use portcullis::rules::record::{SessionSearch, SessionStatus};

use crate::bench::{Bench, id};

on_both! {
    a_part_finds_those_who_have_it
    a_short_text_means_the_beginning
    changes_by_hand_are_found
    a_text_that_very_many_have_fills_its_page_with_the_newest
    those_who_were_there_before_the_index_are_found
}

/// Makes a user by hand, as an import would.
async fn insert(bench: &Bench, email: &str, name: &str) -> uuid::Uuid {
    let id = id();
    let name = name.replace('\'', "''");
    let sql = format!(
        "INSERT INTO users (id, email, name, created_at, updated_at) \
         VALUES ({}, '{email}', '{name}', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')",
        bench.literal(id)
    );
    assert_eq!(bench.database.execute(&sql).await, 1);
    id
}

/// The addresses of the users that a text finds, in order; they are as many as are counted.
async fn found(bench: &Bench, text: &str) -> Vec<String> {
    let listed = bench
        .store()
        .search_users(text, None, 200, bench.now())
        .await
        .unwrap();
    let mut emails: Vec<String> = listed.rows.into_iter().map(|user| user.email).collect();
    let count = bench.store().count_users(text).await.unwrap();
    assert_eq!(count, emails.len() as u64, "{text}");
    emails.sort();
    emails
}

async fn a_part_finds_those_who_have_it(bench: Bench) {
    insert(&bench, "ada.lovelace@engine.example", "Ada King").await;
    insert(&bench, "grace@navy.example", "Grace Hopper").await;
    insert(
        &bench,
        "who%_!@odd.example",
        "O'Neill \"Ace\" (50% off) C:\\temp {x,y}",
    )
    .await;
    insert(&bench, "zoe@city.example", "Zoë Żółć").await;
    let ada = ["ada.lovelace@engine.example"];
    let odd = ["who%_!@odd.example"];
    for text in [
        "lovelace",
        "LOVELACE",
        "  .lovel ",
        "da.l",
        "a King",
        "n@engine",
        "engine.exam",
    ] {
        let expected: &[&str] = if text == "n@engine" { &[] } else { &ada };
        assert_eq!(found(&bench, text).await, expected, "{text}");
    }
    // A whole address means its user, whoever else has it in theirs.
    insert(&bench, "pa.ada.lovelace@engine.example", "").await;
    assert_eq!(found(&bench, "Ada.Lovelace@engine.example").await, ada);
    assert_eq!(found(&bench, "da.lovelace@engine.example").await.len(), 2);
    for text in [
        "%_!",
        "\"ace\"",
        "(50% off)",
        "o'neill",
        "l \"A",
        "c:\\te",
        "{x,",
        ",y}",
    ] {
        assert_eq!(found(&bench, text).await, odd, "{text}");
    }
    assert_eq!(found(&bench, "ZOë").await, ["zoe@city.example"]);
    assert_eq!(found(&bench, ".example").await.len(), 5);
    // Its grams are there, the text is not; nor does it reach from the address into the name.
    insert(&bench, "abc.bcd@grams.example", "").await;
    assert_eq!(found(&bench, "abcd").await, [""; 0]);
    for text in ["lovelovelace", "example ada", "%ace", "_race", "nobody"] {
        assert_eq!(found(&bench, text).await, [""; 0], "{text}");
    }
}

async fn a_short_text_means_the_beginning(bench: Bench) {
    insert(&bench, "ada@test.example", "Zuse").await;
    insert(&bench, "ben@test.example", "Ada").await;
    insert(&bench, "cleo@test.example", "Ćwik").await;
    insert(&bench, "da@test.example", "").await;
    assert_eq!(
        found(&bench, "Ad").await,
        ["ada@test.example", "ben@test.example"]
    );
    assert_eq!(found(&bench, "z").await, ["ada@test.example"]);
    assert_eq!(found(&bench, "da").await, ["da@test.example"]);
    assert_eq!(found(&bench, "@").await, [""; 0]);
    assert_eq!(found(&bench, "%").await, [""; 0]);
}

async fn changes_by_hand_are_found(bench: Bench) {
    let ada = bench.literal(insert(&bench, "ada@test.example", "Ada Lovelace").await);
    let run = async |sql: String| assert_eq!(bench.database.execute(&sql).await, 1, "{sql}");
    run(format!(
        "UPDATE users SET name = 'Augusta' WHERE id = {ada}"
    ))
    .await;
    assert_eq!(found(&bench, "velace").await, [""; 0]);
    assert_eq!(found(&bench, "gust").await, ["ada@test.example"]);
    run(format!(
        "UPDATE users SET email = 'king@test.example' WHERE id = {ada}"
    ))
    .await;
    assert_eq!(found(&bench, "ada@").await, [""; 0]);
    assert_eq!(found(&bench, "king@").await, ["king@test.example"]);
    let other = bench.literal(id());
    run(format!("UPDATE users SET id = {other} WHERE id = {ada}")).await;
    assert_eq!(found(&bench, "king@").await, ["king@test.example"]);
    run(format!("DELETE FROM users WHERE id = {other}")).await;
    assert_eq!(found(&bench, "king@").await, [""; 0]);
    insert(&bench, "king@test.example", "").await;
    if bench.database.is_postgres() {
        bench.database.execute("TRUNCATE users CASCADE").await;
    } else {
        bench.database.execute("DELETE FROM users").await;
        let left = "SELECT (SELECT COUNT(*) FROM user_texts) + (SELECT COUNT(*) FROM user_search)";
        assert_eq!(bench.database.count(left).await, 0);
    }
    assert_eq!(found(&bench, "king@").await, [""; 0]);
}

/// Address and name of the user of a number: the first and the last have something in common.
fn one_of_many(number: u32) -> (String, String) {
    let word = match number {
        40..1_200 => "user",
        _ => "edge",
    };
    let given = if number.is_multiple_of(4) {
        "Ada"
    } else {
        "Ben"
    };
    (
        format!("{word}{number:04}@test.example"),
        format!("{given} of Many"),
    )
}

/// More users than a sample has, each with a session.
async fn many(bench: &Bench, count: u32) {
    let mut users = Vec::new();
    let mut sessions = Vec::new();
    let when = "'2026-01-01T00:00:00Z'";
    for number in 0..count {
        let literal = bench.literal(uuid::Uuid::from_u128(u128::from(number) + 1));
        let (email, name) = one_of_many(number);
        users.push(format!("({literal}, '{email}', '{name}', {when}, {when})"));
        sessions.push(format!(
            "({literal}, {literal}, false, 'pwd', {when}, 3600, {when}, '2099-01-01T00:00:00Z', \
             '2099-01-01T00:00:00Z', '192.0.2.1', '', '', '', '', {when}, {when})"
        ));
    }
    bench
        .database
        .execute(&format!(
            "INSERT INTO users (id, email, name, created_at, updated_at) VALUES {}",
            users.join(", ")
        ))
        .await;
    bench
        .database
        .execute(&format!(
            "INSERT INTO sessions (id, user_id, remembered, amr, auth_time, idle_timeout_secs, \
             last_seen_at, idle_expires_at, expires_at, ip, user_agent, device, browser, os, \
             created_at, updated_at) VALUES {}",
            sessions.join(", ")
        ))
        .await;
}

async fn a_text_that_very_many_have_fills_its_page_with_the_newest(bench: Bench) {
    const USERS: u32 = 1_300;
    const PAGE: u64 = 150;
    many(&bench, USERS).await;
    let (store, now) = (bench.store(), bench.now());
    // All have it; some, who are more than are asked for by their ids, or fewer; those at both ends,
    // so that the newest do not fill a page.
    for text in ["of many", "ada of", "ben o", "ser0", "be", "ed", "edge"] {
        let expected: Vec<u32> = (0..USERS)
            .rev()
            .filter(|number| {
                let (email, name) = one_of_many(*number);
                let name = name.to_lowercase();
                if text.len() < 3 {
                    email.starts_with(text) || name.starts_with(text)
                } else {
                    email.contains(text) || name.contains(text)
                }
            })
            .collect();
        let search = SessionSearch {
            user_id: None,
            status: SessionStatus::All,
            text: text.to_owned(),
        };
        let count = store.count_users(text).await.unwrap();
        assert_eq!(count, expected.len() as u64, "{text}");
        let count = store.count_sessions(&search, now).await.unwrap();
        assert_eq!(count, expected.len() as u64, "{text}");
        let (mut users, mut sessions) = (Vec::new(), Vec::new());
        let mut cursor = None;
        loop {
            let page = store.search_users(text, cursor, PAGE, now).await.unwrap();
            users.extend(page.rows.iter().map(|user| number_of(user.id.0)));
            let next = page.next_cursor;
            let page = store.search_sessions(&search, cursor, PAGE, now);
            let page = page.await.unwrap();
            sessions.extend(page.rows.iter().map(|row| number_of(row.session.id.0)));
            // Each session has the identifier of its user.
            assert_eq!(page.next_cursor, next, "{text}");
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(users, expected, "{text}");
        assert_eq!(sessions, expected, "{text}");
    }
}

fn number_of(id: uuid::Uuid) -> u32 {
    u32::try_from(id.as_u128()).unwrap() - 1
}

async fn those_who_were_there_before_the_index_are_found(bench: Bench) {
    use migration::{Migrator, MigratorTrait};

    let db = bench.store().schema_connection();
    let search = Migrator::migrations()
        .iter()
        .position(|migration| migration.name().ends_with("search_by_text"))
        .unwrap();
    let steps = u32::try_from(Migrator::migrations().len() - search).unwrap();
    Migrator::down(db, Some(steps)).await.unwrap();
    insert(&bench, "ada@test.example", "Ada Lovelace").await;
    Migrator::up(db, None).await.unwrap();
    assert_eq!(found(&bench, "lovel").await, ["ada@test.example"]);
}
