//! What every answer carries (ASVS 3.2 to 3.4, 3.5.5 to 3.6.1, 14.3).

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, PASSWORD, Server};

pub(crate) const HTTPS: &[(&str, &str)] = &[("PORTCULLIS_PUBLIC_URL", "https://login.test")];

/// One answer of every kind: what it was asked for, and what came.
pub(crate) async fn answers(server: &Server) -> Vec<(String, Answer)> {
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let tokens = server.sign_in(&ada).await;
    let mut console = server.signed_in_browser(&admin).await;
    let mut all = Vec::new();
    for path in [
        "/",
        "/sign-in",
        "/account",
        "/account/sessions",
        "/account/security",
        "/step-up",
        "/admin",
        "/admin/sessions",
        "/admin/users",
        "/admin/users/new",
        "/admin/audit",
        "/admin/outbox",
        "/set-up",
        "/invitation?token=x",
        "/reset-password",
        "/new-password?token=x",
        "/not-me?token=x",
        "/confirm-email?token=x",
        "/verify-email?token=x",
        "/account/email",
        "/no/such/page",
        "/static/portcullis.svg",
        "/static/none.css",
        "/sign-in?ended=x",
        "/api/auth/verify",
        "/api/auth/session",
        "/api/auth/token",
        "/api/sessions",
        "/api/admin/sessions",
        "/api/admin/audit",
        "/api/admin/stats",
        "/api/none",
        "/api/admin/audit?cursor=x",
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/health/live",
        "/health/ready",
    ] {
        all.push((path.to_owned(), console.get(path).await));
        all.push((format!("{path} (nobody)"), server.browser().get(path).await));
        let head = console.request(Method::HEAD, path).send().await.unwrap();
        all.push((format!("HEAD {path}"), Answer::read(head).await));
    }
    let page = console.get("/account").await.text;
    let style = page
        .split_once("rel=\"stylesheet\" href=\"")
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap();
    all.push((
        "style".to_owned(),
        console.get(&style.replace("&#x2F;", "/")).await,
    ));
    all.push((
        "api sign-in".to_owned(),
        server.try_sign_in(&ada.email, PASSWORD).await,
    ));
    all.push((
        "api wrong".to_owned(),
        server.try_sign_in(&ada.email, "wrong").await,
    ));
    all.push((
        "api refresh".to_owned(),
        server.refresh(&tokens.refresh).await,
    ));
    all.push((
        "api sign-out".to_owned(),
        server
            .post("/api/auth/sign-out", Some(&tokens.access), json!({}))
            .await,
    ));
    all.push(("api ended".to_owned(), server.verify(&tokens.access).await));
    all.push((
        "wrong page".to_owned(),
        server.browser().sign_in(&ada.email, "wrong").await,
    ));
    all.push((
        "forged".to_owned(),
        console.post("/sign-out", "x", &[]).await,
    ));
    for method in ["TRACE", "PUT", "FOO"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = console.request(method.clone(), "/account");
        all.push((
            format!("{method}"),
            Answer::read(request.send().await.unwrap()).await,
        ));
    }
    let huge = server
        .request(Method::POST, "/api/auth/sign-in")
        .header("content-type", "application/json");
    all.push((
        "huge".to_owned(),
        Answer::read(huge.body("x".repeat(40_000)).send().await.unwrap()).await,
    ));
    server
        .database
        .execute("ALTER TABLE audit_events RENAME TO away")
        .await;
    all.push((
        "page without store".to_owned(),
        console.get("/admin/audit").await,
    ));
    all.push((
        "api without store".to_owned(),
        console.get("/api/admin/audit").await,
    ));
    server
        .database
        .execute("ALTER TABLE away RENAME TO audit_events")
        .await;
    all.push((
        "sign-out".to_owned(),
        console.submit("/account", "/sign-out", &[]).await,
    ));
    for status in [200, 204, 303, 400, 401, 403, 404, 405, 413, 503] {
        assert!(
            all.iter().any(|(_, answer)| answer.status == status),
            "no {status} among them"
        );
    }
    all
}

