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
    /// What is wrong with an option that was given, by its name here: elsewhere its field is called
    /// otherwise. Of names that are parts of others the longer ones come first.
    pub(super) fn of_options(error: Error, options: &[(&'static str, &str)]) -> Self {
        let Error::Invalid { field, problem } = &error else {
            return error.into();
        };
        let Some((_, option)) = options.iter().find(|(name, _)| name == field) else {
            return error.into();
        };
        let problem = problem
            .strip_prefix(&format!("{field}: "))
            .unwrap_or(problem);
        // Others that it is compared with. A name of one word may be just a word.
        let named = options.iter().filter(|(name, _)| name.contains('_'));
        let problem = named.fold(problem.to_owned(), |text, (name, option)| {
            text.replace(name, option)
        });
        Self::said(format!("{option}: {problem}"))
    }

    /// In these words.
    pub(super) fn said(words: impl Into<String>) -> Self {
        Self::Said(words.into())
    }
}
