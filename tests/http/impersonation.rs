//! Looking on as another user: who may, as whom, for how long, and what comes of it.

mod ends;
mod limits;
mod pages;
mod seen;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, TestUser, Tokens};

const REASON: &str = "her invoice of May does not show";

/// A server with an administrator who has the right, another who has not, and a user.
struct Scene {
    server: Server,
    grace: TestUser,
    console: Tokens,
    boss: Tokens,
    ada: TestUser,
}

impl Scene {
    async fn open() -> Self {
        Self::on(Server::start().await).await
    }

    async fn on(server: Server) -> Self {
        let roles = ["admin", "impersonator"];
        let grace = server.user("grace@test.example", &roles).await;
        let ada = server.user("ada@test.example", &["editor"]).await;
        let console = server.sign_in(&grace).await;
        let boss = server.sign_in(&server.admin().await).await;
        Self {
            server,
            grace,
            console,
            boss,
            ada,
        }
    }

    async fn ask(&self, by: &Tokens, user: &TestUser, document: Value) -> Answer {
        let path = format!("/api/admin/users/{}/impersonate", user.id);
        self.server.post(&path, Some(&by.access), document).await
    }

    /// Grace looks on as Ada.
    async fn look_on(&self) -> Tokens {
        self.look_on_with(json!({"reason": REASON})).await
    }

    async fn look_on_with(&self, document: Value) -> Tokens {
        let answer = self.ask(&self.console, &self.ada, document).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Tokens::from(answer.json())
    }

    async fn is_live(&self, tokens: &Tokens) -> bool {
        self.server.verify(&tokens.access).await.status == 200
    }

    async fn by_boss(&self, method: Method, path: &str, document: Option<Value>) {
        let access = Some(self.boss.access.as_str());
        let answer = self.server.call(method, path, access, document).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    }

    /// Refused, by access token and refresh token, for this reason.
    async fn assert_ended(&self, tokens: &Tokens, reason: &str, case: &str) {
        let answer = self.server.verify(&tokens.access).await;
        assert_eq!(answer.status, 401, "{case}");
        assert_eq!(answer.json()["reason"], reason, "{case}: {}", answer.text);
        let answer = self.server.refresh(&tokens.refresh).await;
        assert_eq!(answer.status, 401, "{case}");
        assert_eq!(answer.json()["reason"], reason, "{case}: {}", answer.text);
    }
}

#[tokio::test]
async fn only_an_administrator_who_is_also_an_impersonator_opens_one() {
    let scene = Scene::open().await;
    let server = &scene.server;
    let right = server.user("right@test.example", &["impersonator"]).await;
    let right = server.sign_in(&right).await;
    let document = json!({"reason": REASON});
    for (by, case) in [(&scene.boss, "admin alone"), (&right, "the right alone")] {
        let answer = scene.ask(by, &scene.ada, document.clone()).await;
        assert_eq!(answer.status, 403, "{case}");
        assert_eq!(answer.code(), "forbidden", "{case}");
    }
    let answer = scene
        .ask(&scene.console, &scene.ada, document.clone())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // Only after a fresh proof.
    server.advance(601);
    let renewed = Tokens::from(server.refresh(&scene.console.refresh).await.json());
    let answer = scene.ask(&renewed, &scene.ada, document).await;
    assert_eq!(answer.code(), "step-up-required");
}

#[tokio::test]
async fn a_reason_is_stated_and_kept_in_the_audit_under_both_ids() {
    let scene = Scene::open().await;
    let ask = async |document: Value| scene.ask(&scene.console, &scene.ada, document).await;
    assert_eq!(ask(json!({})).await.status, 400);
    for reason in ["", "nine char", "         x         ", &"x".repeat(501)] {
        let answer = ask(json!({"reason": reason})).await;
        assert_eq!(answer.status, 422, "{reason}: {}", answer.text);
        assert_eq!(answer.json()["field"], "reason");
    }
    for reason in ["ten chars.", &"x".repeat(500)] {
        assert_eq!(ask(json!({"reason": reason})).await.status, 200);
    }
    let tokens = scene.look_on().await;
    for user in [&scene.grace, &scene.ada] {
        let path = format!(
            "/api/admin/audit?user={}&action=impersonation-started&limit=1",
            user.id
        );
        let audit = scene.server.get(&path, Some(&scene.boss.access)).await;
        let event = &audit.json()["events"][0];
        assert_eq!(event["actor"]["id"], scene.grace.id.to_string());
        assert_eq!(event["subject"]["id"], scene.ada.id.to_string());
        assert_eq!(event["session_id"], tokens.session_id.as_str());
        assert_eq!(event["detail"], REASON);
        assert_eq!(event["reason"], "read-only");
    }
    scene
        .look_on_with(json!({"reason": REASON, "read_only": false}))
        .await;
    let path = "/api/admin/audit?action=impersonation-started&limit=1";
    let audit = scene.server.get(path, Some(&scene.boss.access)).await;
    assert_eq!(audit.json()["events"][0]["reason"], "may-change");
}

