//! One act, one reason: in the row, in the audit, in the cache, in the outbox and what a webhook gets of it, in
//! the refusal, and in the words that the person sees.

use portcullis::rules::audit::Origin;
use portcullis::rules::end_reason::EndReason;
use portcullis::rules::id::SessionId;
use portcullis::rules::session::Stored;
use portcullis::service::seed;
use portcullis::store::StoreError;
use reqwest::Method;
use serde_json::json;

use super::{House, sign_out, tokens_of};
use crate::support::webhook::{Receiver, assert_nothing_personal};
use crate::support::{PASSWORD, TestUser, Tokens};

/// What the refusal says: its code, and the reason beside it.
type Refusal = (&'static str, Option<&'static str>);

#[tokio::test]
async fn every_reason_stands_everywhere_and_is_told() {
    let receiver = Receiver::start();
    for reason in EndReason::ALL {
        let [url, secret] = receiver.variables();
        let life = ("PORTCULLIS_ACCESS_TOKEN_SECS", "3600");
        let house = House::open_with(&[life, url, secret]).await;
        let code = reason.code();
        let Some((ended, row)) = end(&house, *reason).await else {
            told(&house, &receiver, code).await;
            continue;
        };
        assert!(is_marked(&house, &ended).await, "{code}: no mark");
        let ids = told(&house, &receiver, code).await;
        assert_eq!(ids, [ended.session_id.as_str()], "{code}");
        assert_words(&house, &ended, row.then(|| reason.words())).await;
        let (refusal, told): Refusal = match reason {
            EndReason::UserDisabled => ("user-disabled", Some(code)),
            EndReason::UserDeleted => ("user-gone", None),
            EndReason::SignedOut
            | EndReason::SignedInAgain
            | EndReason::EndedByUser
            | EndReason::EndedByAdmin
            | EndReason::EveryoneOut
            | EndReason::PasswordChanged
            | EndReason::EmailChanged
            | EndReason::Reported
            | EndReason::Idle
            | EndReason::AbsoluteLifetime
            | EndReason::RefreshReuse
            | EndReason::SessionLimit
            | EndReason::ImpersonationStopped
            | EndReason::ImpersonatorGone
            | EndReason::RoleTaken
            | EndReason::Reseeded => ("session-ended", Some(code)),
        };
        // Twice: the first may be the one that writes it down.
        for _ in 0..2 {
            let answer = house.server.verify(&ended.access).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (401, refusal),
                "{code}: {}",
                answer.text
            );
            assert_eq!(answer.json()["reason"].as_str(), told, "{code}");
        }
        assert_eq!(house.audited_ends(code).await, 1, "{code}");
        assert_eq!(house.ended_rows(code).await, i64::from(row), "{code}");
        let sql = format!(
            "SELECT COUNT(*) FROM audit_events WHERE action = 'session-ended' AND reason <> '{code}'"
        );
        assert_eq!(
            house.server.database.count(&sql).await,
            0,
            "{code}: one act, one reason"
        );
    }
}

/// Does the cache refuse this session without asking the table?
async fn is_marked(house: &House, tokens: &Tokens) -> bool {
    let context = &house.server.context;
    let session_id = SessionId(tokens.session_id.parse().unwrap());
    let table = async { Err(StoreError::Unavailable(None)) };
    let cache = context.store.cache();
    let found = cache.find_or_load(session_id, house.ada.id, context.now(), table);
    found
        .await
        .is_ok_and(|found| matches!(found.stored(), Stored::Ended(_)))
}

/// Each end that is audited for this reason stands in the outbox once, for the webhook, which gets it once.
/// Returns the sessions that it is told of.
async fn told(house: &House, receiver: &Receiver, code: &str) -> Vec<String> {
    let rows = "SELECT COUNT(*) FROM outbox o JOIN audit_events a ON a.id = o.event_id \
                AND a.session_id = o.session_id AND a.reason = o.reason \
                WHERE o.consumer = 'webhook' AND o.action = 'session-ended'";
    let ends = house.audited_ends(code).await;
    assert_ne!(ends, 0, "{code}");
    assert_eq!(house.server.database.count(rows).await, ends, "{code}");
    let posted = house.server.deliver_events().await;
    let ended = (0..posted).filter_map(|_| {
        let request = receiver.wait();
        let event = &request["event"];
        let data = &event["data"];
        assert_nothing_personal(&request, &["@test", "127.0.0.1"]);
        (event["type"] == "session.ended").then(|| {
            assert_eq!(data["reason"], code, "{request}");
            data["session_id"].as_str().unwrap().to_owned()
        })
    });
    let ended: Vec<String> = ended.collect();
    assert_eq!(i64::try_from(ended.len()).unwrap(), ends, "{code}");
    assert_eq!(house.server.deliver_events().await, 0, "{code}");
    ended
}

