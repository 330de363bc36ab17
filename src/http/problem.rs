//! What is answered when something is not done: the only place that names status codes of refusals.
//!
//! The same problem is a JSON document (RFC 9457) under `/api`, `/oauth` and `/.well-known`, and a
//! page elsewhere; `edge` decides by the path.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::http::api::documents::ChoiceDocument;
use crate::rules::access_token::Fault;
use crate::rules::end_reason::EndReason;
use crate::rules::id::SessionId;
use crate::service::error::{Error, Refusal};
use crate::service::open_session::Choice;
use crate::store::StoreError;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// What kind of problem, as the API's `code`.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As the API says it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// A short name for people.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// Nothing was presented.
    NoCredential = "no-credential", UNAUTHORIZED, "Sign in first";
    /// What was presented is no good token.
    InvalidToken = "invalid-token", UNAUTHORIZED, "The token is not valid";
    /// The access token is past its time; a refresh helps.
    TokenExpired = "token-expired", UNAUTHORIZED, "The token has expired";
    /// The session has ended.
    SessionEnded = "session-ended", UNAUTHORIZED, "The session has ended";
    /// The user does not exist any more.
    UserGone = "user-gone", UNAUTHORIZED, "The user does not exist any more";
    /// The user's account is disabled.
    UserDisabled = "user-disabled", UNAUTHORIZED, "The account was disabled";
    /// E-mail address or password is wrong.
    InvalidCredentials = "invalid-credentials", UNAUTHORIZED, "Wrong e-mail address or password";
    /// Signed in, but not allowed.
    Forbidden = "forbidden", FORBIDDEN, "You are not allowed to do this";
    /// The proof of identity is too old for this act.
    StepUpRequired = "step-up-required", FORBIDDEN, "Confirm that it is you";
    /// The request comes from another site, or does not say that it does not.
    CrossSite = "cross-site", FORBIDDEN, "This request did not come from our own page";
    /// Too many attempts.
    Throttled = "throttled", TOO_MANY_REQUESTS, "Too many attempts";
    /// The database does not answer.
    StoreUnavailable = "store-unavailable", SERVICE_UNAVAILABLE, "Temporarily not available";
    /// More work is waiting than can be done soon.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Very busy just now";
    /// The request makes no sense.
    InvalidRequest = "invalid-request", BAD_REQUEST, "The request is not valid";
    /// Well formed, but a field has a value that is not taken.
    InvalidField = "invalid-request", UNPROCESSABLE_ENTITY, "A field is not valid";
    /// A body of another type than the route reads.
    UnsupportedMediaType = "invalid-request", UNSUPPORTED_MEDIA_TYPE, "This content type is not read here";
    /// A body larger than the route reads.
    TooLarge = "invalid-request", PAYLOAD_TOO_LARGE, "The request is too large";
    /// A body that does not arrive.
    TooSlow = "invalid-request", REQUEST_TIMEOUT, "The request did not arrive in time";
    /// A method the route does not have.
    MethodNotAllowed = "invalid-request", METHOD_NOT_ALLOWED, "This method is not supported here";
    /// Nothing is there.
    NotFound = "not-found", NOT_FOUND, "Not found";
    /// It contradicts what is there.
    Conflict = "conflict", CONFLICT, "This contradicts what is there";
    /// A fault of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong";
}

/// Something that was not done, and why.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What kind.
    pub code: Code,
    /// In words, for the person or program that asked.
    pub detail: Cow<'static, str>,
    /// Why the session ended.
    pub reason: Option<EndReason>,
    /// The session that has ended.
    pub session_id: Option<SessionId>,
    /// The field concerned.
    pub field: Option<&'static str>,
    /// When it is worth trying again.
    pub retry_after_secs: Option<u64>,
    /// The methods there are.
    pub allow: Option<Box<str>>,
    /// For how old a proof of identity may be, in seconds (RFC 9470).
    pub max_age_secs: Option<i64>,
    /// What else is known.
    pub more: Option<Box<More>>,
}

/// What problems of one kind alone say.
#[derive(Clone, Debug)]
pub enum More {
    /// By which sessions room can be made for a new one.
    Choice(Choice),
    /// How far an act came that was cut off.
    HalfWay(Done),
}

/// What an act has done that was cut off.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Done {
    /// Sessions that it ended, at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<u64>,
    /// Names it in the audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_id: Option<uuid::Uuid>,
}

/// A problem as JSON.
#[derive(Serialize)]
pub struct ProblemDocument<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<EndReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<i64>,
    #[serde(flatten)]
    choice: Option<ChoiceDocument<'a>>,
    #[serde(flatten)]
    half_way: Option<&'a Done>,
}

