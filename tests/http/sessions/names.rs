//! What people call their devices.

use reqwest::Method;
use serde_json::{Value, json};

use super::House;
use crate::support::{Answer, Tokens};

impl House {
    async fn name(&self, by: &Tokens, session_id: &str, name: Value) -> Answer {
        let path = format!("/api/sessions/{session_id}");
        let document = json!({ "name": name });
        self.server
            .call(Method::PATCH, &path, Some(&by.access), Some(document))
            .await
    }

    /// The name in the list of its owner, and in that of administrators.
    async fn names(&self, session_id: &str) -> (Value, Value) {
        let of = |list: Value| {
            let sessions = list["sessions"].as_array().unwrap().clone();
            let mut found = sessions.iter().filter(|s| s["id"] == session_id);
            found.next().unwrap()["name"].clone()
        };
        let own = self
            .server
            .get("/api/sessions", Some(&self.tokens.access))
            .await;
        let console = self.admin(Method::GET, "/api/admin/sessions", None).await;
        (of(own.json()), of(console.json()))
    }

    async fn times_named(&self) -> usize {
        let path = "/api/admin/audit?action=session-named";
        let events = self.admin(Method::GET, path, None).await.json();
        events["events"].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn a_device_gets_a_name_that_every_list_shows_and_loses_it_again() {
    let house = House::open().await;
    let other = house.server.sign_in(&house.ada).await;
    let sid = &other.session_id;
    // Not only the session one is in.
    let named = house
        .name(&house.tokens, sid, json!("  Work laptop "))
        .await;
    assert_eq!(named.status, 200, "{}", named.text);
    assert_eq!(named.json()["name"], "Work laptop");
    assert_eq!(named.json()["current"], false);
    assert_eq!(
        house.names(sid).await,
        (json!("Work laptop"), json!("Work laptop"))
    );
    // Nobody is signed out by it.
    assert!(house.is_live(&other).await);
    // Once more is no change, and no act.
    assert_eq!(house.times_named().await, 1);
    house.name(&house.tokens, sid, json!("Work laptop")).await;
    assert_eq!(house.times_named().await, 1);
    for nothing in [json!(""), json!(" "), Value::Null] {
        house.name(&house.tokens, sid, json!("Mine")).await;
        let named = house.name(&house.tokens, sid, nothing).await;
        assert_eq!(
            (named.status.as_u16(), &named.json()["name"]),
            (200, &Value::Null)
        );
        assert_eq!(house.names(sid).await, (Value::Null, Value::Null));
    }
    let path = "/api/admin/audit?action=session-named";
    let events = house.admin(Method::GET, path, None).await.json();
    let event = &events["events"][0];
    assert_eq!(event["session_id"], sid.as_str());
    assert_eq!(event["actor"]["email"], house.ada.email);
    // What people call things stays theirs.
    assert!(!events.to_string().contains("Mine"), "{events}");
}

#[tokio::test]
async fn only_ones_own_sessions_can_be_named() {
    let house = House::open().await;
    let ben = house.server.user("ben@test.example", &[]).await;
    let thief = house.server.sign_in(&ben).await;
    let nobodys = "00000000-0000-7000-8000-000000000000";
    for by in [&thief, &house.console] {
        for sid in [house.tokens.session_id.as_str(), nobodys, "none"] {
            let answer = house.name(by, sid, json!("Stolen")).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (404, "not-found")
            );
        }
    }
    assert_eq!(house.names(&house.tokens.session_id).await.0, Value::Null);
    assert_eq!(house.times_named().await, 0);
    let mut browser = house.server.signed_in_browser(&ben).await;
    let action = format!("/account/sessions/{}/name", house.tokens.session_id);
    let answer = browser
        .submit("/account/sessions", &action, &[("name", "Stolen")])
        .await;
    assert_eq!(answer.status, 404);
    assert_eq!(house.names(&house.tokens.session_id).await.0, Value::Null);
}

#[tokio::test]
async fn a_name_that_cannot_be_taken_is_refused_by_field_and_problem() {
    let house = House::open().await;
    let sid = &house.tokens.session_id;
    for (name, problem) in [
        (
            "x".repeat(61),
            "The name has 61 characters; at most 60 are taken.",
        ),
        (
            "a\u{202e}b".to_owned(),
            "The name has a character that cannot be printed (U+202E).",
        ),
    ] {
        let answer = house.name(&house.tokens, sid, json!(name)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (422, "invalid-request")
        );
        assert_eq!(answer.json()["field"], "name");
        assert_eq!(answer.json()["detail"], problem);
    }
    for document in [
        json!({}),
        json!({ "name": 5 }),
        json!({ "name": "a", "ip": "" }),
    ] {
        let path = format!("/api/sessions/{sid}");
        let access = Some(house.tokens.access.as_str());
        let answer = house
            .server
            .call(Method::PATCH, &path, access, Some(document))
            .await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
    assert_eq!(house.names(sid).await.0, Value::Null);
}

#[tokio::test]
async fn a_plain_form_names_each_session_and_says_what_is_wrong_beside_it() {
    let house = House::open().await;
    let mut browser = house.server.signed_in_browser(&house.ada).await;
    let sid = &house.tokens.session_id;
    let action = format!("/account/sessions/{sid}/name");
    let page = "/account/sessions";
    let odd = "<b>Ada's \"phone\"</b>";
    let named = browser.submit(page, &action, &[("name", odd)]).await;
    assert_eq!(
        (named.status.as_u16(), named.location()),
        (303, "/account/sessions?done=session-named")
    );
    assert_eq!(house.names(sid).await, (json!(odd), json!(odd)));
    let shown = browser.get(page).await;
    assert!(
        shown.text.contains("&lt;b&gt;Ada&#x27;s &quot;phone&quot;")
            || shown.text.contains("&lt;b&gt;Ada&#39;s &quot;phone&quot;"),
        "{}",
        shown.text
    );
    assert!(!shown.text.contains("<b>"));
    let mut console = house.server.signed_in_browser(&house.admin).await;
    for page in [
        "/admin/sessions".to_owned(),
        format!("/admin/users/{}", house.ada.id),
    ] {
        let page = console.get(&page).await;
        assert!(page.text.contains("&lt;b&gt;Ada"), "{}", page.text);
    }
    let long = "y".repeat(61);
    let refused = browser.submit(page, &action, &[("name", &long)]).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.text.contains("at most 60 are taken"),
        "{}",
        refused.text
    );
    // What was typed is there again, in the form it was typed into and in no other.
    assert_eq!(refused.text.matches(&long).count(), 1);
    let (_, form) = refused.text.split_once(" open>").unwrap();
    assert!(form.split_once("</form>").unwrap().0.contains(&long));
    let removed = browser.submit(page, &action, &[("name", "")]).await;
    assert_eq!(removed.status, 303);
    assert_eq!(house.names(sid).await.0, Value::Null);
}
