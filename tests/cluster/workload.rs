//! Callers who sign in, check, renew and end at random, at all nodes, and write down what they were
//! told.
//!
//! Knows the API and the history. Does not know what fails meanwhile, nor what may be answered.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portcullis::service::Context;
use portcullis::service::seed;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::door::{Door, Reply};
use crate::history::{Act, Ends, Name, Operation, Outcome, Place, User};
use crate::nodes::make_user;
use crate::support::PASSWORD;

/// Callers at the same time.
const CALLERS: usize = 24;

/// Users to begin with, of whom the first few are administrators.
const USERS: usize = 24;
const ADMINS: usize = 3;

/// Live sessions that callers keep up, as far as others let them.
const LIVE: usize = 40;

/// Sessions of which an end was asked for, that are still checked.
const OVER: usize = 60;

/// Longest pause of a caller.
const PAUSE: Duration = Duration::from_millis(24);

/// A session that somebody has tokens of.
#[derive(Clone, Debug)]
struct Held {
    session: Name,
    user: User,
    access: String,
    /// None while somebody renews it, and for good if nobody knows what came of that: presented
    /// again too late it would look stolen.
    refresh: Option<String>,
}

#[derive(Debug, Default)]
struct Known {
    users: Vec<User>,
    admins: Vec<User>,
    live: Vec<Held>,
    over: VecDeque<Held>,
}

/// Everybody who takes part, and what they have seen.
pub struct Workload {
    doors: Vec<Door>,
    host: Arc<Context>,
    began: Instant,
    known: Mutex<Known>,
    history: Mutex<Vec<Operation>>,
}

#[derive(Clone, Copy, Debug)]
enum Choice {
    CheckLive,
    CheckOver,
    Refresh,
    SignIn,
    SignOut,
    EndOne,
    EndUser,
    EndEveryone,
    Disable,
    Enable,
    Delete,
    Reseed,
}

const CHOICES: &[(usize, Choice)] = &[
    (4000, Choice::CheckLive),
    (4000, Choice::CheckOver),
    (60, Choice::Refresh),
    (30, Choice::SignIn),
    (20, Choice::SignOut),
    (30, Choice::EndOne),
    (10, Choice::EndUser),
    (1, Choice::EndEveryone),
    (6, Choice::Disable),
    (12, Choice::Enable),
    (3, Choice::Delete),
    (1, Choice::Reseed),
];

impl Workload {
    /// Makes the users.
    pub async fn new(doors: Vec<Door>, host: Arc<Context>) -> Self {
        let mut known = Known::default();
        for number in 0..USERS {
            let roles: &[&str] = if number < ADMINS { &["admin"] } else { &[] };
            let email = format!("user{number}@test.example");
            let user = make_user(&host, &email, roles).await.expect("make a user");
            let user = User {
                id: user.id.to_string().into(),
                email: user.email.into(),
            };
            let list = if number < ADMINS {
                &mut known.admins
            } else {
                &mut known.users
            };
            list.push(user);
        }
        Self {
            doors,
            host,
            began: Instant::now(),
            known: Mutex::new(known),
            history: Mutex::default(),
        }
    }

    /// Everybody does something, and the next thing, until `enough`; then the last answers are
    /// waited for, so that whatever was asked is written down.
    pub async fn run(&self, chance: &mut Chance, enough: impl Future<Output = ()>) {
        let over = AtomicBool::new(false);
        let callers = (0..CALLERS).map(|_| {
            let (over, mut chance) = (&over, chance.split());
            async move {
                while !over.load(Ordering::Relaxed) {
                    self.step(&mut chance).await;
                    let pause = PAUSE.mul_f64(chance.below(1000) as f64 / 1000.0);
                    tokio::time::sleep(pause).await;
                }
            }
        });
        let enough = async {
            enough.await;
            over.store(true, Ordering::Relaxed);
        };
        tokio::join!(join_all(callers), enough);
    }

    /// What everybody has seen so far.
    pub fn history(&self) -> Vec<Operation> {
        self.history.lock().unwrap().clone()
    }

