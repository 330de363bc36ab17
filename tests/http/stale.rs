//! Somebody changes the tables while the server runs: by hand, or with another process.

use std::time::{Duration, Instant};

use portcullis::http::routes::routes;
use portcullis::rules::audit::Origin;
use portcullis::service::seed::{self, seed};
use portcullis::service::users::{UserPatch, delete_user, update_user};
use portcullis::service::{Context, reset::reset};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::form_token;
use crate::support::process::run;
use crate::support::{Browser, Database, PASSWORD, Process, Server, TestUser, Tokens, client};

/// Far more than the bound within which this server learns of a change elsewhere.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody who is signed in with a browser and over the API, and whose sessions have been used.
async fn signed_in(server: &Server, user: &TestUser, password: &str) -> (Browser, Tokens) {
    let mut browser = server.browser();
    let answer = browser.sign_in(&user.email, password).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let answer = server.try_sign_in(&user.email, password).await;
    let tokens = Tokens::from(answer.json());
    assert_eq!(browser.get("/account").await.status, 200);
    assert_eq!(server.verify(&tokens.access).await.status, 200);
    (browser, tokens)
}

/// Soon both are refused, and nothing fails on the way.
async fn assert_out(server: &Server, mut browser: Browser, tokens: &Tokens, code: &str) {
    let began = Instant::now();
    loop {
        let answer = server.verify(&tokens.access).await;
        if answer.status == 401 {
            break;
        }
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(began.elapsed() < PATIENCE, "the change was never learnt of");
    }
    let mut copy = browser.clone();
    let page = browser.get("/account").await;
    assert_eq!(page.status, 303, "{}", page.text);
    assert!(
        page.location().starts_with("/sign-in?"),
        "{}",
        page.location()
    );
    assert!(
        page.location().contains("next=%2Faccount"),
        "{}",
        page.location()
    );
    assert_eq!(browser.cookies.len(), 0, "{:?}", page.set_cookies());
    let location = page.location().to_owned();
    assert_eq!(browser.get(&location).await.status, 200);

    let call = server.get("/api/auth/session", Some(&tokens.access)).await;
    assert_eq!((call.status.as_u16(), call.code().as_str()), (401, code));
    assert_eq!(server.refresh(&tokens.refresh).await.status, 401);
    // The same browser calling the API with its cookies.
    let request = copy
        .request(Method::GET, "/api/sessions")
        .header("sec-fetch-site", "same-origin");
    let answer = copy.send(request).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (401, code)
    );
    assert_eq!(copy.cookies.len(), 0);
}

#[tokio::test]
async fn a_user_deleted_by_hand_is_out() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let ben = server.user("ben@test.example", &[]).await;
    let (browser, tokens) = signed_in(&server, &ada, PASSWORD).await;
    let (mut bens, bens_tokens) = signed_in(&server, &ben, PASSWORD).await;
    let sql = "DELETE FROM users WHERE email = 'ada@test.example'";
    assert_eq!(server.database.execute(sql).await, 1);
    assert_out(&server, browser, &tokens, "user-gone").await;
    assert_eq!(bens.get("/account").await.status, 200);
    assert_eq!(server.verify(&bens_tokens.access).await.status, 200);
}

#[tokio::test]
async fn a_user_deleted_with_another_process_is_out() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let (browser, tokens) = signed_in(&server, &ada, PASSWORD).await;
    delete_user(&server.beside().await, ada.id, Origin::HOST)
        .await
        .unwrap();
    assert_out(&server, browser, &tokens, "user-gone").await;
}

#[tokio::test]
async fn a_user_disabled_with_another_process_is_out() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let (browser, tokens) = signed_in(&server, &ada, PASSWORD).await;
    let disable = UserPatch {
        enabled: Some(false),
        ..UserPatch::default()
    };
    update_user(&server.beside().await, ada.id, disable, Origin::HOST)
        .await
        .unwrap();
    assert_out(&server, browser, &tokens, "user-disabled").await;
}

#[tokio::test]
async fn a_user_disabled_by_hand_is_out_and_the_sessions_are_ended() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let (browser, tokens) = signed_in(&server, &ada, PASSWORD).await;
    server
        .database
        .execute("UPDATE users SET disabled_at = updated_at")
        .await;
    assert_out(&server, browser, &tokens, "user-disabled").await;
    let open = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL";
    assert_eq!(server.database.count(open).await, 0);
}

