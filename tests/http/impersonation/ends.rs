//! It ends at once with what it rests on: the administrator's session, their right, their account,
//! and that the user has no such powers.

use portcullis::rules::audit::Origin;
use portcullis::rules::end_reason::EndReason;
use portcullis::service::end_session;
use portcullis::store::sessions::Which;
use reqwest::Method;
use serde_json::{Value, json};

use super::Scene;
use crate::support::{PASSWORD, Server, TestUser, Tokens};

const GONE: &str = "impersonator-gone";

#[tokio::test]
async fn it_ends_with_the_session_it_was_opened_from() {
    let scene = Scene::open().await;
    let server = &scene.server;
    let other = server.sign_in(&scene.grace).await;
    let by_other = server
        .post(
            &format!("/api/admin/users/{}/impersonate", scene.ada.id),
            Some(&other.access),
            json!({"reason": super::REASON}),
        )
        .await;
    let by_other = Tokens::from(by_other.json());
    let tokens = scene.look_on().await;
    let answer = server
        .post("/api/auth/sign-out", Some(&scene.console.access), json!({}))
        .await;
    assert_eq!(answer.status, 204);
    scene.assert_ended(&tokens, GONE, "signed out").await;
    assert!(scene.is_live(&by_other).await, "from another session");
    let path = format!("/api/admin/sessions/{}", other.session_id);
    scene.by_boss(Method::DELETE, &path, None).await;
    scene.assert_ended(&by_other, GONE, "by another").await;
    let sql = "SELECT COUNT(*) FROM audit_events \
               WHERE action = 'session-ended' AND reason = 'impersonator-gone'";
    assert_eq!(server.database.count(sql).await, 2);
}

#[tokio::test]
async fn it_ends_with_the_administrators_other_sessions() {
    let scene = Scene::open().await;
    let tokens = scene.look_on().await;
    let path = format!("/api/admin/users/{}/sessions", scene.grace.id);
    scene.by_boss(Method::DELETE, &path, None).await;
    scene.assert_ended(&tokens, GONE, "all of Grace's").await;

    let scene = Scene::open().await;
    let tokens = scene.look_on().await;
    let mut browser = scene.server.signed_in_browser(&scene.grace).await;
    let new = "another long and quiet one";
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", new),
        ("new_password_again", new),
        ("end_others", "true"),
    ];
    let path = "/account/security";
    assert_eq!(browser.submit(path, path, &fields).await.status, 303);
    scene.assert_ended(&tokens, GONE, "a new password").await;
}