impl Problem {
    /// A problem with these words.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            reason: None,
            session_id: None,
            field: None,
            retry_after_secs: None,
            allow: None,
            max_age_secs: None,
            more: None,
        }
    }

    /// No credential.
    pub fn no_credential() -> Self {
        Self::new(Code::NoCredential, "No credential was presented.")
    }

    /// Does the caller have to sign in before trying again?
    pub fn needs_sign_in(&self) -> bool {
        self.code.status() == StatusCode::UNAUTHORIZED && self.code != Code::InvalidCredentials
    }

    /// By which sessions room can be made for a new one.
    pub fn choice(&self) -> Option<&Choice> {
        match self.more.as_deref() {
            Some(More::Choice(choice)) => Some(choice),
            Some(More::HalfWay(_)) | None => None,
        }
    }

    /// How far an act came that was cut off.
    fn done(&self) -> Option<&Done> {
        match self.more.as_deref() {
            Some(More::HalfWay(done)) => Some(done),
            Some(More::Choice(_)) | None => None,
        }
    }

    /// The JSON document.
    pub fn document(&self) -> ProblemDocument<'_> {
        ProblemDocument {
            r#type: "about:blank",
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            reason: self.reason,
            field: self.field,
            max_age: self.max_age_secs,
            choice: self.choice().map(ChoiceDocument::new),
            half_way: self.done(),
        }
    }

    /// The `WWW-Authenticate` header that goes with it (RFC 6750 §3, RFC 9470 §3).
    pub fn challenge(&self) -> Option<String> {
        if self.code == Code::StepUpRequired {
            let max_age = self.max_age_secs.unwrap_or_default();
            return Some(format!(
                "Bearer error=\"insufficient_user_authentication\", max_age=\"{max_age}\""
            ));
        }
        if self.code.status() != StatusCode::UNAUTHORIZED {
            return None;
        }
        if matches!(self.code, Code::NoCredential | Code::InvalidCredentials) {
            return Some("Bearer".to_owned());
        }
        Some(format!(
            "Bearer error=\"invalid_token\", error_description=\"{}\"",
            self.code.title()
        ))
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    /// Bare: `edge` writes body and headers, since only it knows what the caller reads.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.code.status())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Token(Fault::Expired) => {
                Self::new(Code::TokenExpired, "The access token has expired.")
            }
            Refusal::Token(fault) => Self::new(Code::InvalidToken, format!("Refused: {fault}.")),
            Refusal::UnknownRefreshToken => {
                Self::new(Code::InvalidToken, "The refresh token is not known.")
            }
            Refusal::SessionEnded { session_id, end } => {
                let detail = match end {
                    Some((_, reason)) => {
                        format!("The session has ended because {}.", reason.words())
                    }
                    None => "The session has ended.".to_owned(),
                };
                let problem = Self::new(Code::SessionEnded, detail);
                Self {
                    session_id: Some(session_id),
                    reason: end.map(|(_, reason)| reason),
                    ..problem
                }
            }
            Refusal::UserGone { session_id, .. } => Self {
                session_id: Some(session_id),
                ..Self::new(
                    Code::UserGone,
                    "The user of this session does not exist any more.",
                )
            },
            Refusal::UserDisabled { session_id } => Self {
                session_id: Some(session_id),
                reason: Some(EndReason::UserDisabled),
                ..Self::new(
                    Code::UserDisabled,
                    "The session has ended because the account was disabled.",
                )
            },
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Unavailable(cause) => {
                log_outage(&cause);
                Self {
                    retry_after_secs: Some(5),
                    ..Self::new(Code::StoreUnavailable, detail)
                }
            }
            Error::HalfWay(half_way) => {
                log_outage(&half_way.cause);
                Self {
                    retry_after_secs: Some(5),
                    more: Some(Box::new(More::HalfWay(Done {
                        ended: half_way.ended,
                        receipt_id: half_way.receipt_id,
                    }))),
                    ..Self::new(Code::StoreUnavailable, detail)
                }
            }
            Error::Busy => Self {
                retry_after_secs: Some(5),
                ..Self::new(Code::Overloaded, detail)
            },
            Error::InvalidCredentials => Self::new(Code::InvalidCredentials, detail),
            Error::Throttled { retry_after_secs } => Self {
                retry_after_secs: Some(retry_after_secs),
                ..Self::new(Code::Throttled, detail)
            },
            Error::Refused(refusal) => refusal.into(),
            Error::Password(_) => Self {
                field: Some("password"),
                ..Self::new(Code::InvalidField, detail)
            },
            Error::Invalid { field, .. } => Self {
                field: Some(field),
                ..Self::new(Code::InvalidField, detail)
            },
            Error::NotFound(_) | Error::DeadLink => Self::new(Code::NotFound, detail),
            Error::Conflict(_) => Self::new(Code::Conflict, detail),
            Error::NoRoom(no_room) => Self {
                more: no_room.choice.map(|choice| Box::new(More::Choice(choice))),
                ..Self::new(Code::Conflict, detail)
            },
            Error::DeadChoice => Self::new(Code::InvalidCredentials, detail),
            Error::Internal(what) => {
                tracing::error!(what, "an act failed for a reason of ours");
                Self::new(Code::Internal, detail)
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

/// The one place where the cause of an outage is written down.
fn log_outage(error: &StoreError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(cause, "{error}");
}

#[cfg(test)]
mod tests {
    use super::{Code, Problem};

    #[test]
    fn every_refusal_for_want_of_sign_in_carries_a_challenge() {
        for code in Code::ALL {
            let problem = Problem::new(*code, "words");
            let unauthorized = code.status().as_u16() == 401;
            let challenged = problem.challenge().is_some();
            assert_eq!(
                challenged,
                unauthorized || *code == Code::StepUpRequired,
                "{code:?}"
            );
        }
    }
}