/// Whoever comes with the cookies of this session is shown why it has ended.
async fn assert_words(house: &House, tokens: &Tokens, words: Option<&str>) {
    let mut browser = house.server.browser();
    browser.cookies.extend([
        ("portcullis".to_owned(), tokens.access.clone()),
        ("portcullis_refresh".to_owned(), tokens.refresh.clone()),
    ]);
    let page = browser.get("/account").await;
    assert_eq!(page.status, 303, "{}", page.text);
    let page = browser.get(page.location()).await;
    let said = "because the session, or the account it belonged to, does not exist any more";
    let words = words.map_or(said.to_owned(), |words| format!("because {words}"));
    let text = page.text.replace("&#39;", "'");
    assert!(text.contains(&words), "{words}: {text}");
}

/// Ends one session for this reason. None if it was looked at already; false if its row goes with its
/// user.
async fn end(house: &House, reason: EndReason) -> Option<(Tokens, bool)> {
    let (server, tokens) = (&house.server, house.tokens.clone());
    let user = format!("/api/admin/users/{}", house.ada.id);
    match reason {
        EndReason::SignedOut => {
            sign_out(server, &tokens).await;
        }
        EndReason::SignedInAgain => {
            let mut browser = server.signed_in_browser(&house.ada).await;
            let before = tokens_of(&mut browser).await;
            let fields = [
                ("email", "ada@test.example"),
                ("password", PASSWORD),
                ("next", ""),
            ];
            browser.submit("/account", "/sign-in", &fields).await;
            return Some((before, true));
        }
        EndReason::EndedByUser => {
            let other = server.sign_in(&house.ada).await;
            let path = format!("/api/sessions/{}", tokens.session_id);
            assert_eq!(server.delete(&path, Some(&other.access)).await.status, 204);
        }
        EndReason::EndedByAdmin => {
            let path = format!("/api/admin/sessions/{}", tokens.session_id);
            house.admin(Method::DELETE, &path, None).await;
        }
        EndReason::EveryoneOut => {
            house
                .admin(Method::DELETE, "/api/admin/sessions", None)
                .await;
        }
        EndReason::PasswordChanged => {
            let mut browser = server.signed_in_browser(&house.ada).await;
            let new = "another long and quiet one";
            let fields = [
                ("current_password", PASSWORD),
                ("new_password", new),
                ("new_password_again", new),
                ("end_others", "true"),
            ];
            browser
                .submit("/account/security", "/account/security", &fields)
                .await;
        }
        EndReason::EmailChanged => {
            let mut browser = server.signed_in_browser(&house.ada).await;
            server.mails().await;
            let page = "/account/email";
            let fields = [("email", "new@test.example")];
            browser.submit(page, page, &fields).await;
            let link = server
                .mail_to("new@test.example")
                .await
                .link("/confirm-email?token=");
            let token = link.split_once("token=").unwrap().1.to_owned();
            let fields = [("token", token.as_str())];
            browser.submit(&link, "/confirm-email", &fields).await;
        }
        EndReason::Reported => {
            let elsewhere = "UPDATE sessions SET os = 'Plan 9'";
            server.database.execute(elsewhere).await;
            let tokens = server.sign_in(&house.ada).await;
            let earlier = "DELETE FROM sessions WHERE os = 'Plan 9' AND user_id = (SELECT id FROM users WHERE email = 'ada@test.example')";
            server.database.execute(earlier).await;
            let link = server.mails().await[0].link("/not-me?token=");
            let token = link.split_once("token=").unwrap().1.to_owned();
            let fields = [("token", token.as_str())];
            server.browser().submit(&link, "/not-me", &fields).await;
            return Some((tokens, true));
        }
        EndReason::UserDisabled => {
            house.patch(&house.ada, json!({"enabled": false})).await;
        }
        EndReason::UserDeleted => {
            house.admin(Method::DELETE, &user, None).await;
            return Some((tokens, false));
        }
        EndReason::Idle => {
            server.advance(3_500);
            assert!(house.is_live(&house.console).await);
            server.advance(100);
            // The lives of these tokens are as long as the idle timeout.
            let console = Tokens::from(server.refresh(&house.console.refresh).await.json());
            let answer = server.call(
                Method::POST,
                "/api/admin/cleanup",
                Some(&console.access),
                None,
            );
            assert_eq!(answer.await.json()["cleaned"], 1);
            assert_eq!(
                server.refresh(&tokens.refresh).await.json()["reason"],
                "idle"
            );
            return dead(house, tokens, "idle").await;
        }
        EndReason::AbsoluteLifetime => {
            let mut console = house.console.clone();
            let mut ada = tokens.clone();
            for _ in 0..10 {
                server.advance(2_879);
                console = Tokens::from(server.refresh(&console.refresh).await.json());
                ada = Tokens::from(server.refresh(&ada.refresh).await.json());
            }
            server.advance(5);
            let other = server.sign_in(&house.admin).await;
            server.advance(5);
            let answer = server.call(
                Method::POST,
                "/api/admin/cleanup",
                Some(&other.access),
                None,
            );
            assert_eq!(answer.await.json()["cleaned"], 2, "{}", console.session_id);
            return dead(house, ada, "absolute-lifetime").await;
        }
        EndReason::RefreshReuse => {
            server.refresh(&tokens.refresh).await;
            let next = Tokens::from(server.refresh(&tokens.refresh).await.json());
            server.refresh(&next.refresh).await;
            server.refresh(&tokens.refresh).await;
        }
        EndReason::RoleTaken => {
            house.patch(&house.ada, json!({"roles": ["editor"]})).await;
            let policy = json!({"end_on_role_change": true});
            let path = "/api/admin/policies/role/editor";
            let set = house.admin(Method::PUT, path, Some(policy)).await;
            assert_eq!(set.status, 200, "{}", set.text);
            house.patch(&house.ada, json!({"roles": []})).await;
        }
        EndReason::Reseeded => {
            let seeded = seed::seed(&server.context, Origin::HOST).await.unwrap();
            let answer = server.try_sign_in(seeded[1], seed::PASSWORD).await;
            let demo = Tokens::from(answer.json());
            seed::seed(&server.context, Origin::HOST).await.unwrap();
            return Some((demo, false));
        }
        EndReason::ImpersonationStopped => {
            let (_, looking_on) = look_on(house).await;
            sign_out(server, &looking_on).await;
            return Some((looking_on, true));
        }
        EndReason::ImpersonatorGone => {
            let (opener, looking_on) = look_on(house).await;
            house.patch(&opener, json!({"roles": ["admin"]})).await;
            return Some((looking_on, true));
        }
        EndReason::SessionLimit => {
            house.patch(&house.ada, json!({"roles": ["editor"]})).await;
            let policy = json!({"max_sessions": 1});
            let path = "/api/admin/policies/role/editor";
            let set = house.admin(Method::PUT, path, Some(policy)).await;
            assert_eq!(set.status, 200, "{}", set.text);
            server.sign_in(&house.ada).await;
        }
    }
    Some((tokens, true))
}

