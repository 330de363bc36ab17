//! What callers ask of a node, each written down with its answer.

use std::time::Duration;

use portcullis::rules::audit::Origin;
use portcullis::service::seed;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Workload;
use super::known::Held;
use crate::door::Reply;
use crate::history::{Act, DEMO, Ends, Name, Operation, Outcome, Place, User};
use crate::nodes::make_user;
use crate::support::PASSWORD;
use crate::support::chance::Chance;

/// How an administrator asks for it: method, path, document.
fn request(ends: &Ends) -> (Method, String, Option<Value>) {
    match ends {
        Ends::Session(id) => (Method::DELETE, format!("/api/admin/sessions/{id}"), None),
        Ends::User(User { id, .. }) => (
            Method::DELETE,
            format!("/api/admin/users/{id}/sessions"),
            None,
        ),
        Ends::Everyone { .. } => (Method::DELETE, "/api/admin/sessions".to_owned(), None),
        Ends::Disable(User { id, .. }) => {
            let document = json!({"enabled": false});
            (
                Method::PATCH,
                format!("/api/admin/users/{id}"),
                Some(document),
            )
        }
        Ends::Delete(User { id, .. }) => (Method::DELETE, format!("/api/admin/users/{id}"), None),
        Ends::Reseed => panic!("no administrator can ask for it"),
    }
}

impl Workload {
    pub(super) async fn check(&self, node: usize, held: &Held) {
        let began = self.began.elapsed();
        let path = "/api/auth/verify";
        let asked = self.doors[node].call(Method::GET, path, Some(&held.access), None);
        self.note_check(node, began, held, asked.await.as_ref());
    }

    pub(super) async fn sign_in(&self, node: usize, chance: &mut Chance) {
        let user = {
            let known = self.known();
            let list = if chance.below(6) == 0 {
                &known.admins
            } else {
                &known.users
            };
            chance.pick(list).cloned().filter(|_| chance.below(12) > 0)
        };
        match user {
            Some(user) => self.sign_in_as(node, user.email, PASSWORD).await,
            None => {
                self.sign_in_as(node, format!("cleo{DEMO}").into(), seed::PASSWORD)
                    .await
            }
        };
    }

    pub(super) async fn refresh(&self, node: usize, chance: &mut Chance) {
        let taken = self.known().take_refresh(chance);
        let Some((session, refresh)) = taken else {
            return;
        };
        let began = self.began.elapsed();
        let document = json!({ "refresh_token": refresh });
        let path = "/api/auth/refresh";
        let reply = self.doors[node]
            .call(Method::POST, path, None, Some(document))
            .await;
        let outcome = outcome(reply.as_ref());
        if let (Some(reply), Outcome::Done) = (&reply, &outcome) {
            let text = |name: &str| reply.document[name].as_str().unwrap().to_owned();
            let (access, refresh) = (text("access_token"), text("refresh_token"));
            self.known().renewed(&session, access, refresh);
        }
        self.note(Place::Node(node), began, Act::Refresh(session), outcome);
    }

    pub(super) async fn sign_out(&self, node: usize, held: &Held) {
        let ends = Ends::Session(held.session.clone());
        let path = "/api/auth/sign-out".to_owned();
        self.end(node, held, ends, (Method::POST, path, Some(json!({}))))
            .await;
    }

    /// By an administrator, who signs in if none is.
    pub(super) async fn end_as_admin(&self, node: usize, chance: &mut Chance, ends: Ends) {
        let Some(by) = self.admin(node, chance).await else {
            return;
        };
        let ends = if ends == (Ends::Everyone { except: None }) {
            let except = Some(by.session.clone());
            Ends::Everyone { except }
        } else {
            ends
        };
        let asked = request(&ends);
        self.end(node, &by, ends, asked).await;
    }

    pub(super) async fn enable(&self, node: usize, chance: &mut Chance, user: User) {
        let Some(by) = self.admin(node, chance).await else {
            return;
        };
        let began = self.began.elapsed();
        let path = format!("/api/admin/users/{}", user.id);
        let document = Some(json!({"enabled": true}));
        let asked = self.doors[node].call(Method::PATCH, &path, Some(&by.access), document);
        let reply = asked.await;
        self.note_check(node, began, &by, reply.as_ref());
        let outcome = act_outcome(reply.as_ref());
        self.note(Place::Node(node), began, Act::Enable(user), outcome);
    }

