//! What somebody else's failures never keep an owner from.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PROXY, from};
use crate::support::browser::{form, form_token};
use crate::support::{Answer, PASSWORD, Server};

/// Where the owner has signed in before, and where not.
const KNOWN: &str = "203.0.113.1";
const ELSEWHERE: &str = "198.51.100.1";

/// Guesses from this address at these accounts, until the wait is longer than a test.
async fn throttle(server: &Server, ip: &str, account: impl Fn(u32) -> String) {
    for number in 0..60 {
        let answer = from(server, ip, &account(number), "wrong").await;
        if answer.status == 429 {
            let wait = answer.header("retry-after").parse().unwrap();
            if wait > 30 {
                return;
            }
            server.advance(wait);
        }
    }
    panic!("never throttled")
}

/// One of many accounts that do not exist.
fn nobody(number: u32) -> String {
    format!("nobody{number}@test.example")
}

async fn post(server: &Server, ip: &str, path: &str, access: &str, document: Value) -> Answer {
    let request = server
        .request(Method::POST, path)
        .header("x-forwarded-for", ip)
        .bearer_auth(access)
        .json(&document);
    Answer::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn asvs_6_3_1_who_guesses_at_all_accounts_from_an_address_keeps_no_known_owner_out() {
    let server = Server::start_with(PROXY).await;
    let ada = server.user("ada@test.example", &[]).await;
    let ben = server.user("ben@test.example", &[]).await;
    let first = from(&server, KNOWN, &ada.email, PASSWORD).await;
    assert_eq!(first.status, 200, "{}", first.text);
    throttle(&server, KNOWN, nobody).await;
    let bens = from(&server, KNOWN, &ben.email, PASSWORD).await;
    assert_eq!(bens.status, 429, "never seen here before");
    let second = from(&server, KNOWN, &ada.email, PASSWORD).await;
    assert_eq!(second.status, 200, "{}", second.text);
    let bens = from(&server, KNOWN, &ben.email, PASSWORD).await;
    assert_eq!(bens.status, 429, "which helps nobody else");
}

#[tokio::test]
async fn asvs_6_3_1_who_is_signed_in_can_prove_it_wherever_others_guess() {
    let server = Server::start_with(PROXY).await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let tokens = from(&server, KNOWN, &ada.email, PASSWORD).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    // Both the address that the session has moved to and the account are throttled.
    throttle(&server, ELSEWHERE, nobody).await;
    throttle(&server, "192.0.2.9", |_| ada.email.clone()).await;
    for ip in [ELSEWHERE, "192.0.2.10"] {
        let anew = from(&server, ip, &ada.email, PASSWORD).await;
        assert_eq!(anew.status, 429, "{ip}");
    }

    let document = json!({ "password": PASSWORD });
    let proven = post(&server, ELSEWHERE, "/api/auth/step-up", access, document).await;
    assert_eq!(proven.status, 200, "{}", proven.text);
    let token = form_token(&browser.get("/account/security").await.text);
    let new = "another quiet password";
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", new),
        ("new_password_again", new),
        ("csrf_token", &token),
    ];
    let request = browser
        .request(Method::POST, "/account/security")
        .header("x-forwarded-for", ELSEWHERE)
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form(&fields));
    let changed = browser.send(request).await;
    assert_eq!(changed.status, 303, "{}", changed.text);
}

#[tokio::test]
async fn asvs_6_3_1_guesses_within_a_session_are_throttled_and_keep_its_owner_from_nothing_else() {
    let server = Server::start_with(PROXY).await;
    let ada = server.user("ada@test.example", &[]).await;
    let stolen = from(&server, KNOWN, &ada.email, PASSWORD).await.json();
    let access = stolen["access_token"].as_str().unwrap();
    let guess = json!({ "password": "wrong" });
    let mut statuses = Vec::new();
    for _ in 0..9 {
        let answer = post(
            &server,
            ELSEWHERE,
            "/api/auth/step-up",
            access,
            guess.clone(),
        );
        statuses.push(answer.await.status.as_u16());
    }
    assert_eq!(statuses[..6], [401; 6], "{statuses:?}");
    assert!(statuses[6..].contains(&429), "{statuses:?}");
    for ip in [KNOWN, "192.0.2.50"] {
        let answer = from(&server, ip, &ada.email, PASSWORD).await;
        assert_eq!(answer.status, 200, "{ip}: {}", answer.text);
    }
}
