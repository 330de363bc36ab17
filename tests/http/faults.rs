//! The database is locked, gone or hangs; the server is killed; the client hangs up.
//!
//! An outage is neither a yes nor a no: 503, and nobody is signed out by it.

use std::time::{Duration, Instant};

use reqwest::Method;
use sea_orm::{ConnectionTrait, DatabaseConnection};

use crate::support::postgres::Cluster;
use crate::support::{Answer, Browser, Database, PASSWORD, Server, Tokens};

/// The store's patience is five seconds; nothing after it may take long.
const SOON: Duration = Duration::from_millis(6_500);
/// Past this the cache asks the table again, however well it knows what has changed.
const CACHE_SECS: i64 = 60;
/// Far past the bound, from which on everything asks the table.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server on this database and somebody in it, with a browser and over the API.
struct Scene {
    server: Server,
    browser: Browser,
    tokens: Tokens,
}

impl Scene {
    async fn on(database: impl FnOnce(&std::path::Path) -> Database) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = database(directory.path());
        let server = Server::start_in(directory, database, &[], Default::default()).await;
        let ada = server.user("ada@test.example", &[]).await;
        let browser = server.signed_in_browser(&ada).await;
        let tokens = server.sign_in(&ada).await;
        let scene = Self {
            server,
            browser,
            tokens,
        };
        scene.assert_all_is_well().await;
        scene
    }

    /// As [`Self::on`], on a PostgreSQL server that nobody else uses.
    async fn on_cluster() -> (Cluster, Self) {
        let cluster = Cluster::start();
        let scene = Self::on(|_| cluster.database()).await;
        (cluster, scene)
    }

    /// The same cookies and tokens are good.
    async fn assert_all_is_well(&self) {
        let mut browser = self.browser.clone();
        assert_eq!(browser.get("/account").await.status, 200);
        assert_eq!(self.server.verify(&self.tokens.access).await.status, 200);
        assert_eq!(self.server.get("/health/ready", None).await.status, 200);
    }

    /// After an outage: what was good before is good again, for everything.
    async fn assert_nobody_was_signed_out(&self) {
        self.assert_all_is_well().await;
        assert_eq!(self.refresh().await.status, 200);
        assert_eq!(self.sign_in().await.status, 200);
    }

    /// Where one's own session is ended over the API.
    fn own_end(&self) -> String {
        format!("/api/sessions/{}", self.tokens.session_id)
    }

    async fn verify(&self) -> Answer {
        timed(self.server.verify(&self.tokens.access)).await
    }

    async fn page(&self) -> Answer {
        let mut browser = self.browser.clone();
        let answer = timed(browser.get("/account")).await;
        assert_eq!(
            browser.cookies,
            self.browser.cookies,
            "{:?}",
            answer.set_cookies()
        );
        answer
    }

    async fn cookie_call(&self, method: Method, path: &str) -> Answer {
        let mut browser = self.browser.clone();
        let request = browser
            .request(method, path)
            .header("sec-fetch-site", "same-origin");
        let answer = timed(browser.send(request)).await;
        assert_eq!(
            browser.cookies,
            self.browser.cookies,
            "{:?}",
            answer.set_cookies()
        );
        answer
    }

    async fn sign_in(&self) -> Answer {
        timed(self.server.try_sign_in("ada@test.example", PASSWORD)).await
    }

    async fn refresh(&self) -> Answer {
        timed(self.server.refresh(&self.tokens.refresh)).await
    }

    /// Warm sessions go on until the bound; what must ask the table is not available, and says so.
    async fn assert_outage(&self) {
        let began = Instant::now();
        self.server.advance(CACHE_SECS);
        while self.verify().await.status == 200 {
            assert!(
                began.elapsed() < PATIENCE,
                "memory was believed past the bound"
            );
        }
        let end = self.own_end();
        let (verify, page, call, end, sign_in, refresh, ready, live) = tokio::join!(
            self.verify(),
            self.page(),
            self.cookie_call(Method::GET, "/api/auth/session"),
            self.cookie_call(Method::DELETE, &end),
            self.sign_in(),
            self.refresh(),
            timed(self.server.get("/health/ready", None)),
            timed(self.server.get("/health/live", None)),
        );
        assert_eq!(page.status, 503, "{}", page.text);
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{page:?}"
        );
        assert_ne!(page.header("retry-after"), "");
        for answer in [verify, call, end, sign_in, refresh, ready] {
            assert_unavailable(&answer);
        }
        assert_eq!(live.status, 200);
    }
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(answer.code(), "store-unavailable");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(answer.set_cookies(), [""; 0]);
}

async fn timed(answer: impl Future<Output = Answer>) -> Answer {
    let began = Instant::now();
    let answer = answer.await;
    assert!(began.elapsed() < SOON, "{:?}: {answer:?}", began.elapsed());
    answer
}

async fn locked(database: &Database, statements: &[&str]) -> DatabaseConnection {
    let connection = database.connect().await;
    for statement in statements {
        connection.execute_unprepared(statement).await.unwrap();
    }
    connection
}

