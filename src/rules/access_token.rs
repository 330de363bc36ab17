//! The shape and the times of an access token (RFC 9068, RFC 8725).
//!
//! Knows what a token of ours looks like. Does not know keys: the signature is checked by
//! `service::tokens`, between [`split`] and [`Claims::judge`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::rules::id::{OrganizationId, SessionId, UserId};
use crate::rules::strict_json;

/// Longest token that is read at all, in bytes.
pub const MAX_BYTES: usize = 4096;

/// The `typ` of an access token (RFC 9068 §2.1).
pub const TYPE: &str = "at+jwt";

/// The header: these three members and no other, so that `crit`, `jwk`, `jku`, `x5u` and whatever
/// is thought of next can have no effect.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Signature algorithm; the key decides, this must agree.
    pub alg: String,
    /// Must be [`TYPE`].
    pub typ: String,
    /// RFC 7638 thumbprint of the signing key.
    pub kid: String,
}

/// The claims, all required but [`Claims::act`] and [`Claims::read_only`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Claims {
    /// The session. First, so that [`session_id_hint`] finds it.
    pub sid: SessionId,
    /// The issuer: our public URL.
    pub iss: String,
    /// For whom: our public URL, alone or among others.
    pub aud: Audience,
    /// The user.
    pub sub: UserId,
    /// The client the token was issued to.
    pub client_id: String,
    /// This token.
    pub jti: Uuid,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// Not valid before, in seconds since 1970.
    pub nbf: i64,
    /// Not valid from then on, in seconds since 1970.
    pub exp: i64,
    /// Latest fresh proof of identity, in seconds since 1970.
    pub auth_time: i64,
    /// Methods of that proof (RFC 8176).
    pub amr: Vec<String>,
    /// Roles when it was issued, for services that check no more than the signature; never read here.
    pub roles: Vec<String>,
    /// Organisation when it was issued; never read here.
    #[serde(deserialize_with = "present")]
    pub org: Option<OrganizationId>,
    /// Who acts, where it is not the user (RFC 8693 §4.1), for services behind; never read here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// Is whoever acts there for looking alone? Beside [`Claims::act`] and never without, for services
    /// behind; never read here. Not inside, where nothing but who it is belongs (RFC 8693 §4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// Whoever acts as the user.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Act {
    /// An administrator.
    pub sub: UserId,
}

/// One audience or several (RFC 7519 §4.1.3).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Audience {
    fn contains(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Several(several) => several.iter().any(|one| one == name),
        }
    }
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Longer than [`MAX_BYTES`]; not read.
    #[error("the token is longer than 4096 bytes")]
    TooLong,
    /// Not three parts of canonical base64url, or not the JSON that it should be.
    #[error("the token is not a well-formed access token")]
    Malformed,
    /// Another kind of token, or another algorithm.
    #[error("the token is not an access token of this server")]
    WrongKind,
    /// Nobody here has this key, or had it long ago.
    #[error("the token is signed with a key this server does not know")]
    UnknownKey,
    /// Not signed by that key.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// From or for somebody else.
    #[error("the token is from another issuer or for another audience")]
    WrongIssuerOrAudience,
    /// Issued or valid in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Past its time.
    #[error("the token has expired")]
    Expired,
    /// Issued before the latest proof of identity in its session.
    #[error("the token was replaced when the user last proved their identity")]
    Superseded,
}

/// A token taken apart; nothing of it is trusted yet.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// The part that is signed.
    pub message: &'a str,
    /// The signature, as sent.
    pub signature: &'a str,
    /// The header.
    pub header: Header,
    payload: Vec<u8>,
}

