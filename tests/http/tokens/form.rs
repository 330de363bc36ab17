//! RFC 8725 and RFC 7515: a token has one spelling, and a length.

use serde_json::json;

use super::forge::{Forge, decode, encode};

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[tokio::test]
async fn rfc_8725_only_canonical_base64url_is_read() {
    let forge = Forge::new().await;
    let (header, payload) = (
        ragged(&forge.header.to_string()),
        ragged(&forge.claims.to_string()),
    );
    assert_eq!(
        forge
            .server
            .verify(&forge.sign_parts(&header, &payload))
            .await
            .status,
        200
    );
    let token = forge.sign_parts(&header, &payload);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let cases = [
        (
            "bits behind the header",
            forge.sign_parts(&with_tail_bits(&header), &payload),
        ),
        (
            "bits behind the payload",
            forge.sign_parts(&header, &with_tail_bits(&payload)),
        ),
        (
            "bits behind the signature",
            format!("{message}.{}", with_tail_bits(signature)),
        ),
        (
            "padding behind the header",
            forge.sign_parts(&padded(&header), &payload),
        ),
        (
            "padding behind the payload",
            forge.sign_parts(&header, &padded(&payload)),
        ),
        (
            "padding behind the signature",
            format!("{message}.{}", padded(signature)),
        ),
        (
            "a blank in the header",
            forge.sign_parts(&format!(" {header}"), &payload),
        ),
        (
            "a blank in the payload",
            forge.sign_parts(&header, &format!("{payload} ")),
        ),
        (
            "a tab in the payload",
            forge.sign_parts(&header, &format!("{payload}\t")),
        ),
        (
            "a blank before the signature",
            format!("{message}. {signature}"),
        ),
        (
            "a percent sign",
            forge.sign_parts(&header, &format!("{payload}%3D")),
        ),
        ("an empty payload", forge.sign_parts(&header, "")),
        ("an empty header", forge.sign_parts("", &payload)),
    ];
    for (what, token) in cases {
        let answer = forge.server.verify(&token).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text);
        assert_eq!(answer.code(), "invalid-token", "{what}");
    }
    // The alphabet of mail instead of that of addresses.
    let claims = json!({"x": "???>>>???>>>"});
    let token = forge.token(json!({}), claims);
    assert_eq!(forge.server.verify(&token).await.status, 200);
    let parts: Vec<&str> = token.split('.').collect();
    let mail = parts[1].replace('-', "+").replace('_', "/");
    assert_ne!(mail, parts[1]);
    let token = forge.sign_parts(parts[0], &mail);
    forge
        .refused(&token, "invalid-token", "the alphabet of mail")
        .await;
}

#[tokio::test]
async fn a_token_of_more_than_four_kilobytes_is_refused_unread() {
    let forge = Forge::new().await;
    let of_length = |pad: usize| forge.token(json!({}), json!({"pad": "x".repeat(pad)}));
    let pad = (0..4096)
        .take_while(|pad| of_length(*pad * 3).len() <= 4096)
        .count()
        - 1;
    let longest = of_length(pad * 3);
    assert!((4093..=4096).contains(&longest.len()), "{}", longest.len());
    assert_eq!(forge.server.verify(&longest).await.status, 200);
    for more in [1, 2, 100, 1000] {
        let token = of_length((pad + more) * 3);
        let answer = forge.server.verify(&token).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (401, "invalid-token")
        );
        assert!(
            answer.text.contains("longer than 4096 bytes"),
            "{}",
            answer.text
        );
    }
    // Unread: what it says makes no difference.
    let junk = forge.server.verify(&"x".repeat(4097)).await;
    assert!(
        junk.text.contains("longer than 4096 bytes"),
        "{}",
        junk.text
    );
}

/// Encoded so that the last character carries bits that mean nothing.
fn ragged(document: &str) -> String {
    let mut text = document.to_owned();
    while text.len() % 3 != 1 {
        text.push(' ');
    }
    encode(text)
}

/// Another spelling of the same bytes.
fn with_tail_bits(part: &str) -> String {
    let (rest, last) = part.split_at(part.len() - 1);
    let index = ALPHABET.find(last).unwrap();
    let other = format!("{rest}{}", &ALPHABET[index + 1..index + 2]);
    assert_eq!(decode(part).len(), part.len() * 3 / 4);
    other
}

fn padded(part: &str) -> String {
    format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4))
}
