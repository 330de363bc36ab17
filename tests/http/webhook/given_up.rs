//! Events that nobody takes: tried again, given up, shown in the console, and no further than there.

use serde_json::Value;

use super::{quiet, server_for, sign_out};
use crate::support::webhook::Receiver;
use crate::support::{Browser, Server, TestUser};

/// One end of a session that waits to be told.
async fn an_end(server: &Server, user: &TestUser) {
    let tokens = server.sign_in(user).await;
    sign_out(server, &tokens).await;
}

async fn listed(server: &Server, admin: &TestUser, status: &str) -> Vec<Value> {
    let console = server.sign_in(admin).await.access;
    let path = format!("/api/admin/outbox?status={status}");
    let listed = server.get(&path, Some(&console)).await.json();
    let rows = listed["deliveries"].as_array().unwrap().iter();
    rows.filter(|row| row["consumer"] == "webhook")
        .cloned()
        .collect()
}

/// Presses the first button of the list.
async fn press(console: &mut Browser, verb: &str) {
    let page = console.get("/admin/outbox").await.text;
    let start = page.find("/admin/outbox/").expect("something was given up");
    let path = format!("{}/{verb}", &page[start..start + 50]);
    let done = console.submit("/admin/outbox", &path, &[]).await;
    assert_eq!(done.status, 303, "{}", done.text);
}

#[tokio::test]
async fn gone_is_given_up_at_once_shown_and_can_be_tried_again() {
    let receiver = Receiver::start();
    let server = server_for(&receiver).await;
    let admin = server.admin().await;
    let ada = quiet(&server, &receiver).await;
    receiver.answer(410);
    an_end(&server, &ada).await;
    assert_eq!(server.deliver_events().await, 1);
    let first = receiver.wait();
    let mut console = server.signed_in_browser(&admin).await;
    let page = console.get("/admin/outbox").await.text;
    for shown in [
        "Ended a session",
        "Webhook",
        "gone for good (410)",
        "1 time",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("what the receiver says"), "{page}");
    server.advance(86_400);
    assert_eq!(server.deliver_events().await, 0, "it is not tried again");
    receiver.answer(204);
    let mut console = server.signed_in_browser(&admin).await;
    press(&mut console, "retry").await;
    assert_eq!(server.deliver_events().await, 1);
    assert_eq!(receiver.wait()["id"], first["id"], "the same id");
    let page = console.get("/admin/outbox").await.text;
    assert!(page.contains("Nothing was given up"), "{page}");
}

#[tokio::test]
async fn what_fails_for_half_a_day_is_given_up_and_can_be_dropped() {
    let receiver = Receiver::start();
    let server = server_for(&receiver).await;
    let admin = server.admin().await;
    let ada = quiet(&server, &receiver).await;
    receiver.answer(503);
    an_end(&server, &ada).await;
    let mut ids = Vec::new();
    for attempt in 1..=20 {
        assert_eq!(server.deliver_events().await, 1, "{attempt}");
        ids.push(receiver.wait()["id"].clone());
        server.advance(3_600);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "the id stays");
    assert_eq!(server.deliver_events().await, 0);
    let dead = listed(&server, &admin, "dead").await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0]["attempts"], 20);
    assert_eq!(dead[0]["last_error"], "the receiver answered with 503");
    let mut console = server.signed_in_browser(&admin).await;
    press(&mut console, "drop").await;
    assert!(listed(&server, &admin, "dead").await.is_empty());
    let audited = "SELECT COUNT(*) FROM audit_events WHERE action = 'delivery-dropped' \
                   AND detail = 'session-ended by webhook'";
    assert_eq!(server.database.count(audited).await, 1);
}

#[tokio::test]
async fn asvs_1_3_6_no_answer_leads_an_event_elsewhere() {
    let receiver = Receiver::start();
    let server = server_for(&receiver).await;
    let admin = server.admin().await;
    let ada = quiet(&server, &receiver).await;
    for status in [301, 302, 307, 308] {
        receiver.answer(status);
        an_end(&server, &ada).await;
        server.deliver_events().await;
        assert_eq!(receiver.wait()["path"], "/hook?of=portcullis");
        let waiting = listed(&server, &admin, "waiting").await;
        let error = format!("the receiver leads elsewhere with {status}, which is not followed");
        assert_eq!(waiting[0]["last_error"], error.as_str());
        server.database.execute("DELETE FROM outbox").await;
    }
    assert!(receiver.rest().is_empty(), "something more was asked");
}
