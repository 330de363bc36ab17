//! Why a command could not do what it was told, in words for whoever typed it.

use crate::http::server::ServeError;
use crate::service::StartError;
use crate::service::error::Error;
use crate::service::key_ring::KeyRingError;
use crate::settings::SettingsError;
use crate::store::StoreError;

/// Why a command could not. Causes are told too: whoever commands here has the host anyway.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A setting makes no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// An act was not done.
    #[error(transparent)]
    Service(#[from] Error),
    /// The database did not answer a question.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys or machine are not as they must be.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// The server could not start or go on.
    #[error(transparent)]
    Server(#[from] ServeError),
    /// The answer could not be written.
    #[error("cannot write the answer: {0}")]
    Output(#[from] std::io::Error),
    /// Anything else.
    #[error("{0}")]
    Said(String),
}

impl Failure {
    /// In these words.
    pub(super) fn said(words: impl Into<String>) -> Self {
        Self::Said(words.into())
    }
}
