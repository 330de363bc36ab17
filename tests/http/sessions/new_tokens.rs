//! ASVS 7.2: sessions are checked here, and each has tokens of its own, made by chance.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::service::tokens::new_refresh_token;
use reqwest::Method;
use serde_json::{Value, json};

use super::{House, step_up, tokens_of};
use crate::support::{Answer, PASSWORD, Tokens};

#[tokio::test]
async fn asvs_7_2_1_nothing_that_the_client_says_of_its_session_counts() {
    let house = House::open().await;
    let mut browser = house.server.signed_in_browser(&house.ada).await;
    let page = browser.get("/account").await;
    assert!(page.text.contains("ada@test.example"));
    for (name, value) in [
        ("role", "admin"),
        ("roles", "admin"),
        ("sid", house.console.session_id.as_str()),
        ("user", "admin@test.example"),
        ("is_admin", "true"),
        ("__Host-portcullis", house.console.access.as_str()),
        ("session", house.console.access.as_str()),
    ] {
        browser.cookies.insert(name.to_owned(), value.to_owned());
        let again = browser.get("/account").await;
        assert_eq!(again.status, 200);
        assert!(
            again.text.contains("ada@test.example") && !again.text.contains("admin@test.example")
        );
        assert_eq!(browser.get("/admin").await.status, 403, "{name}={value}");
    }
    for header in [
        "x-user-id",
        "x-user-roles",
        "x-session-id",
        "x-forwarded-user",
        "remote-user",
    ] {
        let request = house.server.request(Method::GET, "/api/auth/session");
        let request = request.header(header, house.admin.id.to_string());
        assert_eq!(request.send().await.unwrap().status(), 401, "{header}");
    }
    let mut parts: Vec<String> = house.tokens.access.split('.').map(str::to_owned).collect();
    let mut claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
    claims["sid"] = house.console.session_id.clone().into();
    claims["sub"] = house.admin.id.to_string().into();
    parts[1] = URL_SAFE_NO_PAD.encode(claims.to_string());
    assert_eq!(
        house.server.verify(&parts.join(".")).await.code(),
        "invalid-token"
    );
}

#[tokio::test]
async fn asvs_7_2_2_each_sign_in_makes_tokens_of_its_own_and_nothing_static_admits() {
    let house = House::open().await;
    let other = house.server.sign_in(&house.ada).await;
    assert_ne!(other.session_id, house.tokens.session_id);
    assert_ne!(other.refresh, house.tokens.refresh);
    for claim in ["sid", "jti"] {
        assert_ne!(
            claims(&other.access)[claim],
            claims(&house.tokens.access)[claim]
        );
    }
    let one = house.server.signed_in_browser(&house.ada).await.cookies;
    let two = house.server.signed_in_browser(&house.ada).await.cookies;
    for (name, value) in one {
        assert_ne!(two[&name], value);
    }
    let basic =
        base64::engine::general_purpose::STANDARD.encode(format!("ada@test.example:{PASSWORD}"));
    for (name, value) in [
        ("authorization", format!("Basic {basic}")),
        ("x-api-key", house.tokens.access.clone()),
        ("api-key", house.tokens.access.clone()),
        ("x-auth-token", house.tokens.access.clone()),
    ] {
        let request = house
            .server
            .request(Method::GET, "/api/auth/session")
            .header(name, value);
        let answer = Answer::read(request.send().await.unwrap()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (401, "no-credential"),
            "{name}"
        );
    }
}