    /// The demonstration users are made anew, by another process.
    pub(super) async fn reseed(&self) {
        let began = self.began.elapsed();
        let outcome = match seed::seed(&self.host, Origin::HOST).await {
            Ok(_) => Outcome::Done,
            Err(_) => Outcome::Unknown,
        };
        self.note(Place::Beside, began, Act::End(Ends::Reseed), outcome);
        self.known().bury(&Ends::Reseed);
    }

    /// A new user, as for the place of one who was deleted.
    pub(super) async fn add_user(&self, chance: &mut Chance) {
        let email = format!("user{:x}@test.example", chance.next());
        // While the database is away, there is one user less.
        if let Ok(user) = make_user(&self.host, &email, &[]).await {
            self.known().users.push(user.into());
        }
    }

    async fn admin(&self, node: usize, chance: &mut Chance) -> Option<Held> {
        let signed_in = self.known().some_admin(chance);
        if signed_in.is_some() {
            return signed_in;
        }
        let email = chance.pick(&self.known().admins)?.email.clone();
        self.sign_in_as(node, email, PASSWORD).await
    }

    async fn sign_in_as(&self, node: usize, email: Name, password: &str) -> Option<Held> {
        let began = self.began.elapsed();
        let document = Some(json!({ "email": &*email, "password": password }));
        let path = "/api/auth/sign-in";
        let reply = self.doors[node]
            .call(Method::POST, path, None, document)
            .await;
        let opened = reply.as_ref().filter(|reply| reply.status.is_success());
        let held = opened.map(|Reply { document, .. }| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            Held {
                session: text(&document["session"]["id"]).into(),
                user: User {
                    id: text(&document["user"]["id"]).into(),
                    email: email.clone(),
                },
                access: text(&document["access_token"]),
                refresh: Some(text(&document["refresh_token"])),
            }
        });
        let outcome = match &held {
            Some(held) => Outcome::Opened {
                session: held.session.clone(),
                user: held.user.id.clone(),
            },
            None => outcome(reply.as_ref()),
        };
        // A demonstration user may not have been made yet.
        if held.is_some() || !email.ends_with(DEMO) {
            self.note(Place::Node(node), began, Act::SignIn(email), outcome);
        }
        self.known().live.extend(held.clone());
        held
    }

    async fn end(
        &self,
        node: usize,
        by: &Held,
        ends: Ends,
        (method, path, document): (Method, String, Option<Value>),
    ) {
        let began = self.began.elapsed();
        let asked = self.doors[node].call(method, &path, Some(&by.access), document);
        let reply = asked.await;
        let outcome = act_outcome(reply.as_ref());
        let may_be_done = outcome != Outcome::Declined;
        self.note_check(node, began, by, reply.as_ref());
        self.note(Place::Node(node), began, Act::End(ends.clone()), outcome);
        if may_be_done {
            let named = self.known().bury(&ends);
            // The node that has done it is asked before anybody else can have told it.
            for held in named.iter().take(2) {
                self.check(node, held).await;
            }
        }
    }

    /// Whatever was asked for with a token also tells whether the token admits.
    fn note_check(&self, node: usize, began: Duration, held: &Held, reply: Option<&Reply>) {
        let mut outcome = outcome(reply);
        if outcome == Outcome::Declined {
            outcome = Outcome::Done;
        }
        if matches!(outcome, Outcome::Refused(_)) {
            self.known().bury(&Ends::Session(held.session.clone()));
        }
        let act = Act::Check(held.session.clone());
        self.note(Place::Node(node), began, act, outcome);
    }

    fn note(&self, place: Place, began: Duration, act: Act, outcome: Outcome) {
        let ended = self.began.elapsed();
        self.history.lock().unwrap().push(Operation {
            place,
            began,
            ended,
            act,
            outcome,
        });
    }
}

fn outcome(reply: Option<&Reply>) -> Outcome {
    let Some(reply) = reply else {
        return Outcome::Unknown;
    };
    match reply.status {
        StatusCode::UNAUTHORIZED => Outcome::Refused(reply.code().into()),
        StatusCode::SERVICE_UNAVAILABLE => Outcome::Unknown,
        status if status.is_success() => Outcome::Done,
        status if status.is_client_error() => Outcome::Declined,
        _ => panic!("{reply:?}"),
    }
}

/// What came of something that somebody asked for who may not be admitted: then it was not done.
fn act_outcome(reply: Option<&Reply>) -> Outcome {
    let outcome = outcome(reply);
    if matches!(outcome, Outcome::Refused(_)) {
        return Outcome::Declined;
    }
    outcome
}
