//! What the page that asks for a password says it goes on with.

use portcullis::http::pages::step_up::act_of;
use portcullis::http::routes::routes;

use super::{Late, assert_asks, unescaped};
use crate::support::PASSWORD;

#[tokio::test]
async fn every_form_that_needs_a_recent_proof_says_what_it_goes_on_with() {
    let mut late = Late::begin().await;
    let ben = late.server.user("ben@test.example", &[]).await;
    let mut checked = 0;
    for route in routes() {
        let fresh = route.guard.starts_with("Fresh");
        if route.method != "POST" || route.path.starts_with("/api") {
            continue;
        }
        assert_eq!(act_of(route.path).is_some(), fresh, "{route:?}");
        if !fresh {
            continue;
        }
        let sid = "00000000-0000-7000-8000-000000000000";
        let path = route.path.replace("{id}", &ben.id.to_string());
        let path = path.replace("{sid}", sid).replace("{kind}", "role");
        let mut path = path.replace("{name}", "admin");
        if route.path == "/admin/sessions/end-where" {
            path.push_str("?role=nobody");
        }
        let fields: &[(&str, &str)] = match route.path {
            "/account/email" => &[("email", "other@test.example")],
            "/admin/users" => &[("email", "new@test.example")],
            "/admin/policies" => &[("kind", "role"), ("name", "admin"), ("at_limit", "refuse")],
            "/admin/users/{id}" => &[("name", "New"), ("roles", "")],
            "/admin/users/{id}/impersonate" => &[("reason", "They asked me to.")],
            _ => &[],
        };
        let rows = "SELECT COUNT(*) FROM audit_events";
        let before = late.server.database.count(rows).await;
        let answer = late.console.submit("/account", &path, fields).await;
        let words = act_of(route.path).unwrap().replace("{user}", &ben.email);
        let asked = assert_asks(&answer, &words);
        // Whoever would rather not finds the way back.
        let (_, rest) = answer
            .text
            .split_once("<a class=\"button\" href=\"")
            .unwrap();
        let back = unescaped(rest.split('"').next().unwrap());
        let page = late.console.get(&back).await;
        assert_eq!(page.status, 200, "{route:?}: {back}");
        assert_eq!(late.server.database.count(rows).await, before, "{route:?}");
        let answer = asked.confirm(&mut late.console, PASSWORD).await;
        // There is no such session to end.
        let expected: &[u16] = match route.path {
            "/account/sessions/{sid}/end" => &[404],
            _ => &[200, 303],
        };
        let status = answer.status.as_u16();
        assert!(expected.contains(&status), "{route:?}: {}", answer.text);
        assert!(!answer.location().starts_with("/s"), "{route:?}");
        if route.path.ends_with("/impersonate") {
            // Back to one's own session, which the proof renewed on the way.
            let stop = "/impersonation/stop";
            let answer = late.console.submit("/account", stop, &[]).await;
            assert!(answer.location().starts_with("/admin/users/"), "{answer:?}");
        }
        late.server.advance(600);
        checked += 1;
    }
    assert_eq!(checked, 14);
}

#[tokio::test]
async fn the_way_back_from_deleting_a_policy_is_its_page_whatever_it_is_for() {
    let mut late = Late::begin().await;
    for role in ["delete", "end", "name", "policies"] {
        let email = format!("{role}@test.example");
        late.server.user(&email, &[role]).await;
        let path = format!("/admin/policies/role/{role}");
        let fields = [("kind", "role"), ("name", role), ("max_sessions", "3")];
        let saved = late.console.submit("/account", "/admin/policies", &fields);
        let asked = assert_asks(&saved.await, "save a policy of sessions");
        let saved = asked.confirm(&mut late.console, PASSWORD).await;
        assert_eq!(saved.location(), "/admin/policies?done=policy-saved");
        late.server.advance(600);
        let delete = format!("{path}/delete");
        let answer = late.console.submit(&path, &delete, &[]).await;
        assert_asks(&answer, "delete a policy of sessions");
        let back = format!("href=\"{path}\">Cancel</a>");
        assert!(answer.text.contains(&back), "{back}: {}", answer.text);
        let page = late.console.get(&path).await;
        assert_eq!(page.status, 200);
    }
}

/// What an address that only takes forms leads back to, when one of them is refused.
#[tokio::test]
async fn every_form_leads_back_to_a_page() {
    let server = crate::support::Server::start().await;
    let ada = server.user("ada@test.example", &["delete"]).await;
    let roles = ["admin", "impersonator"];
    let admin = server.user("admin@test.example", &roles).await;
    let mut console = server.signed_in_browser(&admin).await;
    let policy = [("kind", "role"), ("name", "delete"), ("max_sessions", "3")];
    let saved = console.submit("/account", "/admin/policies", &policy).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    for route in routes() {
        if route.method != "POST" || route.path.starts_with("/api") {
            continue;
        }
        let path = route.path.replace("{id}", &ada.id.to_string());
        let path = path.replace("{sid}", "00000000-0000-7000-8000-000000000000");
        let path = path.replace("{kind}", "role").replace("{name}", "delete");
        let answer = console.post(&path, "not the hidden text", &[]).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
        let (before, _) = answer.text.split_once("\">Load the page again").unwrap();
        let back = unescaped(before.rsplit_once("href=\"").unwrap().1);
        let page = console.get(&back).await;
        // What a mailed link leads to is nothing without it, and says so.
        let mailed = [
            "/invitation",
            "/new-password",
            "/not-me",
            "/confirm-email",
            "/verify-email",
        ];
        let expected = if mailed.contains(&path.as_str()) {
            &[404][..]
        } else {
            &[200, 303]
        };
        let status = page.status.as_u16();
        assert!(
            expected.contains(&status),
            "{path} leads back to {back:?}: {status}"
        );
        assert!(back.starts_with('/'), "{path}: {back:?}");
    }
}
