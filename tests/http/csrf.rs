//! No other site acts with somebody's cookies (ASVS 3.5, 3.7.2).

use reqwest::Method;
use serde_json::json;

use crate::support::browser::{form, form_token};
use crate::support::{Answer, Browser, PASSWORD, Server};

const NEW: &str = "another long and quiet one";

/// A form as another site, an old client or our own page would send it.
async fn send(
    browser: &Browser,
    action: &str,
    fields: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = browser
        .request(Method::POST, action)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form(fields));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.unwrap()).await
}

/// What a browser says of a request that another page made.
const FOREIGN: &[&[(&str, &str)]] = &[
    &[("origin", "https://evil.test")],
    &[("origin", "null")],
    &[("origin", "http://localhost:8080.evil.test")],
    &[("origin", "http://localhost:8081")],
    &[("origin", "https://localhost:8080")],
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site")],
    &[("sec-fetch-site", "none")],
    &[
        ("sec-fetch-site", "cross-site"),
        ("origin", "http://localhost:8080"),
    ],
];

/// What our own page, or a client too old to say anything, sends.
const OWN: &[&[(&str, &str)]] = &[
    &[
        ("sec-fetch-site", "same-origin"),
        ("origin", "http://localhost:8080"),
    ],
    &[("origin", "http://localhost:8080")],
    &[],
];

#[tokio::test]
async fn asvs_3_5_1_each_act_needs_the_text_of_its_own_form_and_no_foreign_origin() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let victim = server.sign_in(&ada).await;
    let foreign = form_token(
        &server
            .signed_in_browser(&ada)
            .await
            .get("/account")
            .await
            .text,
    );
    let mut anonymous = server.browser();
    let before_sign_in = form_token(&anonymous.get("/sign-in").await.text);
    let browser = server.signed_in_browser(&admin).await;
    let token = form_token(&browser.clone().get("/account").await.text);
    let end = format!("/admin/sessions/{}/end", victim.session_id);
    let user = format!("/admin/users/{}", ada.id);
    let (delete, disable) = (format!("{user}/delete"), format!("{user}/disable"));
    let password = [
        ("current_password", PASSWORD),
        ("new_password", NEW),
        ("new_password_again", NEW),
    ];
    let acts: [(&str, &[(&str, &str)]); 10] = [
        (
            "/sign-in",
            &[("email", "ada@test.example"), ("password", PASSWORD)],
        ),
        ("/sign-out", &[]),
        ("/step-up", &[("password", PASSWORD)]),
        ("/account/security", &password),
        ("/account/sessions/end-others", &[]),
        (&end, &[]),
        ("/admin/sessions/end-all", &[("include_self", "true")]),
        (&delete, &[]),
        (&disable, &[]),
        ("/admin/users", &[("email", "x@test.example")]),
    ];
    let rows = server
        .database
        .count("SELECT count(*) FROM audit_events")
        .await;
    for (action, fields) in acts {
        let with = |token| {
            let mut fields = fields.to_vec();
            fields.push(("csrf_token", token));
            fields
        };
        for (what, fields) in [
            ("without", fields.to_vec()),
            ("empty", with("")),
            ("another user's", with(&foreign)),
            ("from before the sign-in", with(&before_sign_in)),
            (
                "twice",
                [with(&token), vec![("csrf_token", token.as_str())]].concat(),
            ),
        ] {
            let answer = send(&browser, action, &fields, OWN[0]).await;
            assert_eq!(answer.status, 403, "{action} {what}: {}", answer.text);
            assert!(
                answer.text.contains("Load the page again"),
                "{action} {what}"
            );
        }
        for headers in FOREIGN {
            let answer = send(&browser, action, &with(&token), headers).await;
            assert_eq!(answer.status, 403, "{action} {headers:?}: {}", answer.text);
            assert!(answer.set_cookies().is_empty(), "{action} {headers:?}");
        }
    }
    assert_eq!(server.verify(&victim.access).await.status, 200);
    assert_eq!(
        server
            .database
            .count("SELECT count(*) FROM audit_events")
            .await,
        rows,
        "nothing was done"
    );
}

#[tokio::test]
async fn asvs_3_5_1_and_3_7_5_our_own_pages_and_old_clients_act() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    for headers in OWN {
        let victim = server.sign_in(&ada).await;
        let mut browser = server.browser();
        let token = form_token(&browser.get("/sign-in").await.text);
        let fields = [
            ("email", admin.email.as_str()),
            ("password", PASSWORD),
            ("csrf_token", &token),
        ];
        let answer = send(&browser, "/sign-in", &fields, headers).await;
        assert_eq!(
            answer.location(),
            "/account",
            "{headers:?}: {}",
            answer.text
        );
        let browser = server.signed_in_browser(&admin).await;
        let token = form_token(&browser.clone().get("/admin").await.text);
        let end = format!("/admin/sessions/{}/end", victim.session_id);
        for action in [end.as_str(), "/sign-out"] {
            let answer = send(&browser, action, &[("csrf_token", &token)], headers).await;
            assert_eq!(answer.status, 303, "{action} {headers:?}: {}", answer.text);
        }
        assert_eq!(server.verify(&victim.access).await.status, 401);
    }
}

#[tokio::test]
async fn asvs_3_5_1_a_sign_in_form_serves_only_the_browser_it_was_drawn_for() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let token = form_token(&server.browser().get("/sign-in").await.text);
    let fields = [
        ("email", ada.email.as_str()),
        ("password", PASSWORD),
        ("csrf_token", &token),
    ];
    let mut other = server.browser();
    for browser in [server.browser(), {
        other.get("/sign-in").await;
        other
    }] {
        let answer = send(&browser, "/sign-in", &fields, OWN[0]).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
    }
}

#[tokio::test]
async fn asvs_3_5_1_a_cookie_alone_moves_nothing_under_api() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let victim = server.sign_in(&ada).await;
    let browser = server.signed_in_browser(&admin).await;
    let user = format!("/api/admin/users/{}", ada.id);
    let session = format!("/api/admin/sessions/{}", victim.session_id);
    let acts = [
        (Method::POST, "/api/auth/sign-out", None),
        (Method::POST, "/api/auth/clear-session", None),
        (Method::POST, "/api/auth/refresh", Some(json!({}))),
        (Method::DELETE, "/api/sessions?others=true", None),
        (Method::DELETE, &session, None),
        (
            Method::DELETE,
            "/api/admin/sessions?include_self=true",
            None,
        ),
        (Method::PATCH, &user, Some(json!({ "enabled": false }))),
        (Method::DELETE, &user, None),
        (
            Method::POST,
            "/api/admin/users",
            Some(json!({ "email": "x@test.example" })),
        ),
    ];
    for (method, path, document) in &acts {
        let silent: &[(&str, &str)] = &[];
        for headers in FOREIGN.iter().copied().chain([silent]) {
            let mut request = browser.request(method.clone(), path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(document) = document {
                request = request.json(document);
            }
            let answer = Answer::read(request.send().await.unwrap()).await;
            assert_eq!(
                answer.status, 403,
                "{method} {path} {headers:?}: {}",
                answer.text
            );
            assert_eq!(answer.code(), "cross-site", "{method} {path} {headers:?}");
        }
    }
    assert_eq!(server.verify(&victim.access).await.status, 200);
    let request = browser
        .request(Method::DELETE, &session)
        .header("sec-fetch-site", "same-origin");
    assert_eq!(request.send().await.unwrap().status(), 204);
    assert_eq!(server.verify(&victim.access).await.status, 401);
}
