//! ASVS 9.2.1 and RFC 8725: times without leeway, and every claim there, once and of its type.

use serde_json::{Value, json};

use super::forge::{Forge, encode};

#[tokio::test]
async fn asvs_9_2_1_times_are_enforced_without_leeway() {
    let forge = Forge::new().await;
    let now = forge.server.context.now().timestamp();
    let expired = [0, -1, -30, -61, -100_000].map(|ago| json!({"exp": now + ago}));
    let expired = expired
        .into_iter()
        .chain([json!({"exp": 0}), json!({"exp": -1})]);
    for changes in expired {
        let token = forge.token(json!({}), changes.clone());
        forge
            .refused(&token, "token-expired", &changes.to_string())
            .await;
    }
    let (iat, proven) = (
        forge.claims["iat"].as_i64().unwrap(),
        &forge.claims["auth_time"],
    );
    let odd = [
        json!({"exp": (now + 100).to_string()}),
        json!({"exp": 99_999_999_999.5}),
        json!({"exp": (now + 100) as f64 + 0.5}),
        json!({"exp": 9_999_999_999_999_i64}),
        json!({"exp": i64::MAX}),
        json!({"exp": u64::MAX}),
        json!({"exp": [now + 100]}),
        json!({"exp": true}),
        json!({"nbf": now + 30}),
        json!({"nbf": now + 60}),
        json!({"nbf": now.to_string()}),
        json!({"nbf": 1.5}),
        json!({"iat": now + 30, "auth_time": proven}),
        json!({"iat": now + 3600}),
        json!({"iat": "yesterday"}),
        json!({"auth_time": now + 3600}),
        json!({"auth_time": iat + 3600, "iat": iat}),
        json!({"auth_time": proven.as_i64().unwrap() - 1}),
        json!({"auth_time": 0}),
        json!({"auth_time": -1}),
        json!({"auth_time": i64::MIN}),
        json!({"auth_time": proven.to_string()}),
        json!({"auth_time": true}),
    ];
    for changes in odd {
        let token = forge.token(json!({}), changes.clone());
        forge
            .refused(&token, "invalid-token", &changes.to_string())
            .await;
    }
    let claims = forge.claims.to_string();
    let exp = format!("\"exp\":{}", forge.claims["exp"]);
    assert!(claims.contains(&exp));
    for number in [
        "1e400",
        "1e10",
        "1e300",
        "-0",
        "0x7fffffff",
        "9999999999999999999999",
        "+1",
    ] {
        let payload = claims.replace(&exp, &format!("\"exp\":{number}"));
        let answer = forge
            .server
            .verify(&forge.sign(&forge.header.to_string(), &payload))
            .await;
        assert_eq!(answer.status, 401, "exp {number}");
    }
}

/// The instant counts, whether the token is seen for the first time or has been remembered.
#[tokio::test]
async fn asvs_9_2_1_a_token_is_refused_from_its_last_second_on() {
    let forge = Forge::new().await;
    let server = &forge.server;
    let exp = forge.claims["exp"].as_i64().unwrap();
    let left = exp - server.context.now().timestamp();
    assert!(
        (299..=300).contains(&left),
        "the contract says 300 s, this has {left} left"
    );
    let unseen = forge.token(
        json!({}),
        json!({"jti": "01890000-0000-7000-8000-000000000001"}),
    );
    server.advance(left - 5);
    assert_eq!(server.verify(&forge.tokens.access).await.status, 200);
    server.advance(5);
    forge
        .refused(&forge.tokens.access, "token-expired", "remembered")
        .await;
    forge
        .refused(&unseen, "token-expired", "not seen before")
        .await;
}

#[tokio::test]
async fn rfc_8725_every_claim_is_required_and_of_its_type() {
    let forge = Forge::new().await;
    let required = [
        "iss",
        "aud",
        "sub",
        "client_id",
        "sid",
        "jti",
        "iat",
        "nbf",
        "exp",
        "auth_time",
        "amr",
        "roles",
        "org",
    ];
    let mut named: Vec<&String> = forge.claims.as_object().unwrap().keys().collect();
    named.sort();
    let mut expected = required.to_vec();
    expected.sort_unstable();
    assert_eq!(named, expected, "the contract's claims and no other");
    for name in required {
        let without = forge.token(json!({}), json!({name: null}));
        forge
            .refused(&without, "invalid-token", &format!("without {name}"))
            .await;
        for odd in [json!({}), json!([{}]), json!(true), json!("\u{0}")] {
            if name == "client_id" && odd.is_string() {
                continue;
            }
            let token = forge.token(json!({}), json!({name: odd}));
            forge
                .refused(&token, "invalid-token", &format!("{name} {odd}"))
                .await;
        }
        if name != "org" {
            let mut claims = forge.claims.clone();
            claims[name] = Value::Null;
            let token = forge.sign(&forge.header.to_string(), &claims.to_string());
            forge
                .refused(&token, "invalid-token", &format!("{name} null"))
                .await;
        }
    }
    for iss in [
        "http://localhost:8080/",
        "http://LOCALHOST:8080",
        "http://localhost",
        "",
        "other",
    ] {
        let token = forge.token(json!({}), json!({"iss": iss}));
        forge.refused(&token, "invalid-token", iss).await;
    }
}

