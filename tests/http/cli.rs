//! The command line as its user meets it: the real program, its output and its exit codes.

use std::path::Path;
use std::process::Output;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::run;
use crate::support::{Database, PASSWORD, Server, Tokens};

pub(crate) const EMAIL: &str = "ada@test.example";

/// No machine has this address (RFC 5737), so that a server that starts though it must not says so
/// instead of running on.
pub(crate) const NOWHERE: (&str, &str) = ("PORTCULLIS_BIND", "192.0.2.1:9");

/// An installation without a server.
pub(crate) struct Host {
    pub(crate) directory: TempDir,
    pub(crate) database: Database,
}

impl Host {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::make(directory.path()).await;
        let host = Self {
            directory,
            database,
        };
        host.done(&["migrate", "up"], "");
        host
    }

    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Output {
        run_on(self.directory.path(), &self.database, arguments, input)
    }

    /// What a command that succeeds writes.
    pub(crate) fn done(&self, arguments: &[&str], input: &str) -> String {
        written(&self.run(arguments, input), arguments)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.done(&[arguments, &["--json"]].concat(), "");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    /// What a command that fails says, which is one line.
    pub(crate) fn refused(&self, arguments: &[&str], input: &str) -> String {
        one_line(&self.run(arguments, input), arguments)
    }

    pub(crate) fn make_user(&self) {
        let create = [
            "user",
            "create",
            "--email",
            EMAIL,
            "--name",
            "Ada",
            "--role",
            "editor",
            "--password-stdin",
        ];
        self.done(&create, PASSWORD);
    }
}

fn run_on(directory: &Path, database: &Database, arguments: &[&str], input: &str) -> Output {
    let variables = [("DATABASE_URL", database.url.as_str()), NOWHERE];
    run(directory, &variables, arguments, input)
}

