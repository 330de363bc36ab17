//! Telling the operator's own server of events, by HTTP, after the Standard Webhooks specification
//! (<https://www.standardwebhooks.com>).
//!
//! What is sent holds ids, codes and instants alone. Where it goes is the operator's choice; nothing
//! that a request says, and no answer of the receiver, leads anywhere else.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use uuid::Uuid;

use crate::rules::audit::Action;
use crate::rules::id::{SessionId, UserId};
use crate::rules::outbox::{Consumer, Delivery};
use crate::rules::webhook::event_type;
use crate::service::Context;
use crate::service::outbox::{Deliverer, Delivering, NotDelivered};
use crate::settings;

/// Longest wait for the receiver's answer, from the connection on: well within the lease of a
/// delivery.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Longest wait for the rest of an answer whose status is known: read so that the connection can be
/// used again, and no further than it is short.
const REST: Duration = Duration::from_millis(200);

/// Bytes of an answer that are read.
const LITTLE: usize = 4096;

/// How long a connection stays open unused.
const IDLE: Duration = Duration::from_secs(30);

/// As the receiver sees who asks.
const AGENT: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));

/// Why nobody can be told by HTTP.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The address is none that can be asked.
    #[error("PORTCULLIS_WEBHOOK_URL: it cannot be asked")]
    Address(#[source] hyper::http::uri::InvalidUri),
    /// TLS cannot be set up.
    #[error("PORTCULLIS_WEBHOOK_URL: TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// Posts events. Made once, and only where a webhook is set.
pub struct Webhook {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    key: hmac::Key,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Webhook")
    }
}

/// What is posted.
#[derive(Serialize)]
struct Event<'d> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: DateTime<Utc>,
    data: Data<'d>,
}

#[derive(Serialize)]
struct Data<'d> {
    user_id: Option<UserId>,
    session_id: Option<SessionId>,
    reason: Option<&'d str>,
    detail: Option<&'d str>,
    actor: Actor<'d>,
    receipt_id: Option<Uuid>,
}

#[derive(Serialize)]
struct Actor<'d> {
    kind: &'d str,
    id: Option<UserId>,
}

impl Webhook {
    /// Gets ready to post as the settings say; connects to nobody yet.
    pub fn new(webhook: &settings::Webhook) -> Result<Self, WebhookError> {
        let uri = webhook.url().as_str().parse();
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(webhook.url().scheme() == "https").map_err(WebhookError::Tls)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self {
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .build(connector),
            uri: uri.map_err(WebhookError::Address)?,
            key: hmac::Key::new(hmac::HMAC_SHA256, webhook.key()),
        })
    }

    /// Posts one event. It is signed each time it is tried, since the signature holds the instant.
    async fn post(&self, id: Uuid, now: DateTime<Utc>, body: Vec<u8>) -> Result<(), NotDelivered> {
        let seconds = now.timestamp();
        let request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header("webhook-id", id.to_string())
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", sign(&self.key, id, seconds, &body))
            .body(Full::from(body))
            .map_err(|_| NotDelivered::Never("the request could not be made".to_owned()))?;
        let answer = match tokio::time::timeout(PATIENCE, self.client.request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(NotDelivered::Later(why(&error).to_owned())),
            Err(_) => return Err(NotDelivered::Later(NO_ANSWER.to_owned())),
        };
        let status = answer.status().as_u16();
        // Whatever comes of it: the status has told all that counts.
        let _ = tokio::time::timeout(REST, read_a_little(answer.into_body())).await;
        judge(status)
    }
}

impl Deliverer for Webhook {
    fn consumer(&self) -> Consumer {
        Consumer::Webhook
    }