/// In an SQLite file that somebody writes to, reading goes on and writing waits.
#[tokio::test]
async fn an_sqlite_file_that_is_locked_signs_nobody_out() {
    let scene = Scene::on(Database::make_sqlite).await;
    let lock = locked(&scene.server.database, &["BEGIN EXCLUSIVE"]).await;
    let end = scene.own_end();
    let (sign_in, refresh, end, others) = tokio::join!(
        scene.sign_in(),
        scene.refresh(),
        scene.cookie_call(Method::DELETE, &end),
        scene.cookie_call(Method::DELETE, "/api/sessions?others=true"),
    );
    for answer in [sign_in, refresh, end, others] {
        assert_unavailable(&answer);
    }
    assert_eq!(scene.verify().await.status, 200);
    assert_eq!(scene.page().await.status, 200);
    scene.server.advance(CACHE_SECS);
    assert_eq!(scene.verify().await.status, 200);
    lock.execute_unprepared("ROLLBACK").await.unwrap();
    scene.assert_nobody_was_signed_out().await;
}

/// The file is there, but its tables are not: as if somebody had put another file in its place.
#[tokio::test]
async fn an_sqlite_file_without_its_tables_signs_nobody_out() {
    let scene = Scene::on(Database::make_sqlite).await;
    let rename = async |from: &str, to: &str| {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        scene.server.database.execute(&sql).await
    };
    rename("users", "elsewhere").await;
    rename("sessions", "elsewhere_too").await;
    scene.assert_outage().await;
    rename("elsewhere", "users").await;
    rename("elsewhere_too", "sessions").await;
    scene.assert_nobody_was_signed_out().await;
}

#[tokio::test]
async fn a_postgres_whose_tables_are_locked_signs_nobody_out() {
    let database = Database::make_postgres().await;
    let scene = Scene::on(|_| database).await;
    let statements = [
        "BEGIN",
        "LOCK TABLE users, sessions, refresh_tokens, throttles IN ACCESS EXCLUSIVE MODE",
    ];
    let lock = locked(&scene.server.database, &statements).await;
    scene.assert_outage().await;
    lock.execute_unprepared("ROLLBACK").await.unwrap();
    scene.assert_nobody_was_signed_out().await;
}

#[tokio::test]
async fn a_postgres_that_is_gone_signs_nobody_out() {
    let (cluster, scene) = Scene::on_cluster().await;
    cluster.stop();
    scene.assert_outage().await;
    cluster.resume();
    scene.assert_nobody_was_signed_out().await;
}

#[tokio::test]
async fn a_postgres_that_hangs_signs_nobody_out() {
    let (cluster, scene) = Scene::on_cluster().await;
    cluster.freeze();
    scene.assert_outage().await;
    cluster.thaw();
    scene.assert_nobody_was_signed_out().await;
}

/// The commit was done, but nobody was told: the cache must not go on believing what was before.
#[tokio::test]
async fn an_end_whose_commit_was_not_confirmed_counts_if_the_table_has_it() {
    let (_cluster, scene) = Scene::on_cluster().await;
    let database = &scene.server.database;
    let wait = async |on: &str| {
        database
            .execute(&format!(
                "ALTER SYSTEM SET synchronous_standby_names = '{on}'"
            ))
            .await;
        database.execute("SELECT pg_reload_conf()").await;
        // Known to everybody only when a new connection knows it.
        let known = format!(
            "SELECT COUNT(*) FROM pg_settings WHERE name = 'synchronous_standby_names' AND setting = '{on}'"
        );
        while database.count(&known).await == 0 {}
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        database.execute(others).await;
    };
    // From now on every commit waits for a second server that never comes.
    wait("nobody").await;
    let end = scene.own_end();
    let answer = timed(scene.server.delete(&end, Some(&scene.tokens.access))).await;
    assert_unavailable(&answer);
    wait("").await;
    let ended = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL";
    assert_eq!(
        database.count(ended).await,
        1,
        "the test is not what it says"
    );
    let refused = scene.verify().await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (401, "session-ended")
    );
    assert_eq!(refused.json()["reason"], "signed-out");
    assert_eq!(scene.page().await.status, 200);
}

/// What is found disabled is ended only if it still is when the end is written.
#[tokio::test]
async fn who_was_enabled_again_before_the_end_could_be_written_goes_on() {
    let server = Server::start_unfollowed().await;
    let ada = server.user("ada@test.example", &[]).await;
    let tokens = server.sign_in(&ada).await;
    let database = &server.database;
    let disabled = "UPDATE users SET disabled_at = '2026-01-01T00:00:00Z'";
    database.execute(disabled).await;
    let lock = if database.is_postgres() {
        [
            "BEGIN",
            "LOCK TABLE audit_events, sessions IN SHARE ROW EXCLUSIVE MODE",
        ]
    } else {
        ["PRAGMA busy_timeout = 0", "BEGIN IMMEDIATE"]
    };
    let lock = locked(database, &lock).await;
    server.advance(CACHE_SECS);
    assert_unavailable(&timed(server.verify(&tokens.access)).await);
    lock.execute_unprepared("ROLLBACK").await.unwrap();
    database
        .execute("UPDATE users SET disabled_at = NULL")
        .await;
    assert_eq!(server.verify(&tokens.access).await.status, 200);
}
