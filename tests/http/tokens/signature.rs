//! ASVS 9.1.1: the signature is verified before anything in the token counts.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::{Algorithm, EncodingKey};

use super::forge::{Forge, decode, encode, sign};

#[tokio::test]
async fn asvs_9_1_1_the_signature_is_verified_before_any_content_is_used() {
    let forge = Forge::new().await;
    let token = forge.tokens.access.clone();
    let parts: Vec<&str> = token.split('.').collect();
    for (index, part) in parts.iter().enumerate() {
        for position in 0..decode(part).len() {
            let mut bytes = decode(part);
            bytes[position] ^= 1;
            let mut changed: Vec<String> = parts.iter().map(|p| (*p).to_owned()).collect();
            changed[index] = encode(bytes);
            let answer = forge.server.verify(&changed.join(".")).await;
            assert_eq!(
                answer.code(),
                "invalid-token",
                "byte {position} of part {index}"
            );
        }
    }
    let [header, payload, signature] = parts.try_into().unwrap();
    let (stranger, _) = another_key();
    let cases = [
        ("without the signature", format!("{header}.{payload}")),
        ("an empty signature", format!("{header}.{payload}.")),
        (
            "half a signature",
            format!("{header}.{payload}.{}", encode(&decode(signature)[..32])),
        ),
        (
            "a signature and more",
            format!(
                "{header}.{payload}.{}",
                encode([decode(signature), vec![0]].concat())
            ),
        ),
        (
            "zeros for a signature",
            format!("{header}.{payload}.{}", encode([0; 64])),
        ),
        ("a fourth part", format!("{token}.{signature}")),
        ("an empty fourth part", format!("{token}.")),
        ("five parts", format!("{token}.{payload}.{signature}")),
        ("nothing but dots", "..".to_owned()),
        ("parts exchanged", format!("{payload}.{header}.{signature}")),
        (
            "another's key",
            sign(&format!("{header}.{payload}"), &stranger, Algorithm::ES256),
        ),
        (
            "a signature in DER",
            format!("{header}.{payload}.{}", encode(der(&decode(signature)))),
        ),
    ];
    for (what, token) in cases {
        forge.refused(&token, "invalid-token", what).await;
    }
    assert_eq!(forge.server.verify(&token).await.status, 200);
}

/// ES256 has two signatures for one message: `s` and `n - s`. Nothing may be revoked by a token's
/// text, or the other spelling would go on.
#[tokio::test]
async fn asvs_7_4_1_the_other_spelling_of_a_signature_is_the_same_session_and_ends_with_it() {
    let forge = Forge::new().await;
    let (message, signature) = forge.tokens.access.rsplit_once('.').unwrap();
    let mut bytes = decode(signature);
    let s = minus(&ORDER, &bytes[32..]);
    bytes[32..].copy_from_slice(&s);
    let other = format!("{message}.{}", encode(bytes));
    assert_ne!(other, forge.tokens.access);

    let answer = forge.server.get("/api/auth/session", Some(&other)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.json()["session"]["id"],
        forge.tokens.session_id.as_str()
    );

    let server = &forge.server;
    let out = server.call(
        reqwest::Method::POST,
        "/api/auth/sign-out",
        Some(&forge.tokens.access),
        None,
    );
    assert_eq!(out.await.status, 204);
    for token in [&other, &forge.tokens.access] {
        forge.refused(token, "session-ended", "after the end").await;
    }
    // One that nobody has seen before either.
    let fresh = forge.token(serde_json::json!({}), serde_json::json!({}));
    forge
        .refused(&fresh, "session-ended", "signed after the end")
        .await;
}

/// A key pair that the server does not know, with its public key as a point.
pub(super) fn another_key() -> (EncodingKey, Vec<u8>) {
    use aws_lc_rs::signature::KeyPair;
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    (
        EncodingKey::from_ec_der(pkcs8.as_ref()),
        pair.public_key().as_ref().to_vec(),
    )
}

/// The order of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn minus(from: &[u8; 32], what: &[u8]) -> [u8; 32] {
    let mut result = [0; 32];
    let mut borrow = 0;
    for i in (0..32).rev() {
        let difference = i16::from(from[i]) - i16::from(what[i]) - borrow;
        borrow = i16::from(difference < 0);
        result[i] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    result
}

/// The two numbers of a signature as ASN.1.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let mut bytes: Vec<u8> = bytes
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        if bytes.first().is_some_and(|byte| *byte >= 0x80) {
            bytes.insert(0, 0);
        }
        [vec![2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    };
    let both = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [vec![0x30, u8::try_from(both.len()).unwrap()], both].concat()
}
