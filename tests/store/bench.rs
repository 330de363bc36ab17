//! A database with its services on top and no server: acts are called as handlers call them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use migration::{Migrator, MigratorTrait};
use portcullis::clock::Clock;
use portcullis::rules::audit::Origin;
use portcullis::rules::id::{SessionId, UserId};
use portcullis::service::Context;
use portcullis::service::error::Error;
use portcullis::service::sign_in::{SignIn, SignedIn, Visitor, sign_in};
use portcullis::service::users::{NewUser, create_user_with_password};
use portcullis::settings::{Secret, Settings};
use portcullis::store::Store;
use tempfile::TempDir;

use crate::support::{self, Database, PASSWORD};

/// Makes two tests of an `async fn name(bench: Bench)`, one for each database.
macro_rules! on_both {
    ($($name:ident)*) => {
        $(mod $name {
            use crate::bench::Bench;

            #[tokio::test]
            async fn on_sqlite() {
                super::$name(Bench::sqlite().await).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                super::$name(Bench::postgres().await).await;
            }
        })*
    };
}

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub(crate) struct StoppedClock(Arc<AtomicI64>);

impl StoppedClock {
    /// Stands at an instant that no computer's clock shows.
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_900_000_000_000_000)))
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.0
            .fetch_add(by.num_microseconds().unwrap(), Ordering::SeqCst);
    }

    /// Where it stands.
    pub(crate) fn instant(&self) -> DateTime<Utc> {
        self.now()
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// One process on a database of its own; more can be put beside it.
pub(crate) struct Bench {
    pub(crate) context: Arc<Context>,
    pub(crate) clock: StoppedClock,
    pub(crate) database: Database,
    directory: TempDir,
}

impl Bench {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::make_sqlite(directory.path());
        Self::on(directory, database).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::on(
            tempfile::tempdir().unwrap(),
            Database::make_postgres().await,
        )
        .await
    }

    async fn on(directory: TempDir, database: Database) -> Self {
        let clock = StoppedClock::new();
        let settings = support::settings(directory.path(), &database, &[]);
        let store = Store::open(&settings).await.unwrap();
        Migrator::up(store.schema_connection(), None).await.unwrap();
        let context = Context::start(settings, store, Arc::new(clock.clone()))
            .await
            .unwrap();
        Self {
            context: Arc::new(context),
            clock,
            database,
            directory,
        }
    }

    /// The settings of this installation.
    pub(crate) fn settings(&self) -> Settings {
        support::settings(self.directory.path(), &self.database, &[])
    }

    /// Its data directory, which the processes beside it share.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Another process on the same database: with connections and a cache of its own.
    pub(crate) async fn beside(&self) -> Arc<Context> {
        let settings = self.settings();
        let store = Store::open(&settings).await.unwrap();
        Arc::new(
            Context::start(settings, store, Arc::new(self.clock.clone()))
                .await
                .unwrap(),
        )
    }

    pub(crate) fn store(&self) -> &Store {
        &self.context.store
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Makes a user with the password of all tests.
    pub(crate) async fn user(&self, email: &str, roles: &[&str]) -> UserId {
        make_user(&self.context, email, roles).await.unwrap()
    }

    /// Opens a session.
    pub(crate) async fn session(&self, email: &str) -> SessionId {
        sign_in_at(&self.context, email, PASSWORD)
            .await
            .unwrap()
            .facts
            .session_id
    }

    /// The sessions of this user that nobody has ended.
    pub(crate) async fn open_sessions(&self, user: UserId) -> i64 {
        let user = self.literal(user.0);
        let sql =
            format!("SELECT COUNT(*) FROM sessions WHERE user_id = {user} AND ended_at IS NULL");
        self.database.count(&sql).await
    }

    /// An identifier as SQL writes it.
    pub(crate) fn literal(&self, id: uuid::Uuid) -> String {
        if self.database.is_postgres() {
            format!("'{id}'")
        } else {
            format!("x'{}'", id.simple())
        }
    }
}

pub(crate) async fn make_user(
    context: &Context,
    email: &str,
    roles: &[&str],
) -> Result<UserId, Error> {
    let new = NewUser {
        email: email.to_owned(),
        name: String::new(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    let password = Secret::new(PASSWORD.to_owned());
    let made = create_user_with_password(context, new, &password, Origin::HOST).await?;
    Ok(made.id)
}

pub(crate) async fn sign_in_at(
    context: &Context,
    email: &str,
    password: &str,
) -> Result<SignedIn, Error> {
    let request = SignIn {
        email: email.to_owned(),
        password: Secret::new(password.to_owned()),
        remember: false,
        replaces: None,
    };
    sign_in(context, request, &visitor()).await
}

pub(crate) fn visitor() -> Visitor {
    Visitor {
        ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        user_agent: "test".to_owned(),
    }
}

/// A new identifier.
pub(crate) fn id() -> uuid::Uuid {
    uuid::Uuid::from_bytes(portcullis::entropy::random_bytes().unwrap())
}
