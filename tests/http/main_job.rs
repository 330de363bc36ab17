//! The main job: sign in, stay signed in, be signed out at once.

use crate::support::Server;

#[tokio::test]
async fn an_ended_session_is_refused_by_its_very_next_request_with_the_reason() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let one = server.sign_in(&ada).await;
    let other = server.sign_in(&ada).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let mut console = server.signed_in_browser(&admin).await;
    assert_eq!(server.verify(&one.access).await.status, 200);

    let action = format!("/admin/sessions/{}/end", one.session_id);
    let answer = console
        .submit("/admin/sessions", &action, &[("back", "/admin/sessions")])
        .await;
    assert_eq!(answer.status, 303, "{}", answer.text);

    let refused = server.verify(&one.access).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.code(), "session-ended");
    assert_eq!(refused.json()["reason"], "ended-by-admin");
    assert_eq!(server.refresh(&one.refresh).await.code(), "session-ended");
    assert_eq!(server.verify(&other.access).await.status, 200);
    assert_eq!(browser.get("/account").await.status, 200);
}
