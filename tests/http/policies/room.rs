//! ASVS 7.1.2: how many sessions there may be at once, and what happens to one more.

use portcullis::rules::audit::Origin;
use reqwest::Method;
use serde_json::{Value, json};

use super::Policed;
use crate::support::browser::form_token;
use crate::support::{Answer, PASSWORD, TestUser, Tokens};

/// One of as many clients, behind a proxy that is trusted.
fn address(number: u8) -> String {
    format!("192.0.2.{number}")
}

impl Policed {
    pub(super) async fn limited(most: &str, at_limit: &str) -> Self {
        let set = [
            ("PORTCULLIS_MAX_SESSIONS", most),
            ("PORTCULLIS_AT_SESSION_LIMIT", at_limit),
            ("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1"),
            ("PORTCULLIS_ACCESS_TOKEN_SECS", "3600"),
        ];
        Self::open_with(&set).await
    }

    async fn post_from(&self, number: u8, path: &str, document: Value) -> Answer {
        let request = self.server.request(Method::POST, path);
        let request = request.header("x-forwarded-for", address(number));
        Answer::read(request.json(&document).send().await.unwrap()).await
    }

    pub(super) async fn sign_in_from(&self, number: u8, user: &TestUser) -> Answer {
        let document = json!({ "email": user.email, "password": PASSWORD });
        self.post_from(number, "/api/auth/sign-in", document).await
    }

    pub(super) async fn choose(&self, number: u8, problem: &Value, end: &Value) -> Answer {
        let document = json!({ "choice_token": problem["choice_token"], "end_session": end });
        self.post_from(number, "/api/auth/sign-in/choice", document)
            .await
    }

    /// Live sessions of a user, by the table.
    pub(super) async fn live(&self, user: &TestUser) -> usize {
        let store = &self.server.context.store;
        let now = self.server.context.now();
        store.live_sessions_of(user.id, now).await.unwrap().len()
    }

    pub(super) async fn ended_for_want_of_room(&self) -> i64 {
        let sql = "SELECT COUNT(*) FROM sessions WHERE end_reason = 'session-limit'";
        self.server.database.count(sql).await
    }
}

#[tokio::test]
async fn asvs_7_1_2_one_more_ends_the_oldest_and_tells_it_why() {
    let house = Policed::limited("2", "end-oldest").await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let second = server.sign_in(&ada).await;
    // Its last use does not matter, only its sign-in.
    server.advance(60);
    assert_eq!(browser.get("/account").await.status, 200);
    let third = server.sign_in(&ada).await;
    for tokens in [&second, &third] {
        assert_eq!(server.verify(&tokens.access).await.status, 200);
    }
    let page = browser.get("/account").await;
    let why = browser.get(page.location()).await.text;
    assert!(
        why.contains("because you signed in on more devices than are allowed at once on "),
        "{why}"
    );
    assert_eq!(house.live(&ada).await, 2);
    // One that has ended, or is past its limits, takes no room.
    server
        .call(
            Method::POST,
            "/api/auth/sign-out",
            Some(&third.access),
            None,
        )
        .await;
    server.sign_in(&ada).await;
    assert_eq!(server.verify(&second.access).await.status, 200);
    assert_eq!(house.ended_for_want_of_room().await, 1);
}

#[tokio::test]
async fn asvs_7_1_2_one_more_is_refused_where_that_is_set() {
    let house = Policed::limited("2", "refuse").await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let other = server.sign_in(&ada).await;
    let refused = server.try_sign_in(&ada.email, PASSWORD).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (409, "conflict")
    );
    let problem = refused.json();
    assert_eq!(
        problem["detail"],
        "At most 2 sessions are allowed at once, and there is no room for one more. Sign out on another device, then try again."
    );
    assert_eq!(
        (&problem["sessions"], &problem["choice_token"]),
        (&Value::Null, &Value::Null)
    );
    let page = server.browser().sign_in(&ada.email, PASSWORD).await;
    assert_eq!(page.status, 409);
    assert!(
        page.text.contains("Sign out on another device"),
        "{}",
        page.text
    );
    assert!(
        page.set_cookies()
            .iter()
            .all(|it| !it.starts_with("portcullis_refresh"))
    );
    // Without the right password nothing of it is learnt.
    let wrong = server.try_sign_in(&ada.email, "a wrong password").await;
    assert_eq!(wrong.code(), "invalid-credentials");
    let about = "SELECT COUNT(*) FROM audit_events WHERE action = 'sign-in-failed' AND reason = 'session-limit'";
    assert_eq!(server.database.count(about).await, 2);
    // The session of this very browser makes room itself.
    let fields = [
        ("email", ada.email.as_str()),
        ("password", PASSWORD),
        ("next", ""),
    ];
    let again = browser.submit("/account", "/sign-in", &fields).await;
    assert_eq!(again.status, 303, "{}", again.text);
    assert_eq!(
        (house.live(&ada).await, house.ended_for_want_of_room().await),
        (2, 0)
    );
    assert_eq!(server.verify(&other.access).await.status, 200);
}

