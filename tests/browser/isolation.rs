//! What a browser must not show: yesterday's page, our page in somebody's frame, somebody's script.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use serde_json::json;

use crate::chromium::{Chromium, Options};
use crate::driver::Driver;
use crate::pages::HOSTILE;
use crate::support::{PASSWORD, Server};

#[tokio::test]
async fn back_after_signing_out_shows_nothing_personal() {
    let server = Server::start().await;
    server.user("ada@test.example", &[]).await;
    let driver = Driver::start();
    let browser = Chromium::open(&driver, Options::default()).await;
    browser.go(&format!("{}/sign-in", server.base)).await;
    browser.fill_in_sign_in("ada@test.example", PASSWORD).await;
    browser
        .arrives_at(&format!("{}/account", server.base))
        .await;
    browser
        .go(&format!("{}/account/sessions", server.base))
        .await;
    browser.go(&format!("{}/account", server.base)).await;
    assert!(browser.source().await.contains("ada@test.example"));
    browser.click("form[action='/sign-out'] button").await;
    browser
        .arrives_at(&format!("{}/sign-in", server.base))
        .await;
    for _ in 0..2 {
        browser.back().await;
        browser
            .arrives_at(&format!("{}/sign-in", server.base))
            .await;
        let source = browser.source().await;
        assert!(
            source.contains("name=\"password\"") && !source.contains("ada@test.example"),
            "{source}"
        );
    }
}

#[tokio::test]
async fn another_site_cannot_frame_the_sign_in_page() {
    let server = Server::start().await;
    let frames = format!(
        "<iframe src='/inner'></iframe><iframe src='{}/sign-in'></iframe>",
        server.base
    );
    let other = other_site(frames);
    let driver = Driver::start();
    let browser = Chromium::open(&driver, Options::default()).await;
    browser.go(&other).await;
    // That a frame's content can be seen at all is shown by the site's own.
    assert_eq!(forms_in_frame(&browser, 0).await, 1);
    assert_eq!(forms_in_frame(&browser, 1).await, 0);
    let said = browser.console().await.join("\n");
    assert!(said.contains("frame-ancestors 'none'"), "{said}");
}

#[tokio::test]
async fn a_hostile_name_is_only_a_name() {
    let server = Server::start().await;
    let ada = server.admin().await;
    let token = server.sign_in(&ada).await.access;
    let path = format!("/api/admin/users/{}", ada.id);
    let patch = json!({ "name": HOSTILE });
    let answer = server
        .call(reqwest::Method::PATCH, &path, Some(&token), Some(patch))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let driver = Driver::start();
    let browser = Chromium::open(&driver, Options::default()).await;
    browser.go(&format!("{}/sign-in", server.base)).await;
    browser.fill_in_sign_in(&ada.email, PASSWORD).await;
    browser
        .arrives_at(&format!("{}/account", server.base))
        .await;
    for path in [
        "/account",
        "/admin/users",
        "/admin/sessions",
        "/admin/audit",
        &format!("/admin/users/{}", ada.id),
    ] {
        browser.go(&format!("{}{path}", server.base)).await;
        assert!(browser.read(".who").await.contains(HOSTILE), "{path}");
        // Not even tried: the policy would stop it, and say so in the console.
        assert_eq!(
            browser
                .count("main script, main img, .who > :not(.hidden)")
                .await,
            0,
            "{path}"
        );
        assert_eq!(browser.console().await, Vec::<String>::new(), "{path}");
        let dialog = browser
            .session
            .try_command(reqwest::Method::GET, "alert/text", None)
            .await;
        assert!(
            dialog.is_err_and(|refused| refused.code == "no such alert"),
            "{path} shows a dialog"
        );
    }
}

/// How many forms, or parts of forms, the frame holds.
async fn forms_in_frame(browser: &Chromium, number: u32) -> usize {
    browser.session.post("frame", json!({ "id": number })).await;
    let found = browser.count("form, input").await;
    browser.session.post("frame", json!({ "id": null })).await;
    found
}

/// A site of somebody else's: one page, and one to put into a frame.
fn other_site(page: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut line = String::new();
            if BufReader::new(&stream).read_line(&mut line).is_err() {
                continue;
            }
            let body = if line.contains("/inner") {
                "<form></form>"
            } else {
                &page
            };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close";
            let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            // A browser that has gone does not matter.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}/")
}
