//! Ways round the form token that are shut too: other content types, GET, redirects (ASVS 3.5.2,
//! 3.5.3, 3.7.2).

use reqwest::Method;
use serde_json::json;

use crate::support::browser::{form, form_token};
use crate::support::{Answer, PASSWORD, Server};

#[tokio::test]
async fn asvs_3_5_2_json_is_read_only_as_json() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let body = json!({ "email": ada.email, "password": PASSWORD }).to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/json",
        "application/jsonp",
        "",
    ] {
        let mut request = server
            .request(Method::POST, "/api/auth/sign-in")
            .body(body.clone());
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        let answer = Answer::read(request.send().await.unwrap()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (415, "invalid-request"),
            "{kind}"
        );
    }
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        let request = server
            .request(Method::POST, "/api/auth/sign-in")
            .header("content-type", kind);
        assert_eq!(
            request.body(body.clone()).send().await.unwrap().status(),
            200,
            "{kind}"
        );
    }
    let mut browser = server.browser();
    let token = form_token(&browser.get("/sign-in").await.text);
    let request = browser
        .request(Method::POST, "/sign-in")
        .header("content-type", "application/json");
    let answer = Answer::read(
        request
            .body(json!({ "csrf_token": token }).to_string())
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn asvs_3_5_3_looking_changes_nothing() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let victim = server.sign_in(&ada).await;
    let browser = server.signed_in_browser(&admin).await;
    let rows = server
        .database
        .count("SELECT count(*) FROM audit_events")
        .await;
    let mut tried = 0;
    for route in portcullis::http::routes::routes() {
        if route.method == "GET" {
            continue;
        }
        let path = route
            .path
            .replace("{sid}", &victim.session_id)
            .replace("{id}", &ada.id.to_string());
        for (method, query) in [
            (Method::GET, ""),
            (Method::HEAD, ""),
            (
                Method::GET,
                "?_method=DELETE&others=true&include_self=true&csrf_token=x",
            ),
        ] {
            let request = browser
                .request(method.clone(), &format!("{path}{query}"))
                .header("x-http-method-override", route.method.as_str())
                .header("sec-purpose", "prefetch");
            let status = request.send().await.unwrap().status();
            assert!(
                status != 204 && !status.is_server_error(),
                "{method} {path}: {status}"
            );
            tried += 1;
        }
    }
    assert!(tried > 60);
    assert_eq!(
        server
            .database
            .count("SELECT count(*) FROM audit_events")
            .await,
        rows
    );
    assert_eq!(server.verify(&victim.access).await.status, 200);
    let answer = Answer::read(
        browser
            .request(Method::GET, "/sign-out")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("allow")),
        (405, "POST")
    );
}

#[tokio::test]
async fn asvs_3_7_2_after_signing_in_one_stays_on_this_site() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    for next in [
        "//evil",
        "https:evil",
        "/\\evil",
        "\\\\evil",
        "%2f%2fevil",
        "/%2fevil",
        "https://login.test@evil",
        "http://localhost:8080/admin",
        "javascript:alert(1)",
        "/\tevil",
        "/a\r\nset-cookie: x=y",
        "/\u{a0}evil",
        "account",
        "",
    ] {
        let mut browser = server.browser();
        let fields = [
            ("email", ada.email.as_str()),
            ("password", PASSWORD),
            ("next", next),
        ];
        let answer = browser.submit("/sign-in", "/sign-in", &fields).await;
        assert_eq!(
            (answer.status.as_u16(), answer.location()),
            (303, "/account"),
            "{next:?}"
        );
        assert!(!answer.headers.contains_key("x"), "{next:?}");
        let query = form(&[("next", next)]);
        let answer = browser.get(&format!("/sign-in?{query}")).await;
        assert_eq!(answer.location(), "/account", "{next:?}");
        let page = browser.get(&format!("/step-up?{query}")).await.text;
        assert!(
            page.contains("name=\"next\" value=\"/account\""),
            "{next:?}: {page}"
        );
        let fields = [("password", PASSWORD), ("next", next)];
        let answer = browser.submit("/step-up", "/step-up", &fields).await;
        assert_eq!(answer.location(), "/account?done=confirmed", "{next:?}");
    }
    let mut browser = server.browser();
    let fields = [
        ("email", ada.email.as_str()),
        ("password", PASSWORD),
        ("next", "/account/sessions?a=b%20c"),
    ];
    let answer = browser.submit("/sign-in", "/sign-in", &fields).await;
    assert_eq!(answer.location(), "/account/sessions?a=b%20c");
}
