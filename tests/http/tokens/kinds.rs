//! ASVS 9.2.2: each kind of token serves its own purpose and no other.

use reqwest::Method;
use serde_json::{Value, json};

use super::forge::Forge;
use crate::support::Answer;
use crate::support::browser::form_token;

#[tokio::test]
async fn asvs_9_2_2_only_an_access_token_is_taken_for_one() {
    let forge = Forge::new().await;
    assert_eq!(forge.header["typ"], "at+jwt");
    let kinds = [
        "JWT",
        "jwt",
        "",
        "AT+JWT",
        "at+jwt ",
        "application/at+jwt",
        "logout+jwt",
        "secevent+jwt",
        "statuslist+jwt",
        "token-introspection+jwt",
        "dpop+jwt",
        "dbsc+jwt",
        "oauth-authz-req+jwt",
    ];
    for typ in kinds {
        let token = forge.token(json!({"typ": typ}), json!({}));
        forge.refused(&token, "invalid-token", typ).await;
    }
    for typ in [Value::Null, json!(["at+jwt"]), json!(1)] {
        let token = forge.token(json!({"typ": typ}), json!({}));
        forge
            .refused(&token, "invalid-token", &typ.to_string())
            .await;
    }
    // Other secrets of the very same session.
    let server = &forge.server;
    let mut browser = server.browser();
    browser
        .cookies
        .insert("portcullis".to_owned(), forge.tokens.access.clone());
    let form_token = form_token(&browser.get("/account").await.text);
    let admin = server.admin().await;
    let admin = server.sign_in(&admin).await;
    let path = format!("/api/admin/users/{}/invitation", forge.user.id);
    let made = server
        .call(Method::POST, &path, Some(&admin.access), None)
        .await;
    let url = made.json()["invitation_url"].as_str().unwrap().to_owned();
    let invitation = url.split_once("token=").unwrap().1.to_owned();
    let others = [
        ("refresh token", forge.tokens.refresh.as_str()),
        ("form token", &form_token),
        ("invitation", &invitation),
        ("session id", &forge.tokens.session_id),
        ("key id", forge.header["kid"].as_str().unwrap()),
        ("text before sign-in", "pre.abc"),
    ];
    for (what, token) in others {
        assert_eq!(server.verify(token).await.code(), "invalid-token", "{what}");
    }
    // The refresh token renews pages; in the place of the access token it is nothing.
    let cookie = format!("portcullis={}", forge.tokens.refresh);
    let request = server
        .request(Method::GET, "/api/auth/session")
        .header("cookie", cookie);
    assert_eq!(
        Answer::read(request.send().await.unwrap()).await.code(),
        "invalid-token"
    );
}

#[tokio::test]
async fn asvs_9_2_2_an_access_token_is_taken_for_nothing_else() {
    let forge = Forge::new().await;
    let server = &forge.server;
    let access = &forge.tokens.access;
    assert_eq!(server.refresh(access).await.code(), "invalid-token");
    let cookie = format!("portcullis_refresh={access}");
    let page = server
        .request(Method::GET, "/account")
        .header("cookie", &cookie);
    let page = Answer::read(page.send().await.unwrap()).await;
    assert_eq!(page.status, 303);
    let call = server
        .request(Method::POST, "/api/auth/refresh")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "same-origin")
        .json(&json!({}));
    assert_eq!(
        Answer::read(call.send().await.unwrap()).await.code(),
        "invalid-token"
    );
    assert_eq!(
        server
            .get(&format!("/invitation?token={access}"), None)
            .await
            .status,
        404
    );
    // Nor does it stand for the hidden text of a form.
    let mut browser = server.browser();
    browser
        .cookies
        .insert("portcullis".to_owned(), access.clone());
    assert_eq!(browser.post("/sign-out", access, &[]).await.status, 403);
    assert_eq!(server.verify(access).await.status, 200);
}