#[tokio::test]
async fn who_was_seeded_anew_is_out_and_can_sign_in_again() {
    let server = Server::start().await;
    let beside = server.beside().await;
    let addresses = seed(&beside, Origin::HOST).await.unwrap();
    let email = addresses[1].to_owned();
    let before = TestUser {
        id: beside_id(&beside, &email).await,
        email: email.clone(),
    };
    let (browser, tokens) = signed_in(&server, &before, seed::PASSWORD).await;
    seed(&beside, Origin::HOST).await.unwrap();
    assert_ne!(beside_id(&beside, &email).await, before.id);
    assert_out(&server, browser, &tokens, "user-gone").await;
    signed_in(&server, &before, seed::PASSWORD).await;
}

async fn beside_id(beside: &Context, email: &str) -> portcullis::rules::id::UserId {
    let email = portcullis::rules::email::Email::new(email).unwrap();
    let user = beside.store.find_user_by_email(&email, beside.now()).await;
    user.unwrap().unwrap().id
}

#[tokio::test]
async fn after_a_reset_everybody_is_out() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &["admin"]).await;
    let (browser, tokens) = signed_in(&server, &ada, PASSWORD).await;
    assert_eq!(
        reset(&server.beside().await, Origin::HOST)
            .await
            .unwrap()
            .users,
        1
    );
    assert_out(&server, browser, &tokens, "user-gone").await;
}

#[tokio::test]
async fn a_session_deleted_by_hand_is_over_and_the_user_can_sign_in_again() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let (browser, tokens) = signed_in(&server, &ada, PASSWORD).await;
    assert_eq!(server.database.execute("DELETE FROM sessions").await, 2);
    assert_out(&server, browser, &tokens, "session-ended").await;
    signed_in(&server, &ada, PASSWORD).await;
}

#[tokio::test]
async fn a_role_taken_away_by_hand_counts_no_longer() {
    let server = Server::start().await;
    let ada = server.admin().await;
    let (mut browser, tokens) = signed_in(&server, &ada, PASSWORD).await;
    assert_eq!(browser.get("/admin").await.status, 200);
    server.database.execute("DELETE FROM user_roles").await;
    let verify = "/api/auth/verify?role=admin";
    let began = Instant::now();
    while server.get(verify, Some(&tokens.access)).await.status == 200 {
        assert!(began.elapsed() < PATIENCE, "the change was never learnt of");
    }
    assert_eq!(browser.get("/admin").await.status, 403);
    assert_eq!(
        server.get(verify, Some(&tokens.access)).await.code(),
        "forbidden"
    );
    assert_eq!(browser.get("/account").await.status, 200);
}

/// While the cache still believes in a user who is gone, the acts of that user meet tables in
/// which nothing fits any more.
#[tokio::test]
async fn no_route_fails_for_a_user_who_has_just_been_deleted_by_hand() {
    let server = Server::start_unfollowed().await;
    let other = server.admin().await;
    let theirs = server.sign_in(&other).await;
    for (number, route) in routes().into_iter().enumerate() {
        let user = server
            .user(
                &format!("user{number}@test.example"),
                &["admin", "impersonator"],
            )
            .await;
        let (mut browser, tokens) = signed_in(&server, &user, PASSWORD).await;
        let token = form_token(&browser.get("/account/security").await.text);
        let sql = format!("DELETE FROM users WHERE email = '{}'", user.email);
        assert_eq!(server.database.execute(&sql).await, 1);
        let mut path = route
            .path
            .replace("{sid}", &theirs.session_id)
            .replace("{id}", &user.id.to_string())
            .replace("{kind}", "role")
            .replace("{name}", "admin");
        if route.method == "DELETE" && route.path == "/api/sessions" {
            path.push_str("?others=true");
        }
        if route.method == "POST" && route.path == "/admin/sessions/end-where" {
            path.push_str("?method=none");
        }
        let fields = fields(route.method.as_str(), route.path, &tokens.refresh);
        let by_cookies = route.guard == "CookieUser";
        let answer = if route.path.starts_with("/api") && !by_cookies {
            let method = Method::from_bytes(route.method.as_str().as_bytes()).unwrap();
            let document = fields
                .iter()
                .map(|(name, value)| {
                    let object = serde_json::from_str(value).ok().filter(Value::is_object);
                    ((*name).to_owned(), object.unwrap_or(Value::from(*value)))
                })
                .collect();
            let document = Some(Value::Object(document)).filter(|_| !fields.is_empty());
            server
                .call(method, &path, Some(&tokens.access), document)
                .await
        } else if route.method == "GET" {
            browser.get(&path).await
        } else {
            browser.post(&path, &token, &fields).await
        };
        let said = format!(
            "{} {}: {} {}",
            route.method, route.path, answer.status, answer.text
        );
        assert!(!answer.status.is_server_error(), "{said}");
        // Every act is really begun: what is sent is understood and comes from its own page.
        let alone = [
            "/sign-in",
            "/set-up",
            "/invitation",
            "/reset-password",
            "/new-password",
            "/not-me",
            "/confirm-email",
            "/verify-email",
        ];
        let not_begun = [400, 403, 405, 415, 422].contains(&answer.status.as_u16());
        assert!(!not_begun || alone.contains(&route.path), "{said}");
        // Failures are counted by address, and here all come from one.
        server.database.execute("DELETE FROM throttles").await;
    }
}