    fn deliver<'d>(&'d self, context: &'d Context, delivery: &'d Delivery) -> Delivering<'d> {
        Box::pin(async move {
            let Some(kind) = Action::from_code(&delivery.action).and_then(event_type) else {
                return Err(NotDelivered::Never("there is no such event".to_owned()));
            };
            let event = Event {
                kind,
                timestamp: delivery.at,
                data: Data {
                    user_id: delivery.subject_id,
                    session_id: delivery.session_id,
                    reason: delivery.reason.as_deref(),
                    detail: delivery.detail.as_deref(),
                    actor: Actor {
                        kind: &delivery.actor_kind,
                        id: delivery.actor_id,
                    },
                    receipt_id: delivery.receipt_id,
                },
            };
            let body = serde_json::to_vec(&event)
                .map_err(|_| NotDelivered::Never("the event could not be written".to_owned()))?;
            // The same id each time it is tried, so that a second copy is known as one.
            self.post(delivery.event_id, context.now(), body).await
        })
    }
}

const NO_ANSWER: &str = "the receiver does not answer";

/// The authorities that this machine trusts, where they are needed.
fn tls(is_needed: bool) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    if is_needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// `v1,` and HMAC-SHA256 of `id.seconds.body` in base64.
fn sign(key: &hmac::Key, id: Uuid, seconds: i64, body: &[u8]) -> String {
    let mut signed = hmac::Context::with_key(key);
    signed.update(format!("{id}.{seconds}.").as_bytes());
    signed.update(body);
    format!("v1,{}", STANDARD.encode(signed.sign()))
}

async fn read_a_little(mut body: Incoming) {
    let mut read = 0;
    while read <= LITTLE {
        match body.frame().await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) | None => return,
        }
    }
}

/// What an answer means.
fn judge(status: u16) -> Result<(), NotDelivered> {
    match status {
        200..=299 => Ok(()),
        410 => Err(NotDelivered::Never(
            "the receiver is gone for good (410)".to_owned(),
        )),
        300..=399 => Err(NotDelivered::Later(format!(
            "the receiver leads elsewhere with {status}, which is not followed"
        ))),
        _ => Err(NotDelivered::Later(format!(
            "the receiver answered with {status}"
        ))),
    }
}

/// In words that quote nothing the receiver said.
fn why(error: &legacy::Error) -> &'static str {
    if is_about_tls(error) {
        "no TLS with the receiver, or not with the one that was meant"
    } else if error.is_connect() {
        "the receiver cannot be reached"
    } else {
        NO_ANSWER
    }
}

fn is_about_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    // An error of input or output calls what it wraps its own, and only what is behind that its source.
    let wrapped = error.downcast_ref::<std::io::Error>();
    match wrapped.and_then(std::io::Error::get_ref) {
        Some(inner) => is_about_tls(inner),
        None => error.source().is_some_and(is_about_tls),
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use uuid::Uuid;

    use super::{CONNECT, PATIENCE, REST, judge, sign};
    use crate::rules::outbox::LEASE;
    use crate::service::outbox::NotDelivered;

    #[test]
    fn a_signature_is_what_others_compute() {
        // By: printf '…' | openssl dgst -sha256 -mac HMAC -macopt hexkey:…
        let key = STANDARD
            .decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signature = sign(&key, Uuid::nil(), 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,Y5/uRWupLQOPxe4D5mBYrd9dRGhY+xtWrnxDwy59WDE=");
    }

    #[test]
    fn two_hundreds_are_delivered_gone_is_given_up_and_all_else_is_tried_again() {
        for (status, later) in [
            (200, None),
            (204, None),
            (299, None),
            (300, Some(true)),
            (302, Some(true)),
            (400, Some(true)),
            (404, Some(true)),
            (409, Some(true)),
            (410, Some(false)),
            (429, Some(true)),
            (500, Some(true)),
            (503, Some(true)),
        ] {
            let is_later = match judge(status) {
                Ok(()) => None,
                Err(NotDelivered::Later(_)) => Some(true),
                Err(NotDelivered::Never(_)) => Some(false),
            };
            assert_eq!(is_later, later, "{status}");
        }
    }

    #[test]
    fn an_attempt_ends_well_within_its_lease() {
        let longest = PATIENCE + CONNECT + REST;
        assert!(LEASE.to_std().is_ok_and(|lease| longest * 2 < lease));
    }
}
