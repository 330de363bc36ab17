//! Clients that announce a body and let the server wait.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::browser::{form, form_token};
use crate::support::{Server, TestUser, Tokens};

/// What the server grants every body, by its own clock and not by one that can be moved.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends this, then a byte every so often, until there is an answer or the connection is closed.
fn answer_to(address: &str, sent: &str, trickle: bool) -> (Duration, String) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut answer = Vec::new();
    while answer.is_empty() && began.elapsed() < 2 * PATIENCE {
        let mut some = [0; 4096];
        match stream.read(&mut some) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&some[..count]),
            Err(_) if trickle => stream.write_all(b"x").unwrap(),
            Err(_) => {}
        }
    }
    let waited = began.elapsed();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // To its end: the connection is of no use any more.
    stream.read_to_end(&mut answer).unwrap();
    (waited, String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408_after_ten_seconds() {
    let server = Server::start().await;
    let address = server.base.strip_prefix("http://").unwrap().to_owned();
    let head = |path: &str, kind: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\nContent-Length: 500\r\n\r\n"
        )
    };
    let json = head("/api/auth/sign-in", "application/json");
    let form = head("/sign-in", "application/x-www-form-urlencoded");
    let cases = [
        ("nothing", json.clone(), false),
        ("the beginning", format!("{json}{{\"email\":"), false),
        ("byte by byte", format!("{json}{{\"email\":\""), true),
        ("a form", format!("{form}email=ada"), false),
    ];
    let waiting = cases.map(|(what, sent, trickle)| {
        let address = address.clone();
        let answer = tokio::task::spawn_blocking(move || answer_to(&address, &sent, trickle));
        (what, answer)
    });
    // Whoever is in a hurry is served meanwhile.
    assert_eq!(server.try_sign_in("nobody", "wrong").await.status, 401);
    for (what, answer) in waiting {
        let (waited, answer) = answer.await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 408 "),
            "{what}: {answer:?} after {waited:?}"
        );
        assert!(
            (PATIENCE..PATIENCE + Duration::from_secs(3)).contains(&waited),
            "{what}: {waited:?}"
        );
        let document = answer.contains(r#""code":"invalid-request""#);
        let page = answer.contains("<h1>The request did not arrive in time</h1>");
        assert_eq!(
            (document, page),
            (what != "a form", what == "a form"),
            "{what}: {answer}"
        );
        assert!(
            answer.to_lowercase().contains("\r\nconnection: close\r\n"),
            "{what}: {answer}"
        );
    }
}

#[tokio::test]
async fn who_is_put_out_before_the_body_has_arrived_does_nothing_by_it() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let slow = server.sign_in(&admin).await;
    let body = r#"{"email":"made@test.example","roles":["admin"]}"#;
    let head = format!(
        "POST /api/admin/users HTTP/1.1\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {}\r\n",
        slow.access
    );
    let answer = put_out_meanwhile(&server, &admin, &slow, &head, body).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("session-ended"), "{answer}");
}

#[tokio::test]
async fn who_is_put_out_before_a_form_has_arrived_does_nothing_by_it() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let mut browser = server.signed_in_browser(&admin).await;
    let page = browser.get("/admin/users/new").await;
    let token = form_token(&page.text);
    let fields = [("email", "made@test.example"), ("csrf_token", &token[..])];
    let request = browser.request(reqwest::Method::GET, "/api/auth/session");
    let who = browser.send(request).await.json();
    let access = browser.access_cookie().unwrap().clone();
    let slow = Tokens {
        refresh: browser.cookies["portcullis_refresh"].clone(),
        session_id: who["session"]["id"].as_str().unwrap().to_owned(),
        access,
        document: who,
    };
    let head = format!(
        "POST /admin/users HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Sec-Fetch-Site: same-origin\r\nCookie: portcullis={}; portcullis_refresh={}\r\n",
        slow.access, slow.refresh
    );
    let answer = put_out_meanwhile(&server, &admin, &slow, &head, &form(&fields)).await;
    assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
    assert!(answer.contains("/sign-in?"), "{answer}");
}

/// Sends the beginning of a body, ends the session that sends it, then sends the rest. Returns the answer;
/// nothing was done.
async fn put_out_meanwhile(
    server: &Server,
    admin: &TestUser,
    slow: &Tokens,
    head: &str,
    body: &str,
) -> String {
    let other = server.sign_in(admin).await;
    let address = server.base.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    let (first, rest) = body.split_at(5);
    let length = body.len();
    let head = format!(
        "{head}Host: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{first}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Until it was admitted: its check is counted.
    let sessions = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL";
    assert_eq!(server.database.count(sessions).await, 2);
    for _ in 0..50 {
        assert_eq!(server.verify(&slow.access).await.status, 200);
    }
    let path = format!("/api/admin/sessions/{}", slow.session_id);
    let ended = server.delete(&path, Some(&other.access)).await;
    assert_eq!(ended.status, 204);
    stream.write_all(rest.as_bytes()).unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let made = "SELECT COUNT(*) FROM users WHERE email = 'made@test.example'";
    let answer = answer.await.unwrap();
    assert_eq!(server.database.count(made).await, 0);
    answer
}
