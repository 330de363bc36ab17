//! Random sequences of acts on one session's refresh tokens, with a model beside them that knows
//! nothing of tables, hashes and memory: the service must do what the model says, after every act.
//!
//! Two processes share the database; what one has seen and not written, the other does not know.

mod honest;
mod model;

use std::sync::Arc;

use chrono::TimeDelta;
use portcullis::entropy;
use portcullis::rules::audit::Origin;
use portcullis::rules::end_reason::EndReason;
use portcullis::rules::id::{SessionId, UserId};
use portcullis::rules::record::Device;
use portcullis::service::Context;
use portcullis::service::authenticate::{Authentication, Principal, authenticate};
use portcullis::service::end_session::end;
use portcullis::service::error::{Error, Refusal};
use portcullis::service::receipts::write_receipts;
use portcullis::service::refresh::refresh;
use portcullis::service::sign_in::SignedIn;
use portcullis::service::step_up::step_up;
use portcullis::service::tokens::{issue_access_token, new_refresh_token, token_hash};
use portcullis::settings::{Lifetimes, Secret};
use portcullis::store::StoreError;
use portcullis::store::sessions::{NewSession, Which};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::bench::{Bench, id, visitor};
use crate::lineage::model::{Answer, Model};
use crate::support::PASSWORD;

const EMAIL: &str = "ada@test.example";

/// One act. Which token is meant is a number that is taken modulo how many there are.
#[derive(Clone, Debug)]
enum Act {
    /// Present a refresh token, new or old, at one of the nodes.
    Present { token: usize, node: usize },
    /// Use an access token at one of the nodes.
    Use { token: usize, node: usize },
    /// Obtain an access token with another one.
    Obtain { token: usize, node: usize },
    /// Prove who one is with an access token.
    Prove { token: usize, node: usize },
    /// What this node has seen is written.
    Write { node: usize },
    /// Time passes.
    Advance { seconds: i64 },
    /// The session is ended.
    End,
}

fn act() -> impl Strategy<Value = Act> {
    // Of the newest ones most is made.
    let token = prop_oneof![3 => 0..2_usize, 1 => 0..40_usize];
    let node = 0..2_usize;
    let both = (token, node.clone());
    let seconds = prop_oneof![
        Just(0),
        Just(1),
        Just(29),
        Just(30),
        Just(31),
        Just(299),
        Just(300),
        Just(3600)
    ];
    prop_oneof![
        40 => both.clone().prop_map(|(token, node)| Act::Present { token, node }),
        25 => both.clone().prop_map(|(token, node)| Act::Use { token, node }),
        5 => both.clone().prop_map(|(token, node)| Act::Obtain { token, node }),
        3 => both.prop_map(|(token, node)| Act::Prove { token, node }),
        5 => node.prop_map(|node| Act::Write { node }),
        30 => seconds.prop_map(|seconds| Act::Advance { seconds }),
        1 => Just(Act::End),
    ]
}

/// Two processes on one database, and a person.
pub(super) struct Stage {
    pub(super) bench: Bench,
    pub(super) nodes: [Arc<Context>; 2],
    user: UserId,
}

impl Stage {
    pub(super) async fn set() -> Self {
        let bench = Bench::sqlite().await;
        let user = bench.user(EMAIL, &[]).await;
        let nodes = [Arc::clone(&bench.context), bench.beside().await];
        Self { bench, nodes, user }
    }

    /// A session that no limit ends, with its first refresh token.
    pub(super) async fn session(&self) -> (SessionId, Secret) {
        let session_id = SessionId(entropy::new_id(self.bench.now()).unwrap());
        let years = TimeDelta::days(3650);
        let new = NewSession {
            id: session_id,
            user_id: self.user,
            remembered: true,
            lifetimes: Lifetimes {
                idle: years,
                absolute: years,
            },
            amr: "pwd",
            device: Device::default(),
            ip: [192, 0, 2, 7].into(),
            place: None,
            impersonation: None,
        };
        let token = new_refresh_token().unwrap();
        let (row, hash) = (id(), token_hash(token.reveal()));
        let opened = self.bench.store().write(self.bench.now(), move |tx| {
            Box::pin(async move {
                tx.insert_session(new).await?;
                tx.insert_refresh_token(row, session_id, &hash).await
            })
        });
        let opened: Result<(), StoreError> = opened.await;
        opened.unwrap();
        (session_id, token)
    }

    async fn principal(&self, node: usize, access: &Secret) -> Result<Principal, Refusal> {
        match authenticate(&self.nodes[node], access.reveal())
            .await
            .unwrap()
        {
            Authentication::SignedIn(principal) => Ok(principal),
            Authentication::Refused(refusal) => Err(refusal),
            Authentication::NotPresented => panic!("one was presented"),
        }
    }
}

