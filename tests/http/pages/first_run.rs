//! The first administrator, made in the browser with the code that only the log shows.

use portcullis::service::set_up::new_code;
use reqwest::Method;
use serde_json::json;

use crate::support::browser::form_token;
use crate::support::{Answer, Browser, PASSWORD, Server};

const EMAIL: &str = "root@test.example";

async fn code(server: &Server) -> String {
    new_code(&server.context)
        .await
        .unwrap()
        .0
        .reveal()
        .to_owned()
}

async fn set_up(browser: &mut Browser, code: &str, password: &str) -> Answer {
    let fields = [
        ("code", code),
        ("email", EMAIL),
        ("name", "Root"),
        ("password", password),
        ("password_again", password),
    ];
    browser.submit("/set-up", "/set-up", &fields).await
}

#[tokio::test]
async fn the_code_makes_one_administrator_who_is_signed_in_and_is_dead_afterwards() {
    let server = Server::start().await;
    let code = code(&server).await;
    assert!(code.len() >= 43, "256 bits");
    let mut browser = server.browser();
    let page = browser.get(&format!("/set-up?code={code}")).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text
            .contains(&format!("name=\"code\" value=\"{code}\""))
    );
    let late = form_token(&page.text);
    let mut other = browser.clone();

    let short = set_up(&mut browser, &code, "short").await;
    assert_eq!(short.status, 422);
    assert!(
        short.text.contains("at least 15 characters"),
        "{}",
        short.text
    );
    assert!(!short.text.contains("value=\"short\""));

    let made = set_up(&mut browser, &code, PASSWORD).await;
    assert_eq!(
        (made.status.as_u16(), made.location()),
        (303, "/admin"),
        "{}",
        made.text
    );
    assert_eq!(browser.get("/admin").await.status, 200);
    assert_eq!(
        server.try_sign_in(EMAIL, PASSWORD).await.json()["user"]["roles"][0],
        "admin"
    );

    // Somebody with the same page open comes too late.
    let fields = [
        ("code", code.as_str()),
        ("email", "thief@test.example"),
        ("name", ""),
        ("password", PASSWORD),
        ("password_again", PASSWORD),
    ];
    let refused = other.post("/set-up", &late, &fields).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert_eq!(
        server
            .try_sign_in("thief@test.example", PASSWORD)
            .await
            .status,
        401
    );
    assert_eq!(
        other.get(&format!("/set-up?code={code}")).await.location(),
        "/sign-in"
    );
}

#[tokio::test]
async fn who_was_made_but_cannot_be_signed_in_yet_is_told_so() {
    let server = Server::start_with(&[("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let code = code(&server).await;
    // Somebody elsewhere guesses at an account that is not there yet.
    let mut wait = 0;
    while wait < 30 {
        server.advance(wait);
        let request = server
            .request(Method::POST, "/api/auth/sign-in")
            .header("x-forwarded-for", "192.0.2.1")
            .json(&json!({ "email": EMAIL, "password": "wrong" }));
        let answer = Answer::read(request.send().await.unwrap()).await;
        wait = answer.header("retry-after").parse().unwrap_or(0);
    }
    let mut browser = server.browser();
    let made = set_up(&mut browser, &code, PASSWORD).await;
    assert_eq!(
        (made.status.as_u16(), made.location()),
        (303, "/sign-in?done=administrator-made"),
        "{}",
        made.text
    );
    let page = browser.get(made.location()).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text
            .contains("The administrator was made. Sign in now."),
        "{}",
        page.text
    );
    server.advance(wait);
    assert_eq!(browser.sign_in(EMAIL, PASSWORD).await.status, 303);
    assert_eq!(browser.get("/admin").await.status, 200);
}

#[tokio::test]
async fn a_wrong_replaced_or_expired_code_makes_nobody() {
    let server = Server::start().await;
    let (old, new) = (code(&server).await, code(&server).await);
    let mut browser = server.browser();
    for wrong in ["", "wrong", old.as_str()] {
        assert_eq!(
            set_up(&mut browser, wrong, PASSWORD).await.status,
            409,
            "{wrong}"
        );
    }
    server.advance(24 * 3600);
    assert_eq!(set_up(&mut browser, &new, PASSWORD).await.status, 409);
    assert_eq!(server.database.count("SELECT count(*) FROM users").await, 0);
    let newest = code(&server).await;
    server.advance(24 * 3600 - 60);
    assert_eq!(set_up(&mut browser, &newest, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn guessing_at_the_code_is_throttled() {
    let server = Server::start().await;
    code(&server).await;
    let mut browser = server.browser();
    for _ in 0..20 {
        assert_eq!(set_up(&mut browser, "wrong", PASSWORD).await.status, 409);
    }
    let mut statuses = Vec::new();
    for _ in 0..10 {
        let answer = set_up(&mut browser, "wrong", PASSWORD).await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
        }
        statuses.push(answer.status.as_u16());
    }
    assert!(statuses.contains(&429), "{statuses:?}");
}
