//! How an act fails.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::entropy::EntropyError;
use crate::rules::access_token::Fault;
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::rules::password::PasswordFault;
use crate::rules::throttle::wait_in_words;
use crate::service::open_session::NoRoom;
use crate::store::StoreError;

/// Why a credential that was presented does not admit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The token is not good.
    Token(Fault),
    /// Nobody issued this refresh token.
    UnknownRefreshToken,
    /// Its session has ended; when and why, where that is still known.
    SessionEnded {
        /// The session.
        session_id: SessionId,
        /// When and why.
        end: Option<(DateTime<Utc>, EndReason)>,
    },
    /// Its user does not exist any more.
    UserGone {
        /// The session.
        session_id: SessionId,
        /// The user.
        user_id: UserId,
    },
    /// Its user may not sign in.
    UserDisabled {
        /// The session.
        session_id: SessionId,
    },
}

/// Why an act was not done. `Display` is for the person or program that asked; causes are for the
/// log and never part of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database does not answer.
    #[error(
        "The database does not answer. Nothing was changed and nobody was signed out; try again shortly."
    )]
    Unavailable(#[source] StoreError),
    /// The database stopped answering in the middle of an act of many transactions.
    #[error("{0}")]
    HalfWay(#[source] Box<HalfWay>),
    /// Too many passwords are waiting to be checked.
    #[error("Too many people are signing in at this moment. Try again in a few seconds.")]
    Busy,
    /// E-mail address or password is wrong, or the account may not be used; which, is not said.
    #[error("The e-mail address or the password is wrong.")]
    InvalidCredentials,
    /// Too many failed attempts.
    #[error(
        "There were too many failed attempts. Try again in {}.",
        wait_in_words(*retry_after_secs)
    )]
    Throttled {
        /// When it is worth trying again.
        retry_after_secs: u64,
    },
    /// The presented credential does not admit.
    #[error("The session cannot be used.")]
    Refused(Refusal),
    /// The new password may not be chosen.
    #[error(transparent)]
    Password(#[from] PasswordFault),
    /// A field of the request makes no sense.
    #[error("{problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// What the request names is not there.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// The request contradicts what is there.
    #[error("{0}")]
    Conflict(&'static str),
    /// No more sessions are allowed; which one ends may be for the person to say.
    #[error("{0}")]
    NoRoom(Box<NoRoom>),
    /// The choice of a session to end is unknown, used or expired.
    #[error(
        "This choice is open no more: it was made, too much time has passed, or your sessions were ended or your password changed meanwhile. Sign in once more."
    )]
    DeadChoice,
    /// A one-time link or code is unknown, used, replaced or expired.
    #[error("This link has been used, replaced or has expired.")]
    DeadLink,
    /// Something that cannot happen happened.
    #[error("Something went wrong on this server. It has been written to its log.")]
    Internal(&'static str),
}

/// How far an act of many transactions came before the database stopped answering. What was done
/// stays done, and the transaction after it may have been done as well.
#[derive(Debug, thiserror::Error)]
#[error("The database stopped answering half-way. {done} Do the same again to do the rest.")]
pub struct HalfWay {
    /// What was done, as a sentence.
    pub done: String,
    /// Sessions that were ended, at least, of an act that ends some.
    pub ended: Option<u64>,
    /// Names the act in the audit, if it has a receipt.
    pub receipt_id: Option<Uuid>,
    /// How the database failed.
    #[source]
    pub cause: StoreError,
}

impl Error {
    /// As it is after `done` was done: an outage says so, every other error is as it was.
    pub(super) fn after(self, done: String, ended: Option<u64>, receipt_id: Option<Uuid>) -> Self {
        let Self::Unavailable(cause) = self else {
            return self;
        };
        Self::HalfWay(Box::new(HalfWay {
            done,
            ended,
            receipt_id,
            cause,
        }))
    }
}

/// How many sessions an act that was cut off has ended, as a sentence.
pub(super) fn ended_so_far(ended: u64) -> String {
    match ended {
        0 => "No session is known to have been ended.".to_owned(),
        1 => "At least 1 session was ended, and stays ended.".to_owned(),
        many => format!("At least {many} sessions were ended, and stay ended."),
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(error),
            StoreError::Conflict => Self::Conflict("There is one already."),
            StoreError::ParentGone => Self::NotFound("user"),
            StoreError::Corrupt(table) => Self::Internal(table),
            StoreError::Entropy(_) => Self::Internal("random numbers"),
        }
    }
}

impl From<EntropyError> for Error {
    fn from(_: EntropyError) -> Self {
        Self::Internal("random numbers")
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