/// Takes a token apart, reading only its header.
pub fn split(token: &str) -> Result<Parts<'_>, Fault> {
    if token.len() > MAX_BYTES {
        return Err(Fault::TooLong);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Fault::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(Fault::Malformed)?;
    if payload.contains('.') {
        return Err(Fault::Malformed);
    }
    // This decoder refuses padding, blanks and non-zero trailing bits, so that a token has one
    // spelling only.
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::Malformed);
    let header: Header = strict_json::from_slice(&decode(header)?).map_err(|_| Fault::Malformed)?;
    if decode(signature)?.is_empty() {
        return Err(Fault::Malformed);
    }
    if header.typ != TYPE {
        return Err(Fault::WrongKind);
    }
    Ok(Parts {
        message,
        signature,
        header,
        payload: decode(payload)?,
    })
}

/// The session that a token of ours names, read at a glance and not to be trusted: a place to look
/// whether this very token was verified before.
pub fn session_id_hint(token: &str) -> Option<SessionId> {
    // The first claim of a token issued here is `{"sid":"` and 36 characters: 60 of base64url.
    const BEFORE: &[u8] = b"{\"sid\":\"";
    let (_, payload) = token.split_once('.')?;
    let mut bytes = [0_u8; 45];
    URL_SAFE_NO_PAD
        .decode_slice(payload.get(..60)?, &mut bytes)
        .ok()?;
    let text = bytes.strip_prefix(BEFORE)?.get(..36)?;
    Uuid::try_parse_ascii(text).ok().map(SessionId)
}

impl Parts<'_> {
    /// The claims. Call it only after the signature was found good.
    pub fn claims(&self) -> Result<Claims, Fault> {
        strict_json::from_slice(&self.payload).map_err(|_| Fault::Malformed)
    }
}

impl Claims {
    /// Checks issuer, audience and times, with no leeway: our own clock issued the token.
    ///
    /// `auth_time` may lie ahead of `iat`, by a second for each proof that follows another within
    /// one; that it is the session's latest is judged by the facts.
    pub fn judge(&self, issuer: &str, now: DateTime<Utc>) -> Result<(), Fault> {
        if self.iss != issuer || !self.aud.contains(issuer) {
            return Err(Fault::WrongIssuerOrAudience);
        }
        let now = now.timestamp();
        if self.iat > now || self.nbf > now {
            return Err(Fault::NotYetValid);
        }
        if now >= self.exp {
            return Err(Fault::Expired);
        }
        Ok(())
    }
}

