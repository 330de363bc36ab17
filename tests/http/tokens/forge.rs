//! Making tokens by hand.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use portcullis::service::master_key::MasterKey;
use portcullis::store::keys::KeyPurpose;
use serde_json::{Value, json};

use crate::support::{Server, TestUser, Tokens};

/// A server, a session on it, and the key that the server signs with.
pub(super) struct Forge {
    pub(super) server: Server,
    pub(super) user: TestUser,
    pub(super) tokens: Tokens,
    pub(super) pkcs8: Vec<u8>,
    /// Header and claims of the session's token.
    pub(super) header: Value,
    pub(super) claims: Value,
}

impl Forge {
    pub(super) async fn new() -> Self {
        let server = Server::start().await;
        let user = server.user("ada@test.example", &[]).await;
        let tokens = server.sign_in(&user).await;
        let pkcs8 = signing_key(&server).await;
        let (header, claims) = read(&tokens.access);
        let forge = Self {
            server,
            user,
            tokens,
            pkcs8,
            header,
            claims,
        };
        // What is forged without a change is accepted, so whatever is refused is refused for its
        // change.
        assert_eq!(
            forge
                .server
                .verify(&forge.token(json!({}), json!({})))
                .await
                .status,
            200
        );
        forge
    }

    /// A token with these members changed, signed with the server's key; `null` removes one,
    /// unless it is in `org`, which is `null` anyway.
    pub(super) fn token(&self, header: Value, claims: Value) -> String {
        let header = change(&self.header, header).to_string();
        self.sign(&header, &change(&self.claims, claims).to_string())
    }

    /// A token of these two texts, signed with the server's key.
    pub(super) fn sign(&self, header: &str, payload: &str) -> String {
        self.sign_parts(&encode(header), &encode(payload))
    }

    /// A token of these two parts as they are.
    pub(super) fn sign_parts(&self, header: &str, payload: &str) -> String {
        sign(
            &format!("{header}.{payload}"),
            &EncodingKey::from_ec_der(&self.pkcs8),
            Algorithm::ES256,
        )
    }

    /// The public key as published.
    pub(super) async fn jwk(&self) -> Value {
        self.server.get("/.well-known/jwks.json", None).await.json()["keys"][0].clone()
    }

    pub(super) async fn refused(&self, token: &str, code: &str, what: &str) {
        super::assert_refused(&self.server, token, code, what).await;
    }
}

/// The private key that the server signs with now.
pub(super) async fn signing_key(server: &Server) -> Vec<u8> {
    let master = MasterKey::load(&server.context.settings, false).unwrap();
    let keys = server.context.store.keys().await.unwrap();
    let active = |key: &&portcullis::store::keys::SealedKey| {
        key.purpose == KeyPurpose::Signing && key.retired_at.is_none()
    };
    let key = keys.iter().find(active).unwrap();
    master
        .open(key.purpose, &key.id, &key.sealed)
        .unwrap()
        .to_vec()
}

pub(super) fn sign(message: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// Header and claims.
pub(super) fn read(token: &str) -> (Value, Value) {
    let parts: Vec<&str> = token.split('.').collect();
    let json = |part: &str| serde_json::from_slice(&decode(part)).unwrap();
    (json(parts[0]), json(parts[1]))
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn change(document: &Value, changes: Value) -> Value {
    let mut document = document.clone();
    let members = document.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    document
}
