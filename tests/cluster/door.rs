//! One server, as its callers see it: where it is, what is asked of it and what it says.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::client;

/// Longer than any server may take, the five seconds that it waits for its database included.
const PATIENCE: Duration = Duration::from_secs(12);

/// The way to a server, which may be somewhere else after a restart.
#[derive(Clone, Debug)]
pub struct Door {
    base: Arc<RwLock<String>>,
    client: reqwest::Client,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    /// Null where there was none.
    pub document: Value,
}

/// What the answer to "does this token admit?" comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Said {
    Yes,
    /// With the code of the refusal.
    No(String),
    /// The server cannot tell at present.
    Unavailable,
    /// There was no answer.
    Nothing,
}

impl Door {
    pub fn new(base: &str) -> Self {
        Self {
            base: Arc::new(RwLock::new(base.to_owned())),
            client: client(),
        }
    }

    /// From now on the server is there.
    pub fn moved_to(&self, base: &str) {
        let mut known = self.base.write().unwrap_or_else(PoisonError::into_inner);
        base.clone_into(&mut known);
    }

    /// What the server answers, if it does.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        access: Option<&str>,
        document: Option<Value>,
    ) -> Option<Reply> {
        let base = self
            .base
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut request = self
            .client
            .request(method, format!("{base}{path}"))
            .timeout(PATIENCE);
        if let Some(access) = access {
            request = request.bearer_auth(access);
        }
        if let Some(document) = document {
            request = request.json(&document);
        }
        let response = request.send().await.ok()?;
        let status = response.status();
        let text = response.text().await.ok()?;
        Some(Reply {
            status,
            document: serde_json::from_str(&text).unwrap_or_default(),
        })
    }

    /// Does this access token admit?
    pub async fn verify(&self, access: &str) -> Said {
        let reply = self
            .call(Method::GET, "/api/auth/verify", Some(access), None)
            .await;
        reply.map_or(Said::Nothing, |reply| reply.said())
    }
}

impl Reply {
    /// The code of a problem.
    pub fn code(&self) -> &str {
        self.document["code"].as_str().unwrap_or_default()
    }

    /// What it says of the session of the token that was presented.
    pub fn said(&self) -> Said {
        match self.status {
            StatusCode::UNAUTHORIZED => Said::No(self.code().to_owned()),
            StatusCode::SERVICE_UNAVAILABLE => Said::Unavailable,
            status if status.is_server_error() => panic!("{self:?}"),
            _ => Said::Yes,
        }
    }
}