pub(crate) fn written(output: &Output, arguments: &[&str]) -> String {
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn one_line(output: &Output, arguments: &[&str]) -> String {
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    said
}

#[tokio::test]
async fn every_command_does_what_it_says() {
    let host = Host::new().await;
    let states = host.json(&["migrate", "status"]);
    assert!(
        states
            .as_array()
            .unwrap()
            .iter()
            .all(|state| state["applied"] == true),
        "{states}"
    );

    host.make_user();
    let ada = host.json(&["user", "show", EMAIL]);
    assert_eq!(
        (&ada["email"], &ada["name"], &ada["enabled"]),
        (&EMAIL.into(), &"Ada".into(), &true.into())
    );
    assert_eq!(ada["roles"], serde_json::json!(["editor"]));
    let id = ada["id"].as_str().unwrap();
    host.done(&["user", "grant", EMAIL, "admin"], "");
    host.done(&["user", "revoke-role", id, "editor"], "");
    assert_eq!(
        host.json(&["user", "show", id])["roles"],
        serde_json::json!(["admin"])
    );
    let link = host.done(&["user", "create", "--email", "ben@test.example"], "");
    assert!(link.contains("/invitation?token="), "{link}");
    let newer = host.done(&["user", "invite", "ben@test.example"], "");
    assert!(
        newer.contains("/invitation?token=") && newer.lines().last() != link.lines().last(),
        "{newer}"
    );
    assert!(
        host.refused(&["user", "disable", EMAIL], "")
            .contains("administrator")
    );
    host.done(&["user", "grant", "ben@test.example", "admin"], "");
    let set = [
        "user",
        "set-password",
        "ben@test.example",
        "--password-stdin",
    ];
    host.done(&set, PASSWORD);
    host.done(&["user", "disable", EMAIL], "");
    assert_eq!(host.json(&["user", "show", EMAIL])["enabled"], false);
    host.done(&["user", "enable", EMAIL], "");
    host.done(
        &["user", "set-password", EMAIL, "--password-stdin"],
        "another quiet password",
    );
    let users = host.json(&["user", "list"]);
    assert_eq!(users.as_array().unwrap().len(), 2);
    assert!(!users.to_string().contains("hash"), "{users}");
    host.done(&["user", "delete", "ben@test.example", "--yes"], "");
    assert!(
        host.refused(&["user", "show", "ben@test.example"], "")
            .contains("user")
    );

    assert_eq!(host.json(&["session", "list"]), serde_json::json!([]));
    host.done(&["session", "cleanup"], "");
    assert_eq!(host.json(&["session", "stats"])["users"], 1);
    host.done(&["session", "end-user", EMAIL], "");
    host.done(&["session", "end-all", "--yes"], "");
    let unknown = "01a1fd84-e085-7be0-a7ca-4830a2d83a18";
    assert!(
        host.refused(&["session", "end", unknown], "")
            .contains("session")
    );

    let before = host.json(&["keys", "list"]);
    host.done(&["keys", "rotate"], "");
    let after = host.json(&["keys", "list"]);
    assert_eq!(
        after.as_array().unwrap().len(),
        before.as_array().unwrap().len() + 1
    );

    let checks = host.json(&["doctor"]);
    assert!(
        checks
            .as_array()
            .unwrap()
            .iter()
            .all(|check| check["outcome"] != "problem"),
        "{checks}"
    );

    host.done(&["seed"], "");
    host.done(&["seed"], "");
    assert_eq!(host.json(&["user", "list"]).as_array().unwrap().len(), 6);
    host.done(&["reset", "--yes"], "");
    assert_eq!(host.json(&["user", "list"]), serde_json::json!([]));
    assert_eq!(
        host.json(&["keys", "list"]),
        after,
        "a reset keeps the keys"
    );
    host.done(&["migrate", "down"], "");
    let down = host.json(&["migrate", "status"]);
    assert_eq!(down.as_array().unwrap().last().unwrap()["applied"], false);
    host.done(&["migrate", "fresh", "--yes"], "");
    assert_eq!(host.json(&["migrate", "status"]), states);
}

#[tokio::test]
async fn commands_beside_a_running_server_take_effect_in_it() {
    let server = Server::start().await;
    let beside = |arguments: &[&str], input: &str| {
        let output = run_on(server.directory.path(), &server.database, arguments, input);
        written(&output, arguments)
    };
    server.admin().await;
    // The program's clock lies behind the server's, more so with each command.
    let commands: [(&[&str], &str, &str); 6] = [
        (
            &["session", "end", "SID"],
            "session-ended",
            "ended-by-admin",
        ),
        (
            &["session", "end-user", "EMAIL"],
            "session-ended",
            "ended-by-admin",
        ),
        (
            &["user", "set-password", "EMAIL", "--password-stdin"],
            "session-ended",
            "password-changed",
        ),
        (
            &["user", "disable", "EMAIL"],
            "user-disabled",
            "user-disabled",
        ),
        (&["user", "delete", "EMAIL", "--yes"], "user-gone", ""),
        (
            &["session", "end-all", "--yes"],
            "session-ended",
            "everyone-out",
        ),
    ];
    for (number, (command, code, reason)) in commands.into_iter().enumerate() {
        // Made with the program too, and so known to the server at once.
        let email = format!("user{number}@test.example");
        beside(
            &["user", "create", "--email", &email, "--password-stdin"],
            PASSWORD,
        );
        let answer = server.try_sign_in(&email, PASSWORD).await;
        let tokens = Tokens::from(answer.json());
        assert_eq!(server.verify(&tokens.access).await.status, 200);
        let words: Vec<String> = command
            .iter()
            .map(|word| {
                word.replace("SID", &tokens.session_id)
                    .replace("EMAIL", &email)
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        beside(&words, "another quiet password");
        server.advance(60);
        let refused = server.verify(&tokens.access).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (401, code),
            "{command:?}"
        );
        assert_eq!(
            refused.json()["reason"].as_str().unwrap_or_default(),
            reason,
            "{command:?}"
        );
    }
    let answer = server
        .try_sign_in("user2@test.example", "another quiet password")
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn explain_says_why_and_never_shows_the_signature() {
    let server = Server::start().await;
    let ada = server.user(EMAIL, &[]).await;
    let tokens = server.sign_in(&ada).await;
    let explain = |token: &str| {
        let output = run_on(
            server.directory.path(),
            &server.database,
            &["explain"],
            token,
        );
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        for secret in token.split('.').skip(2).filter(|part| part.len() > 20) {
            assert!(!said.contains(secret.trim()), "{said}");
        }
        said
    };
    let good = explain(&format!("{}\n", tokens.access));
    assert!(
        good.contains(&tokens.session_id) && good.contains(&ada.id.to_string()),
        "{good}"
    );
    assert!(!good.contains("does not admit"), "{good}");
    let (message, signature) = tokens.access.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = explain(&format!("{message}.{other}{}", &signature[1..]));
    assert!(
        forged.contains("signature is wrong") && forged.contains("does not admit"),
        "{forged}"
    );
    assert_eq!(
        server
            .post("/api/auth/sign-out", Some(&tokens.access), Value::Null)
            .await
            .status,
        204
    );
    let ended = explain(&tokens.access);
    assert!(
        ended.contains("signed-out") || ended.contains("signed out"),
        "{ended}"
    );
    assert!(ended.contains("does not admit"), "{ended}");
    let refresh = explain(&tokens.refresh);
    assert!(!refresh.contains(&tokens.refresh), "{refresh}");
    for nonsense in ["", "abc", "a.b.c", "\u{0}\u{1}"] {
        explain(nonsense);
    }
    // What an invention says moves no cursor.
    let claims = URL_SAFE_NO_PAD.decode(message.split_once('.').unwrap().1);
    let mut claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
    claims["iss"] = "https://\u{1b}[2Jhere\u{202e}".into();
    claims["roles"] = serde_json::json!(["\r\n\u{7}"]);
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    let header = message.split_once('.').unwrap().0;
    let invented = explain(&format!("{header}.{claims}.{signature}"));
    assert!(invented.contains("https://"), "{invented}");
    for odd in ['\u{1b}', '\u{202e}', '\r', '\u{7}'] {
        assert!(!invented.contains(odd), "{invented:?}");
    }
}
