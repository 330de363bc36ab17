//! What is not offered, not served and not believed (ASVS 4.1.3, 4.1.4, 13.4, 16.5.1).

use std::collections::BTreeMap;
use std::io::{Read, Write};

use portcullis::http::routes::routes;
use reqwest::Method;

use crate::support::{Answer, PASSWORD, Server};

async fn sign_in_from(
    server: &Server,
    email: &str,
    password: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let document = serde_json::json!({ "email": email, "password": password });
    let mut request = server
        .request(Method::POST, "/api/auth/sign-in")
        .json(&document);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.unwrap()).await
}

async fn count_from(server: &Server, ip: &str) -> i64 {
    server
        .database
        .count(&format!(
            "SELECT count(*) FROM audit_events WHERE ip = '{ip}' AND action <> 'new-device'"
        ))
        .await
}

#[tokio::test]
async fn asvs_4_1_3_a_client_cannot_choose_its_address() {
    let server = Server::start().await;
    server.user("ada@test.example", &[]).await;
    let mut throttled = false;
    for number in 0..12 {
        let ip = format!("192.0.2.{number}");
        let headers = [
            ("x-forwarded-for", ip.as_str()),
            ("forwarded", &format!("for={ip}")),
            ("x-real-ip", &ip),
            ("x-user-id", "1"),
            ("true-client-ip", &ip),
        ];
        let answer = sign_in_from(&server, "ada@test.example", "wrong", &headers).await;
        throttled |= answer.status == 429;
        assert_eq!(count_from(&server, &ip).await, 0, "{ip} is in the audit");
    }
    assert!(throttled);
    assert!(count_from(&server, "127.0.0.1").await >= 5);
    let answer = server
        .request(Method::GET, "/api/auth/verify")
        .header("x-user-id", "1");
    assert_eq!(answer.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn asvs_4_1_3_a_trusted_proxy_is_believed_and_only_its_last_word() {
    let server =
        Server::start_with(&[("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")]).await;
    let ada = server.user("ada@test.example", &[]).await;
    for (headers, expected) in [
        (
            &[("x-forwarded-for", "203.0.113.9, 198.51.100.1")][..],
            "198.51.100.1",
        ),
        (
            &[("x-forwarded-for", "198.51.100.2, 10.1.2.3")],
            "198.51.100.2",
        ),
        (
            &[("forwarded", "for=\"[2001:db8::7]:4711\";proto=https")],
            "2001:db8::7",
        ),
        (&[("x-forwarded-for", "nonsense")], "127.0.0.1"),
        (
            &[
                ("x-forwarded-for", "198.51.100.3"),
                ("forwarded", "for=198.51.100.4"),
            ],
            "127.0.0.1",
        ),
    ] {
        let before = count_from(&server, expected).await;
        let answer = sign_in_from(&server, &ada.email, PASSWORD, headers).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(
            count_from(&server, expected).await,
            before + 1,
            "{headers:?}"
        );
        let access = answer.json()["access_token"].as_str().unwrap().to_owned();
        let sessions = server.get("/api/sessions", Some(&access)).await.json();
        let own = sessions["sessions"].as_array().unwrap();
        assert!(
            own.iter()
                .any(|s| s["current"] == true && s["ip"] == expected),
            "{own:?}"
        );
    }
}

#[tokio::test]
async fn asvs_4_1_4_and_13_4_4_each_path_has_its_methods_and_no_others() {
    let server = Server::start().await;
    let mut paths: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for route in routes() {
        let methods = paths.entry(route.path).or_default();
        methods.push(route.method.to_string());
        if route.method == "GET" {
            methods.push("HEAD".to_owned());
        }
    }
    for (path, methods) in paths {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO",
        ] {
            if methods.iter().any(|known| known == method) {
                continue;
            }
            let request = server.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
            let answer =
                Answer::read(request.header("x-echo", "secret").send().await.unwrap()).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(
                answer.header("allow"),
                methods.join(", "),
                "{method} {path}"
            );
            assert!(!answer.text.contains("secret"), "{method} {path}");
        }
    }
}

/// Sends a request line as it stands; clients tidy paths up.
async fn raw(server: &Server, path: &str) -> String {
    let address = server.base.strip_prefix("http://").unwrap().to_owned();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let ask = move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}

#[tokio::test]
async fn asvs_13_4_1_to_13_4_7_nothing_but_our_own_files_is_served() {
    let server = Server::start().await;
    for path in [
        "/.git/HEAD",
        "/.svn/entries",
        "/.env",
        "/Cargo.toml",
        "/master.key",
        "/portcullis.sqlite",
        "/static/",
        "/static",
        "/static/.",
        "/static/x.rs",
        "/static/../Cargo.toml",
        "/static/../master.key",
        "/static/%2e%2e/Cargo.toml",
        "/static/..%2fCargo.toml",
        "/static/%2e%2e%2fmaster.key",
        "/static//etc/passwd",
        "/static/..%5cCargo.toml",
        "/static/portcullis.css%00",
        "/templates/base.html",
        "/metrics",
        "/debug",
        "/server-status",
        "/api",
        "/api/",
        "/health",
        "/admin/",
        "//admin",
        "/account/..",
    ] {
        let answer = raw(&server, path).await;
        assert!(
            answer.starts_with("HTTP/1.1 404 ") || answer.starts_with("HTTP/1.1 400 "),
            "{path}: {answer}"
        );
        for inside in ["[package]", "root:", "SQLite format"] {
            assert!(!answer.contains(inside), "{path}: {answer}");
        }
    }
    assert!(
        raw(&server, "/static/portcullis.svg")
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn asvs_16_5_1_and_13_4_2_errors_tell_nothing_of_the_inside() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let access = server.sign_in(&admin).await.access;
    let mut answers = Vec::new();
    for path in [
        "/api/admin/sessions?cursor='%20OR%201=1--",
        "/api/admin/users?limit=x",
        "/api/admin/users/'",
        "/api/admin/sessions?q=%25'%3B%20DROP%20TABLE%20users--",
        "/api/admin/audit?action='",
        "/api/%00",
        "/api/admin/users?q=%ff%fe",
        "/api/admin/sessions?status='",
    ] {
        answers.push((path, server.get(path, Some(&access)).await));
    }
    for body in [
        "{",
        "[]",
        "{\"email\":\"' OR 1=1--\",\"password\":\"'\"}",
        "null",
        "\u{0}",
    ] {
        let request = server
            .request(Method::POST, "/api/auth/sign-in")
            .header("content-type", "application/json");
        answers.push((
            body,
            Answer::read(request.body(body).send().await.unwrap()).await,
        ));
    }
    server
        .database
        .execute("ALTER TABLE user_roles RENAME TO away")
        .await;
    server
        .database
        .execute("ALTER TABLE audit_events RENAME TO gone")
        .await;
    for path in ["/api/admin/users", "/api/admin/audit", "/api/admin/stats"] {
        let answer = server.get(path, Some(&access)).await;
        assert_eq!(answer.status, 503, "{path}");
        answers.push((path, answer));
    }
    for (what, answer) in answers {
        assert!(answer.status != 500, "{what}: {}", answer.text);
        for inside in [
            "SELECT",
            "sqlx",
            "sqlite",
            "SQLSTATE",
            "panicked",
            "src/",
            ".rs",
            "actix",
            "DbErr",
            "no such table",
            "user_roles",
            "serde",
            "struct ",
            "tokio",
        ] {
            assert!(
                !answer.text.contains(inside),
                "{what} shows {inside}: {}",
                answer.text
            );
        }
    }
}
