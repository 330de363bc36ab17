//! What the API says of requests that it cannot make sense of.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, PASSWORD, Server};

/// A problem document with its five members, and a challenge where it is a 401.
pub(crate) fn is_problem(what: &str, answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text);
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{what}"
    );
    let document = answer.json();
    assert_eq!(document["type"], "about:blank", "{what}");
    assert_eq!(document["status"], status, "{what}");
    assert_eq!(document["code"], code, "{what}: {}", answer.text);
    for member in ["title", "detail"] {
        assert!(
            document[member].as_str().is_some_and(|text| text.len() > 3),
            "{what}: {}",
            answer.text
        );
    }
    let challenged = answer.header("www-authenticate").starts_with("Bearer");
    assert_eq!(
        challenged,
        status == 401 || code == "step-up-required",
        "{what}"
    );
    assert_eq!(
        answer.headers.contains_key("retry-after"),
        status == 429 || status == 503,
        "{what}"
    );
}

async fn send(server: &Server, method: Method, path: &str, access: &str, body: &str) -> Answer {
    let request = server
        .request(method, path)
        .bearer_auth(access)
        .header("content-type", "application/json")
        .body(body.to_owned());
    Answer::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn documents_that_say_it_wrongly_are_400_everywhere() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let access = server.sign_in(&admin).await.access;
    let user = format!("/api/admin/users/{}", admin.id);
    let routes = [
        (
            Method::POST,
            "/api/auth/sign-in",
            r#"{"email":"a@b","password":"x","#,
        ),
        (Method::POST, "/api/auth/step-up", r#"{"password":"x","#),
        (
            Method::POST,
            "/api/auth/refresh",
            r#"{"refresh_token":"x","#,
        ),
        (
            Method::POST,
            "/api/admin/users",
            r#"{"email":"n@test.example","#,
        ),
        (Method::PATCH, &user, r#"{"name":"x","#),
    ];
    for (method, path, begun) in routes {
        let rest = begun.strip_prefix('{').unwrap();
        let twice = format!("{begun}{rest}\"x\":1}}").replace(",\"x\":1}", "}");
        let (unknown, deep) = (format!("{begun}\"nonsense\":1}}"), "[".repeat(5000));
        let bodies = [
            "",
            "{",
            "nonsense",
            "null",
            "[]",
            "1",
            "\"x\"",
            begun,
            &unknown,
            &twice,
            &deep,
            r#"["a@b","x",true]"#,
            "{}{}",
            "{\"email\":\"\u{1}\"}",
        ];
        for body in bodies {
            let answer = send(&server, method.clone(), path, &access, body).await;
            is_problem(
                &format!("{method} {path} {body:.40}"),
                &answer,
                400,
                "invalid-request",
            );
        }
    }
    assert_eq!(server.database.count("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn members_of_the_wrong_type_are_400() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let access = server.sign_in(&admin).await.access;
    let user = format!("/api/admin/users/{}", admin.id);
    for (method, path, document) in [
        (
            Method::POST,
            "/api/auth/sign-in",
            json!({ "email": 1, "password": PASSWORD }),
        ),
        (
            Method::POST,
            "/api/auth/sign-in",
            json!({ "email": admin.email, "password": null }),
        ),
        (
            Method::POST,
            "/api/auth/sign-in",
            json!({ "email": [admin.email], "password": PASSWORD }),
        ),
        (
            Method::POST,
            "/api/auth/sign-in",
            json!({ "email": admin.email, "password": PASSWORD, "remember": "true" }),
        ),
        (
            Method::POST,
            "/api/auth/sign-in",
            json!({ "email": admin.email }),
        ),
        (
            Method::POST,
            "/api/auth/refresh",
            json!({ "refresh_token": 1 }),
        ),
        (
            Method::POST,
            "/api/admin/users",
            json!({ "email": "n@test.example", "roles": "admin" }),
        ),
        (Method::POST, "/api/admin/users", json!({ "roles": [] })),
        (Method::PATCH, &user, json!({ "enabled": "false" })),
        (Method::PATCH, &user, json!({ "enabled": 0 })),
        (Method::PATCH, &user, json!({ "roles": [1] })),
        (Method::PATCH, &user, json!({ "password": PASSWORD })),
        (Method::PATCH, &user, json!({ "email": "x@test.example" })),
    ] {
        let answer = send(
            &server,
            method.clone(),
            path,
            &access,
            &document.to_string(),
        )
        .await;
        is_problem(
            &format!("{method} {path} {document}"),
            &answer,
            400,
            "invalid-request",
        );
    }
    for (path, document, status, code) in [
        (
            "/api/admin/users",
            json!({ "email": "nonsense" }),
            422,
            "invalid-request",
        ),
        (
            "/api/admin/users",
            json!({ "email": "n@test.example", "roles": ["No Role!"] }),
            422,
            "invalid-request",
        ),
        (
            "/api/admin/users",
            json!({ "email": "n@test.example", "name": "x".repeat(300) }),
            422,
            "invalid-request",
        ),
        (
            "/api/admin/users",
            json!({ "email": "ADMIN@test.example" }),
            409,
            "conflict",
        ),
    ] {
        let answer = send(&server, Method::POST, path, &access, &document.to_string()).await;
        is_problem(&document.to_string(), &answer, status, code);
    }
    let answer = server
        .call(
            Method::PATCH,
            &user,
            Some(&access),
            Some(json!({ "enabled": false })),
        )
        .await;
    is_problem("disabling oneself", &answer, 409, "conflict");
}

#[tokio::test]
async fn bodies_of_any_other_kind_or_size_are_refused_unread() {
    let server = Server::start().await;
    for (kind, body, status) in [
        (None, "{}".to_owned(), 415),
        (Some("text/plain"), "{}".to_owned(), 415),
        (Some("application/json"), " ".repeat(40_000), 413),
        (Some("application/json"), "x".repeat(1 << 20), 413),
    ] {
        let mut request = server.request(Method::POST, "/api/auth/sign-in").body(body);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let answer = Answer::read(request.send().await.unwrap()).await;
        is_problem(&format!("{kind:?}"), &answer, status, "invalid-request");
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_a_place_is_said_so() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let access = server.sign_in(&admin).await.access;
    let nobody = "018f4e5a-0000-7000-8000-000000000000";
    for path in [
        "/api",
        "/api/",
        "/api/none",
        "/oauth/none",
        "/.well-known/none",
        "/health/none",
        &format!("/api/admin/users/{nobody}"),
        "/api/admin/users/nonsense",
        "/api/auth/verify/",
    ] {
        is_problem(
            path,
            &server.get(path, Some(&access)).await,
            404,
            "not-found",
        );
    }
    for path in [
        "/api/sessions/",
        "/api/admin/sessions/",
        "/api/admin/users/",
    ] {
        for id in [nobody, "nonsense", "%27", "..%2fx"] {
            let path = format!("{path}{id}");
            is_problem(
                &path,
                &server.delete(&path, Some(&access)).await,
                404,
                "not-found",
            );
        }
    }
    let answer = server.delete("/api/auth/verify", Some(&access)).await;
    is_problem("DELETE verify", &answer, 405, "invalid-request");
    assert_eq!(answer.header("allow"), "GET, HEAD");
    for query in [
        "cursor=nonsense",
        "cursor=",
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1&limit=2",
        "nonsense=1",
        "cursor=018f4e5a",
        "limit=99999999999999999999",
    ] {
        for path in [
            "/api/admin/sessions",
            "/api/admin/users",
            "/api/admin/audit",
            "/api/admin/outbox",
        ] {
            let path = format!("{path}?{query}");
            is_problem(
                &path,
                &server.get(&path, Some(&access)).await,
                400,
                "invalid-request",
            );
        }
    }
    for path in [
        "/api/admin/sessions?status=nonsense",
        "/api/admin/audit?action=nonsense",
        "/api/admin/outbox?status=nonsense",
        "/api/auth/verify?role=a&role=b",
    ] {
        is_problem(
            path,
            &server.get(path, Some(&access)).await,
            400,
            "invalid-request",
        );
    }
    for path in [
        "/api/admin/sessions?user=nonsense",
        "/api/admin/audit?user=nonsense",
    ] {
        is_problem(
            path,
            &server.get(path, Some(&access)).await,
            404,
            "not-found",
        );
    }
    let answer = server.delete("/api/sessions", Some(&access)).await;
    is_problem("which", &answer, 400, "invalid-request");
    // A cursor past the end is an empty page, not a fault.
    let answer = server
        .get(
            &format!("/api/admin/users?cursor={nobody}&limit=200"),
            Some(&access),
        )
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["users"]),
        (200, &json!([]))
    );
}

/// PostgreSQL takes no text with the character zero, and SQLite's index ends there.
#[tokio::test]
async fn text_that_no_database_takes_is_no_outage() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let access = server.sign_in(&admin).await.access;
    for typed in ["%00", "a%00", "adm%00in", "%00%00%00%00", "admin%00"] {
        for (path, list) in [
            ("/api/admin/sessions", "sessions"),
            ("/api/admin/users", "users"),
        ] {
            let path = format!("{path}?q={typed}");
            let answer = server.get(&path, Some(&access)).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            assert_eq!(answer.json()[list], json!([]), "{path}");
            assert_eq!(answer.json()["total"], 0, "{path}");
        }
    }
    for (field, typed) in [
        ("organization", "a\0"),
        ("user_agent", "a\0b"),
        ("user_agent", "a\u{1b}b"),
        ("user", "a\0@test.example"),
        ("role", "a\0"),
        ("method", "\0"),
        ("cidr", "\0"),
        ("signed_in_before", "\0"),
    ] {
        let document = json!({ "query": { field: typed }, "dry_run": true });
        let path = "/api/admin/sessions/end";
        let answer = server.post(path, Some(&access), document).await;
        is_problem(field, &answer, 422, "invalid-request");
        assert_eq!(answer.json()["field"], field);
    }
}
