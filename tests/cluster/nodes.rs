//! Three servers on one PostgreSQL, with one master key, each behind a network of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use migration::{Migrator, MigratorTrait};
use portcullis::clock::SystemClock;
use portcullis::rules::audit::Origin;
use portcullis::service::Context;
use portcullis::service::users::{NewUser, create_user_with_password};
use portcullis::settings::Secret;
use portcullis::store::Store;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::door::{Door, Said};
use crate::proxy::Proxy;
use crate::support::postgres::Cluster;
use crate::support::{Database, PASSWORD, Process, TestUser, Tokens, settings};

/// How many servers there are.
pub const NODES: usize = 3;

/// Within it, an end that was acknowledged by one server holds on the others.
pub const BOUND: Duration = Duration::from_millis(1000);

/// Longest wait for anything to happen that must; only a broken server lets it pass.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Of the passwords of the servers; the lowest that an operator may set.
const HASH_COST: u32 = 10;

/// 32 bytes that nobody else has to guess.
pub const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// One PostgreSQL and the servers on it.
pub struct Nodes {
    pub nodes: Vec<Node>,
    /// A process beside the servers, which prepares what they are tried with.
    pub host: Arc<Context>,
    pub database: Database,
    pub cluster: Cluster,
    directory: TempDir,
}

/// A server, the network between it and the database, and the way to it.
#[derive(Debug)]
pub struct Node {
    pub door: Door,
    pub proxy: Proxy,
    directory: PathBuf,
    variables: Vec<(String, String)>,
    process: Mutex<Option<Process>>,
}

impl Nodes {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these variables set for each server.
    pub async fn start_with(variables: &[(&str, &str)]) -> Self {
        let cluster = Cluster::start();
        let database = cluster.database();
        let directory = tempfile::tempdir().unwrap();
        let host = host(&directory, &database, HASH_COST).await;
        let starting = (0..NODES).map(|number| {
            let proxy = Proxy::start(cluster.address());
            let url = cluster.url_at(proxy.address);
            let common = [
                ("DATABASE_URL", url.as_str()),
                ("PORTCULLIS_MASTER_KEY", MASTER_KEY),
                ("PORTCULLIS_WORKERS", "2"),
            ];
            let all = common.iter().chain(variables);
            let variables = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let node = Node {
                door: Door::new(""),
                proxy,
                directory: directory.path().join(number.to_string()),
                variables: variables.collect(),
                process: Mutex::new(None),
            };
            std::fs::create_dir(&node.directory).unwrap();
            tokio::task::spawn_blocking(move || {
                node.restart();
                node
            })
        });
        let started = join_all(starting.collect::<Vec<_>>()).await;
        Self {
            nodes: started.into_iter().map(Result::unwrap).collect(),
            host,
            database,
            cluster,
            directory,
        }
    }

    /// Makes a user with [`PASSWORD`].
    pub async fn user(&self, email: &str, roles: &[&str]) -> TestUser {
        make_user(&self.host, email, roles)
            .await
            .expect("make a user")
    }

    /// An administrator who has just signed in at this node.
    pub async fn admin(&self, node: usize) -> Tokens {
        let email = format!("admin{node}@test.example");
        let admin = self.user(&email, &["admin"]).await;
        self.sign_in(node, &admin).await
    }

    pub async fn sign_in(&self, node: usize, user: &TestUser) -> Tokens {
        let document = json!({ "email": user.email, "password": PASSWORD });
        let answer = self
            .act(node, Method::POST, "/api/auth/sign-in", "", document)
            .await;
        Tokens::from(answer)
    }

    /// An act that must be done: its document, as soon as it is acknowledged.
    pub async fn act(
        &self,
        node: usize,
        method: Method,
        path: &str,
        access: &str,
        document: Value,
    ) -> Value {
        let door = &self.nodes[node].door;
        let access = Some(access).filter(|access| !access.is_empty());
        let document = Some(document).filter(|document| !document.is_null());
        let reply = door.call(method, path, access, document).await.unwrap();
        assert!(reply.status.is_success(), "{path}: {reply:?}");
        reply.document
    }

    /// Uses these tokens everywhere, so that every node has the facts of their sessions in memory.
    pub async fn warm(&self, tokens: &[&Tokens]) {
        for node in &self.nodes {
            for tokens in tokens {
                assert_eq!(node.door.verify(&tokens.access).await, Said::Yes);
                assert_eq!(node.door.verify(&tokens.access).await, Said::Yes);
            }
        }
    }