/// What admits by being known is the refresh token; the session's id is a name and admits nowhere.
#[tokio::test]
async fn asvs_7_2_3_what_admits_is_256_bits_of_chance() {
    const COUNT: usize = 20_000;
    let made: Vec<Vec<u8>> = (0..COUNT)
        .map(|_| {
            URL_SAFE_NO_PAD
                .decode(new_refresh_token().unwrap().reveal())
                .unwrap()
        })
        .collect();
    assert!(made.iter().all(|bytes| bytes.len() == 32));
    assert_eq!(made.iter().collect::<HashSet<_>>().len(), COUNT);
    // Six standard deviations: a fair source fails once in a million runs.
    let allowed = 6.0 * (COUNT as f64 / 4.0).sqrt();
    for bit in 0..256 {
        let ones = made
            .iter()
            .filter(|bytes| bytes[bit / 8] >> (bit % 8) & 1 == 1)
            .count();
        let off = (ones as f64 - COUNT as f64 / 2.0).abs();
        assert!(off < allowed, "bit {bit} is one in {ones} of {COUNT}");
    }
    let rising = made.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(
        (COUNT * 2 / 5..COUNT * 3 / 5).contains(&rising),
        "{rising} of {COUNT} rise"
    );

    let house = House::open().await;
    let given = URL_SAFE_NO_PAD.decode(&house.tokens.refresh).unwrap();
    assert_eq!(given.len(), 32);
    let sid = house.tokens.session_id.clone();
    assert_eq!(house.server.verify(&sid).await.code(), "invalid-token");
    assert_eq!(house.server.refresh(&sid).await.code(), "invalid-token");
    let cookies = format!("portcullis={sid}; portcullis_refresh={sid}");
    let page = house
        .server
        .request(Method::GET, "/account")
        .header("cookie", cookies);
    assert_eq!(page.send().await.unwrap().status(), 303);
}

#[tokio::test]
async fn asvs_7_2_4_sign_in_replaces_the_cookie_of_before_whoever_set_it() {
    let house = House::open().await;
    let mut browser = house.server.browser();
    browser.get("/sign-in").await;
    let before = browser.access_cookie().unwrap().clone();
    let answer = browser.sign_in("ada@test.example", PASSWORD).await;
    assert_eq!(answer.status, 303);
    assert_ne!(browser.access_cookie().unwrap(), &before);
    let mut thief = house.server.browser();
    thief.cookies.insert("portcullis".to_owned(), before);
    assert_eq!(thief.get("/account").await.status, 303);

    // A cookie that was planted is not adopted, be it a text or somebody's session.
    for planted in ["pre.planted".to_owned(), house.console.access.clone()] {
        let mut victim = house.server.browser();
        victim
            .cookies
            .insert("portcullis".to_owned(), planted.clone());
        let page = if planted.starts_with("pre.") {
            "/sign-in"
        } else {
            "/account"
        };
        let fields = [
            ("email", "ada@test.example"),
            ("password", PASSWORD),
            ("next", ""),
        ];
        assert_eq!(victim.submit(page, "/sign-in", &fields).await.status, 303);
        let tokens = tokens_of(&mut victim).await;
        assert_ne!(tokens.access, planted);
        assert_eq!(tokens.document["user"]["email"], "ada@test.example");
        let mut thief = house.server.browser();
        thief.cookies.insert("portcullis".to_owned(), planted);
        assert_eq!(
            thief.get("/account").await.status,
            303,
            "the planted one opens nothing"
        );
    }
}

#[tokio::test]
async fn asvs_7_2_4_a_fresh_proof_gives_new_tokens_and_ends_the_old_ones() {
    let house = House::open().await;
    let server = &house.server;
    let mut old = house.tokens.clone();
    // Three within a second: each new token serves at once, each old one not any more.
    for round in 0..3 {
        let answer = step_up(server, &old.access).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let new = Tokens::from(answer.json());
        assert_eq!(new.session_id, old.session_id);
        let served = server.verify(&new.access).await;
        assert_eq!(served.status, 200, "round {round}: {}", served.text);
        assert_eq!(server.verify(&old.access).await.code(), "invalid-token");
        assert_eq!(server.refresh(&old.refresh).await.code(), "invalid-token");
        old = new;
    }
    let renewed = server.refresh(&old.refresh).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    let renewed = Tokens::from(renewed.json());
    assert_eq!(server.verify(&renewed.access).await.status, 200);
    // By the page too.
    let mut browser = server.signed_in_browser(&house.ada).await;
    let before = tokens_of(&mut browser).await;
    let fields = [("password", PASSWORD), ("next", "/account")];
    let answer = browser.submit("/step-up", "/step-up", &fields).await;
    assert_eq!(
        (answer.status.as_u16(), answer.location()),
        (303, "/account?done=confirmed")
    );
    let after = tokens_of(&mut browser).await;
    assert_eq!(after.session_id, before.session_id);
    assert_ne!(after.access, before.access);
    house.assert_refused(&before, "invalid-token", None).await;
    assert_eq!(browser.get("/account").await.status, 200);
    // A wrong password proves nothing and costs nothing.
    let wrong = json!({ "password": "not the password at all" });
    let answer = server
        .post("/api/auth/step-up", Some(&after.access), wrong)
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (401, "invalid-credentials")
    );
    assert_eq!(server.verify(&after.access).await.status, 200);
}