#[tokio::test]
async fn asvs_7_1_2_the_person_chooses_over_the_api_which_session_ends() {
    let house = Policed::limited("2", "ask").await;
    let server = &house.server;
    let (ada, bob) = (
        server.user("ada@test.example", &[]).await,
        server.user("bob@test.example", &[]).await,
    );
    let (first, second) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let of_bob = server.sign_in(&bob).await;
    let wrong = server.try_sign_in(&ada.email, "a wrong password").await;
    assert_eq!(wrong.code(), "invalid-credentials");
    assert!(!wrong.text.contains("sessions"), "{}", wrong.text);
    let asked = server.try_sign_in(&ada.email, PASSWORD).await;
    assert_eq!(
        (asked.status.as_u16(), asked.code().as_str()),
        (409, "conflict")
    );
    let problem = asked.json();
    let listed: Vec<_> = problem["sessions"].as_array().unwrap().iter().collect();
    let ids: Vec<_> = listed.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [second.session_id.as_str(), first.session_id.as_str()]);
    assert_eq!(
        (house.live(&ada).await, house.ended_for_want_of_room().await),
        (2, 0)
    );
    // Nobody else's session can be ended with it, and it does not let in by itself.
    let foreign = house.choose(1, &problem, &json!(of_bob.session_id)).await;
    assert_eq!(foreign.status, 409, "{}", foreign.text);
    assert_eq!(server.verify(&of_bob.access).await.status, 200);
    let chosen = house.choose(1, &problem, &json!(first.session_id)).await;
    assert_eq!(chosen.status, 200, "{}", chosen.text);
    let third = Tokens::from(chosen.json());
    assert_eq!(server.verify(&third.access).await.status, 200);
    assert_eq!(server.verify(&second.access).await.status, 200);
    let refused = server.verify(&first.access).await;
    assert_eq!(refused.json()["reason"], "session-limit");
    // Once, and not for long.
    let again = house.choose(1, &problem, &json!(second.session_id)).await;
    assert_eq!(
        (again.status.as_u16(), again.code().as_str()),
        (401, "invalid-credentials")
    );
    assert_eq!(server.verify(&second.access).await.status, 200);
    let late = server.try_sign_in(&ada.email, PASSWORD).await.json();
    server.advance(300);
    let answer = house.choose(1, &late, &json!(second.session_id)).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    for token in ["", "wrong", &"x".repeat(5000)] {
        let nonsense = json!({ "choice_token": token });
        let answer = house.choose(1, &nonsense, &json!(second.session_id)).await;
        assert_eq!(answer.status, 401, "{token}");
    }
    assert_eq!(house.live(&ada).await, 2);
}

#[tokio::test]
async fn a_choice_is_worth_nothing_after_the_password_it_stands_for() {
    let house = Policed::limited("1", "ask").await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &[]).await;
    let first = server.sign_in(&ada).await;
    let problem = server.try_sign_in(&ada.email, PASSWORD).await.json();
    server.advance(1);
    let new = portcullis::settings::Secret::new("another long and quiet one".to_owned());
    let context = &server.context;
    portcullis::service::change_password::set_password(context, ada.id, &new, Origin::HOST)
        .await
        .unwrap();
    let answer = house.choose(1, &problem, &json!(first.session_id)).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    server.try_sign_in(&ada.email, new.reveal()).await;
    let problem = server.try_sign_in(&ada.email, new.reveal()).await.json();
    let patch = json!({ "enabled": false });
    let path = format!("/api/admin/users/{}", ada.id);
    assert_eq!(
        house.call(Method::PATCH, &path, Some(patch)).await.status,
        200
    );
    let answer = house.choose(1, &problem, &json!(first.session_id)).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(house.live(&ada).await, 0);
}

