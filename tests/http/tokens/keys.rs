//! The published keys (RFC 7517, RFC 7638), and one taking over from another.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use futures_util::future::join_all;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use portcullis::rules::audit::Origin;
use portcullis::service::sign_in::{SignIn, Visitor, sign_in};
use portcullis::settings::Secret;
use serde_json::{Value, json};

use super::forge::{Forge, decode, encode, read};
use crate::support::{PASSWORD, Server, TestUser};

#[tokio::test]
async fn only_public_members_are_published_under_their_thumbprints() {
    let server = Server::start().await;
    server.context.rotate_keys(Origin::HOST).await.unwrap();
    let answer = server.get("/.well-known/jwks.json", None).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/jwk-set+json");
    let document = answer.json();
    let keys = document["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    let mut kids = BTreeSet::new();
    for key in keys {
        let names: Vec<&str> = key
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            names.into_iter().collect::<BTreeSet<_>>(),
            BTreeSet::from(["alg", "crv", "kid", "kty", "use", "x", "y"])
        );
        assert_eq!((&key["kty"], &key["crv"]), (&json!("EC"), &json!("P-256")));
        assert_eq!((&key["alg"], &key["use"]), (&json!("ES256"), &json!("sig")));
        for coordinate in ["x", "y"] {
            assert_eq!(decode(key[coordinate].as_str().unwrap()).len(), 32);
        }
        assert_eq!(key["kid"], thumbprint(key));
        kids.insert(key["kid"].to_string());
    }
    assert_eq!(kids.len(), keys.len(), "each key has a name of its own");
}