    /// Checks every session that is known at every node.
    pub async fn check_all(&self) {
        let all: Vec<Held> = {
            let known = self.known.lock().unwrap();
            known.live.iter().chain(&known.over).cloned().collect()
        };
        for node in 0..self.doors.len() {
            for held in &all {
                self.check(node, held).await;
            }
        }
    }

    async fn step(&self, chance: &mut Chance) {
        let node = chance.below(self.doors.len());
        let mut choice = chance.weighed(CHOICES);
        if self.known.lock().unwrap().live.len() < LIVE && chance.below(60) == 0 {
            choice = Choice::SignIn;
        }
        match choice {
            Choice::CheckLive => {
                if let Some(held) = self.some_live(chance) {
                    self.check(node, &held).await;
                }
            }
            Choice::CheckOver => {
                let held = {
                    let known = self.known.lock().unwrap();
                    // Mostly those whose end is news.
                    let newest = known
                        .over
                        .len()
                        .min(if chance.below(2) == 0 { 8 } else { OVER });
                    known.over.iter().rev().nth(chance.below(newest)).cloned()
                };
                if let Some(held) = held {
                    self.check(node, &held).await;
                }
            }
            Choice::Refresh => self.refresh(node, chance).await,
            Choice::SignIn => self.sign_in(node, chance).await,
            Choice::SignOut => {
                if let Some(held) = self.some_live(chance) {
                    let ends = Ends::Session(held.session.clone());
                    let path = "/api/auth/sign-out";
                    self.end(node, &held, Method::POST, path, Some(json!({})), ends)
                        .await;
                }
            }
            Choice::EndOne => {
                if let Some(held) = self.some_live(chance) {
                    let path = format!("/api/admin/sessions/{}", held.session);
                    let ends = Ends::Session(held.session);
                    self.end_as_admin(node, chance, Method::DELETE, &path, None, ends)
                        .await;
                }
            }
            Choice::EndUser => {
                if let Some(held) = self.some_live(chance) {
                    let path = format!("/api/admin/users/{}/sessions", held.user.id);
                    let ends = Ends::User(held.user);
                    self.end_as_admin(node, chance, Method::DELETE, &path, None, ends)
                        .await;
                }
            }
            Choice::EndEveryone => {
                let ends = Ends::Everyone { except: None };
                let path = "/api/admin/sessions";
                self.end_as_admin(node, chance, Method::DELETE, path, None, ends)
                    .await;
            }
            Choice::Disable => {
                if let Some(user) = self.some_user(chance) {
                    let (path, ends) = (of(&user), Ends::Disable(user));
                    let document = Some(json!({"enabled": false}));
                    self.end_as_admin(node, chance, Method::PATCH, &path, document, ends)
                        .await;
                }
            }
            Choice::Enable => self.enable(node, chance).await,
            Choice::Delete => {
                if let Some(user) = self.some_user(chance) {
                    let (path, ends) = (of(&user), Ends::Delete(user.clone()));
                    self.known
                        .lock()
                        .unwrap()
                        .users
                        .retain(|other| *other != user);
                    self.end_as_admin(node, chance, Method::DELETE, &path, None, ends)
                        .await;
                    self.replace_user(chance).await;
                }
            }
            Choice::Reseed => self.reseed().await,
        }
    }

    async fn check(&self, node: usize, held: &Held) {
        let began = self.began.elapsed();
        let path = "/api/auth/verify";
        let reply = self.doors[node]
            .call(Method::GET, path, Some(&held.access), None)
            .await;
        self.note_check(node, began, held, reply.as_ref());
    }

    /// Whatever was asked for with a token: it also tells whether the token admits.
    fn note_check(&self, node: usize, began: Duration, held: &Held, reply: Option<&Reply>) {
        let outcome = match reply {
            Some(reply)
                if !is_refusal(reply) && reply.status != StatusCode::SERVICE_UNAVAILABLE =>
            {
                Outcome::Done
            }
            reply => outcome(reply),
        };
        if matches!(outcome, Outcome::Refused(_)) {
            self.bury(&Ends::Session(held.session.clone()));
        }
        self.note(node, began, Act::Check(held.session.clone()), outcome);
    }

    fn note(&self, node: usize, began: Duration, act: Act, outcome: Outcome) {
        self.note_at(Place::Node(node), began, act, outcome);
    }

