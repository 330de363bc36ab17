//! Making and verifying the texts that admit: access tokens, refresh tokens, form tokens.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Header};
use uuid::Uuid;

use crate::entropy;
use crate::rules::access_token::{self, Act, Audience, Claims, Fault};
use crate::rules::id::SessionId;
use crate::rules::receipt::Receipt;
use crate::rules::session::Facts;
use crate::service::Context;
use crate::service::error::Error;
use crate::service::key_ring::sha256;
use crate::settings::Secret;
use crate::store::refresh_tokens::TokenHash;
use crate::store::validity_cache::VerifiedToken;
use crate::store::verification_tokens::Purpose;

/// The client that Portcullis itself is.
const CLIENT_ID: &str = "portcullis";

/// What a sign-in, a refresh or a fresh proof hands out.
#[derive(Clone, Debug)]
pub struct IssuedTokens {
    /// The access token.
    pub access: AccessToken,
    /// The refresh token.
    pub refresh: Secret,
}

/// An access token just issued.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The text.
    pub text: Secret,
    /// Refused from this instant on.
    pub expires_at: DateTime<Utc>,
}

/// What a verified access token says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verified {
    /// What it is for.
    pub token: VerifiedToken,
    /// The refresh token it was handed out with, if it was one whose arrival is awaited.
    pub receipt: Option<Receipt>,
}

/// Signs an access token for a live session. It never outlives the session.
pub fn issue_access_token(
    context: &Context,
    facts: &Facts,
    now: DateTime<Utc>,
) -> Result<AccessToken, Error> {
    issue_with_receipt(context, facts, None, now)
}

/// As [`issue_access_token`], for whoever presented a token that is good until then: what is handed
/// out for it is good for no longer, or one that was stolen would be worth new ones for as long as its
/// session lives, without the refresh that tells of a copy.
pub fn issue_access_token_until(
    context: &Context,
    facts: &Facts,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<AccessToken, Error> {
    issue(context, facts, None, until, now)
}

/// As [`issue_access_token`], for an answer whose arrival is told by the use of this token.
pub(super) fn issue_with_receipt(
    context: &Context,
    facts: &Facts,
    receipt: Option<Receipt>,
    now: DateTime<Utc>,
) -> Result<AccessToken, Error> {
    issue(context, facts, receipt, DateTime::<Utc>::MAX_UTC, now)
}

fn issue(
    context: &Context,
    facts: &Facts,
    receipt: Option<Receipt>,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<AccessToken, Error> {
    let keys = context.keys();
    let key = keys.active(now).ok_or(Error::Internal("signing key"))?;
    let longest = (now + context.settings.access_token).min(facts.expires_at.at());
    let expires_at = longest.min(until);
    let claims = Claims {
        sid: facts.session_id,
        iss: context.settings.public_url.clone(),
        aud: Audience::One(context.settings.public_url.clone()),
        sub: facts.user_id,
        client_id: CLIENT_ID.to_owned(),
        jti: Receipt::mark(entropy::new_id(now)?, receipt),
        iat: now.timestamp(),
        nbf: now.timestamp(),
        exp: expires_at.timestamp(),
        auth_time: facts.auth_time.at().timestamp(),
        amr: facts.amr.names().map(str::to_owned).collect(),
        roles: facts.person.roles().map(str::to_owned).collect(),
        org: facts.organization_id,
        act: facts.impersonation.as_ref().map(|by| Act {
            sub: by.impersonator_id,
        }),
        read_only: facts.impersonation.as_ref().map(|by| by.read_only),
    };
    let header = Header {
        typ: Some(access_token::TYPE.to_owned()),
        kid: Some(key.kid.clone()),
        ..Header::new(Algorithm::ES256)
    };
    let text = jsonwebtoken::encode(&header, &claims, &key.encoding)
        .map_err(|_| Error::Internal("signature"))?;
    Ok(AccessToken {
        text: Secret::new(text),
        expires_at: DateTime::from_timestamp(claims.exp, 0).unwrap_or(expires_at),
    })
}

/// Verifies an access token: its form, its key, its signature, then its claims.
pub fn verify_access_token(
    context: &Context,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Verified, Fault> {
    let parts = access_token::split(token)?;
    let keys = context.keys();
    let key = keys
        .verifying(&parts.header.kid, context.settings.access_token, now)
        .ok_or(Fault::UnknownKey)?;
    // The key says which algorithm, not the token.
    if parts.header.alg != "ES256" {
        return Err(Fault::WrongKind);
    }
    let good = jsonwebtoken::crypto::verify(
        parts.signature,
        parts.message.as_bytes(),
        &key.decoding,
        Algorithm::ES256,
    );
    if !matches!(good, Ok(true)) {
        return Err(Fault::BadSignature);
    }
    let claims = parts.claims()?;
    claims.judge(&context.settings.public_url, now)?;
    let instant = |seconds| DateTime::from_timestamp(seconds, 0).ok_or(Fault::Malformed);
    Ok(Verified {
        token: VerifiedToken {
            session_id: claims.sid,
            user_id: claims.sub,
            expires_at: instant(claims.exp)?,
            auth_time: instant(claims.auth_time)?,
        },
        receipt: Receipt::read(claims.jti),
    })
}

/// The first refresh token of a session.
pub fn new_refresh_token() -> Result<Secret, Error> {
    Ok(Secret::new(entropy::random_token()?))
}

/// The one token that replaces this one. It is derived, so that whoever presents this one again
/// within its grace gets the same, although only hashes are kept.
pub fn successor(context: &Context, refresh_token: &str) -> Secret {
    let bytes = context
        .keys()
        .derive("refresh token", refresh_token.as_bytes());
    Secret::new(encode(&bytes))
}

/// The token of the one-time link with this id. It is derived, so that the same link can be sent
/// again although only its hash is kept.
pub fn link_token(context: &Context, purpose: Purpose, id: Uuid) -> Secret {
    let label = format!("link for {}", purpose.code());
    Secret::new(encode(&context.keys().derive(&label, id.as_bytes())))
}

/// What the link with this id has beside its token where it was mailed, and not where it was shown:
/// whoever has it, has the mail.
pub fn mail_tag(context: &Context, id: Uuid) -> Secret {
    let tag = context.keys().derive("mailed link", id.as_bytes());
    Secret::new(encode(&tag))
}

/// How a token that is looked up is kept.
pub fn token_hash(token: &str) -> TokenHash {
    sha256(token)
}

/// The hidden text of forms shown to this session.
pub fn form_token(context: &Context, session_id: SessionId) -> String {
    encode(
        &context
            .keys()
            .derive("form of a session", session_id.0.as_bytes()),
    )
}

/// The hidden text of forms shown to somebody who is not signed in, bound to a cookie.
pub fn form_token_before_sign_in(context: &Context, cookie: &str) -> String {
    encode(
        &context
            .keys()
            .derive("form before sign-in", cookie.as_bytes()),
    )
}

/// Compares two secrets in time that does not depend on where they differ.
pub fn same_secret(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