pub(crate) fn is_html(answer: &Answer) -> bool {
    answer.header("content-type").starts_with("text/html")
}

#[tokio::test]
async fn asvs_3_2_1_to_3_4_6_every_answer_carries_its_headers() {
    let server = Server::start_with(HTTPS).await;
    for (what, answer) in answers(&server).await {
        // 3.4.1, on every answer alike
        let hsts = answer.header("strict-transport-security");
        assert_eq!(hsts, "max-age=63072000; includeSubDomains", "{what}");
        // 3.4.2
        for name in answer.headers.keys() {
            let open = what.contains("/.well-known/") && answer.header(name.as_str()) == "*";
            assert!(
                open || !name.as_str().starts_with("access-control-"),
                "{what}: {name}"
            );
        }
        // 3.4.3 and 3.4.6
        let policy = answer.header("content-security-policy");
        assert_eq!(
            answer
                .headers
                .get_all("content-security-policy")
                .iter()
                .count(),
            1,
            "{what}"
        );
        for part in ["default-src 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{what}: {policy}");
        }
        for part in ["unsafe", "*", "data:", "http:", "https:", "script-src"] {
            assert!(!policy.contains(part), "{what}: {policy}");
        }
        if is_html(&answer) {
            assert!(
                policy.contains("object-src 'none'") && policy.contains("base-uri 'none'"),
                "{what}"
            );
            assert!(policy.contains("form-action 'self'"), "{what}");
            // 3.4.8
            assert_eq!(
                answer.header("cross-origin-opener-policy"),
                "same-origin",
                "{what}"
            );
        } else {
            // 3.2.1: opened as a document it can do nothing
            assert!(policy.contains("sandbox"), "{what}: {policy}");
        }
        // 3.4.4, 3.4.5, 3.5.8
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(answer.header("referrer-policy"), "strict-origin", "{what}");
        assert_eq!(
            answer.header("cross-origin-resource-policy"),
            "same-origin",
            "{what}"
        );
        // 13.4.6
        assert!(
            !answer.headers.contains_key("server") && !answer.headers.contains_key("x-powered-by"),
            "{what}"
        );
        assert_eq!(answer.header("x-request-id").len(), 16, "{what}");
    }
}

#[tokio::test]
async fn asvs_3_4_1_without_https_there_is_nothing_to_insist_on() {
    let server = Server::start().await;
    assert!(
        !server
            .get("/sign-in", None)
            .await
            .headers
            .contains_key("strict-transport-security")
    );
}

#[tokio::test]
async fn asvs_3_4_2_no_other_origin_reads_anything() {
    let server = Server::start_with(HTTPS).await;
    let ada = server.user("ada@test.example", &[]).await;
    let browser = server.signed_in_browser(&ada).await;
    for origin in [
        "https://evil.test",
        "null",
        "https://login.test.evil.test",
        "https://login.test",
    ] {
        for (method, path) in [
            (Method::GET, "/api/auth/session"),
            (Method::OPTIONS, "/api/auth/sign-in"),
        ] {
            let request = browser
                .request(method, path)
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header(
                    "access-control-request-headers",
                    "authorization, content-type",
                );
            let answer = Answer::read(request.send().await.unwrap()).await;
            for name in answer.headers.keys() {
                assert!(
                    !name.as_str().starts_with("access-control-"),
                    "{origin} {path}: {name}"
                );
            }
        }
    }
}

#[tokio::test]
async fn asvs_3_5_6_a_callback_changes_nothing() {
    let server = Server::start().await;
    let tokens = server
        .sign_in(&server.user("ada@test.example", &[]).await)
        .await;
    let plain = server.get("/api/auth/session", Some(&tokens.access)).await;
    let asked = server
        .get("/api/auth/session?callback=x", Some(&tokens.access))
        .await;
    assert_eq!(
        (plain.text, plain.headers["content-type"].clone()),
        (asked.text, asked.headers["content-type"].clone())
    );
}
