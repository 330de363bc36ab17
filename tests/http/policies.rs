//! Policies of sessions: how long those of a role or organisation live, and how many there may be.

mod crowd;
mod live;
mod manage;
mod room;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, TestUser, Tokens};

/// A server with an administrator, signed in over the API, and an organisation.
pub(crate) struct Policed {
    pub(crate) server: Server,
    pub(crate) console: Tokens,
}

impl Policed {
    pub(crate) async fn open() -> Self {
        // The administrator goes on, however the clock is moved.
        Self::open_with(&[("PORTCULLIS_ACCESS_TOKEN_SECS", "3600")]).await
    }

    pub(crate) async fn open_with(variables: &[(&str, &str)]) -> Self {
        let server = Server::start_with(variables).await;
        let admin = server.admin().await;
        let console = server.sign_in(&admin).await;
        portcullis::service::organizations::create_organization(
            &server.context,
            "acme",
            "Acme",
            portcullis::rules::audit::Origin::HOST,
        )
        .await
        .unwrap();
        Self { server, console }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, document: Option<Value>) -> Answer {
        let access = Some(self.console.access.as_str());
        self.server.call(method, path, access, document).await
    }

    /// Sets a policy; how many live sessions it lowered the limits of.
    pub(crate) async fn set(&self, of: &str, policy: Value) -> i64 {
        let answer = self.try_set(of, policy).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["lowered"].as_i64().unwrap()
    }

    pub(crate) async fn try_set(&self, of: &str, policy: Value) -> Answer {
        let path = format!("/api/admin/policies/{of}");
        self.call(Method::PUT, &path, Some(policy)).await
    }

    pub(crate) async fn roles(&self, user: &TestUser, roles: &[&str]) {
        let path = format!("/api/admin/users/{}", user.id);
        let patched = self
            .call(Method::PATCH, &path, Some(json!({ "roles": roles })))
            .await;
        assert_eq!(patched.status, 200, "{}", patched.text);
    }

    pub(crate) async fn join(&self, user: &TestUser) {
        let host = portcullis::rules::audit::Origin::HOST;
        let context = &self.server.context;
        portcullis::service::organizations::add_member(context, "acme", user.id, host)
            .await
            .unwrap();
    }

    pub(crate) async fn leave(&self, user: &TestUser) -> u64 {
        let host = portcullis::rules::audit::Origin::HOST;
        let context = &self.server.context;
        portcullis::service::organizations::remove_member(context, "acme", user.id, host)
            .await
            .unwrap()
    }

    /// Idle timeout and absolute lifetime of a session, in seconds, as its row has them.
    pub(crate) async fn limits(&self, tokens: &Tokens) -> (i64, i64) {
        let session = tokens.session_id.parse().unwrap();
        let store = &self.server.context.store;
        let now = self.server.context.now();
        let record = store.find_session(session, now).await.unwrap().unwrap();
        let lifetime = record.expires_at - record.created_at;
        (record.idle_timeout.num_seconds(), lifetime.num_seconds())
    }

    pub(crate) async fn audited(&self, action: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM audit_events WHERE action = '{action}'");
        self.server.database.count(&sql).await
    }
}