#[tokio::test]
async fn rfc_8725_a_token_speaks_of_one_users_own_session_only() {
    let forge = Forge::new().await;
    let other = forge.server.user("ben@test.example", &["admin"]).await;
    let theirs = forge.server.sign_in(&other).await;
    let mixed = [
        json!({"sub": other.id}),
        json!({"sid": theirs.session_id}),
        json!({"sid": "01890000-0000-7000-8000-000000000001"}),
    ];
    for changes in mixed {
        let token = forge.token(json!({}), changes.clone());
        let answer = forge.server.verify(&token).await;
        assert_eq!(answer.status, 401, "{changes}");
    }
    // Nobody whose ids were used has come to harm.
    for access in [&forge.tokens.access, &theirs.access] {
        let answer = forge.server.verify(access).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    // Roles count from the table, whatever the token says.
    let token = forge.token(json!({}), json!({"roles": ["admin"]}));
    let answer = forge
        .server
        .get("/api/auth/verify?role=admin", Some(&token))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (403, "forbidden")
    );
    assert_eq!(
        forge
            .server
            .get("/api/admin/stats", Some(&token))
            .await
            .code(),
        "forbidden"
    );
}

#[tokio::test]
async fn rfc_8725_nothing_is_said_twice() {
    let forge = Forge::new().await;
    let (header, payload) = (forge.header.to_string(), forge.claims.to_string());
    let twice = |text: &str, more: &str| format!("{},{more}}}", text.strip_suffix('}').unwrap());
    let kid = &forge.header["kid"];
    for more in [
        "\"alg\":\"ES256\"".to_owned(),
        "\"alg\":\"none\"".to_owned(),
        "\"typ\":\"at+jwt\"".to_owned(),
        format!("\"kid\":{kid}"),
        format!("\"\\u006bid\":{kid}"),
    ] {
        let token = forge.sign(&twice(&header, &more), &payload);
        forge.refused(&token, "invalid-token", &more).await;
    }
    for name in forge.claims.as_object().unwrap().keys() {
        let more = format!("\"{name}\":{}", forge.claims[name]);
        let token = forge.sign(&header, &twice(&payload, &more));
        forge.refused(&token, "invalid-token", &more).await;
    }
    let escaped = format!("\"s\\u0075b\":{}", forge.claims["sub"]);
    for more in [
        escaped.as_str(),
        "\"x\":{\"a\":1,\"a\":1}",
        "\"x\":[{\"a\":1,\"\\u0061\":1}]",
    ] {
        let token = forge.sign(&header, &twice(&payload, more));
        forge.refused(&token, "invalid-token", more).await;
    }
    // Members nobody knows do no harm in the payload, said once.
    let token = forge.sign(&header, &twice(&payload, "\"x\":{\"a\":1,\"b\":1}"));
    assert_eq!(forge.server.verify(&token).await.status, 200);
    // What is no object is no set of claims; nothing may follow it.
    let long = payload.clone() + &payload;
    for text in [
        "",
        "null",
        "[]",
        "\"text\"",
        "1",
        "{",
        "{}",
        &long,
        &(payload.clone() + "x"),
    ] {
        forge
            .refused(&forge.sign(&header, text), "invalid-token", text)
            .await;
        forge
            .refused(&forge.sign(text, &payload), "invalid-token", text)
            .await;
    }
    for bytes in [
        b"\xff\xfe{}".to_vec(),
        [b"\xef\xbb\xbf", payload.as_bytes()].concat(),
    ] {
        let token = forge.sign_parts(&encode(&header), &encode(&bytes));
        forge
            .refused(
                &token,
                "invalid-token",
                "no UTF-8, or with a mark before it",
            )
            .await;
    }
}