#[tokio::test]
async fn nobody_looks_on_as_an_administrator_an_impersonator_oneself_or_somebody_disabled() {
    let scene = Scene::open().await;
    let server = &scene.server;
    let disabled = server.user("disabled@test.example", &[]).await;
    let path = format!("/api/admin/users/{}", disabled.id);
    let document = Some(json!({"enabled": false}));
    scene.by_boss(Method::PATCH, &path, document).await;
    let targets = [
        server.user("admin2@test.example", &["admin"]).await,
        server.user("right@test.example", &["impersonator"]).await,
        scene.grace.clone(),
        disabled,
    ];
    for target in &targets {
        let answer = scene
            .ask(&scene.console, target, json!({"reason": REASON}))
            .await;
        assert_eq!(answer.status, 409, "{}: {}", target.email, answer.text);
    }
    let nobody = TestUser {
        id: "00000000-0000-7000-8000-000000000000".parse().unwrap(),
        email: String::new(),
    };
    let answer = scene
        .ask(&scene.console, &nobody, json!({"reason": REASON}))
        .await;
    assert_eq!(answer.status, 404);
    // Nor from a session that is one itself.
    let tokens = scene.look_on().await;
    let ben = server.user("ben@test.example", &[]).await;
    let answer = scene.ask(&tokens, &ben, json!({"reason": REASON})).await;
    assert_eq!(answer.code(), "forbidden");
    assert_eq!(scene.server.database.count(IMPERSONATIONS).await, 1);
}

const IMPERSONATIONS: &str = "SELECT COUNT(*) FROM sessions WHERE impersonator_id IS NOT NULL";

#[tokio::test]
async fn services_behind_see_who_acts_and_whether_anything_may_be_changed() {
    let scene = Scene::open().await;
    let server = &scene.server;
    let grace = scene.grace.id.to_string();
    for read_only in [true, false] {
        let tokens = scene
            .look_on_with(json!({"reason": REASON, "read_only": read_only}))
            .await;
        let answer = server.verify(&tokens.access).await;
        assert_eq!(answer.header("x-user-id"), scene.ada.id.to_string());
        assert_eq!(answer.header("x-user-roles"), "editor");
        assert_eq!(answer.header("x-impersonator-id"), grace);
        assert_eq!(answer.header("x-read-only"), read_only.to_string());
        for (name, method, refused) in [
            ("x-original-method", "GET", false),
            ("x-original-method", "POST", true),
            ("x-forwarded-method", "OPTIONS", false),
            ("x-forwarded-method", "DELETE", true),
            ("x-forwarded-method", "get", true),
        ] {
            let asked = server.request(Method::GET, "/api/auth/verify");
            let asked = asked.bearer_auth(&tokens.access).header(name, method);
            let status = asked.send().await.unwrap().status();
            let expected = if refused && read_only { 403 } else { 200 };
            assert_eq!(status, expected, "{name} {method} {read_only}");
        }
        let claims = claims(&tokens.access);
        assert_eq!(claims["sub"], scene.ada.id.to_string());
        assert_eq!(claims["act"], json!({ "sub": grace }));
        assert_eq!(claims["read_only"], read_only);
        assert_eq!(claims["amr"], json!([]), "nobody has proven to be Ada");
        assert_eq!(claims["auth_time"], 0, "at no time");
        let who = server.get("/api/auth/session", Some(&tokens.access)).await;
        let expected = json!({"impersonator_id": grace, "reason": REASON, "read_only": read_only});
        assert_eq!(who.json()["session"]["impersonation"], expected);
        assert_eq!(who.json()["session"]["remembered"], false);
        // For calling other services, and after a renewal.
        let other = server.token_by_cookies(&tokens).await;
        let renewed = server.refresh(&tokens.refresh).await;
        for document in [other.json(), renewed.json()] {
            let access = document["access_token"].as_str().unwrap();
            assert_eq!(self::claims(access)["act"], json!({ "sub": grace }));
            assert_eq!(self::claims(access)["read_only"], read_only);
        }
    }
    let own = server.sign_in(&scene.ada).await;
    let answer = server.verify(&own.access).await;
    assert_eq!(answer.headers["x-impersonator-id"], "");
    assert_eq!(answer.headers["x-read-only"], "false");
    for name in ["act", "read_only"] {
        assert!(claims(&own.access).get(name).is_none(), "{name}");
    }
}

fn claims(token: &str) -> Value {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
    serde_json::from_slice(&bytes.unwrap()).unwrap()
}
