//! Reading bodies: small ones, of the right type, that say nothing twice.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::http::problem::{Code, Problem};
use crate::http::state::header_text;
use crate::rules::strict_json;
use crate::settings::Secret;

/// Largest body that is read, in bytes. The longest password takes 3 KB in a form.
const MAX_BYTES: usize = 32 * 1024;

/// Longest wait for a body.
const PATIENCE: Duration = Duration::from_secs(10);

/// Name of the hidden field of every form.
const FORM_TOKEN: &str = "csrf_token";

/// Name of the field in which a form that waited for a fresh proof brings the password. No form of
/// its own may have a field of this name.
pub const PROOF: &str = "step_up_password";

/// What the names of fields say that are never written onto a page.
const SECRET: [&str; 4] = ["password", "secret", "code", "token"];

/// A form of ours, as it was sent.
#[derive(Debug)]
pub struct Sent {
    /// Its hidden text.
    pub token: String,
    /// The password that makes up for an old proof, if it came along.
    pub proof: Option<Secret>,
    fields: Vec<(String, Zeroizing<String>)>,
}

impl Sent {
    /// Its own fields.
    pub fn fields<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let fields = Zeroizing::new(serde_urlencoded::to_string(&self.fields).unwrap_or_default());
        serde_urlencoded::from_str(&fields).map_err(unreadable)
    }

    /// Its own fields, to be written onto a page; none if one of them may hold a secret.
    pub fn harmless(&self) -> Option<Vec<(String, String)>> {
        let secret = |name: &str| SECRET.iter().any(|word| name.contains(word));
        if self.fields.iter().any(|(name, _)| secret(name)) {
            return None;
        }
        let fields = self.fields.iter();
        Some(
            fields
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
        )
    }
}

/// Reads a form of ours.
pub async fn form(request: &HttpRequest, payload: Payload) -> Result<Sent, Problem> {
    must_be(request, "application/x-www-form-urlencoded")?;
    let bytes = read(request, payload).await?;
    let pairs: Vec<(String, Zeroizing<String>)> =
        serde_urlencoded::from_bytes(&bytes).map_err(unreadable)?;
    let mut sent = Sent {
        token: String::new(),
        proof: None,
        fields: Vec::with_capacity(pairs.len()),
    };
    for (name, value) in pairs {
        match name.as_str() {
            // Sent twice, both are wrong together.
            FORM_TOKEN => sent.token.push_str(&value),
            PROOF if sent.proof.is_none() => sent.proof = Some(Secret::new(value.to_string())),
            _ => sent.fields.push((name, value)),
        }
    }
    Ok(sent)
}

fn unreadable(error: serde_urlencoded::de::Error) -> Problem {
    Problem::new(
        Code::InvalidRequest,
        format!("The form cannot be read: {error}."),
    )
}

/// A JSON document.
pub async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<T, Problem> {
    must_be(request, "application/json")?;
    let bytes = read(request, payload).await?;
    let malformed = |error: serde_json::Error| {
        Problem::new(
            Code::InvalidRequest,
            format!("The JSON cannot be read: {error}."),
        )
    };
    // An object first: serde would take an array for one too, and name our type where neither fits.
    let members: Map<String, Value> = strict_json::from_slice(&bytes).map_err(malformed)?;
    serde_json::from_value(Value::Object(members)).map_err(malformed)
}

/// The parameters behind the `?`.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    serde_urlencoded::from_str(request.query_string()).map_err(|error| {
        Problem::new(
            Code::InvalidRequest,
            format!("The query cannot be read: {error}."),
        )
    })
}

fn must_be(request: &HttpRequest, expected: &'static str) -> Result<(), Problem> {
    let given = header_text(request.headers(), CONTENT_TYPE).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        format!("The body must be {expected}."),
    ))
}

async fn read(request: &HttpRequest, mut payload: Payload) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let too_large = || {
        Problem::new(
            Code::TooLarge,
            format!("At most {MAX_BYTES} bytes are read here."),
        )
    };
    let announced = header_text(request.headers(), CONTENT_LENGTH)
        .and_then(|length| length.parse::<usize>().ok())
        .unwrap_or(0);
    if announced > MAX_BYTES {
        return Err(too_large());
    }
    // Reserved at once: a buffer that grows would leave copies of passwords behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(announced.max(1024)));
    let reading = async {
        while let Some(chunk) = payload.next().await {
            let chunk =
                chunk.map_err(|_| Problem::new(Code::InvalidRequest, "The body broke off."))?;
            if bytes.len() + chunk.len() > MAX_BYTES {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(())
    };
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(read) => read?,
        Err(_) => {
            let detail = format!("The body did not arrive within {} s.", PATIENCE.as_secs());
            return Err(Problem::new(Code::TooSlow, detail));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::Sent;

    fn sent(names: &[&str]) -> Sent {
        let field = |name: &&str| ((*name).to_owned(), Zeroizing::new("value".to_owned()));
        Sent {
            token: String::new(),
            proof: None,
            fields: names.iter().map(field).collect(),
        }
    }

    #[test]
    fn a_form_with_a_secret_in_it_is_not_written_onto_a_page() {
        for names in [&[][..], &["email"], &["name", "roles"], &["include_self"]] {
            let harmless = sent(names).harmless().unwrap_or_default();
            let kept: Vec<_> = harmless.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(kept, names);
        }
        for secret in ["password", "new_password", "code", "token", "shared_secret"] {
            assert!(sent(&["email", secret]).harmless().is_none(), "{secret}");
        }
    }
}
