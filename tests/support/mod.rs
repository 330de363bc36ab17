//! What tests share: a server of their own with a clock they can move, and clients that speak
//! nothing but HTTP to it.
//!
//! Each server has its own directory, database and port. By default the database is an SQLite
//! file; with `TEST_DATABASE=postgres` it is one in the PostgreSQL server of `TEST_POSTGRES_URL`,
//! which `bin/test` starts.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]
#![allow(
    dead_code,
    unused_imports,
    clippy::allow_attributes,
    missing_docs,
    unreachable_pub,
    reason = "each test binary uses a part of this"
)]

pub mod browser;
pub mod chance;
pub mod database;
pub mod mail;
pub mod mmdb;
pub mod postgres;
pub mod process;
pub mod webhook;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use chrono::TimeDelta;
use migration::{Migrator, MigratorTrait};
use portcullis::clock::MovedClock;
use portcullis::http::server;
use portcullis::rules::audit::Origin;
use portcullis::rules::id::UserId;
use portcullis::service::Context;
use portcullis::service::follow_changes::follow_changes;
use portcullis::service::users::{NewUser, create_user_with_password};
use portcullis::settings::{Secret, Settings};
use portcullis::store::Store;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

pub use browser::Browser;
pub use database::Database;
pub use process::Process;

/// A password that every test user has.
pub const PASSWORD: &str = "a long and quiet password";

/// A server under test.
pub struct Server {
    /// `http://127.0.0.1:port`
    pub base: String,
    /// Move it instead of waiting.
    pub clock: MovedClock,
    /// For looking behind the curtain and for set-up; acts under test go over HTTP.
    pub context: Arc<Context>,
    /// The database, to change by hand.
    pub database: Database,
    /// Its data directory.
    pub directory: TempDir,
    running: Running,
}

/// Stops the server when the test is over.
struct Running(actix_web::dev::ServerHandle);

/// A user with [`PASSWORD`].
#[derive(Clone, Debug)]
pub struct TestUser {
    pub id: UserId,
    pub email: String,
}

/// What a sign-in over the API gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub session_id: String,
    pub document: Value,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self {
            status,
            headers,
            text: response.text().await.unwrap(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error} in {} {:?}", self.status, self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap_or("?"))
    }

    /// The code of a problem document.
    pub fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16());
        document["code"].as_str().unwrap().to_owned()
    }

    pub fn location(&self) -> &str {
        self.header("location")
    }

    pub fn set_cookies(&self) -> Vec<String> {
        let all = self.headers.get_all("set-cookie").iter();
        all.map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }
}

impl Server {
    /// A server with the settings of a fresh installation, but cheap password hashes.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`Self::start`], with these variables set.
    pub async fn start_with(variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::make(directory.path()).await;
        Self::start_in(directory, database, variables, MovedClock::default()).await
    }

