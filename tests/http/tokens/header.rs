//! ASVS 9.1.2 and 9.1.3: the key decides the algorithm, and no token brings a key along.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::forge::{Forge, decode, encode, sign};
use super::signature::another_key;

#[tokio::test]
async fn asvs_9_1_2_only_the_algorithm_of_the_key_is_accepted() {
    let forge = Forge::new().await;
    // Signed as it should be, but the header says something else.
    let names = [
        "none", "None", "nOnE", "NONE", "", " ", "es256", "ES256 ", "HS256", "RS256", "PS256",
        "ES256K", "ES384", "EdDSA",
    ];
    for alg in names {
        forge
            .refused(
                &forge.token(json!({"alg": alg}), json!({})),
                "invalid-token",
                alg,
            )
            .await;
    }
    for alg in [Value::Null, json!(["ES256"]), json!(256), json!(true)] {
        let what = alg.to_string();
        forge
            .refused(
                &forge.token(json!({"alg": alg}), json!({})),
                "invalid-token",
                &what,
            )
            .await;
    }
    // Unsigned, as the header says.
    let payload = encode(forge.claims.to_string());
    for alg in ["none", "None", "nOnE"] {
        let mut header = forge.header.clone();
        header["alg"] = json!(alg);
        let message = format!("{}.{payload}", encode(header.to_string()));
        for token in [
            format!("{message}."),
            message.clone(),
            format!("{message}.AA"),
        ] {
            forge.refused(&token, "invalid-token", alg).await;
        }
    }
    // Signed with HMAC under what everybody knows: the public key.
    let jwk = forge.jwk().await;
    let point = point(&jwk);
    let der = subject_public_key_info(&point);
    let pem = pem(&der);
    let secrets = [
        ("PEM", pem.clone().into_bytes()),
        (
            "PEM without its last line break",
            pem.trim_end().as_bytes().to_vec(),
        ),
        ("DER", der),
        ("JWK", jwk.to_string().into_bytes()),
        ("point", point.clone()),
        ("point without its mark", point[1..].to_vec()),
        ("x", point[1..33].to_vec()),
        ("nothing", Vec::new()),
        (
            "kid",
            forge.header["kid"].as_str().unwrap().as_bytes().to_vec(),
        ),
    ];
    for (what, secret) in secrets {
        for alg in ["HS256", "ES256"] {
            let mut header = forge.header.clone();
            header["alg"] = json!(alg);
            let message = format!("{}.{payload}", encode(header.to_string()));
            let token = hmac_signed(&message, &secret);
            forge
                .refused(&token, "invalid-token", &format!("{alg} with {what}"))
                .await;
        }
    }
}

#[tokio::test]
async fn asvs_9_1_3_keys_come_from_nowhere_but_the_servers_own_store() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let forge = Forge::new().await;
    let (key, public) = another_key();
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
        "kid": forge.header["kid"], "x": encode(&public[1..33]), "y": encode(&public[33..]),
    });
    let certificate = STANDARD.encode(subject_public_key_info(&public));
    let long = "k".repeat(10_240);
    let members = [
        json!({"jwk": jwk}),
        json!({"jku": url}),
        json!({"x5u": url}),
        json!({"x5c": [certificate]}),
        json!({"x5t": "AA"}),
        json!({"x5t#S256": "AA"}),
        json!({"jku": url, "x5u": url, "jwk": jwk, "kid": "unknown"}),
        json!({"kid": "../../../../etc/passwd"}),
        json!({"kid": "/dev/null"}),
        json!({"kid": "' OR 1=1--"}),
        json!({"kid": "\u{0}"}),
        json!({"kid": format!("{}\u{0}", forge.header["kid"].as_str().unwrap())}),
        json!({"kid": url}),
        json!({"kid": "unknown"}),
        json!({"kid": ""}),
        json!({"kid": [forge.header["kid"]]}),
        json!({"kid": jwk}),
        json!({"kid": null}),
        json!({"kid": long}),
        json!({"crit": ["exp"]}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"crit": []}),
        json!({"b64": false}),
        json!({"b64": true}),
        json!({"zip": "DEF"}),
        json!({"cty": "JWT"}),
        json!({"unheard-of": 1}),
    ];
    for changes in members {
        let what = changes.to_string().chars().take(80).collect::<String>();
        let own = forge.token(changes.clone(), json!({}));
        // Signed with the server's own key, only what stands in the header can be wrong ...
        let began = Instant::now();
        forge.refused(&own, "invalid-token", &what).await;
        // ... and with the stranger's, nothing in it may make that key a good one.
        let (message, _) = own.rsplit_once('.').unwrap();
        let strange = sign(message, &key, Algorithm::ES256);
        forge.refused(&strange, "invalid-token", &what).await;
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{what} took {:?}",
            began.elapsed()
        );
    }
    let asked = listener.accept().map(|(_, from)| from);
    assert_eq!(
        asked.unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "the server fetched a key"
    );
    assert_eq!(forge.server.verify(&forge.tokens.access).await.status, 200);
}

/// Whoever invents keys keeps the database no busier than one look in two seconds.
#[tokio::test]
async fn asvs_9_1_3_a_storm_of_unknown_keys_does_not_reach_the_database() {
    let forge = Forge::new().await;
    forge.server.advance(2);
    let began = Instant::now();
    let mut ring = forge.server.context.keys();
    let mut readings = 0;
    for number in 0..100 {
        let token = forge.token(json!({"kid": format!("invented-{number}")}), json!({}));
        assert_eq!(forge.server.verify(&token).await.code(), "invalid-token");
        // Each reading puts another ring into place.
        let now = forge.server.context.keys();
        readings += u64::from(!std::sync::Arc::ptr_eq(&ring, &now));
        ring = now;
    }
    let allowed = 1 + began.elapsed().as_secs() / 2;
    assert!(
        (1..=allowed).contains(&readings),
        "{readings} readings, {allowed} allowed"
    );
}

fn hmac_signed(message: &str, secret: &[u8]) -> String {
    sign(message, &EncodingKey::from_secret(secret), Algorithm::HS256)
}

/// The uncompressed point of a key of P-256.
fn point(jwk: &Value) -> Vec<u8> {
    let coordinate = |name: &str| decode(jwk[name].as_str().unwrap());
    [vec![4], coordinate("x"), coordinate("y")].concat()
}

/// RFC 5480.
fn subject_public_key_info(point: &[u8]) -> Vec<u8> {
    let head = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    [&head, point].concat()
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|l| std::str::from_utf8(l).unwrap())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}