#[tokio::test]
async fn it_ends_when_either_has_other_powers_than_it_needs() {
    type Change = (&'static str, fn(&Scene) -> &TestUser, Value);
    let grace: fn(&Scene) -> &TestUser = |scene| &scene.grace;
    let ada: fn(&Scene) -> &TestUser = |scene| &scene.ada;
    let changes: [Change; 6] = [
        ("no impersonator", grace, json!({"roles": ["admin"]})),
        (
            "no administrator",
            grace,
            json!({"roles": ["impersonator"]}),
        ),
        ("disabled", grace, json!({"enabled": false})),
        ("deleted", grace, json!(null)),
        ("Ada an administrator", ada, json!({"roles": ["admin"]})),
        (
            "Ada an impersonator",
            ada,
            json!({"roles": ["impersonator"]}),
        ),
    ];
    for (case, whose, change) in changes {
        let scene = Scene::open().await;
        let tokens = scene.look_on().await;
        // Something that concerns it not.
        let path = format!("/api/admin/users/{}", scene.grace.id);
        let more = json!({"roles": ["admin", "impersonator", "editor"]});
        scene.by_boss(Method::PATCH, &path, Some(more)).await;
        assert!(scene.is_live(&tokens).await, "{case}");
        let path = format!("/api/admin/users/{}", whose(&scene).id);
        if change.is_null() {
            scene.by_boss(Method::DELETE, &path, None).await;
        } else {
            scene.by_boss(Method::PATCH, &path, Some(change)).await;
        }
        scene.assert_ended(&tokens, GONE, case).await;
        // In the act's own transaction, and not when somebody came to look.
        let sql = "SELECT COUNT(*) FROM audit_events WHERE reason = 'impersonator-gone' \
                   AND actor_kind = 'user'";
        assert_eq!(scene.server.database.count(sql).await, 1, "{case}");
    }
}

#[tokio::test]
async fn the_persons_own_ends_end_it_too() {
    let scene = Scene::open().await;
    let server = &scene.server;
    let own = server.sign_in(&scene.ada).await;
    let tokens = scene.look_on().await;
    let answer = server
        .delete("/api/sessions?others=true", Some(&own.access))
        .await;
    assert_eq!(answer.json(), json!({"ended": 1}));
    scene.assert_ended(&tokens, "ended-by-user", "others").await;

    let tokens = scene.look_on().await;
    scene
        .by_boss(Method::DELETE, "/api/admin/sessions", None)
        .await;
    scene
        .assert_ended(&tokens, "everyone-out", "everyone")
        .await;
}

/// What another process has ended is not believed here once an act on it is acknowledged.
#[tokio::test]
async fn an_end_that_is_acknowledged_here_holds_for_what_was_opened_from_it() {
    let scene = Scene::on(Server::start_unfollowed().await).await;
    let elsewhere = scene.server.beside().await;
    let tokens = scene.look_on().await;
    assert!(scene.is_live(&tokens).await);
    let which = Which::One(scene.console.session_id.parse().unwrap());
    let ended = end_session::end(&elsewhere, which, EndReason::EndedByAdmin, Origin::HOST).await;
    assert_eq!(ended.unwrap(), 1);
    let path = format!("/api/admin/sessions/{}", scene.console.session_id);
    scene.by_boss(Method::DELETE, &path, None).await;
    scene.assert_ended(&tokens, GONE, "elsewhere").await;
}

/// Somebody with `psql` or `sqlite3`, who knows nothing of what must end with what.
#[tokio::test]
async fn a_change_by_hand_ends_it_within_the_bound() {
    let changes = [
        "UPDATE users SET disabled_at = created_at WHERE email = 'grace@test.example'",
        "DELETE FROM user_roles WHERE role = 'impersonator'",
        "UPDATE user_roles SET role = 'was-admin' WHERE role = 'admin' AND user_id IN \
         (SELECT id FROM users WHERE email = 'grace@test.example')",
        "DELETE FROM users WHERE email = 'grace@test.example'",
        "UPDATE sessions SET ended_at = created_at, end_reason = 'signed-out' WHERE impersonator_id \
         IS NULL AND user_id IN (SELECT id FROM users WHERE email = 'grace@test.example')",
        "DELETE FROM sessions WHERE impersonator_id IS NULL AND user_id IN \
         (SELECT id FROM users WHERE email = 'grace@test.example')",
        "INSERT INTO user_roles SELECT id, 'admin', created_at FROM users \
         WHERE email = 'ada@test.example'",
    ];
    for sql in changes {
        let scene = Scene::open().await;
        let tokens = scene.look_on().await;
        // Until it is known that Ada was made: to learn of that later would be to ask about her anew.
        let opened = std::time::Instant::now();
        let cache = scene.server.context.store.cache();
        while cache.lag().is_none_or(|lag| lag >= opened.elapsed()) {
            tokio::task::yield_now().await;
        }
        assert!(scene.is_live(&tokens).await);
        assert_eq!(scene.server.database.execute(sql).await, 1, "{sql}");
        let bound = scene.server.context.settings.revocation_bound;
        let began = std::time::Instant::now();
        while scene.is_live(&tokens).await {
            assert!(began.elapsed() < bound, "{sql}");
        }
        scene.assert_ended(&tokens, GONE, sql).await;
    }
}

/// Between a change by hand and the next check there may be a renewal.
#[tokio::test]
async fn a_renewal_asks_whether_it_may_go_on() {
    let scene = Scene::open().await;
    let tokens = scene.look_on().await;
    let sql = "DELETE FROM user_roles WHERE role = 'impersonator'";
    scene.server.database.execute(sql).await;
    let elsewhere = scene.server.beside().await;
    let token = portcullis::settings::Secret::new(tokens.refresh.clone());
    let visitor = portcullis::service::sign_in::Visitor {
        ip: [127, 0, 0, 1].into(),
        user_agent: String::new(),
    };
    let renewed = portcullis::service::refresh::refresh(&elsewhere, &token, &visitor).await;
    assert!(renewed.is_err());
}
