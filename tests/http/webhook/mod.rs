//! What the operator's own server is told of, and that it is.

mod given_up;
mod process;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::webhook::{Receiver, assert_nothing_personal, free_port, types};
use crate::support::{Server, TestUser, Tokens};

/// A server that tells this receiver.
async fn server_for(receiver: &Receiver) -> Server {
    Server::start_with(&receiver.variables()).await
}

async fn sign_out(server: &Server, tokens: &Tokens) {
    let path = "/api/auth/sign-out";
    let answer = server.call(Method::POST, path, Some(&tokens.access), None);
    assert_eq!(answer.await.status, 204);
}

/// Posts what is due, and returns what has come.
async fn posted(server: &Server, receiver: &Receiver) -> Vec<Value> {
    let posted = server.deliver_events().await;
    (0..posted).map(|_| receiver.wait()).collect()
}

/// A user who has changed nothing yet.
async fn quiet(server: &Server, receiver: &Receiver) -> TestUser {
    let ada = server.user("ada@test.example", &[]).await;
    posted(server, receiver).await;
    ada
}

#[tokio::test]
async fn asvs_14_2_3_an_event_holds_what_happened_and_nothing_personal() {
    let receiver = Receiver::start();
    let server = server_for(&receiver).await;
    let ada = quiet(&server, &receiver).await;
    let tokens = server.sign_in(&ada).await;
    assert_eq!(server.deliver_events().await, 0, "who comes is not told");
    sign_out(&server, &tokens).await;
    // What is not told is not kept for it either.
    let kept = "SELECT COUNT(*) FROM outbox WHERE consumer = 'webhook' AND delivered_at IS NULL";
    let personal = format!(
        "{kept} AND (ip IS NOT NULL OR detail IS NOT NULL OR address IS NOT NULL OR link_id IS NOT NULL)"
    );
    assert_eq!(server.database.count(kept).await, 1);
    assert_eq!(server.database.count(&personal).await, 0);
    let requests = posted(&server, &receiver).await;
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    let at = request["event"]["timestamp"].as_str().unwrap();
    let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
    let expected = json!({
        "type": "session.ended",
        "timestamp": request["event"]["timestamp"],
        "data": {
            "user_id": ada.id,
            "session_id": tokens.session_id,
            "reason": "signed-out",
            "detail": null,
            "actor": { "kind": "user", "id": ada.id },
            "receipt_id": null,
        },
    });
    assert_eq!(request["event"], expected);
    let sent = request["at"].as_i64().unwrap();
    assert!((sent - at.timestamp()).abs() <= 60, "{request}");
    assert!(
        request["agent"]
            .as_str()
            .unwrap()
            .starts_with("portcullis/")
    );
    // Its id is that of its row in the audit.
    let admin = server.admin().await;
    let console = server.sign_in(&admin).await.access;
    let path = "/api/admin/audit?action=session-ended";
    let audit = server.get(path, Some(&console)).await.json();
    assert_eq!(audit["events"][0]["id"], request["id"], "{audit}");
    let rest = posted(&server, &receiver).await;
    assert_eq!(types(&rest), ["user.created", "user.role_granted"]);
}

#[tokio::test]
async fn changes_are_told_once_each_and_a_deleted_user_is_told_of_too() {
    let receiver = Receiver::start();
    let server = server_for(&receiver).await;
    let ada = quiet(&server, &receiver).await;
    let admin = server.admin().await;
    let console = server.sign_in(&admin).await.access;
    let tokens = server.sign_in(&ada).await;
    posted(&server, &receiver).await;
    let path = format!("/api/admin/users/{}", ada.id);
    let patch = json!({ "roles": ["editor"], "name": "Ada Lovelace", "enabled": false });
    let answer = server.call(Method::PATCH, &path, Some(&console), Some(patch));
    assert_eq!(answer.await.status, 200);
    let invitation = format!("{path}/invitation");
    let made = server
        .call(Method::POST, &invitation, Some(&console), None)
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let url = made.json()["invitation_url"].as_str().unwrap().to_owned();
    let requests = posted(&server, &receiver).await;
    let told = types(&requests);
    let expected = [
        "session.ended",
        "user.disabled",
        "user.invitation_made",
        "user.role_granted",
        "user.updated",
    ];
    assert_eq!(told, expected);
    let (_, token) = url.split_once("token=").unwrap();
    for request in &requests {
        assert_nothing_personal(request, &["@test", "Lovelace", token, "127.0.0.1"]);
        let data = &request["event"]["data"];
        assert_eq!(data["user_id"], json!(ada.id));
        assert_eq!(data["actor"], json!({ "kind": "user", "id": admin.id }));
        let is_role = request["event"]["type"] == "user.role_granted";
        let detail = if is_role {
            json!("editor")
        } else {
            Value::Null
        };
        assert_eq!(data["detail"], detail);
        if request["event"]["type"] == "session.ended" {
            assert_eq!(data["session_id"], tokens.session_id.as_str());
            assert_eq!(data["reason"], "user-disabled");
        }
    }

    // What was told by mail goes with the user; that the user went is told all the same.
    let patch = json!({ "enabled": true });
    server
        .call(Method::PATCH, &path, Some(&console), Some(patch))
        .await;
    let tokens = server.sign_in(&ada).await;
    assert_eq!(server.delete(&path, Some(&console)).await.status, 204);
    let requests = posted(&server, &receiver).await;
    let told = types(&requests);
    assert_eq!(told, ["session.ended", "user.deleted", "user.enabled"]);
    let ended = requests
        .iter()
        .find(|request| request["event"]["type"] == "session.ended");
    let data = &ended.unwrap()["event"]["data"];
    assert_eq!(data["session_id"], tokens.session_id.as_str());
    assert_eq!(data["reason"], "user-deleted");
    let mails = "SELECT COUNT(*) FROM outbox WHERE consumer = 'mail'";
    assert_eq!(server.database.count(mails).await, 0);
}

