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
        assert_ne!(page.status, 405, "{route:?}: {back}");
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