#[test]
fn rfc_7638_thumbprints_of_the_standards_are_reproduced() {
    let rsa = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    let ed25519 = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let p256 = json!({
        "kty": "EC", "crv": "P-256", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    });
    let vectors = [
        (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (ed25519, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        (p256, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
    ];
    for (key, expected) in vectors {
        assert_eq!(thumbprint(&key), expected);
        // The server leaves it to this.
        let jwk: Jwk = serde_json::from_value(key).unwrap();
        assert_eq!(jwk.thumbprint(ThumbprintHash::SHA256).unwrap(), expected);
    }
}

#[tokio::test]
async fn a_new_key_signs_and_the_old_one_verifies_until_its_last_token_is_dead() {
    let forge = Forge::new().await;
    let server = &forge.server;
    let old = forge.header["kid"].as_str().unwrap().to_owned();
    let new = server.context.rotate_keys(Origin::HOST).await.unwrap();
    assert_ne!(old, new);
    assert_eq!(
        published(server).await,
        BTreeSet::from([old.clone(), new.clone()])
    );

    // Until everybody has read the new one, the old one signs.
    let soon = server.sign_in(&forge.user).await;
    assert_eq!(read(&soon.access).0["kid"], old.as_str());
    server.advance(31);
    let later = server.sign_in(&forge.user).await;
    assert_eq!(read(&later.access).0["kid"], new.as_str());
    let renewed = server.refresh(&forge.tokens.refresh).await.json();
    assert_eq!(
        read(renewed["access_token"].as_str().unwrap()).0["kid"],
        new.as_str()
    );

    // Signed by the old key, each seen for the first time when it is tried.
    let now = server.context.now().timestamp();
    let lasting = |jti: &str| forge.token(json!({}), json!({"exp": now + 10_000, "jti": jti}));
    let left = forge.claims["exp"].as_i64().unwrap() - now;
    server.advance(left - 5);
    assert_eq!(server.verify(&forge.tokens.access).await.status, 200);
    server.advance(5);
    forge
        .refused(
            &forge.tokens.access,
            "token-expired",
            "the last token of the old key",
        )
        .await;
    assert!(
        published(server).await.contains(&old),
        "other processes may not have noticed yet"
    );
    let noticed = lasting("01890000-0000-7000-8000-000000000001");
    assert_eq!(server.verify(&noticed).await.status, 200);

    server.advance(120 + 31);
    assert_eq!(published(server).await, BTreeSet::from([new]));
    let late = lasting("01890000-0000-7000-8000-000000000002");
    forge
        .refused(&late, "invalid-token", "signed by a key that is gone")
        .await;
    // Another rotation takes it out of the database too.
    server.context.rotate_keys(Origin::HOST).await.unwrap();
    let ids: Vec<String> = server
        .context
        .store
        .keys()
        .await
        .unwrap()
        .into_iter()
        .map(|key| key.id)
        .collect();
    assert!(!ids.contains(&old));
}

/// Another process has made a key and signs with it; this one has not noticed yet.
async fn signed_elsewhere(server: &Server, user: &TestUser) -> String {
    let beside = server.beside().await;
    beside.rotate_keys(Origin::HOST).await.unwrap();
    // Long after this one should have read it.
    server.advance(31);
    let request = SignIn {
        email: user.email.clone(),
        password: Secret::new(PASSWORD.to_owned()),
        remember: false,
        replaces: None,
    };
    let visitor = Visitor {
        ip: [192, 0, 2, 7].into(),
        user_agent: String::new(),
    };
    let signed_in = sign_in(&beside, request, &visitor).await.unwrap();
    signed_in.tokens.access.text.reveal().to_owned()
}

#[tokio::test]
async fn all_who_bring_a_new_key_at_once_wait_until_it_has_been_read() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let token = signed_elsewhere(&server, &ada).await;
    let answers = join_all((0..20).map(|_| server.verify(&token))).await;
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[tokio::test]
async fn without_the_database_a_key_that_is_not_known_is_neither_good_nor_bad() {
    let forge = Forge::new().await;
    let server = &forge.server;
    let token = signed_elsewhere(server, &forge.user).await;
    let mut browser = server.browser();
    browser
        .cookies
        .insert("portcullis".to_owned(), token.clone());
    let cookies = browser.cookies.clone();
    let invented = forge.token(json!({"kid": "invented"}), json!({}));
    let (message, _) = forge.tokens.access.rsplit_once('.').unwrap();
    let unsigned = format!("{message}.{}", encode([7; 64]));

    server
        .database
        .execute("ALTER TABLE sealed_keys RENAME TO away")
        .await;
    // The first of them asks the table; the next ones come too soon to ask again.
    for token in [&token, &token, &invented] {
        let answer = server.verify(token).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (503, "store-unavailable")
        );
        assert!(answer.headers.contains_key("retry-after"));
    }
    assert_eq!(browser.get("/account").await.status, 503);
    assert_eq!(browser.cookies, cookies);
    forge
        .refused(&unsigned, "invalid-token", "a known key did not sign it")
        .await;
    assert_eq!(server.verify(&forge.tokens.access).await.status, 200);

    server
        .database
        .execute("ALTER TABLE away RENAME TO sealed_keys")
        .await;
    server.advance(2);
    assert_eq!(server.verify(&token).await.status, 200);
    forge
        .refused(&invented, "invalid-token", "now it is known to be nobody's")
        .await;
}

async fn published(server: &Server) -> BTreeSet<String> {
    let document = server.get("/.well-known/jwks.json", None).await.json();
    let keys = document["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

/// RFC 7638 §3: the required members in lexical order, without blanks.
fn thumbprint(key: &Value) -> String {
    let required: &[&str] = match key["kty"].as_str().unwrap() {
        "EC" => &["crv", "kty", "x", "y"],
        "RSA" => &["e", "kty", "n"],
        "OKP" => &["crv", "kty", "x"],
        other => panic!("{other}"),
    };
    let members: Vec<String> = required
        .iter()
        .map(|name| format!("\"{name}\":{}", key[*name]))
        .collect();
    encode(digest(
        &SHA256,
        format!("{{{}}}", members.join(",")).as_bytes(),
    ))
}