#[tokio::test]
async fn signing_in_again_in_the_same_browser_ends_the_older_session() {
    let house = House::open().await;
    let mut browser = house.server.signed_in_browser(&house.ada).await;
    let older = tokens_of(&mut browser).await;
    let fields = [
        ("email", "ada@test.example"),
        ("password", PASSWORD),
        ("next", ""),
    ];
    assert_eq!(
        browser.submit("/account", "/sign-in", &fields).await.status,
        303
    );
    let newer = tokens_of(&mut browser).await;
    assert_ne!(newer.session_id, older.session_id);
    house
        .assert_refused(&older, "session-ended", Some("signed-in-again"))
        .await;
    assert!(house.is_live(&newer).await);
    assert!(house.is_live(&house.tokens).await, "on another device");
    assert_eq!(house.audited_ends("signed-in-again").await, 1);
}

fn claims(access: &str) -> Value {
    let payload = URL_SAFE_NO_PAD
        .decode(access.split('.').nth(1).unwrap())
        .unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// Or one that was stolen from a service would live for as long as its session.
#[tokio::test]
async fn no_access_token_leads_to_a_longer_one_be_it_sent_as_bearer_or_in_the_cookies_place() {
    let house = House::open().await;
    let server = &house.server;
    let Tokens {
        access, refresh, ..
    } = &house.tokens;
    let ask = async |cookies: &str, bearer: Option<&str>| {
        let request = server.request(Method::GET, "/api/auth/token");
        let mut request = request.header("cookie", cookies);
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        Answer::read(request.send().await.unwrap()).await
    };
    let both = format!("portcullis={access}; portcullis_refresh={refresh}");
    for (cookies, case) in [("", "a bearer"), (&both, "a bearer beside both cookies")] {
        let answer = ask(cookies, Some(access)).await;
        assert_eq!(answer.status, 403, "{case}: {}", answer.text);
        assert_eq!(answer.code(), "forbidden", "{case}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains("POST /api/auth/refresh"),
            "{case}: {detail}"
        );
        assert!(!answer.text.contains("access_token"), "{case}");
    }
    let dead = ask("", Some("garbage")).await;
    assert_eq!(dead.code(), "invalid-token");
    // However often one is exchanged for the next, none lives longer than the first: whoever has a
    // copy of the cookies must refresh for more, and is found out by it.
    server.advance(200);
    let mut token = access.clone();
    for _ in 0..3 {
        let given = ask(&format!("portcullis={token}"), None).await;
        assert_eq!(given.status, 200, "{}", given.text);
        let left = given.json()["expires_in"].as_i64().unwrap();
        assert!((95..=100).contains(&left), "{left}");
        token = given.json()["access_token"].as_str().unwrap().to_owned();
    }
    assert_eq!(server.verify(&token).await.status, 200);
    server.advance(100);
    let late = ask(
        &format!("portcullis={token}; portcullis_refresh={refresh}"),
        None,
    )
    .await;
    assert_eq!(late.code(), "token-expired", "{}", late.text);
    assert_eq!(server.verify(&token).await.code(), "token-expired");
}