#[tokio::test]
async fn asvs_7_1_2_the_person_chooses_on_a_page_which_session_ends() {
    let house = Policed::limited("2", "ask").await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &[]).await;
    let (first, second) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let mut browser = server.browser();
    let fields = [
        ("email", ada.email.as_str()),
        ("password", PASSWORD),
        ("remember", "true"),
        ("next", "/account/sessions"),
    ];
    let page = browser.submit("/sign-in", "/sign-in", &fields).await;
    assert_eq!(page.status, 409);
    assert_eq!(page.text.matches("End this one and sign in").count(), 2);
    assert!(!page.text.contains(PASSWORD) && !browser.cookies.contains_key("portcullis_refresh"));
    let hidden = |name: &str| {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = page.text.split_once(&start).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let token = form_token(&page.text);
    let choice = hidden("choice_token");
    let fields = [
        ("choice_token", choice.as_str()),
        ("end", second.session_id.as_str()),
        ("remember", "true"),
        ("next", "/account/sessions"),
    ];
    let done = browser.post("/sign-in/choice", &token, &fields).await;
    assert_eq!(
        (done.status.as_u16(), done.location()),
        (303, "/account/sessions")
    );
    assert_eq!(browser.get("/account").await.status, 200);
    assert!(
        done.set_cookies()
            .iter()
            .any(|it| it.contains("Max-Age=25919")),
        "remembered"
    );
    let refused = server.verify(&second.access).await;
    assert_eq!(refused.json()["reason"], "session-limit");
    assert_eq!(server.verify(&first.access).await.status, 200);
    // Used up, it leads back to the start.
    let mut late = server.browser();
    let start = late.get("/sign-in").await;
    let answer = late
        .post("/sign-in/choice", &form_token(&start.text), &fields)
        .await;
    assert_eq!(answer.status, 401);
    assert!(
        answer.text.contains("Sign in once more."),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn a_stricter_number_makes_room_for_the_next_one_only_then() {
    let house = Policed::limited("", "end-oldest").await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &["editor"]).await;
    for _ in 0..4 {
        server.sign_in(&ada).await;
    }
    let policy = json!({ "max_sessions": 2 });
    assert_eq!(house.set("role/editor", policy).await, 0);
    assert_eq!(
        house.live(&ada).await,
        4,
        "nobody is put out by the policy alone"
    );
    let last = server.sign_in(&ada).await;
    assert_eq!(
        (house.live(&ada).await, house.ended_for_want_of_room().await),
        (2, 3)
    );
    assert_eq!(server.verify(&last.access).await.status, 200);
    // Two too many, and each choice ends one.
    let ask = json!({ "max_sessions": 1, "at_limit": "ask" });
    house.set("role/editor", ask).await;
    let problem = server.try_sign_in(&ada.email, PASSWORD).await.json();
    let of = |problem: &Value, at: usize| problem["sessions"][at]["id"].clone();
    let more = house.choose(1, &problem, &of(&problem, 0)).await;
    assert_eq!(more.status, 409, "{}", more.text);
    let more = more.json();
    assert_eq!(more["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(more["choice_token"], problem["choice_token"]);
    let chosen = house.choose(1, &more, &of(&more, 0)).await;
    assert_eq!(chosen.status, 200, "{}", chosen.text);
    assert_eq!(house.live(&ada).await, 1);
}

/// Whoever was forced out needs the password once more: what it was given for before is void.
#[tokio::test]
async fn a_sign_in_that_waits_for_a_choice_is_void_once_all_sessions_were_ended() {
    let ways: [(&str, Method, Option<Value>); 4] = [
        ("/api/admin/users/{id}/sessions", Method::DELETE, None),
        ("/api/admin/sessions", Method::DELETE, None),
        (
            "/api/admin/sessions/end",
            Method::POST,
            Some(json!({ "query": { "user": "ada@test.example" } })),
        ),
        ("/api/sessions?others=true", Method::DELETE, None),
    ];
    for (path, method, document) in ways {
        let house = Policed::limited("1", "ask").await;
        let server = &house.server;
        let ada = server.user("ada@test.example", &[]).await;
        let bob = server.user("bob@test.example", &[]).await;
        let (first, of_bob) = (server.sign_in(&ada).await, server.sign_in(&bob).await);
        let begun = server.try_sign_in(&ada.email, PASSWORD).await.json();
        let of_bob_begun = server.try_sign_in(&bob.email, PASSWORD).await.json();
        let path = path.replace("{id}", &ada.id.to_string());
        let own = path.starts_with("/api/sessions");
        let by = if own { &first } else { &house.console };
        let ended = server.call(method, &path, Some(&by.access), document).await;
        assert_eq!(ended.status, 200, "{path}: {}", ended.text);
        let answer = house.choose(1, &begun, &json!(first.session_id)).await;
        assert_eq!(answer.status, 401, "{path}: {}", answer.text);
        assert_eq!(answer.code(), "invalid-credentials", "{path}");
        let said = "your sessions were ended";
        assert!(answer.text.contains(said), "{path}: {}", answer.text);
        assert_eq!(house.live(&ada).await, usize::from(own), "{path}");
        // Nobody else's, unless it was everybody's.
        let everyone = path == "/api/admin/sessions";
        let answer = house
            .choose(1, &of_bob_begun, &json!(of_bob.session_id))
            .await;
        let expected = if everyone { 401 } else { 200 };
        assert_eq!(answer.status, expected, "{path}: {}", answer.text);
        if !own {
            // With the password one gets in as ever.
            server.sign_in(&ada).await;
        }
    }
}