    /// Asks every other node until it refuses this token, and holds each answer to the promise:
    /// from the bound on there is no yes. Returns how long after the acknowledgement the first
    /// refused question was asked, for each.
    pub async fn refused_elsewhere(
        &self,
        acted: Option<usize>,
        access: &str,
        acknowledged: Instant,
    ) -> Vec<Duration> {
        let others = (0..NODES).filter(|node| Some(*node) != acted);
        let asking = others.map(async |node| {
            let path = "/api/auth/verify";
            until(&self.nodes[node].door, path, access, acknowledged, |said| {
                matches!(said, Said::No(_))
            })
            .await
        });
        join_all(asking).await
    }

    /// The real program on the same database, run to its end.
    pub async fn command(&self, arguments: &[&str]) {
        let directory = self.directory.path().to_owned();
        let url = self.database.url.clone();
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let done = tokio::task::spawn_blocking(move || {
            let variables = [
                ("DATABASE_URL", url.as_str()),
                ("PORTCULLIS_MASTER_KEY", MASTER_KEY),
            ];
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            crate::support::process::run(&directory, &variables, &arguments, "")
        });
        let done = done.await.unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

impl Node {
    /// Starts the server, after ending the one before as a crash would.
    pub fn restart(&self) {
        self.kill();
        let variables: Vec<(&str, &str)> = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let process = Process::start(&self.directory, &variables);
        self.door.moved_to(&process.base);
        *self.process.lock().unwrap() = Some(process);
    }

    /// Asks until the node says yes, which it does as soon as it can tell.
    pub async fn until_admitted(&self, access: &str) {
        let began = Instant::now();
        loop {
            match self.door.verify(access).await {
                Said::Yes => return,
                Said::Unavailable => assert!(began.elapsed() < PATIENCE, "still not available"),
                said @ (Said::No(_) | Said::Nothing) => panic!("a live session: {said:?}"),
            }
        }
    }

    pub fn kill(&self) {
        if let Some(process) = self.process.lock().unwrap().take() {
            process.kill();
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        if let Some(process) = self.process.lock().unwrap().as_ref() {
            process.signal(signal);
        }
    }
}

/// Asks again and again until the answer is the one that is `wanted`; from the bound on no answer
/// may be yes. Returns how long after the acknowledgement that question was asked.
pub async fn until(
    door: &Door,
    path: &str,
    access: &str,
    acknowledged: Instant,
    wanted: impl Fn(&Said) -> bool,
) -> Duration {
    loop {
        let began = Instant::now();
        let reply = door.call(Method::GET, path, Some(access), None).await;
        let said = reply.map_or(Said::Nothing, |reply| match reply.status.as_u16() {
            403 => Said::No(reply.code().to_owned()),
            _ => reply.said(),
        });
        let after = began.saturating_duration_since(acknowledged);
        if wanted(&said) {
            return after;
        }
        assert!(
            said != Said::Yes || after <= BOUND,
            "admitted {after:?} after the end was acknowledged"
        );
        assert!(after < PATIENCE, "still {said:?}");
    }
}

/// Makes a user with [`PASSWORD`].
pub async fn make_user(
    host: &Context,
    email: &str,
    roles: &[&str],
) -> Result<TestUser, portcullis::service::error::Error> {
    let new = NewUser {
        email: email.to_owned(),
        name: email.split('@').next().unwrap().to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    let password = Secret::new(PASSWORD.to_owned());
    let user = create_user_with_password(host, new, &password, Origin::HOST).await?;
    Ok(TestUser {
        id: user.id,
        email: user.email,
    })
}

/// A process beside the servers, which hashes passwords at the servers' own cost, so that none of
/// them has to hash one anew.
pub async fn host(directory: &TempDir, database: &Database, hash_cost: u32) -> Arc<Context> {
    let variables = [("PORTCULLIS_MASTER_KEY", MASTER_KEY)];
    let mut settings = settings(directory.path(), database, &variables);
    settings.bcrypt_cost = hash_cost;
    let store = Store::open(&settings).await.unwrap();
    Migrator::up(store.schema_connection(), None).await.unwrap();
    let host = Context::start(settings, store, Arc::new(SystemClock)).await;
    Arc::new(host.unwrap())
}
