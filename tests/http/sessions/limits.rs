//! ASVS 7.1 and 7.3: the limits of a session, as documented and as enforced.

use portcullis::service::touches::write_touches;

use super::{House, tokens_of};
use crate::support::Server;

#[tokio::test]
async fn asvs_7_1_1_the_console_shows_the_limits_that_are_enforced() {
    let set = [
        ("PORTCULLIS_SESSION_IDLE_SECS", "120"),
        ("PORTCULLIS_SESSION_LIFETIME_SECS", "7200"),
        ("PORTCULLIS_REMEMBERED_IDLE_SECS", "86400"),
    ];
    let cases = [
        (&[] as &[_], ["1 hour", "8 hours", "7 days", "30 days"]),
        (&set, ["2 minutes", "2 hours", "1 day", "30 days"]),
    ];
    for (variables, expected) in cases {
        let server = Server::start_with(variables).await;
        let admin = server.admin().await;
        let page = server
            .signed_in_browser(&admin)
            .await
            .get("/admin")
            .await
            .text;
        let labels = [
            "When unused",
            "At most",
            "Remembered, when unused",
            "Remembered, at most",
        ];
        for (label, limit) in labels.into_iter().zip(expected) {
            let row = format!("<dt>{label}</dt><dd>{limit}</dd>");
            assert!(page.contains(&row), "{row} is not in {page}");
        }
        let settings = &server.context.settings;
        let enforced = [
            settings.session.idle,
            settings.session.absolute,
            settings.remembered.idle,
            settings.remembered.absolute,
        ];
        for (text, delta) in expected.into_iter().zip(enforced) {
            assert_eq!(seconds(text), delta.num_seconds());
        }
    }
}

fn seconds(text: &str) -> i64 {
    let (count, unit) = text.split_once(' ').unwrap();
    let unit = match unit.trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        other => panic!("{other}"),
    };
    count.parse::<i64>().unwrap() * unit
}

/// Unless a limit is set, as many as the person opens live side by side.
#[tokio::test]
async fn asvs_7_1_2_any_number_of_sessions_live_side_by_side() {
    let house = House::open().await;
    let mut all = vec![house.tokens.clone()];
    for _ in 0..24 {
        all.push(house.server.sign_in(&house.ada).await);
    }
    for tokens in &all {
        assert!(house.is_live(tokens).await);
    }
    let list = house
        .server
        .get("/api/sessions", Some(&all[0].access))
        .await
        .json();
    assert_eq!(list["sessions"].as_array().unwrap().len(), all.len());
    assert_eq!(house.ended_rows("session-limit").await, 0);
}

#[tokio::test]
async fn asvs_7_3_1_an_unused_session_ends_for_bearer_cookie_and_page_alike() {
    let house = House::open_with(&[("PORTCULLIS_SESSION_IDLE_SECS", "60")]).await;
    let server = &house.server;
    let mut browser = server.signed_in_browser(&house.ada).await;
    let bystander = tokens_of(&mut browser).await;
    for _ in 0..3 {
        server.advance(50);
        assert!(house.is_live(&house.tokens).await, "in use");
        assert_eq!(browser.get("/account").await.status, 200);
    }
    server.advance(60);
    house
        .assert_refused(&house.tokens, "session-ended", Some("idle"))
        .await;
    let answer = browser.get("/account/security").await;
    assert_eq!(answer.status, 303);
    let why = browser.get(answer.location()).await;
    assert!(
        why.text.contains("it was not used for a while"),
        "{}",
        why.text
    );
    assert_eq!(house.audited_ends("idle").await, 2);
    assert_eq!(house.ended_rows("idle").await, 2);
    house
        .assert_refused(&bystander, "session-ended", Some("idle"))
        .await;
}

#[tokio::test]
async fn asvs_7_3_1_a_remembered_session_has_the_longer_limits() {
    let house = House::open().await;
    let server = &house.server;
    let mut browser = server.browser();
    let fields = [
        ("email", "ada@test.example"),
        ("password", crate::support::PASSWORD),
        ("remember", "true"),
    ];
    let answer = browser.submit("/sign-in", "/sign-in", &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert!(
        answer
            .set_cookies()
            .iter()
            .all(|cookie| cookie.contains("Max-Age=25919"))
    );
    let mut day = 0;
    while day < 24 {
        server.advance(6 * 86_400);
        day += 6;
        assert_eq!(browser.get("/account").await.status, 200, "day {day}");
    }
    server.advance(6 * 86_400);
    let answer = browser.get("/account").await;
    assert_eq!(answer.status, 303, "day 30");
    assert!(browser.cookies.is_empty());
    let why = browser.get(answer.location()).await;
    assert!(
        why.text.contains("it reached its longest allowed duration"),
        "{}",
        why.text
    );
}

#[tokio::test]
async fn asvs_7_3_2_use_does_not_prolong_the_absolute_lifetime() {
    let limits = [
        ("PORTCULLIS_SESSION_LIFETIME_SECS", "100"),
        ("PORTCULLIS_SESSION_IDLE_SECS", "60"),
    ];
    let house = House::open_with(&limits).await;
    let server = &house.server;
    let mut browser = server.signed_in_browser(&house.ada).await;
    let mut tokens = house.tokens.clone();
    for second in [30, 60, 90] {
        server.advance(30);
        // Every few seconds, in a server that runs on.
        write_touches(&server.context).await.unwrap();
        assert!(house.is_live(&tokens).await, "second {second}");
        let page = browser.get("/account").await;
        assert_eq!(page.status, 200, "second {second}: {}", page.location());
        tokens = crate::support::Tokens::from(server.refresh(&tokens.refresh).await.json());
    }
    server.advance(10);
    // No token outlives its session, so it is the token that has expired.
    assert_eq!(server.verify(&tokens.access).await.code(), "token-expired");
    let answer = server.refresh(&tokens.refresh).await;
    assert_eq!(answer.code(), "session-ended");
    assert_eq!(answer.json()["reason"], "absolute-lifetime");
    let answer = browser.get("/account").await;
    assert_eq!(answer.status, 303);
    assert!(browser.cookies.is_empty());
    let why = browser.get(answer.location()).await;
    assert!(
        why.text.contains("it reached its longest allowed duration"),
        "{}",
        why.text
    );
}