/// A member that may be `null` but must be there.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::{Claims, Fault, session_id_hint, split};
    use crate::rules::strict_json;

    fn claims() -> Value {
        json!({
            "iss": "https://login.test", "aud": "https://login.test",
            "sub": "01890000-0000-7000-8000-000000000001", "client_id": "portcullis",
            "sid": "01890000-0000-7000-8000-000000000002",
            "jti": "01890000-0000-7000-8000-000000000003",
            "iat": 1000, "nbf": 1000, "exp": 1300, "auth_time": 900,
            "amr": ["pwd"], "roles": [], "org": null,
        })
    }

    fn read(value: &Value) -> Result<Claims, Fault> {
        strict_json::from_slice(value.to_string().as_bytes()).map_err(|_| Fault::Malformed)
    }

    #[test]
    fn every_claim_is_required_and_of_its_type() {
        assert!(read(&claims()).is_ok());
        for name in claims()
            .as_object()
            .into_iter()
            .flat_map(|o| o.keys().cloned())
        {
            let mut without = claims();
            without.as_object_mut().map(|o| o.remove(&name));
            assert_eq!(read(&without), Err(Fault::Malformed), "without {name}");
            let mut mistyped = claims();
            mistyped[&name] = json!({"unexpected": true});
            assert_eq!(read(&mistyped), Err(Fault::Malformed), "mistyped {name}");
        }
        for odd in [json!("1300"), json!(1300.5), json!(1e300), Value::Null] {
            let mut mistyped = claims();
            mistyped["exp"] = odd;
            assert_eq!(read(&mistyped), Err(Fault::Malformed));
        }
    }

    #[test]
    fn issuer_audience_and_times_have_no_leeway() {
        const OK: Result<(), Fault> = Ok(());
        let wrong = Err(Fault::WrongIssuerOrAudience);
        let cases = [
            ("as issued", json!({}), 1000, OK),
            ("exp −1", json!({}), 1299, OK),
            ("exp 0", json!({}), 1300, Err(Fault::Expired)),
            ("exp +1", json!({}), 1301, Err(Fault::Expired)),
            (
                "exp before 1970",
                json!({"exp": -1}),
                1000,
                Err(Fault::Expired),
            ),
            ("iat +1", json!({}), 999, Err(Fault::NotYetValid)),
            (
                "nbf +1",
                json!({"nbf": 1001}),
                1000,
                Err(Fault::NotYetValid),
            ),
            (
                "a second proof in the second of issue",
                json!({"auth_time": 1001}),
                1000,
                OK,
            ),
            (
                "among others",
                json!({"aud": ["x", "https://login.test"]}),
                1000,
                OK,
            ),
            ("no audience", json!({"aud": []}), 1000, wrong),
            (
                "other audience",
                json!({"aud": "https://login.tes"}),
                1000,
                wrong,
            ),
            (
                "other case",
                json!({"aud": "https://LOGIN.test"}),
                1000,
                wrong,
            ),
            (
                "other issuer",
                json!({"iss": "https://login.test/"}),
                1000,
                wrong,
            ),
        ];
        for (name, changes, now, expected) in cases {
            let mut value = claims();
            for (key, change) in changes.as_object().into_iter().flatten() {
                value[key] = change.clone();
            }
            let now = DateTime::from_timestamp(now, 0).unwrap_or_default();
            let judged = read(&value).and_then(|claims| claims.judge("https://login.test", now));
            assert_eq!(judged, expected, "{name}");
        }
    }

    #[test]
    fn the_session_is_found_at_a_glance_in_tokens_of_ours_and_in_nothing_else() {
        let read = read(&claims()).ok();
        let ours = serde_json::to_string(&read).unwrap_or_default();
        let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(&ours));
        assert_eq!(session_id_hint(&token), read.map(|claims| claims.sid));
        for other in [
            "",
            ".",
            "e30.e30.",
            &token[4..],
            &token[..40],
            &"x.".repeat(99),
        ] {
            assert_eq!(session_id_hint(other), None, "{other}");
        }
        let elsewhere = ours.replacen("sid", "sjd", 1);
        let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(elsewhere));
        assert_eq!(session_id_hint(&token), None);
    }

    #[test]
    fn only_one_spelling_of_a_token_is_read() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let header = |text: &str| format!("{}.{}.{}", part(text), part("{}"), part("sig"));
        let good = header(r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#);
        assert!(split(&good).is_ok());
        let bad = [
            String::new(),
            "a.b".into(),
            format!("{good}.x"),
            format!("{good}="),
            format!("{good} "),
            format!(" {good}"),
            good.replacen("c2ln", "c2lo", 1).replace("c2lo", "c2l"),
            good.trim_end_matches("c2ln").to_owned(),
            "c2l.".repeat(3),
            header(r#"{"alg":"ES256","typ":"JWT","kid":"k"}"#),
            header(r#"{"alg":"ES256","kid":"k"}"#),
            header(r#"{"alg":"ES256","typ":"at+jwt","kid":"k","crit":["b64"]}"#),
            header(r#"{"alg":"ES256","typ":"at+jwt","kid":"k","jwk":{}}"#),
            header(r#"{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"k"}"#),
            header(r#"{"alg":1,"typ":"at+jwt","kid":"k"}"#),
            "x".repeat(5000),
        ];
        for token in bad {
            assert!(split(&token).is_err(), "{token}");
        }
        assert_eq!(split(&"x".repeat(4097)).err(), Some(Fault::TooLong));
        assert_eq!(split(&"x".repeat(4096)).err(), Some(Fault::Malformed));
    }
}