/// What a route reads.
fn fields<'a>(method: &str, path: &str, refresh_token: &'a str) -> Vec<(&'a str, &'a str)> {
    const NEW: &str = "another quiet password";
    match (method, path) {
        ("POST", "/api/auth/sign-in") => {
            vec![("email", "nobody@test.example"), ("password", PASSWORD)]
        }
        ("POST", "/api/auth/sign-in/choice") => vec![
            ("choice_token", "wrong"),
            ("end_session", "00000000-0000-7000-8000-000000000000"),
        ],
        ("POST", "/sign-in/choice") => vec![
            ("choice_token", "wrong"),
            ("end", "00000000-0000-7000-8000-000000000000"),
        ],
        ("PUT", "/api/admin/policies/{kind}/{name}") => vec![("at_limit", "refuse")],
        ("POST", "/admin/policies") => {
            vec![("kind", "role"), ("name", "admin"), ("at_limit", "refuse")]
        }
        ("POST", "/api/auth/refresh") => vec![("refresh_token", refresh_token)],
        ("POST", "/api/auth/step-up" | "/step-up") => vec![("password", PASSWORD)],
        ("POST", "/api/admin/users" | "/admin/users" | "/account/email") => {
            vec![("email", "new@test.example")]
        }
        ("POST", "/api/admin/users/{id}/impersonate" | "/admin/users/{id}/impersonate") => {
            vec![("reason", "to see what they see")]
        }
        ("PATCH", _) | ("POST", "/account/sessions/{sid}/name") => vec![("name", "New")],
        ("POST", "/api/admin/sessions/end") => vec![("query", r#"{"method":"none"}"#)],
        ("POST", "/admin/users/{id}") => vec![("name", "New"), ("roles", "")],
        ("POST", "/account/security") => vec![
            ("current_password", PASSWORD),
            ("new_password", NEW),
            ("new_password_again", NEW),
            ("end_others", "true"),
        ],
        _ => Vec::new(),
    }
}

/// Of two processes on one database, one has never seen the session: it asks the table at once.
#[tokio::test]
async fn the_log_names_the_user_who_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::make(directory.path()).await;
    let variables = [("DATABASE_URL", database.url.as_str())];
    if database.is_postgres() {
        assert!(
            run(directory.path(), &variables, &["migrate", "up"], "")
                .status
                .success()
        );
    }
    let create = [
        "user",
        "create",
        "--email",
        "ada@test.example",
        "--password-stdin",
    ];
    let made = run(directory.path(), &variables, &create, PASSWORD);
    assert!(made.status.success(), "{made:?}");
    let first = Process::start(directory.path(), &variables);
    let second = Process::start(directory.path(), &variables);
    let document = json!({ "email": "ada@test.example", "password": PASSWORD });
    let answer = client()
        .post(format!("{}/api/auth/sign-in", first.base))
        .json(&document)
        .send()
        .await;
    let document: Value = answer.unwrap().json().await.unwrap();
    let user_id = document["user"]["id"].as_str().unwrap();
    assert_eq!(database.execute("DELETE FROM users").await, 1);
    let access = document["access_token"].as_str().unwrap();
    let refused = client()
        .get(format!("{}/api/auth/verify", second.base))
        .bearer_auth(access)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "user-gone");
    let line = second.wait_for("does not exist any more");
    assert!(line.contains("WARN") && line.contains(user_id), "{line}");
    assert!(
        !line.contains("ada@test.example") && !line.contains(access),
        "{line}"
    );
    first.kill();
    second.kill();
}