/// One session on the stage, and all the tokens of it that ever were.
struct Run<'a> {
    stage: &'a Stage,
    session_id: SessionId,
    refresh: Vec<Secret>,
    access: Vec<Secret>,
    model: Model,
}

/// Counted from the newest one.
fn pick<T>(all: &[T], number: usize) -> Option<usize> {
    (!all.is_empty()).then(|| all.len() - 1 - number % all.len())
}

impl Run<'_> {
    async fn act(&mut self, act: &Act) {
        let now = self.stage.bench.now();
        match *act {
            Act::Present { token, node } => {
                let which = pick(&self.refresh, token).unwrap();
                let token = &self.refresh[which];
                let done = refresh(&self.stage.nodes[node], token, &visitor()).await;
                let expected = self.model.present(which, node, now);
                self.compare(done, expected);
            }
            Act::Use { token, node } => {
                let Some(which) = pick(&self.access, token) else {
                    return;
                };
                let admitted = self.stage.principal(node, &self.access[which]).await;
                let expected = self.model.use_access(which, node, now);
                assert_eq!(admitted.is_ok(), expected, "{admitted:?}");
            }
            Act::Obtain { token, node } => {
                let Some(which) = pick(&self.access, token) else {
                    return;
                };
                let admitted = self.stage.principal(node, &self.access[which]).await;
                let expected = self.model.use_access(which, node, now);
                assert_eq!(admitted.is_ok(), expected, "{admitted:?}");
                if let Ok(principal) = admitted {
                    let context = &self.stage.nodes[node];
                    let obtained = issue_access_token(context, &principal.facts, now).unwrap();
                    self.access.push(obtained.text);
                    self.model.obtain(now);
                }
            }
            Act::Prove { token, node } => {
                let Some(which) = pick(&self.access, token) else {
                    return;
                };
                let admitted = self.stage.principal(node, &self.access[which]).await;
                let expected = self.model.use_access(which, node, now);
                assert_eq!(admitted.is_ok(), expected, "{admitted:?}");
                if let Ok(principal) = admitted {
                    let password = Secret::new(PASSWORD.to_owned());
                    let context = &self.stage.nodes[node];
                    let done = step_up(context, &principal, &password, &visitor()).await;
                    self.refresh
                        .push(done.as_ref().unwrap().tokens.refresh.clone());
                    self.access.push(done.unwrap().tokens.access.text);
                    self.model.prove(now);
                }
            }
            Act::Write { node } => {
                write_receipts(&self.stage.nodes[node]).await.unwrap();
                self.model.write(node);
            }
            Act::Advance { seconds } => {
                self.stage.bench.clock.advance(TimeDelta::seconds(seconds));
            }
            Act::End => {
                let (which, reason) = (Which::One(self.session_id), EndReason::EndedByUser);
                let context = &self.stage.nodes[0];
                end(context, which, reason, Origin::HOST).await.unwrap();
                self.model.end(reason);
            }
        }
    }

    fn compare(&mut self, done: Result<SignedIn, Error>, expected: Answer) {
        match (done, expected) {
            (Ok(signed_in), Answer::New) => {
                let new = signed_in.tokens.refresh;
                assert!(self.refresh.iter().all(|old| old.reveal() != new.reveal()));
                assert_eq!(signed_in.facts.session_id, self.session_id);
                self.refresh.push(new);
                self.access.push(signed_in.tokens.access.text);
            }
            (Ok(signed_in), Answer::Again(which)) => {
                let token = signed_in.tokens.refresh;
                assert_eq!(token.reveal(), self.refresh[which].reveal());
                self.access.push(signed_in.tokens.access.text);
            }
            (Err(Error::Refused(Refusal::SessionEnded { end, .. })), Answer::Ended(reason)) => {
                assert_eq!(end.map(|(_, why)| why), Some(reason));
            }
            // Whoever presents many that nobody knows is slowed down.
            (
                Err(Error::Refused(Refusal::UnknownRefreshToken) | Error::Throttled { .. }),
                Answer::Unknown,
            ) => {}
            (done, expected) => panic!("{expected:?} was to be expected, and not {done:?}"),
        }
    }
}

#[test]
fn the_service_does_what_the_model_says_whatever_the_order_of_acts() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stage = runtime.block_on(Stage::set());
    let config = Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    };
    let acts = prop::collection::vec(act(), 1..60);
    let outcome = TestRunner::new(config).run(&acts, |acts| {
        runtime.block_on(async {
            let (session_id, token) = stage.session().await;
            let mut run = Run {
                stage: &stage,
                session_id,
                refresh: vec![token],
                access: Vec::new(),
                model: Model::new(),
            };
            for act in &acts {
                run.act(act).await;
            }
        });
        Ok(())
    });
    outcome.unwrap();
}
