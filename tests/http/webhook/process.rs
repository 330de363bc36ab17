//! The real program: killed between an act and its event, told by a command, and with a receiver that does
//! not answer.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::mail::certificate;
use crate::support::process::run;
use crate::support::webhook::{Receiver, SECRET, free_port, types};
use crate::support::{Answer, Browser, Database, PASSWORD, Process, Tokens, client};

const EMAIL: &str = "ada@test.example";

/// A user with a password.
fn prepare(directory: &Path, variables: &[(&str, &str)]) {
    let create = ["user", "create", "--email", EMAIL, "--password-stdin"];
    for (arguments, input) in [(&["migrate", "up"][..], ""), (&create[..], PASSWORD)] {
        let done = run(directory, variables, arguments, input);
        assert!(done.status.success(), "{done:?}");
    }
}

async fn call(process: &Process, path: &str, access: Option<&str>, body: Value) -> Answer {
    let url = format!("{}{path}", process.base);
    let mut request = client().request(Method::POST, url).json(&body);
    if let Some(access) = access {
        request = request.bearer_auth(access);
    }
    Answer::read(request.send().await.unwrap()).await
}

async fn sign_in(process: &Process) -> Tokens {
    let document = json!({ "email": EMAIL, "password": PASSWORD });
    let answer = call(process, "/api/auth/sign-in", None, document).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    Tokens::from(answer.json())
}

async fn sign_out(process: &Process, tokens: &Tokens) {
    let path = "/api/auth/sign-out";
    let answer = call(process, path, Some(&tokens.access), json!({})).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

#[tokio::test]
async fn an_end_is_told_though_the_program_was_killed_right_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::make(directory.path()).await;
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/hook?of=portcullis");
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("PORTCULLIS_WEBHOOK_URL", url.as_str()),
        ("PORTCULLIS_WEBHOOK_SECRET", SECRET),
    ];
    prepare(directory.path(), &variables);
    database.execute("DELETE FROM outbox").await;
    let process = Process::start(directory.path(), &variables);
    let tokens = sign_in(&process).await;
    sign_out(&process, &tokens).await;
    process.kill();
    // Whether it was killed while it tried or while it waited: the time of either passes.
    let again = "UPDATE outbox SET due_at = at WHERE delivered_at IS NULL";
    assert_eq!(database.execute(again).await, 1);
    let comes = |receiver: &Receiver, tokens: &Tokens| {
        // Others may come again meanwhile, since nobody could note that they had come.
        let of = |request: &Value| request["event"]["data"]["session_id"].clone();
        std::iter::repeat_with(|| receiver.wait())
            .find(|request| of(request) == tokens.session_id.as_str())
    };
    let receiver = Receiver::start_at(port);
    let process = Process::start(directory.path(), &variables);
    comes(&receiver, &tokens).unwrap();

    // Killed while the receiver has it and has not said so: it comes once more, with the same id.
    receiver.hold();
    let tokens = sign_in(&process).await;
    sign_out(&process, &tokens).await;
    let once = comes(&receiver, &tokens).unwrap();
    process.kill();
    receiver.release();
    assert_ne!(database.execute(again).await, 0);
    let process = Process::start(directory.path(), &variables);
    let twice = comes(&receiver, &tokens).unwrap();
    assert_eq!(
        (&once["id"], &once["event"]),
        (&twice["id"], &twice["event"])
    );
    let log = process.stop().join("\n");
    for secret in ["/hook", &SECRET[6..]] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn an_event_that_is_not_answered_holds_up_neither_ends_nor_mails_nor_other_events() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::make(directory.path()).await;
    let receiver = Receiver::start();
    let [url, secret] = receiver.variables();
    let variables = [("DATABASE_URL", database.url.as_str()), url, secret];
    prepare(directory.path(), &variables);
    database.execute("DELETE FROM outbox").await;
    let process = Process::start(directory.path(), &variables);
    let sessions = [
        sign_in(&process).await,
        sign_in(&process).await,
        sign_in(&process).await,
    ];
    receiver.hold();
    let mut came = Vec::new();
    for tokens in &sessions {
        sign_out(&process, tokens).await;
        came.push(receiver.wait());
    }
    assert_eq!(types(&came), ["session.ended"; 3]);
    let mut browser = Browser::at(&process.base);
    let page = "/reset-password";
    let asked = browser.submit(page, page, &[("email", EMAIL)]).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    process.wait_for("the mail is a file");
    let over = "SELECT COUNT(*) FROM outbox WHERE consumer = 'webhook' \
                AND (delivered_at IS NOT NULL OR last_error IS NOT NULL)";
    assert_eq!(database.count(over).await, 0, "its end was waited for");
    receiver.release();
}

#[tokio::test]
async fn what_a_command_ends_is_told_by_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::make(directory.path()).await;
    let receiver = Receiver::start();
    let [url, secret] = receiver.variables();
    let variables = [("DATABASE_URL", database.url.as_str()), url, secret];
    prepare(directory.path(), &variables);
    database.execute("DELETE FROM outbox").await;
    let process = Process::start(directory.path(), &variables);
    let tokens = sign_in(&process).await;
    let end = ["session", "end", &tokens.session_id];
    let done = run(directory.path(), &variables, &end, "");
    assert!(done.status.success(), "{done:?}");
    let data = receiver.wait()["event"]["data"].clone();
    assert_eq!(data["session_id"], tokens.session_id.as_str());
    assert_eq!(data["actor"], json!({ "kind": "host", "id": null }));
    let doctor = run(directory.path(), &variables, &["doctor"], "");
    let said = String::from_utf8(doctor.stdout).unwrap();
    let line = "ok       webhook: events are posted to 127.0.0.1, signed";
    assert!(said.contains(line), "{said}");
    assert!(!said.contains("/hook"), "{said}");
}

#[tokio::test]
async fn a_receiver_elsewhere_is_told_by_tls_and_only_if_it_is_the_one_that_is_meant() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(directory.path(), "127.0.0.1");
    let database = Database::make(directory.path()).await;
    let receiver = Receiver::start_with(&certificate, &key);
    let [url, secret] = receiver.variables();
    let plain = ("DATABASE_URL", database.url.as_str());
    let trusted = [plain, url, secret, ("SSL_CERT_FILE", &certificate)];
    prepare(directory.path(), &trusted);
    let process = Process::start(directory.path(), &trusted);
    assert_eq!(receiver.wait()["event"]["type"], "user.created");
    process.kill();
    // A certificate that nobody vouches for, and one for another name: neither is told anything.
    let other = url.1.replace("127.0.0.1", "localhost");
    for (url, vouched) in [(url.1, "/dev/null"), (&other, &certificate[..])] {
        database.execute("DELETE FROM outbox").await;
        let wrong = [
            plain,
            ("PORTCULLIS_WEBHOOK_URL", url),
            secret,
            ("SSL_CERT_FILE", vouched),
        ];
        let process = Process::start(directory.path(), &wrong);
        let tokens = sign_in(&process).await;
        sign_out(&process, &tokens).await;
        let line = process.wait_for("not delivered");
        assert!(line.contains("no TLS with the receiver"), "{line}");
    }
    assert!(receiver.rest().is_empty());
}
