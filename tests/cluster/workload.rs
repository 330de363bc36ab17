//! Callers who sign in, check, renew and end at random, at all nodes, and write down what they were
//! told.
//!
//! Knows the API and the history. Does not know what fails meanwhile, nor what may be answered.

mod acts;
mod known;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portcullis::service::Context;

use crate::door::Door;
use crate::history::{Ends, Operation, User};
use crate::nodes::make_user;
use crate::support::TestUser;
use crate::support::chance::Chance;

use known::Known;

/// Callers at the same time.
const CALLERS: usize = 24;

/// Users to begin with, of whom the first few are administrators.
const USERS: usize = 24;
const ADMINS: usize = 3;

/// Live sessions that callers keep up, as far as others let them.
const LIVE: usize = 40;

/// Longest pause of a caller.
const PAUSE: Duration = Duration::from_millis(24);

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
            let list = if number < ADMINS {
                &mut known.admins
            } else {
                &mut known.users
            };
            list.push(user.into());
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
        let all = self.known().all();
        for node in 0..self.doors.len() {
            for held in &all {
                self.check(node, held).await;
            }
        }
    }

    async fn step(&self, chance: &mut Chance) {
        let node = chance.below(self.doors.len());
        let mut choice = chance.weighed(CHOICES);
        if self.known().live.len() < LIVE && chance.below(60) == 0 {
            choice = Choice::SignIn;
        }
        let (live, over, user) = {
            let known = self.known();
            (
                known.some_live(chance),
                known.some_over(chance),
                known.some_user(chance),
            )
        };
        match (choice, live, over, user) {
            (Choice::CheckLive, Some(held), ..) | (Choice::CheckOver, _, Some(held), _) => {
                self.check(node, &held).await;
            }
            (Choice::Refresh, ..) => self.refresh(node, chance).await,
            (Choice::SignIn, ..) => self.sign_in(node, chance).await,
            (Choice::SignOut, Some(held), ..) => self.sign_out(node, &held).await,
            (Choice::EndOne, Some(held), ..) => {
                self.end_as_admin(node, chance, Ends::Session(held.session))
                    .await;
            }
            (Choice::EndUser, Some(held), ..) => {
                self.end_as_admin(node, chance, Ends::User(held.user)).await;
            }
            (Choice::EndEveryone, ..) => {
                self.end_as_admin(node, chance, Ends::Everyone { except: None })
                    .await;
            }
            (Choice::Disable, .., Some(user)) => {
                self.end_as_admin(node, chance, Ends::Disable(user)).await;
            }
            (Choice::Enable, .., Some(user)) => self.enable(node, chance, user).await,
            (Choice::Delete, .., Some(user)) => {
                self.known().users.retain(|other| *other != user);
                self.end_as_admin(node, chance, Ends::Delete(user)).await;
                self.add_user(chance).await;
            }
            (Choice::Reseed, ..) => self.reseed().await,
            // There is nobody, or nothing, of that kind just now.
            _ => {}
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }
}

impl From<TestUser> for User {
    fn from(user: TestUser) -> Self {
        Self {
            id: user.id.to_string().into(),
            email: user.email.into(),
        }
    }
}
