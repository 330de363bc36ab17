//! ASVS 9.2.3 and 9.2.4: whom a token is for.

use serde_json::{Value, json};

use super::forge::{Forge, read};
use crate::support::{Database, PASSWORD, Server};

const OURS: &str = "http://localhost:8080";

#[tokio::test]
async fn asvs_9_2_3_the_audience_must_be_this_server() {
    let forge = Forge::new().await;
    assert_eq!(forge.claims["aud"], OURS);
    let wrong = [
        json!([]),
        json!(""),
        json!("https://other.test"),
        json!(["https://other.test"]),
        json!(["https://other.test", "https://another.test"]),
        json!("HTTP://LOCALHOST:8080"),
        json!("http://localhost:808"),
        json!("http://localhost:80800"),
        json!("http://localhost:8080/"),
        json!("http://localhost"),
        json!([[OURS]]),
        json!([OURS, 1]),
        json!({OURS: true}),
        json!(8080),
    ];
    for aud in wrong {
        let token = forge.token(json!({}), json!({"aud": aud}));
        forge
            .refused(&token, "invalid-token", &format!("aud {aud}"))
            .await;
    }
    let missing = forge.token(json!({}), json!({"aud": null}));
    forge.refused(&missing, "invalid-token", "no aud").await;
    for aud in [
        json!(OURS),
        json!([OURS]),
        json!(["https://other.test", OURS]),
    ] {
        let token = forge.token(json!({}), json!({"aud": aud}));
        assert_eq!(forge.server.verify(&token).await.status, 200, "aud {aud}");
    }
}

#[tokio::test]
async fn asvs_9_2_4_one_key_serves_two_servers_and_each_takes_only_its_own_tokens() {
    let forge = Forge::new().await;
    let here = &forge.server;
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("master.key");
    std::fs::copy(here.directory.path().join("master.key"), &key).unwrap();
    let database = Database {
        url: here.database.url.clone(),
    };
    let variables = [("PORTCULLIS_PUBLIC_URL", "https://other.test")];
    let there = Server::start_in(directory, database, &variables, here.clock.clone()).await;
    let theirs = there.sign_in(&forge.user).await;
    let (header, claims) = read(&theirs.access);
    assert_eq!(header["kid"], forge.header["kid"], "one key");
    assert_eq!(claims["aud"], "https://other.test");
    assert_eq!(there.verify(&theirs.access).await.status, 200);
    assert_eq!(here.verify(&theirs.access).await.code(), "invalid-token");
    assert_eq!(
        there.verify(&forge.tokens.access).await.code(),
        "invalid-token"
    );
}

#[tokio::test]
async fn asvs_9_2_4_nobody_chooses_the_audience_of_their_token() {
    let forge = Forge::new().await;
    let server = &forge.server;
    let mut browser = server.signed_in_browser(&forge.user).await;
    let path = "/api/auth/token?audience=https://other.test&resource=https://other.test";
    let answer = browser.get(path).await;
    let given = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(read(&given).1["aud"], OURS);
    for name in ["audience", "resource", "aud", "scope"] {
        let mut document = json!({"email": forge.user.email, "password": PASSWORD});
        document[name] = json!("https://other.test");
        let answer = server.post("/api/auth/sign-in", None, document).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "invalid-request")
        );
        let document: Value = json!({"refresh_token": forge.tokens.refresh, name: "other"});
        let answer = server.post("/api/auth/refresh", None, document).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "invalid-request")
        );
    }
}
