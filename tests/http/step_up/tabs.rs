//! The same in more than one tab, and where cookies expire on the way.

use super::{Asked, EVERYONE, Late, assert_asks};
use crate::support::PASSWORD;
use crate::support::browser::form_token;

#[tokio::test]
async fn a_proof_given_meanwhile_in_another_tab_is_enough() {
    let mut late = Late::begin().await;
    let answer = late.console.submit(EVERYONE, EVERYONE, &[]).await;
    let asked = Asked::read(&answer.text);
    let proof = [("password", PASSWORD), ("next", "/account")];
    let answer = late.console.submit("/step-up", "/step-up", &proof).await;
    assert_eq!(answer.status, 303);
    let answer = asked.confirm(&mut late.console, "not looked at").await;
    assert_eq!(answer.location(), "/admin/sessions?done=everyone-out");
    assert_eq!(late.audited("step-up-failed").await, 0);
}

#[tokio::test]
async fn cookies_that_expire_on_the_way_are_renewed_on_the_way() {
    let mut late = Late::begin().await;
    let token = form_token(&late.console.get(EVERYONE).await.text);
    late.server.advance(301);
    let answer = late.console.post(EVERYONE, &token, &[]).await;
    assert_eq!(answer.set_cookies().len(), 2, "renewed");
    let asked = assert_asks(&answer, "end everyone's sessions");
    late.server.advance(301);
    let answer = asked.confirm(&mut late.console, PASSWORD).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert_eq!(answer.set_cookies().len(), 2, "each once");
    let page = late.console.get("/admin").await;
    assert_eq!((page.status.as_u16(), page.set_cookies().len()), (200, 0));
}

/// What another tab had sent before the answer to the proof came does not take the new cookies away.
#[tokio::test]
async fn a_proof_in_one_tab_signs_no_other_tab_out() {
    let mut late = Late::begin().await;
    assert_eq!(late.console.get("/account").await.status, 200);
    let mut other = late.console.clone();
    let answer = late.console.submit(EVERYONE, EVERYONE, &[]).await;
    let asked = Asked::read(&answer.text);
    assert_eq!(asked.confirm(&mut late.console, PASSWORD).await.status, 303);
    let answer = other.get("/account/sessions").await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let to = answer.location();
    assert!(
        to.starts_with("/sign-in?next=%2Faccount%2Fsessions"),
        "{to}"
    );
    assert_eq!(answer.set_cookies(), [""; 0]);
    // With the cookies of the tab that gave the proof, this leads straight on.
    let answer = late.console.get(to).await;
    assert_eq!(answer.location(), "/account/sessions");
}
