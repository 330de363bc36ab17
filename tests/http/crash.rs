//! The server is killed right after it has acknowledged something; a client hangs up right after
//! it has asked for something.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::process::run;
use crate::support::{Answer, Database, PASSWORD, Process, Server, client};

/// Only a broken server lets it pass.
const PATIENCE: Duration = Duration::from_secs(20);

async fn call(process: &Process, method: Method, path: &str, access: &str) -> Answer {
    let request = client()
        .request(method, format!("{}{path}", process.base))
        .bearer_auth(access);
    Answer::read(request.send().await.unwrap()).await
}

async fn sign_in(process: &Process) -> Value {
    let document = json!({ "email": "ada@test.example", "password": PASSWORD });
    let request = client()
        .post(format!("{}/api/auth/sign-in", process.base))
        .json(&document);
    let answer = Answer::read(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn make_user(directory: &Path, variables: &[(&str, &str)]) {
    let create = [
        "user",
        "create",
        "--email",
        "ada@test.example",
        "--password-stdin",
    ];
    for (arguments, input) in [(&["migrate", "up"][..], ""), (&create[..], PASSWORD)] {
        let done = run(directory, variables, arguments, input);
        assert!(done.status.success(), "{done:?}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::make(directory.path()).await;
    let variables = [("DATABASE_URL", database.url.as_str())];
    make_user(directory.path(), &variables);
    let mut ended: Vec<String> = Vec::new();
    let mut before: Option<String> = None;
    for round in 0..4 {
        let process = Process::start(directory.path(), &variables);
        // What the last process acknowledged last holds in this one.
        if let Some(access) = &before {
            let answer = call(&process, Method::GET, "/api/auth/verify", access).await;
            assert_eq!(
                answer.status, 200,
                "round {round}: the sign-in is gone: {}",
                answer.text
            );
        }
        for access in &ended {
            let answer = call(&process, Method::GET, "/api/auth/verify", access).await;
            assert_eq!(answer.code(), "session-ended", "round {round}");
        }
        if let (true, Some(access)) = (round % 2 == 1, before.take()) {
            let answer = call(&process, Method::POST, "/api/auth/sign-out", &access).await;
            assert_eq!(answer.status, 204, "{}", answer.text);
            ended.push(access);
        } else {
            let document = sign_in(&process).await;
            before = Some(document["access_token"].as_str().unwrap().to_owned());
        }
        process.kill();
    }
    assert_eq!(ended.len(), 2);
}

/// Sends a request and nothing after it, and reads no answer. Dropped, the connection is torn down
/// at once, which a server notices before its answer is ready.
async fn send_only(server: &Server, request: &str) -> TcpStream {
    let address = server.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_zero_linger().unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Requests enough that every worker has looked at all its connections meanwhile.
async fn let_the_workers_turn(server: &Server) {
    for _ in 0..50 {
        assert_eq!(server.get("/health/live", None).await.status, 200);
    }
}

async fn an_end_is_whole_though_its_client_hangs_up(database: Database, lock: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_in(directory, database, &[], Default::default()).await;
    let ada = server.user("ada@test.example", &[]).await;
    let (tokens, others) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    for tokens in [&tokens, &others] {
        assert_eq!(server.verify(&tokens.access).await.status, 200);
    }
    // The end can begin, and is not done until the lock is gone.
    let held = server.database.connect().await;
    for statement in lock {
        held.execute_unprepared(statement).await.unwrap();
    }
    let request = format!(
        "DELETE /api/sessions/{} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        tokens.session_id, others.access
    );
    let client = send_only(&server, &request).await;
    let_the_workers_turn(&server).await;
    drop(client);
    let_the_workers_turn(&server).await;
    held.execute_unprepared("ROLLBACK").await.unwrap();
    let began = Instant::now();
    let open = format!(
        "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL AND user_id = (SELECT id FROM users WHERE email = '{}')",
        ada.email
    );
    while server.database.count(&open).await == 2 {
        assert!(began.elapsed() < PATIENCE, "the row was never ended");
    }
    // The clock of the cache does not move, so nothing but its mark can make this true.
    let refused = loop {
        let answer = server.verify(&tokens.access).await;
        if answer.status == 401 {
            break answer;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "the row is ended and the session still admitted"
        );
    };
    assert_eq!(refused.code(), "session-ended");
    assert_eq!(server.verify(&others.access).await.status, 200);
}

#[tokio::test]
async fn an_end_on_sqlite_is_whole_though_its_client_hangs_up() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::make_sqlite(directory.path());
    an_end_is_whole_though_its_client_hangs_up(database, &["BEGIN EXCLUSIVE"]).await;
}

#[tokio::test]
async fn an_end_on_postgres_is_whole_though_its_client_hangs_up() {
    let database = Database::make_postgres().await;
    let lock = ["BEGIN", "LOCK TABLE sessions IN SHARE ROW EXCLUSIVE MODE"];
    an_end_is_whole_though_its_client_hangs_up(database, &lock).await;
}