#[tokio::test]
async fn of_many_that_end_at_once_each_is_told() {
    let receiver = Receiver::start();
    let server = server_for(&receiver).await;
    let ada = quiet(&server, &receiver).await;
    let admin = server.admin().await;
    let console = server.sign_in(&admin).await.access;
    let mut sessions = Vec::new();
    for _ in 0..40 {
        sessions.push(server.sign_in(&ada).await.session_id);
    }
    posted(&server, &receiver).await;
    let query = json!({ "query": { "user": ada.email } });
    let answer = server
        .post("/api/admin/sessions/end", Some(&console), query)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let receipt = answer.json();
    let requests = posted(&server, &receiver).await;
    let (ends, acts): (Vec<&Value>, Vec<&Value>) = requests
        .iter()
        .partition(|request| request["event"]["type"] == "session.ended");
    assert_eq!((ends.len(), acts.len()), (40, 1));
    assert_eq!(acts[0]["event"]["type"], "sessions.ended_by_query");
    for request in &requests {
        let data = &request["event"]["data"];
        assert!(data["receipt_id"].is_string(), "{request}");
        assert!(
            receipt
                .to_string()
                .contains(data["receipt_id"].as_str().unwrap())
        );
        assert_nothing_personal(request, &["@test"]);
    }
    let mut told: Vec<&str> = ends
        .iter()
        .map(|request| request["event"]["data"]["session_id"].as_str().unwrap())
        .collect();
    told.sort_unstable();
    sessions.sort_unstable();
    assert_eq!(told, sessions);
}

#[tokio::test]
async fn without_a_webhook_nothing_is_kept_for_one() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &["admin"]).await;
    let tokens = server.sign_in(&ada).await;
    sign_out(&server, &tokens).await;
    let rows = "SELECT COUNT(*) FROM outbox";
    assert_eq!(server.database.count(rows).await, 0);
}

#[tokio::test]
async fn a_receiver_that_is_down_is_told_once_it_is_up() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/hook?of=portcullis");
    let secret = crate::support::webhook::SECRET;
    let variables = [
        ("PORTCULLIS_WEBHOOK_URL", url.as_str()),
        ("PORTCULLIS_WEBHOOK_SECRET", secret),
    ];
    let server = Server::start_with(&variables).await;
    let admin = server.admin().await;
    let console = server.sign_in(&admin).await.access;
    server.database.execute("DELETE FROM outbox").await;
    let tokens = server.sign_in(&admin).await;
    sign_out(&server, &tokens).await;
    let waits = async || {
        let path = "/api/admin/outbox?status=waiting";
        let listed = server.get(path, Some(&console)).await.json();
        assert_eq!(listed["total"], 1, "{listed}");
        listed["deliveries"][0].clone()
    };
    for (attempt, wait) in [(1, 10), (2, 20)] {
        assert_eq!(server.deliver_events().await, 1);
        assert_eq!(server.deliver_events().await, 0, "not before its time");
        let row = waits().await;
        assert_eq!(row["consumer"], "webhook");
        assert_eq!(row["attempts"], attempt);
        assert_eq!(row["last_error"], "the receiver cannot be reached");
        server.advance(wait);
    }
    let receiver = Receiver::start_at(port);
    let event_id = waits().await["event_id"].clone();
    assert_eq!(server.deliver_events().await, 1);
    let request = receiver.wait();
    assert_eq!(request["id"], event_id);
    let data = &request["event"]["data"];
    assert_eq!(data["session_id"], tokens.session_id.as_str());
    server.advance(3_600);
    assert_eq!(server.deliver_events().await, 0, "told once");
}

#[tokio::test]
async fn a_signature_is_good_for_its_own_secret_alone() {
    // The receiver knows the secret of all tests; this server has another one.
    let receiver = Receiver::start();
    let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let variables = [
        ("PORTCULLIS_WEBHOOK_URL", receiver.url.as_str()),
        ("PORTCULLIS_WEBHOOK_SECRET", other),
    ];
    let server = Server::start_with(&variables).await;
    server.user("ada@test.example", &[]).await;
    assert_eq!(server.deliver_events().await, 1);
    let requests = receiver.rest();
    assert_eq!(requests[0]["good"], false, "{requests:?}");
}
