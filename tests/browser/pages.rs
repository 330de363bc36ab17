//! Every page at the width of a phone, a tablet half and a desktop.

use actix_web::http::Method;
use portcullis::http::routes::routes;

use crate::chromium::{Chromium, Options};
use crate::driver::Driver;
use crate::support::{PASSWORD, Server};

/// What tries to break out of a page: markup, quotes, and one word without an end.
pub const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&lt;";
const LONG: &str =
    "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogochuchafllanfairpwllgwyngyll";

pub const WIDTHS: [u32; 3] = [360, 390, 1280];

#[tokio::test]
async fn every_page_fits_every_screen_and_says_nothing_to_the_console() {
    let server = Server::start().await;
    let paths = populate(&server).await;
    let driver = Driver::start();
    let browser = Chromium::open(&driver, Options::default()).await;
    for path in ["/", "/sign-in", "/set-up", "/invitation?token=none"] {
        look_at(&browser, &server, path, false).await;
    }
    browser.go(&format!("{}/sign-in", server.base)).await;
    browser
        .fill_in_sign_in("admin@test.example", PASSWORD)
        .await;
    browser
        .arrives_at(&format!("{}/account", server.base))
        .await;
    for path in &paths {
        // These are for anybody, and do not look at who asks.
        let for_anybody = [
            "/no/such/page",
            "/invitation",
            "/reset-password",
            "/new-password",
            "/not-me",
            "/confirm-email",
            "/verify-email",
        ]
        .contains(&path.as_str());
        look_at(&browser, &server, path, !for_anybody).await;
    }
    browser
        .go(&format!("{}/admin/users?q=hostile", server.base))
        .await;
    assert!(
        browser.read("table.list").await.contains(HOSTILE),
        "the name is not shown as it is"
    );
}

/// People with many sessions, names and ends; and the pages there are, from the table of routes.
async fn populate(server: &Server) -> Vec<String> {
    let admin = server.admin().await;
    let hostile = server
        .user("hostile@test.example", &["editor", "billing"])
        .await;
    let long = server
        .user(
            &format!("{}@test.example", &LONG[..60]),
            &["a-role-with-quite-a-long-name"],
        )
        .await;
    let console = server.sign_in(&admin).await.access;
    for (user, name) in [(&hostile, HOSTILE), (&long, LONG)] {
        let path = format!("/api/admin/users/{}", user.id);
        let patch = serde_json::json!({ "name": name });
        let answer = server
            .call(reqwest::Method::PATCH, &path, Some(&console), Some(patch))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    for user in [&admin, &hostile, &long] {
        server.signed_in_browser(user).await;
        let gone = server.sign_in(user).await;
        let path = format!("/api/admin/sessions/{}", gone.session_id);
        assert_eq!(server.delete(&path, Some(&console)).await.status, 204);
    }
    let policy = serde_json::json!({ "max_sessions": 100 });
    let path = "/api/admin/policies/role/admin";
    let set = server.call(reqwest::Method::PUT, path, Some(&console), Some(policy));
    assert_eq!(set.await.status, 200);
    let mut paths = vec![
        "/no/such/page".to_owned(),
        format!("/admin/sessions?status=all&user={}", long.id),
    ];
    for route in routes() {
        let is_page = !["/api", "/.well-known", "/health", "/static"]
            .iter()
            .any(|prefix| route.path.starts_with(prefix));
        if route.method == Method::GET && is_page {
            for user in [&hostile, &long] {
                let path = route.path.replace("{id}", &user.id.to_string());
                paths.push(path.replace("{kind}/{name}", "role/admin"));
            }
        }
    }
    paths.sort();
    paths.dedup();
    assert!(
        paths.len() > 18 && paths.iter().all(|path| !path.contains('{')),
        "{paths:?}"
    );
    paths
}

async fn look_at(browser: &Chromium, server: &Server, path: &str, signed_in: bool) {
    let url = format!("{}{path}", server.base);
    browser.go(&url).await;
    for width in WIDTHS {
        fits(browser, path, width).await;
        if signed_in {
            assert!(
                browser
                    .is_displayed("form[action='/sign-out'] button")
                    .await,
                "{path} at {width}"
            );
            let right = browser.script(
                "const box = document.querySelector(\"form[action='/sign-out'] button\").getBoundingClientRect();
                 return box.right <= innerWidth && box.bottom <= innerHeight && box.left >= 0 && box.top >= 0");
            assert_eq!(right.await, true, "sign-out lies outside {path} at {width}");
        }
    }
    // HttpOnly: even a script of ours could not read the session.
    assert_eq!(browser.script("return document.cookie").await, "");
    assert!(
        !browser.cookies().await.is_empty() || path.starts_with("/no"),
        "{path} has no cookie to hide"
    );
    // A refusal is told to the console as the status it has; nothing else is.
    let said = browser.console().await;
    let refusal =
        format!("{url} - Failed to load resource: the server responded with a status of 404");
    let rest: Vec<_> = said
        .iter()
        .filter(|line| !line.starts_with(&refusal))
        .collect();
    assert!(rest.is_empty(), "{path}: {rest:?}");
    assert!(
        said.is_empty()
            || [
                "/no/such/page",
                "/invitation",
                "/confirm-email",
                "/verify-email",
                "/new-password",
                "/not-me",
            ]
            .iter()
            .any(|p| path.starts_with(p)),
        "{path}: {said:?}"
    );
}

/// Nothing lies beyond the right edge.
pub async fn fits(browser: &Chromium, what: &str, width: u32) {
    browser.set_width(width, 800).await;
    let measured = browser.script(
        "const beyond = e => e.getBoundingClientRect().right > innerWidth;
         const page = document.documentElement;
         const culprits = page.scrollWidth > innerWidth ? [...document.querySelectorAll('*')].filter(beyond) : [];
         return [innerWidth, page.scrollWidth, culprits.map(e => e.outerHTML.slice(0, 120)).slice(-3)]");
    let measured = measured.await;
    assert_eq!(measured[0], width, "{what}");
    assert!(
        measured[1].as_u64().unwrap() <= u64::from(width),
        "{what} at {width}: {measured}"
    );
}
