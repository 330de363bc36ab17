//! What the person sees of it, and what it does not make others believe of the person.

use serde_json::json;

use super::{REASON, Scene};
use crate::support::Tokens;
use crate::support::process::run;

#[tokio::test]
async fn it_stands_in_the_persons_own_list_with_its_reason_and_they_may_end_it() {
    let scene = Scene::open().await;
    let server = &scene.server;
    let own = server.sign_in(&scene.ada).await;
    let tokens = scene.look_on().await;
    let mut browser = server.signed_in_browser(&scene.ada).await;
    let page = browser.get("/account/sessions").await.text;
    assert!(
        page.contains("Opened by an administrator, reason: "),
        "{page}"
    );
    assert!(page.contains(REASON));
    let list = server.get("/api/sessions", Some(&own.access)).await.json();
    let of = |id: &str| {
        let all = list["sessions"].as_array().unwrap().iter();
        all.clone().find(|one| one["id"] == id).unwrap().clone()
    };
    let expected = json!({
        "impersonator_id": scene.grace.id.to_string(), "reason": REASON, "read_only": true,
    });
    assert_eq!(of(&tokens.session_id)["opened_by"], expected);
    assert_eq!(of(&own.session_id)["opened_by"], json!(null));
    let path = format!("/api/sessions/{}", tokens.session_id);
    let answer = server.delete(&path, Some(&own.access)).await;
    assert_eq!(answer.status, 204);
    scene
        .assert_ended(&tokens, "ended-by-user", "by the person")
        .await;
    assert!(scene.is_live(&scene.console).await);
}

#[tokio::test]
async fn it_moves_nothing_that_is_said_of_the_person() {
    let scene = Scene::open().await;
    let server = &scene.server;
    let own = server.sign_in(&scene.ada).await;
    let stats = async || {
        server
            .get("/api/admin/stats", Some(&scene.boss.access))
            .await
            .json()
    };
    let answer = server
        .post("/api/auth/sign-out", Some(&own.access), json!({}))
        .await;
    assert_eq!(answer.status, 204);
    let before = stats().await;
    let tokens = scene.look_on().await;
    let after = stats().await;
    for name in ["sign_ins_24h", "signed_in_users"] {
        assert!(before[name].is_u64(), "{before}");
        assert_eq!(before[name], after[name], "{name}");
    }
    // A session of the person's own, untouched by what happens in the other.
    let own = server.sign_in(&scene.ada).await;
    let list = server.get("/api/sessions", Some(&own.access)).await.json();
    let seen = |list: &serde_json::Value, id: &str| {
        let all = list["sessions"].as_array().unwrap().iter();
        let one = all.clone().find(|one| one["id"] == id).unwrap();
        one["last_seen_at"].as_str().unwrap().to_owned()
    };
    server.advance(120);
    let renewed = Tokens::from(server.refresh(&tokens.refresh).await.json());
    assert!(scene.is_live(&renewed).await);
    let later = server
        .get("/api/sessions", Some(&renewed.access))
        .await
        .json();
    assert_eq!(seen(&later, &own.session_id), seen(&list, &own.session_id));
    assert_ne!(
        seen(&later, &tokens.session_id),
        seen(&list, &tokens.session_id)
    );
}

/// Somebody who guesses Ada's password from where an administrator looked on is no acquaintance.
#[tokio::test]
async fn where_an_administrator_looks_on_from_is_no_place_of_the_person() {
    let scene = Scene::open().await;
    scene.look_on().await;
    let known = async || {
        let store = &scene.server.context.store;
        store
            .has_signed_in_from(scene.ada.id, "127.0.0.1")
            .await
            .unwrap()
    };
    assert!(!known().await);
    scene.server.sign_in(&scene.ada).await;
    assert!(known().await);
}

#[tokio::test]
async fn explain_says_who_acts_and_whether_for_looking_alone() {
    let scene = Scene::open().await;
    let server = &scene.server;
    for (read_only, words) in [
        (true, "for looking alone (read_only)"),
        (false, "and may change things"),
    ] {
        let document = json!({"reason": REASON, "read_only": read_only});
        let tokens = scene.look_on_with(document).await;
        let url = [("DATABASE_URL", server.database.url.as_str())];
        let directory = server.directory.path();
        for (token, lines) in [(&tokens.access, 2), (&tokens.refresh, 1)] {
            let output = run(directory, &url, &["explain"], token);
            let said = String::from_utf8(output.stdout).unwrap();
            let who = format!("{}, {words}", scene.grace.id);
            assert_eq!(said.matches(&who).count(), lines, "{said}");
            assert!(said.contains(REASON), "{said}");
            assert!(said.contains("so it:               admits"), "{said}");
        }
    }
}
