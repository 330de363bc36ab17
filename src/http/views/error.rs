//! The page for everything that went wrong, in the same look as the rest.
//!
//! Knows a number and words for people, never what happened inside: causes belong in the log.

use serde::Serialize;

use super::{Page, Section, Shell, samples};

/// An error, for 400, 403, 404, 405, 413, 415, 429, 500 and 503.
#[derive(Clone, Serialize)]
pub struct ErrorPage {
    /// The frame.
    pub shell: Shell,
    /// The HTTP status.
    pub status: u16,
    /// What happened, in a few words.
    pub heading: String,
    /// What that means and what to do.
    pub text: String,
    /// The same number as in `Retry-After`.
    pub retry_after_secs: Option<u64>,
    /// Where the one button leads; a path on this site.
    pub action_url: Option<String>,
    /// What the one button says; shown only together with `action_url`.
    pub action_label: Option<String>,
}

impl Page for ErrorPage {
    const TEMPLATE: &'static str = "error.html";

    fn samples() -> Vec<Self> {
        let missing = Self {
            shell: samples::member("Not found", Section::None),
            status: 404,
            heading: "There is no such page".to_owned(),
            text: "The address may be mistyped, or what it showed is gone.".to_owned(),
            retry_after_secs: None,
            action_url: Some("/account".to_owned()),
            action_label: Some("Go to your account".to_owned()),
        };
        vec![
            Self {
                shell: samples::signed_out("Too many attempts"),
                status: 429,
                heading: "Too many attempts".to_owned(),
                text: "Signing in was tried too often with this e-mail address.".to_owned(),
                retry_after_secs: Some(90),
                action_url: None,
                action_label: None,
            },
            Self {
                shell: samples::signed_out("Not available right now"),
                status: 503,
                heading: "Not available right now".to_owned(),
                text: "The server can't reach its database. Nobody has been signed out.".to_owned(),
                retry_after_secs: Some(5),
                action_url: Some("/".to_owned()),
                action_label: Some("Try again".to_owned()),
            },
            missing,
        ]
    }
}