    fn note_at(&self, place: Place, began: Duration, act: Act, outcome: Outcome) {
        let ended = self.began.elapsed();
        self.history.lock().unwrap().push(Operation {
            place,
            began,
            ended,
            act,
            outcome,
        });
    }

    async fn sign_in(&self, node: usize, chance: &mut Chance) {
        let user = {
            let known = self.known.lock().unwrap();
            let list = if chance.below(6) == 0 {
                &known.admins
            } else {
                &known.users
            };
            let demo = chance.below(12) == 0;
            if demo {
                None
            } else {
                chance.pick(list).cloned()
            }
        };
        let (email, password) = match user {
            Some(user) => (user.email, PASSWORD),
            None => (
                Name::from(format!("cleo{}", crate::history::DEMO)),
                seed::PASSWORD,
            ),
        };
        self.sign_in_as(node, email, password).await;
    }

    async fn sign_in_as(&self, node: usize, email: Name, password: &str) -> Option<Held> {
        let began = self.began.elapsed();
        let document = json!({ "email": &*email, "password": password });
        let door = &self.doors[node];
        let reply = door
            .call(Method::POST, "/api/auth/sign-in", None, Some(document))
            .await;
        let held = reply
            .as_ref()
            .filter(|reply| reply.status.is_success())
            .map(|reply| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                Held {
                    session: text(&reply.document["session"]["id"]).into(),
                    user: User {
                        id: text(&reply.document["user"]["id"]).into(),
                        email: email.clone(),
                    },
                    access: text(&reply.document["access_token"]),
                    refresh: Some(text(&reply.document["refresh_token"])),
                }
            });
        let outcome = match &held {
            Some(held) => Outcome::Opened {
                session: held.session.clone(),
                user: held.user.id.clone(),
            },
            None => outcome(reply.as_ref()),
        };
        // A demonstration user who was never made may be refused.
        if held.is_some() || !email.ends_with(crate::history::DEMO) {
            self.note(node, began, Act::SignIn(email), outcome);
        }
        self.known.lock().unwrap().live.extend(held.clone());
        held
    }

    async fn refresh(&self, node: usize, chance: &mut Chance) {
        let taken = {
            let mut known = self.known.lock().unwrap();
            let number = chance.below(known.live.len());
            known.live.get_mut(number).and_then(|held| {
                let refresh = held.refresh.take()?;
                Some((held.clone(), refresh))
            })
        };
        let Some((held, refresh)) = taken else {
            return;
        };
        let began = self.began.elapsed();
        let document = json!({ "refresh_token": refresh });
        let door = &self.doors[node];
        let reply = door
            .call(Method::POST, "/api/auth/refresh", None, Some(document))
            .await;
        let outcome = outcome(reply.as_ref());
        if let (Some(reply), Outcome::Done) = (&reply, &outcome) {
            let text = |name: &str| reply.document[name].as_str().unwrap().to_owned();
            let mut known = self.known.lock().unwrap();
            let same = |other: &&mut Held| other.session == held.session;
            if let Some(held) = known.live.iter_mut().find(same) {
                held.access = text("access_token");
                held.refresh = Some(text("refresh_token"));
            }
        }
        self.note(node, began, Act::Refresh(held.session), outcome);
    }

    async fn end_as_admin(
        &self,
        node: usize,
        chance: &mut Chance,
        method: Method,
        path: &str,
        document: Option<Value>,
        ends: Ends,
    ) {
        let Some(by) = self.some_admin(node, chance).await else {
            return;
        };
        let ends = match ends {
            Ends::Everyone { .. } => Ends::Everyone {
                except: Some(by.session.clone()),
            },
            ends => ends,
        };
        self.end(node, &by, method, path, document, ends).await;
    }

    async fn end(
        &self,
        node: usize,
        by: &Held,
        method: Method,
        path: &str,
        document: Option<Value>,
        ends: Ends,
    ) {
        let began = self.began.elapsed();
        let reply = self.doors[node]
            .call(method, path, Some(&by.access), document)
            .await;
        let outcome = match outcome(reply.as_ref()) {
            // It was not even looked at.
            Outcome::Refused(_) => Outcome::Declined,
            outcome => outcome,
        };
        let done = outcome != Outcome::Declined;
        self.note_check(node, began, by, reply.as_ref());
        self.note(node, began, Act::End(ends.clone()), outcome);
        if done {
            let named = self.bury(&ends);
            // The node that has done it is asked before anybody can have told it otherwise.
            for held in named.iter().take(2) {
                self.check(node, held).await;
            }
        }
    }

    /// Moves the sessions that were named to those that are over, and returns them.
    fn bury(&self, ends: &Ends) -> Vec<Held> {
        let named = |held: &Held| {
            ends.names(&crate::history::Session {
                id: held.session.clone(),
                user: held.user.clone(),
                began: Duration::ZERO,
                ended: Duration::ZERO,
            })
        };
        let mut known = self.known.lock().unwrap();
        let (over, live): (Vec<Held>, Vec<Held>) = known.live.drain(..).partition(named);
        known.live = live;
        known.over.extend(over.iter().cloned());
        while known.over.len() > OVER {
            known.over.pop_front();
        }
        over
    }

    async fn enable(&self, node: usize, chance: &mut Chance) {
        let (Some(user), Some(by)) = (self.some_user(chance), self.some_admin(node, chance).await)
        else {
            return;
        };
        let began = self.began.elapsed();
        let document = Some(json!({"enabled": true}));
        let path = of(&user);
        let reply = self.doors[node]
            .call(Method::PATCH, &path, Some(&by.access), document)
            .await;
        self.note_check(node, began, &by, reply.as_ref());
        let outcome = match outcome(reply.as_ref()) {
            Outcome::Refused(_) => Outcome::Declined,
            outcome => outcome,
        };
        self.note(node, began, Act::Enable(user), outcome);
    }

    /// The demonstration users are made anew, by another process.
    async fn reseed(&self) {
        let began = self.began.elapsed();
        let outcome = match seed::seed(&self.host, portcullis::rules::audit::Origin::HOST).await {
            Ok(_) => Outcome::Done,
            Err(_) => Outcome::Unknown,
        };
        self.note_at(Place::Beside, began, Act::End(Ends::Reseed), outcome);
        self.bury(&Ends::Reseed);
    }

    /// A new user in the place of one who was deleted.
    async fn replace_user(&self, chance: &mut Chance) {
        let email = format!("user{:x}@test.example", chance.next());
        // While the database is away, there is one user less.
        if let Ok(user) = make_user(&self.host, &email, &[]).await {
            let user = User {
                id: user.id.to_string().into(),
                email: user.email.into(),
            };
            self.known.lock().unwrap().users.push(user);
        }
    }

    fn some_live(&self, chance: &mut Chance) -> Option<Held> {
        chance.pick(&self.known.lock().unwrap().live).cloned()
    }

    fn some_user(&self, chance: &mut Chance) -> Option<User> {
        chance.pick(&self.known.lock().unwrap().users).cloned()
    }

    /// Somebody who may end sessions, signed in if nobody is.
    async fn some_admin(&self, node: usize, chance: &mut Chance) -> Option<Held> {
        let (signed_in, email) = {
            let known = self.known.lock().unwrap();
            let is_admin = |held: &&Held| known.admins.contains(&held.user);
            let signed_in: Vec<Held> = known.live.iter().filter(is_admin).cloned().collect();
            (signed_in, chance.pick(&known.admins)?.email.clone())
        };
        match chance.pick(&signed_in) {
            Some(held) => Some(held.clone()),
            None => self.sign_in_as(node, email, PASSWORD).await,
        }
    }
}

fn of(user: &User) -> String {
    format!("/api/admin/users/{}", user.id)
}

fn is_refusal(reply: &Reply) -> bool {
    reply.status == StatusCode::UNAUTHORIZED
}

fn outcome(reply: Option<&Reply>) -> Outcome {
    match reply {
        None => Outcome::Unknown,
        Some(reply) if reply.status.is_success() => Outcome::Done,
        Some(reply) if is_refusal(reply) => Outcome::Refused(reply.code().into()),
        Some(reply) if reply.status == StatusCode::SERVICE_UNAVAILABLE => Outcome::Unknown,
        Some(reply) if reply.status.is_client_error() => Outcome::Declined,
        Some(reply) => panic!("{reply:?}"),
    }
}
