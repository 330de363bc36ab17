//! Nodes on one database, sessions in it, and a token for each of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use migration::{Migrator, MigratorTrait};
use portcullis::clock::{Clock, SystemClock};
use portcullis::entropy::random_bytes;
use portcullis::rules::audit::Origin;
use portcullis::service::Context;
use portcullis::service::sign_in::{SignIn, Visitor, sign_in};
use portcullis::service::tokens::issue_access_token;
use portcullis::service::users::{NewUser, create_user_with_password};
use portcullis::settings::Secret;
use portcullis::store::Store;
use rustix::thread::CpuSet;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::pins::pin_process;
use crate::rows::Rows;
use crate::support::postgres::Cluster;
use crate::support::{self, Database, PASSWORD, Process};
use crate::wire::{Connection, check};

pub(crate) struct Scene {
    pub(crate) nodes: Vec<Node>,
    pub(crate) rows: Rows,
    /// An administrator's token.
    pub(crate) admin: String,
    /// Knows the keys, so that tokens can be made here as a node makes them.
    context: Context,
    _runtime: Runtime,
    _directory: TempDir,
}

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    figures: SocketAddr,
    id: u32,
    /// Ends with this; only one thread may listen to it.
    _process: Mutex<Process>,
    _directory: TempDir,
}

impl Scene {
    /// A database of this name with so many live sessions, and so many nodes on it.
    pub(crate) fn start(server: &Cluster, name: &str, nodes: usize, sessions: u64) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let key = STANDARD.encode(random_bytes::<32>().unwrap());
        let variables = [
            ("PORTCULLIS_MASTER_KEY", key.as_str()),
            ("PORTCULLIS_ACCESS_TOKEN_SECS", "3600"),
        ];
        let rows = Rows {
            now: SystemClock.now(),
            sessions,
            some_ended: false,
        };
        let (database, context, admin) = runtime.block_on(async {
            let maintenance = server.database().connect().await;
            let sql = format!("CREATE DATABASE {name}");
            maintenance.execute_unprepared(&sql).await.unwrap();
            maintenance.close().await.unwrap();
            let url = server.database().url;
            let (base, _) = url.rsplit_once('/').unwrap();
            let database = Database {
                url: format!("{base}/{name}"),
            };
            let connection = database.connect().await;
            Migrator::up(&connection, None).await.unwrap();
            rows.load(&connection, None).await;
            connection.close().await.unwrap();
            let settings = support::settings(directory.path(), &database, &variables);
            let store = Store::open(&settings).await.unwrap();
            let context = Context::start(settings, store, Arc::new(SystemClock))
                .await
                .unwrap();
            let admin = sign_in_admin(&context).await;
            (database, context, admin)
        });
        let mut all = vec![("DATABASE_URL", database.url.as_str())];
        all.extend(variables);
        Self {
            nodes: (0..nodes).map(|_| Node::start(&all)).collect(),
            rows,
            admin,
            context,
            _runtime: runtime,
            _directory: directory,
        }
    }

    /// A token of this session, just issued.
    pub(crate) fn token(&self, session: u64) -> String {
        let facts = self.rows.facts(session);
        let token = issue_access_token(&self.context, &facts, SystemClock.now()).unwrap();
        token.text.reveal().to_owned()
    }

    /// Requests that ask who each of these sessions is.
    pub(crate) fn checks(&self, sessions: std::ops::Range<u64>) -> Vec<String> {
        sessions
            .map(|session| check(&self.token(session)))
            .collect()
    }
}

impl Node {
    fn start(variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let process = Process::start(directory.path(), variables);
        let lines = process.lines();
        let line = lines.iter().find(|line| line.contains("/metrics")).unwrap();
        let (_, figures) = line.split_once("address=").unwrap();
        let figures = figures.split(' ').next().unwrap().parse().unwrap();
        let address = process.base.trim_start_matches("http://").parse().unwrap();
        process.wait_for("following the change list");
        Self {
            address,
            figures,
            id: process.id(),
            _process: Mutex::new(process),
            _directory: directory,
        }
    }

    /// Asks for each once, over a few connections, and expects that answer.
    pub(crate) fn all(&self, requests: &[String], status: u16) {
        std::thread::scope(|scope| {
            for some in requests.chunks(requests.len().div_ceil(4)) {
                scope.spawn(move || {
                    let mut connection = Connection::open(self.address);
                    for request in some {
                        assert_eq!(connection.ask(request), status);
                    }
                });
            }
        });
    }

    /// One of its figures.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        let mut connection = Connection::open(self.figures);
        connection.send("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let (_, text) = connection.answer();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.and_then(|line| line.rsplit(' ').next())
            .unwrap()
            .parse()
            .unwrap()
    }

    /// From now on it runs on these cores only.
    pub(crate) fn pin(&self, cores: &CpuSet) {
        pin_process(i32::try_from(self.id).unwrap(), cores);
    }

    /// Its memory, in bytes.
    pub(crate) fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024.0
    }

    /// Processor time of all its threads, in microseconds, from the scheduler's own account.
    pub(crate) fn cpu_micros(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id)).unwrap();
        let nanos: f64 = tasks
            .map(|task| {
                let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
                text.split(' ').next().unwrap().parse::<f64>().unwrap()
            })
            .sum();
        nanos / 1000.0
    }
}

async fn sign_in_admin(context: &Context) -> String {
    let email = "admin@test.example".to_owned();
    let password = Secret::new(PASSWORD.to_owned());
    let new = NewUser {
        email: email.clone(),
        name: String::new(),
        roles: vec!["admin".to_owned()],
    };
    create_user_with_password(context, new, &password, Origin::HOST)
        .await
        .unwrap();
    let visitor = Visitor {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: String::new(),
    };
    let request = SignIn {
        email,
        password,
        remember: true,
        replaces: None,
    };
    let signed_in = sign_in(context, request, &visitor).await.unwrap();
    signed_in.tokens.access.text.reveal().to_owned()
}
