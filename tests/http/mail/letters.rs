//! Who is told of what, and that nothing in a mail can be more than text.

use serde_json::json;

use crate::support::process::run;
use crate::support::{PASSWORD, Process, Server, Tokens, client};

#[tokio::test]
async fn an_invitation_is_mailed_with_the_link_that_the_administrator_sees() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let console = server.sign_in(&admin).await.access;
    let document = json!({ "email": "new@test.example", "name": "<b>N</b> \"&\"" });
    let made = server
        .post("/api/admin/users", Some(&console), document)
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let url = made.json()["invitation_url"].as_str().unwrap().to_owned();
    let mails = server.mails().await;
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(
        (&mail.to[..], &mail.subject[..]),
        ("new@test.example", "You are invited")
    );
    // The same link, with something beside it that is nowhere else.
    let link = format!("http://localhost:8080{}", mail.link("/invitation?token="));
    let (shown, beside) = link.split_once("&mailed=").unwrap();
    assert_eq!(shown, url);
    assert_eq!(beside.len(), 43);
    assert!(mail.html.contains("&lt;b&gt;N&lt;/b&gt;"), "{}", mail.html);
    assert!(mail.text.contains("<b>N</b> \"&\""), "{}", mail.text);
    assert!(
        mail.raw.contains("Auto-Submitted: auto-generated"),
        "{}",
        mail.raw
    );
    assert!(mail.from.contains("portcullis@localhost"), "{}", mail.from);
    let invited = server.browser().get(&mail.link("/invitation?token=")).await;
    assert_eq!(invited.status, 200);
    // A newer one makes a mail that still waits useless.
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/admin/users/{id}/invitation");
    for _ in 0..2 {
        let again = server.post(&path, Some(&console), json!({})).await;
        assert_eq!(again.status, 201, "{}", again.text);
    }
    assert_eq!(server.mails().await.len(), 1);
}

#[tokio::test]
async fn a_refresh_token_used_twice_is_told() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let tokens = server.sign_in(&ada).await;
    let next = Tokens::from(server.refresh(&tokens.refresh).await.json());
    server.refresh(&next.refresh).await;
    assert_eq!(server.refresh(&tokens.refresh).await.status, 401);
    let mails = server.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(
        mails[0].subject,
        "One of your sessions may have been copied"
    );
    assert!(!mails[0].raw.contains(&tokens.refresh));
}

#[tokio::test]
async fn nobody_is_told_who_is_gone() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let console = server.sign_in(&admin).await.access;
    super::ask(&server, &ada.email).await;
    let path = format!("/api/admin/users/{}", ada.id);
    assert_eq!(server.delete(&path, Some(&console)).await.status, 204);
    assert_eq!(server.mails().await.len(), 0);
    let waiting = "SELECT COUNT(*) FROM outbox WHERE delivered_at IS NULL";
    assert_eq!(server.database.count(waiting).await, 0);
}

#[tokio::test]
async fn the_log_names_the_file_of_a_mail_and_nothing_that_is_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let create = [
        "user",
        "create",
        "--email",
        "ada@test.example",
        "--password-stdin",
    ];
    assert!(
        run(directory.path(), &[], &["migrate", "up"], "")
            .status
            .success()
    );
    assert!(
        run(directory.path(), &[], &create, PASSWORD)
            .status
            .success()
    );
    let process = Process::start(directory.path(), &[("RUST_LOG", "debug")]);
    let mut browser = crate::support::Browser::at(&process.base);
    let page = "/reset-password";
    let asked = browser
        .submit(page, page, &[("email", "ada@test.example")])
        .await;
    assert_eq!(asked.status, 200);
    let line = process.wait_for("the mail is a file");
    let mails = crate::support::mail::mails_in(&directory.path().join("mails"));
    assert_eq!(mails.len(), 1);
    assert!(line.contains(".eml"), "{line}");
    let link = mails[0].link("/new-password?token=");
    let answer = client().get(format!("{}{link}", process.base)).send().await;
    assert_eq!(answer.unwrap().status(), 200);
    let log = process.stop().join("\n");
    for secret in [&super::token(&link)[..], "ada@test", "token="] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    use std::os::unix::fs::PermissionsExt;
    for entry in std::fs::read_dir(directory.path().join("mails")).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
