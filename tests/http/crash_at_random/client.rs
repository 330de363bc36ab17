//! One client: what it does, and what the server has acknowledged to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::chance::Chance;
use crate::support::{Answer, PASSWORD};

/// What a client knows of one session.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) access: String,
    pub(super) refresh: String,
    /// Why it ended, once that was acknowledged.
    pub(super) ended: Option<&'static str>,
}

/// What was asked and never answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Unanswered {
    SignIn,
    Refresh(String),
    End(String),
    Rename(String),
    Create(String),
    Disable(String),
    Delete(String),
}

/// A user whom the administrator made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Made {
    Enabled,
    Disabled,
    Deleted,
}

/// One client: a user of its own, and what the server has acknowledged to it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) base: String,
    pub(super) http: reqwest::Client,
    pub(super) chance: Chance,
    pub(super) email: String,
    pub(super) user_id: String,
    pub(super) admin: String,
    pub(super) sessions: BTreeMap<String, Known>,
    pub(super) name: String,
    pub(super) made: BTreeMap<String, Made>,
    pub(super) acts: usize,
    pub(super) unanswered: Option<Unanswered>,
}

/// The server was killed under way.
pub(super) struct Killed;

impl Client {
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        access: Option<&str>,
        document: Option<Value>,
    ) -> Result<Answer, Killed> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(access) = access {
            request = request.bearer_auth(access);
        }
        if let Some(document) = document {
            request = request.json(&document);
        }
        let response = request.send().await.map_err(|_| Killed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.map_err(|_| Killed)?;
        Ok(Answer {
            status,
            headers,
            text,
        })
    }

    /// Acts until the server does not answer any more.
    pub(super) async fn act(mut self, acknowledged: Arc<AtomicUsize>, enough: usize) -> Self {
        while self.one_act().await.is_ok() {
            self.acts += 1;
            acknowledged.fetch_add(1, Ordering::SeqCst);
            assert!(
                acknowledged.load(Ordering::SeqCst) < enough + 10_000,
                "nobody killed it"
            );
        }
        self
    }

    pub(super) async fn one_act(&mut self) -> Result<(), Killed> {
        let live: Vec<String> = self
            .sessions
            .iter()
            .filter(|(_, known)| known.ended.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        let made: Vec<String> = self
            .made
            .iter()
            .filter(|(_, made)| **made != Made::Deleted)
            .map(|(id, _)| id.clone())
            .collect();
        let choice = self.chance.below(10);
        let session = self.chance.pick(&live).cloned();
        let user = self.chance.pick(&made).cloned();
        match (choice, session, user) {
            (0, ..) | (_, None, _) => self.sign_in().await,
            (1..=3, Some(session), _) => self.refresh(session).await,
            (4, Some(session), _) => self.end(session, true).await,
            (5, Some(session), _) => self.end(session, false).await,
            (6, ..) => self.rename().await,
            (7, _, Some(user)) => self.disable(user).await,
            (8, _, Some(user)) => self.delete(user).await,
            _ => self.create().await,
        }
    }

    pub(super) async fn sign_in(&mut self) -> Result<(), Killed> {
        self.unanswered = Some(Unanswered::SignIn);
        let document = json!({ "email": self.email, "password": PASSWORD });
        let answer = self.call(Method::POST, "/api/auth/sign-in", None, Some(document));
        let answer = answer.await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let document = answer.json();
        let id = document["session"]["id"].as_str().unwrap().to_owned();
        self.sessions.insert(id, known(&document));
        self.unanswered = None;
        Ok(())
    }

    pub(super) async fn refresh(&mut self, session: String) -> Result<(), Killed> {
        self.unanswered = Some(Unanswered::Refresh(session.clone()));
        let document = json!({ "refresh_token": self.sessions[&session].refresh });
        let answer = self.call(Method::POST, "/api/auth/refresh", None, Some(document));
        let answer = answer.await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.sessions.insert(session, known(&answer.json()));
        self.unanswered = None;
        Ok(())
    }

    pub(super) async fn end(&mut self, session: String, own: bool) -> Result<(), Killed> {
        self.unanswered = Some(Unanswered::End(session.clone()));
        let path = format!("/api/admin/sessions/{session}");
        let (method, path, access, reason) = if own {
            let access = self.sessions[&session].access.clone();
            (Method::POST, "/api/auth/sign-out", access, "signed-out")
        } else {
            (
                Method::DELETE,
                path.as_str(),
                self.admin.clone(),
                "ended-by-admin",
            )
        };
        let answer = self.call(method, path, Some(&access), None).await?;
        assert_eq!(answer.status, 204, "{}", answer.text);
        self.sessions.get_mut(&session).unwrap().ended = Some(reason);
        self.unanswered = None;
        Ok(())
    }

    pub(super) async fn rename(&mut self) -> Result<(), Killed> {
        let name = format!("Name {}", self.chance.below(1_000_000));
        self.unanswered = Some(Unanswered::Rename(name.clone()));
        self.change(&self.user_id, json!({ "name": name })).await?;
        self.name = name;
        self.unanswered = None;
        Ok(())
    }

    pub(super) async fn create(&mut self) -> Result<(), Killed> {
        let email = format!("made-{}@test.example", self.chance.next());
        self.unanswered = Some(Unanswered::Create(email.clone()));
        let document = json!({ "email": email });
        let admin = Some(self.admin.as_str());
        let answer = self.call(Method::POST, "/api/admin/users", admin, Some(document));
        let answer = answer.await?;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let document = answer.json();
        let id = document["user"]["id"].as_str().or(document["id"].as_str());
        self.made.insert(id.unwrap().to_owned(), Made::Enabled);
        self.unanswered = None;
        Ok(())
    }

    pub(super) async fn disable(&mut self, user: String) -> Result<(), Killed> {
        self.unanswered = Some(Unanswered::Disable(user.clone()));
        self.change(&user, json!({ "enabled": false })).await?;
        self.made.insert(user, Made::Disabled);
        self.unanswered = None;
        Ok(())
    }

    pub(super) async fn delete(&mut self, user: String) -> Result<(), Killed> {
        self.unanswered = Some(Unanswered::Delete(user.clone()));
        let path = format!("/api/admin/users/{user}");
        let answer = self.call(Method::DELETE, &path, Some(&self.admin), None);
        let answer = answer.await?;
        assert_eq!(answer.status, 204, "{}", answer.text);
        self.made.insert(user, Made::Deleted);
        self.unanswered = None;
        Ok(())
    }

    pub(super) async fn change(&self, user: &str, document: Value) -> Result<(), Killed> {
        let path = format!("/api/admin/users/{user}");
        let admin = Some(self.admin.as_str());
        let answer = self.call(Method::PATCH, &path, admin, Some(document));
        let answer = answer.await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Ok(())
    }
}

pub(super) fn known(document: &Value) -> Known {
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    Known {
        access: text("access_token"),
        refresh: text("refresh_token"),
        ended: None,
    }
}