#[tokio::test]
async fn rfc_6750_a_token_counts_in_the_header_only_and_once() {
    let forge = Forge::new().await;
    let server = &forge.server;
    let access = &forge.tokens.access;
    for path in ["/api/auth/session", "/api/auth/verify", "/account"] {
        for name in ["access_token", "token", "jwt", "bearer_token", "sid"] {
            let answer = server.get(&format!("{path}?{name}={access}"), None).await;
            let refused = if path == "/account" { 303 } else { 401 };
            assert_eq!(answer.status, refused, "{path}?{name}=");
        }
    }
    let form = server
        .request(Method::POST, "/api/sessions/ensure")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("access_token={access}"));
    assert_eq!(
        Answer::read(form.send().await.unwrap()).await.code(),
        "no-credential"
    );

    let bearer = format!("Bearer {access}");
    let headers: [(&[String], u16, &str); 9] = [
        (&[format!("bearer {access}")], 200, ""),
        (&[format!("BEARER {access}")], 200, ""),
        (&["Bearer".to_owned()], 401, "invalid-token"),
        (&[format!("Bearer  {access}")], 401, "invalid-token"),
        (&[format!("Bearer {access},{access}")], 401, "invalid-token"),
        (&[format!("Bearer\t{access}")], 401, "no-credential"),
        (&[format!("Token {access}")], 401, "no-credential"),
        (std::slice::from_ref(access), 401, "no-credential"),
        (&[bearer.clone(), bearer], 401, "invalid-token"),
    ];
    for (values, status, code) in headers {
        let mut request = server.request(Method::GET, "/api/auth/session");
        for value in values {
            request = request.header("authorization", value);
        }
        let answer = Answer::read(request.send().await.unwrap()).await;
        let what = values.join(" and ").replace(access, "(token)");
        assert_eq!(answer.status, status, "{what}: {}", answer.text);
        if status == 401 {
            assert_eq!(answer.code(), code, "{what}");
        }
    }
    // Where both are sent, the bearer token wins, for better or worse.
    for (bearer, cookie, status) in [(access.as_str(), "garbage", 200), ("garbage", access, 401)] {
        let request = server
            .request(Method::GET, "/api/auth/session")
            .header("cookie", format!("portcullis={cookie}"))
            .bearer_auth(bearer);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

/// Whoever has our signing key can put anybody's id beside anybody's session. That is refused, and does
/// not stand in the way of the user whose session it is.
#[tokio::test]
async fn a_token_that_names_anothers_session_is_refused_and_signs_nobody_out() {
    let forge = Forge::new().await;
    let ben = forge.server.user("ben@test.example", &[]).await;
    let nobody = "00000000-0000-7000-8000-000000000000".to_owned();
    let access = forge.tokens.access.clone();
    let foreign: Vec<_> = [ben.id.to_string(), nobody]
        .into_iter()
        .map(|sub| forge.token(json!({}), json!({ "sub": sub })))
        .collect();
    let codes = ["session-ended", "user-gone"];
    // From memory, and as soon as the table is asked anew.
    for seconds in [0, 61, 61] {
        forge.server.advance(seconds);
        for (token, code) in foreign.iter().zip(codes) {
            let answer = forge.server.verify(token).await;
            let refused = answer.code();
            assert!(refused == code || refused == "session-ended", "{refused}");
            assert_eq!(forge.server.verify(&access).await.status, 200);
        }
    }
    // First of all after a start.
    let (directory, database, clock) = forge.server.stop().await;
    let server = crate::support::Server::start_in(directory, database, &[], clock).await;
    for (token, code) in foreign.iter().zip(codes) {
        assert_eq!(server.verify(token).await.code(), code);
    }
    assert_eq!(server.verify(&access).await.status, 200);
    for (token, code) in foreign.iter().zip(codes) {
        let refused = server.verify(token).await.code();
        assert!(refused == code || refused == "session-ended", "{refused}");
    }
    assert_eq!(server.verify(&access).await.status, 200);
}