    /// As [`Self::start`], but what other processes change is learnt by nobody: it believes what
    /// it has in memory.
    pub async fn start_unfollowed() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::make(directory.path()).await;
        let settings = settings(directory.path(), &database, &[]);
        Self::start_as(directory, database, settings, MovedClock::default(), false).await
    }

    /// Starts on a directory and database that are there.
    pub async fn start_in(
        directory: TempDir,
        database: Database,
        variables: &[(&str, &str)],
        clock: MovedClock,
    ) -> Self {
        let settings = settings(directory.path(), &database, variables);
        Self::start_as(directory, database, settings, clock, true).await
    }

    /// Starts on a directory and database that are there, with settings that no operator may set.
    pub async fn start_changed(
        directory: TempDir,
        database: Database,
        clock: MovedClock,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = settings(directory.path(), &database, &[]);
        change(&mut settings);
        Self::start_as(directory, database, settings, clock, true).await
    }

    async fn start_as(
        directory: TempDir,
        database: Database,
        settings: Settings,
        clock: MovedClock,
        follows: bool,
    ) -> Self {
        let (report, started) = mpsc::channel();
        let its_clock = clock.clone();
        // A thread of its own, as the server has in production: tests may block theirs.
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let store = Store::open(&settings).await.expect("open the database");
                Migrator::up(store.schema_connection(), None)
                    .await
                    .expect("migrate");
                let context = Context::start(settings, store, Arc::new(its_clock)).await;
                let context = context.and_then(Context::with_places).expect("start");
                let context = Arc::new(context);
                let (server, address) = server::listen(Arc::clone(&context)).expect("listen");
                let following = Arc::clone(&context);
                let follow = actix_web::rt::spawn(async move {
                    if follows {
                        follow_changes(&following).await;
                    }
                    following.store.cache().confirm(Duration::MAX);
                });
                report.send((context, address, server.handle())).unwrap();
                server.await.unwrap();
                follow.abort();
                let _ = follow.await;
            });
        });
        let started = tokio::task::spawn_blocking(move || started.recv()).await;
        let (context, address, handle) = started.unwrap().expect("the server did not start");
        Self {
            base: format!("http://{address}"),
            clock,
            context,
            database,
            directory,
            running: Running(handle),
        }
    }

    /// Stops it; what it leaves can be started again.
    pub async fn stop(self) -> (TempDir, Database, MovedClock) {
        self.running.0.stop(true).await;
        (self.directory, self.database, self.clock)
    }

    /// Another process on the same database, without a door of its own.
    pub async fn beside(&self) -> Context {
        let settings = settings(self.directory.path(), &self.database, &[]);
        let store = Store::open(&settings).await.unwrap();
        let clock = Arc::new(self.clock.clone());
        Context::start(settings, store, clock).await.unwrap()
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// Makes a user with [`PASSWORD`].
    pub async fn user(&self, email: &str, roles: &[&str]) -> TestUser {
        let new = NewUser {
            email: email.to_owned(),
            name: email.split('@').next().unwrap().to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        let password = Secret::new(PASSWORD.to_owned());
        let made = create_user_with_password(&self.context, new, &password, Origin::HOST).await;
        let user = made.expect("make a user");
        TestUser {
            id: user.id,
            email: user.email,
        }
    }

    /// An administrator called `admin@test.example`.
    pub async fn admin(&self) -> TestUser {
        self.user("admin@test.example", &["admin"]).await
    }

    /// Signs in over the API.
    pub async fn sign_in(&self, user: &TestUser) -> Tokens {
        let answer = self.try_sign_in(&user.email, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Tokens::from(answer.json())
    }

    pub async fn try_sign_in(&self, email: &str, password: &str) -> Answer {
        let document = json!({ "email": email, "password": password });
        self.post("/api/auth/sign-in", None, document).await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.post(
            "/api/auth/refresh",
            None,
            json!({ "refresh_token": refresh_token }),
        )
        .await
    }

    /// `GET /api/auth/verify` with this access token.
    pub async fn verify(&self, access: &str) -> Answer {
        self.get("/api/auth/verify", Some(access)).await
    }

    pub async fn get(&self, path: &str, access: Option<&str>) -> Answer {
        self.call(Method::GET, path, access, None).await
    }

    pub async fn post(&self, path: &str, access: Option<&str>, document: Value) -> Answer {
        self.call(Method::POST, path, access, Some(document)).await
    }

    pub async fn delete(&self, path: &str, access: Option<&str>) -> Answer {
        self.call(Method::DELETE, path, access, None).await
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        access: Option<&str>,
        document: Option<Value>,
    ) -> Answer {
        let mut request = client().request(method, format!("{}{path}", self.base));
        if let Some(access) = access {
            request = request.bearer_auth(access);
        }
        if let Some(document) = document {
            request = request.json(&document);
        }
        Answer::read(request.send().await.unwrap()).await
    }

    /// A request to fill in by hand.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        client().request(method, format!("{}{path}", self.base))
    }

    /// A browser that is not signed in.
    pub fn browser(&self) -> Browser {
        Browser::new(self)
    }

    /// A browser in which this user is signed in.
    pub async fn signed_in_browser(&self, user: &TestUser) -> Browser {
        let mut browser = self.browser();
        let answer = browser.sign_in(&user.email, PASSWORD).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        browser
    }
}

impl From<Value> for Tokens {
    fn from(document: Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            access: text(&document["access_token"]),
            refresh: text(&document["refresh_token"]),
            session_id: text(&document["session"]["id"]),
            document,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stop(false));
    }
}

/// The settings of a test's server.
pub fn settings(directory: &Path, database: &Database, variables: &[(&str, &str)]) -> Settings {
    let mut all = BTreeMap::from([
        (
            "PORTCULLIS_DATA_DIR".to_owned(),
            directory.to_str().unwrap().to_owned(),
        ),
        ("DATABASE_URL".to_owned(), database.url.clone()),
        ("PORTCULLIS_BIND".to_owned(), "127.0.0.1:0".to_owned()),
        (
            "PORTCULLIS_PUBLIC_URL".to_owned(),
            "http://localhost:8080".to_owned(),
        ),
        ("PORTCULLIS_WORKERS".to_owned(), "2".to_owned()),
        ("PORTCULLIS_DATABASE_CONNECTIONS".to_owned(), "4".to_owned()),
    ]);
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    all.extend(variables.iter().map(own));
    let mut settings = Settings::read(all).expect("settings");
    // Below what an operator may set; a test hashes more passwords than it waits for.
    settings.bcrypt_cost = 4;
    settings
}

/// Keeps no cookies, follows nothing.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}
