//! The console's list of what was given up: who may see it, and what is not there.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn a_delivery_that_is_not_there_is_not_found() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let console = server.sign_in(&admin).await.access;
    let nobody = "018f4e5a-0000-7000-8000-000000000000";
    for id in [nobody, "x", "'"] {
        let path = format!("/api/admin/outbox/{id}/retry");
        let answer = server.post(&path, Some(&console), json!({})).await;
        assert_eq!(answer.code(), "not-found");
        let answer = server
            .delete(&format!("/api/admin/outbox/{id}"), Some(&console))
            .await;
        assert_eq!(answer.code(), "not-found");
    }
    let listed = server.get("/api/admin/outbox", Some(&console)).await.json();
    assert_eq!(
        listed,
        json!({ "deliveries": [], "next_cursor": null, "total": 0 })
    );
}