/// An administrator opens a session as the user.
async fn look_on(house: &House) -> (TestUser, Tokens) {
    let server = &house.server;
    let roles = ["admin", "impersonator"];
    let opener = server.user("opener@test.example", &roles).await;
    let console = server.sign_in(&opener).await;
    let path = format!("/api/admin/users/{}/impersonate", house.ada.id);
    let document = json!({"reason": "to see what she sees"});
    let answer = server.post(&path, Some(&console.access), document).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    (opener, Tokens::from(answer.json()))
}

/// Those whom time has ended have no access token left that lives; they are looked at here.
async fn dead(house: &House, tokens: Tokens, code: &str) -> Option<(Tokens, bool)> {
    let answer = house.server.verify(&tokens.access).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (401, "token-expired")
    );
    let answer = house.server.refresh(&tokens.refresh).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (401, "session-ended")
    );
    assert_eq!(answer.json()["reason"], code);
    let reason = EndReason::ALL.iter().find(|reason| reason.code() == code);
    assert_words(house, &tokens, reason.map(|reason| reason.words())).await;
    assert!(is_marked(house, &tokens).await, "{code}");
    let of_ada = if code == "idle" { 1 } else { 2 };
    assert_eq!(house.audited_ends(code).await, of_ada);
    assert_eq!(house.ended_rows(code).await, of_ada);
    None
}
