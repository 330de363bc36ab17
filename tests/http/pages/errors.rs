//! What is not done is said on a page that looks like the others.

use reqwest::Method;

use crate::support::browser::form_token;
use crate::support::{Answer, Server};

/// The common look, and nothing of the inside.
fn looks_like_ours(page: &Answer, status: u16) {
    assert_eq!(page.status, status, "{}", page.text);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for part in [
        "<!doctype html>",
        "rel=\"stylesheet\"",
        "class=\"brand\"",
        "<h1>",
    ] {
        assert!(
            page.text.contains(part),
            "{status} lacks {part}: {}",
            page.text
        );
    }
    for inside in [
        "SELECT",
        "sqlx",
        "sqlite",
        "panicked",
        "src/",
        "actix",
        "DbErr",
        "no such table",
    ] {
        assert!(
            !page.text.contains(inside),
            "{status} shows {inside}: {}",
            page.text
        );
    }
}

#[tokio::test]
async fn refusals_are_pages_in_the_common_look() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let page = browser.get("/admin").await;
    looks_like_ours(&page, 403);
    assert!(
        page.text.contains("Error 403") && page.text.contains("Only administrators may do this.")
    );
    let page = browser.get("/no/such/page").await;
    looks_like_ours(&page, 404);
    assert!(page.text.contains("There is nothing at this address."));
    looks_like_ours(&server.browser().get("/no/such/page").await, 404);
    looks_like_ours(&browser.post("/sign-out", "forged", &[]).await, 403);
    looks_like_ours(&browser.post("/account", "", &[]).await, 405);
    looks_like_ours(&browser.get("/sign-in?ended=1&ended=2").await, 400);
}

/// The name in the header, and a sign-out button that works.
fn shows_ada(page: &Answer, token: &str) -> bool {
    let named = page
        .text
        .contains("<span class=\"hidden\">Signed in as </span>ada</p>");
    assert_eq!(
        named,
        page.text.contains("action=\"/sign-out\""),
        "{}",
        page.text
    );
    assert!(!named || form_token(&page.text) == token, "{}", page.text);
    named
}

#[tokio::test]
async fn pages_that_are_not_there_show_who_is_signed_in() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let token = form_token(&browser.get("/account").await.text);
    let paths = ["/no/such/page", "/invitation?token=wrong", "/invitation"];
    for path in paths {
        let page = browser.get(path).await;
        looks_like_ours(&page, 404);
        assert!(shows_ada(&page, &token), "{path}: {}", page.text);
        let page = server.browser().get(path).await;
        looks_like_ours(&page, 404);
        assert!(!shows_ada(&page, &token), "{path}: {}", page.text);
    }
    let page = browser.post("/account", "", &[]).await;
    looks_like_ours(&page, 405);
    assert!(shows_ada(&page, &token), "{}", page.text);
    let request = browser.request(Method::GET, "/api/none");
    assert_eq!(browser.send(request).await.code(), "not-found");

    // Past the life of the access token it is renewed, as on every page.
    server.advance(300);
    let before = browser.cookies.clone();
    assert!(shows_ada(&browser.get(paths[0]).await, &token));
    assert_ne!(browser.cookies, before);

    // Without its database, what is not there is not there.
    server.advance(60);
    let before = browser.cookies.clone();
    server
        .database
        .execute("ALTER TABLE sessions RENAME TO away")
        .await;
    let page = browser.get(paths[0]).await;
    looks_like_ours(&page, 404);
    assert!(!shows_ada(&page, &token));
    assert_eq!(browser.cookies, before);
    server
        .database
        .execute("ALTER TABLE away RENAME TO sessions")
        .await;
    assert!(shows_ada(&browser.get(paths[0]).await, &token));
}

#[tokio::test]
async fn too_many_attempts_say_how_long_to_wait() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let mut said = Vec::new();
    while said.len() < 9 {
        let page = browser.sign_in("ada@test.example", "wrong").await;
        if page.status == 401 {
            continue;
        }
        looks_like_ours(&page, 429);
        let seconds: i64 = page.header("retry-after").parse().unwrap();
        let words = match seconds {
            1 => "1 second.".to_owned(),
            2..120 => format!("{seconds} seconds."),
            _ => format!("{} minutes.", (seconds + 59) / 60),
        };
        let words = format!("Try again in {words}");
        assert!(page.text.contains(&words), "{words}: {}", page.text);
        server.advance(seconds);
        said.push(words);
    }
    assert_eq!(said[0], "Try again in 1 second.");
    assert!(said[8].ends_with(" minutes."), "{said:?}");
}

#[tokio::test]
async fn asvs_16_5_2_without_its_database_a_page_is_503_and_nobody_is_signed_out() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let before = browser.cookies.clone();
    server
        .database
        .execute("ALTER TABLE sessions RENAME TO away")
        .await;
    let page = browser.get("/account/sessions").await;
    looks_like_ours(&page, 503);
    assert!(page.header("retry-after").parse::<u64>().unwrap() > 0);
    let page = server
        .browser()
        .sign_in(&ada.email, crate::support::PASSWORD)
        .await;
    looks_like_ours(&page, 503);
    assert!(
        page.set_cookies()
            .iter()
            .all(|cookie| !cookie.contains("refresh")),
        "no session"
    );
    assert_eq!(browser.cookies, before);
    server
        .database
        .execute("ALTER TABLE away RENAME TO sessions")
        .await;
    assert_eq!(browser.get("/account/sessions").await.status, 200);
}

#[tokio::test]
async fn asvs_16_5_1_a_fault_of_ours_is_a_page_without_its_inside() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let other = server.sign_in(&ada).await;
    let mut browser = server.signed_in_browser(&ada).await;
    assert_eq!(browser.get("/account/sessions").await.status, 200);
    // A row that no version of ours writes.
    let sql = "UPDATE sessions SET end_reason = 'no-such-reason', ended_at = last_seen_at";
    let is_other = if server.database.is_postgres() {
        format!("id = '{}'", other.session_id)
    } else {
        format!(
            "hex(id) = '{}'",
            other.session_id.replace('-', "").to_uppercase()
        )
    };
    assert_eq!(
        server
            .database
            .execute(&format!("{sql} WHERE {is_other}"))
            .await,
        1
    );
    let page = browser.get("/account/sessions").await;
    looks_like_ours(&page, 500);
    assert!(
        !page.text.contains("no-such-reason") && !page.text.contains("of `"),
        "{}",
        page.text
    );
    assert_eq!(
        server.verify(&browser.cookies["portcullis"]).await.status,
        200
    );
}
