//! Cookies, caches and kinds of content over one answer of every kind (ASVS 3.3, 3.5.5, 4.1.1, 14.3).

use reqwest::Method;

use crate::headers::{HTTPS, answers, is_html};
use crate::support::browser::form_token;
use crate::support::{Browser, Server};

#[tokio::test]
async fn asvs_3_5_5_and_3_6_1_pages_hold_no_script_and_nothing_from_elsewhere() {
    let server = Server::start().await;
    for (what, answer) in answers(&server)
        .await
        .iter()
        .filter(|(_, answer)| is_html(answer))
    {
        for part in [
            "<script",
            "javascript:",
            "<iframe",
            "<object",
            "<base",
            "style=\"",
            "onclick",
            "onpaste",
            "autocomplete=\"off\"",
        ] {
            assert!(!answer.text.contains(part), "{what} holds {part}");
        }
        for attribute in ["src=\"", "href=\"", "action=\""] {
            for (_, rest) in answer
                .text
                .match_indices(attribute)
                .map(|(at, _)| answer.text.split_at(at))
            {
                let target = rest[attribute.len()..].split('"').next().unwrap();
                let here =
                    target.starts_with('/') && !target.starts_with("//") || target.starts_with('#');
                assert!(here, "{what} leads to {target}");
            }
        }
    }
}

#[tokio::test]
async fn asvs_14_3_1_signing_out_clears_the_browser() {
    let server = Server::start_with(HTTPS).await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let by_page = browser.submit("/account", "/sign-out", &[]).await;
    let clear = |browser: &Browser, path: &str| {
        browser
            .request(Method::POST, path)
            .header("sec-fetch-site", "same-origin")
    };
    let mut browser = server.signed_in_browser(&ada).await;
    let request = clear(&browser, "/api/auth/sign-out");
    let by_api = browser.send(request).await;
    assert!(browser.cookies.is_empty());
    let mut browser = server.signed_in_browser(&ada).await;
    let request = clear(&browser, "/api/auth/clear-session");
    let by_clearing = browser.send(request).await;
    for (answer, status) in [(by_page, 303), (by_api, 204), (by_clearing, 200)] {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("clear-site-data"), "\"cache\", \"storage\"");
        let cookies = answer.set_cookies();
        assert_eq!(cookies.len(), 2);
        assert!(
            cookies
                .iter()
                .all(|cookie| cookie.contains("=; ") && cookie.contains("Max-Age=0")),
            "{cookies:?}"
        );
    }
}

#[tokio::test]
async fn asvs_14_3_2_nothing_personal_is_stored_by_caches() {
    let server = Server::start().await;
    for (what, answer) in answers(&server).await {
        let public = ["/static/portcullis.svg", "style", "/.well-known/"]
            .iter()
            .any(|p| what.contains(p));
        let cache = answer.header("cache-control");
        if public && answer.status == 200 {
            assert!(
                !cache.contains("no-store") || what.contains("well-known"),
                "{what}: {cache}"
            );
            assert!(answer.set_cookies().is_empty(), "{what}");
        } else {
            assert_eq!(cache, "no-store", "{what}");
        }
    }
}

#[tokio::test]
async fn asvs_4_1_1_every_body_says_what_it_is() {
    let server = Server::start().await;
    for (what, answer) in answers(&server).await {
        let kind = answer.header("content-type");
        if answer.status == 204 || answer.status == 303 {
            assert!(kind.is_empty() && answer.text.is_empty(), "{what}: {kind}");
        } else if !answer.text.is_empty() {
            let known = [
                "text/html; charset=utf-8",
                "text/css; charset=utf-8",
                "image/svg+xml",
                "application/json",
                "application/problem+json",
                "application/jwk-set+json",
            ];
            assert!(known.contains(&kind), "{what}: {kind}");
            if kind.ends_with("json") {
                answer.json();
            }
        }
    }
    assert!(!form_token(&server.browser().get("/sign-in").await.text).is_empty());
}

#[tokio::test]
async fn asvs_3_3_1_to_3_3_4_every_cookie_is_a_host_cookie_that_scripts_cannot_read() {
    let server = Server::start_with(HTTPS).await;
    let mut seen = Vec::new();
    for (what, answer) in answers(&server).await {
        for cookie in answer.set_cookies() {
            let (pair, attributes) = cookie.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let known = ["__Host-portcullis", "__Host-portcullis_refresh"];
            assert!(known.contains(&name), "{what}: {cookie}");
            for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
                assert!(
                    attributes.split("; ").any(|a| a == part),
                    "{what}: {cookie} lacks {part}"
                );
            }
            assert!(!attributes.contains("Domain"), "{what}: {cookie}");
            assert!(cookie.len() <= 4096, "{what}");
            if !value.is_empty() {
                assert!(
                    !answer.text.contains(value),
                    "3.3.4: {what} shows its cookie"
                );
            }
            seen.push((name.to_owned(), value.is_empty()));
        }
    }
    for name in ["__Host-portcullis", "__Host-portcullis_refresh"] {
        assert!(
            seen.contains(&(name.to_owned(), true)),
            "{name} is taken away somewhere"
        );
    }
    let mut browser = server
        .signed_in_browser(&server.user("bob@test.example", &[]).await)
        .await;
    let cookies = browser.cookies.clone();
    assert_eq!(cookies.len(), 2);
    for path in [
        "/account",
        "/account/sessions",
        "/account/security",
        "/api/auth/session",
        "/api/sessions",
    ] {
        let text = browser.get(path).await.text;
        assert!(
            cookies.values().all(|value| !text.contains(value.as_str())),
            "{path}"
        );
    }
}
