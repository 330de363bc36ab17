//! ASVS 7.4.5: administrators end sessions, and from the acknowledgement on the answer is no.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::json;

use super::House;

#[tokio::test]
async fn asvs_7_4_5_an_administrator_ends_one_users_sessions_or_everybodys() {
    let house = House::open().await;
    let server = &house.server;
    let ben = server.user("ben@test.example", &[]).await;
    let (second, bens) = (server.sign_in(&house.ada).await, server.sign_in(&ben).await);
    for tokens in [&house.tokens, &second, &bens] {
        assert!(house.is_live(tokens).await, "warm");
    }
    let path = format!("/api/admin/users/{}/sessions", house.ada.id);
    let answer = house.admin(Method::DELETE, &path, None).await;
    assert_eq!(answer.json(), json!({ "ended": 2 }));
    for tokens in [&house.tokens, &second] {
        house
            .assert_refused(tokens, "session-ended", Some("ended-by-admin"))
            .await;
    }
    assert!(house.is_live(&bens).await);
    assert_eq!(
        house.admin(Method::DELETE, &path, None).await.json(),
        json!({ "ended": 0 })
    );

    let again = server.sign_in(&house.ada).await;
    let answer = house
        .admin(Method::DELETE, "/api/admin/sessions", None)
        .await;
    assert_eq!(
        answer.json(),
        json!({ "ended": 2 }),
        "the administrator's own stays"
    );
    for tokens in [&again, &bens] {
        house
            .assert_refused(tokens, "session-ended", Some("everyone-out"))
            .await;
    }
    assert!(house.is_live(&house.console).await);
    let answer = house
        .admin(
            Method::DELETE,
            "/api/admin/sessions?include_self=true",
            None,
        )
        .await;
    assert_eq!(answer.json(), json!({ "ended": 1 }));
    house
        .assert_refused(&house.console, "session-ended", Some("everyone-out"))
        .await;
}

#[tokio::test]
async fn asvs_7_4_5_the_console_does_the_same_by_plain_forms() {
    let house = House::open().await;
    let mut console = house.server.signed_in_browser(&house.admin).await;
    let page = format!("/admin/users/{}", house.ada.id);
    let answer = console
        .submit(&page, &format!("{page}/end-sessions"), &[])
        .await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    house
        .assert_refused(&house.tokens, "session-ended", Some("ended-by-admin"))
        .await;
    let again = house.server.sign_in(&house.ada).await;
    let path = "/admin/sessions/end-all";
    assert_eq!(console.submit(path, path, &[]).await.status, 303);
    house
        .assert_refused(&again, "session-ended", Some("everyone-out"))
        .await;
    house
        .assert_refused(&house.console, "session-ended", Some("everyone-out"))
        .await;
    assert_eq!(
        console.get("/admin").await.status,
        200,
        "this very session stays"
    );
}

/// While a session is being ended it is asked for all the time; in every other round the cache
/// forgets it now and then, so that it is loaded anew meanwhile. Whoever asks after the end was
/// acknowledged hears no.
#[tokio::test]
async fn once_an_end_is_acknowledged_no_request_gets_a_yes() {
    let house = House::open().await;
    let server = &house.server;
    for round in 0..6 {
        let forgetting = round % 2 == 1;
        let tokens = server.sign_in(&house.ada).await;
        let id = tokens.session_id.parse().unwrap();
        let (acknowledged, yes) = (AtomicBool::new(false), AtomicU32::new(0));
        let asking = join_all((0..100).map(async |number: u32| {
            let mut afterwards = 0;
            while afterwards < 3 {
                let after = acknowledged.load(Ordering::SeqCst);
                if forgetting && number.is_multiple_of(10) {
                    server.context.store.cache().forget(id);
                }
                let answer = server.verify(&tokens.access).await;
                if answer.status == 200 {
                    assert!(
                        !after,
                        "round {round}: a yes after the end was acknowledged"
                    );
                    yes.fetch_add(1, Ordering::SeqCst);
                } else {
                    assert_eq!(answer.code(), "session-ended", "{}", answer.text);
                }
                afterwards += u32::from(after);
            }
        }));
        let ending = async {
            while yes.load(Ordering::SeqCst) < 100 {
                tokio::task::yield_now().await;
            }
            let path = format!("/api/admin/sessions/{}", tokens.session_id);
            assert_eq!(house.admin(Method::DELETE, &path, None).await.status, 204);
            acknowledged.store(true, Ordering::SeqCst);
        };
        join(asking, ending).await;
    }
    assert_eq!(house.audited_ends("ended-by-admin").await, 6);
}
