//! A real mail server: that is there, is not, refuses, wants TLS and a password; and the program
//! killed between an act and its mail.

use std::path::Path;

use super::ask;
use crate::support::mail::{MailServer, certificate};
use crate::support::process::run;
use crate::support::{Browser, Database, PASSWORD, Process, Server};

const FROM: (&str, &str) = ("PORTCULLIS_MAIL_FROM", "The Gate <gate@test.example>");

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn server_for(port: u16) -> Server {
    let url = format!("smtp://127.0.0.1:{port}");
    Server::start_with(&[("PORTCULLIS_SMTP_URL", &url), FROM]).await
}

#[tokio::test]
async fn a_mail_waits_for_a_mail_server_that_is_down() {
    let port = free_port();
    let server = server_for(port).await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let console = server.sign_in(&admin).await.access;
    assert_eq!(ask(&server, &ada.email).await.status, 200);
    assert_eq!(server.deliver_mail().await, 1);
    assert_eq!(server.deliver_mail().await, 0, "not before its time");
    let listed = server
        .get("/api/admin/outbox?status=waiting", Some(&console))
        .await
        .json();
    assert_eq!(listed["total"], 1);
    let waits = &listed["deliveries"][0];
    assert_eq!(waits["attempts"], 1);
    assert_eq!(waits["last_error"], "the mail server does not answer");

    let directory = tempfile::tempdir().unwrap();
    let mail_server = MailServer::start(directory.path(), &["--port", &port.to_string()]);
    server.advance(10);
    assert_eq!(server.deliver_mail().await, 1);
    let line = mail_server.wait();
    assert!(line.ends_with("ada@test.example"), "{line}");
    let mails = mail_server.mails();
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0].from.contains("gate@test.example"),
        "{}",
        mails[0].from
    );
    let link = mails[0].link("/new-password?token=");
    assert_eq!(server.browser().get(&link).await.status, 200);
}

#[tokio::test]
async fn what_the_mail_server_refuses_for_good_is_shown_and_can_be_tried_again_or_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let mail_server = MailServer::start(directory.path(), &[]);
    let server = server_for(mail_server.port).await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let mut console = server.signed_in_browser(&admin).await;
    mail_server.refuse(&[(&ada.email, 550)]);
    ask(&server, &ada.email).await;
    server.deliver_mail().await;
    let page = console.get("/admin/outbox").await.text;
    for shown in [
        "Asked for a new password by mail",
        "refused it with 550",
        "1 time",
        "Try again",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    // Neither the address nor what the mail server said of it.
    assert!(
        !page.contains(&ada.email) && !page.contains("not taken"),
        "{page}"
    );
    let action = |verb: &str| {
        let start = page.find("/admin/outbox/").unwrap();
        let id = &page[start + 14..start + 50];
        format!("/admin/outbox/{id}/{verb}")
    };
    // Once more in vain, then with success.
    for refused in [&[(&ada.email[..], 550)][..], &[]] {
        mail_server.refuse(refused);
        let done = console.submit("/admin/outbox", &action("retry"), &[]).await;
        assert_eq!(done.status, 303, "{}", done.text);
        assert_eq!(server.deliver_mail().await, 1);
    }
    assert_eq!(mail_server.mails().len(), 1);
    let gone = console.submit("/admin/outbox", &action("retry"), &[]).await;
    assert_eq!(gone.status, 404);

    // What may be taken later is tried later.
    mail_server.refuse(&[(&ada.email, 451)]);
    ask(&server, &ada.email).await;
    server.deliver_mail().await;
    let waiting = console.get("/admin/outbox?status=waiting").await.text;
    assert!(waiting.contains("refused it with 451"), "{waiting}");
    mail_server.refuse(&[(&ada.email, 550)]);
    server.advance(10);
    server.deliver_mail().await;
    let page = console.get("/admin/outbox").await.text;
    let start = page.find("/admin/outbox/").unwrap();
    let drop_it = format!("{}/drop", &page[start..start + 50]);
    let done = console.submit("/admin/outbox", &drop_it, &[]).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let page = console.get("/admin/outbox").await.text;
    assert!(page.contains("Nothing was given up"), "{page}");
    let audited = "SELECT COUNT(*) FROM audit_events WHERE action IN ('delivery-retried', 'delivery-dropped') AND actor_id IS NOT NULL AND subject_id IS NOT NULL";
    assert_eq!(server.database.count(audited).await, 3);
}

#[tokio::test]
async fn an_address_that_takes_no_mail_for_now_has_the_other_written_to_once() {
    let directory = tempfile::tempdir().unwrap();
    let mail_server = MailServer::start(directory.path(), &[]);
    let server = server_for(mail_server.port).await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let page = "/account/email";
    let fields = [("email", "new@test.example")];
    assert_eq!(browser.submit(page, page, &fields).await.status, 200);
    assert_eq!(server.deliver_mail().await, 2);
    let mails = mail_server.mails();
    let mail = mails.iter().find(|mail| mail.to == "new@test.example");
    let link = mail.unwrap().link("/confirm-email?token=");
    let token = super::token(&link);
    mail_server.refuse(&[("new@test.example", 451)]);
    let fields = [("token", token.as_str())];
    let done = browser.submit(&link, "/confirm-email", &fields).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let told = |address: &str| {
        let mails = mail_server.mails();
        let about = mails
            .iter()
            .filter(|mail| mail.subject == "Your e-mail address was changed");
        about.filter(|mail| mail.to == address).count()
    };
    for tried in [2, 1, 1] {
        assert_eq!(server.deliver_mail().await, tried);
        assert_eq!((told("ada@test.example"), told("new@test.example")), (1, 0));
        server.advance(60);
    }
    mail_server.refuse(&[]);
    assert_eq!(server.deliver_mail().await, 1);
    assert_eq!((told("ada@test.example"), told("new@test.example")), (1, 1));
}

#[tokio::test]
async fn a_warning_that_could_not_be_delivered_at_once_comes_though_the_address_has_changed() {
    let directory = tempfile::tempdir().unwrap();
    let mail_server = MailServer::start(directory.path(), &[]);
    let server = server_for(mail_server.port).await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    mail_server.refuse(&[("ada@test.example", 451)]);
    let page = "/account/email";
    let fields = [("email", "new@test.example")];
    assert_eq!(browser.submit(page, page, &fields).await.status, 200);
    assert_eq!(server.deliver_mail().await, 2);
    let mails = mail_server.mails();
    assert_eq!(mails.len(), 1);
    let link = mails[0].link("/confirm-email?token=");
    let token = super::token(&link);
    let fields = [("token", token.as_str())];
    let done = browser.submit(&link, "/confirm-email", &fields).await;
    assert_eq!(done.status, 303, "{}", done.text);
    mail_server.refuse(&[]);
    server.advance(60);
    server.deliver_mail().await;
    let mails = mail_server.mails();
    let subject = "Your e-mail address is to be changed";
    let warning = mails.iter().find(|mail| mail.subject == subject);
    let warning = warning.expect("a warning");
    assert_eq!(warning.to, "ada@test.example");
    let stop = warning.link("/not-me?token=");
    let token = super::token(&stop);
    let fields = [("token", token.as_str())];
    let stopped = server.browser().submit(&stop, "/not-me", &fields).await;
    assert_eq!(stopped.status, 303, "{}", stopped.text);
    let disabled = "SELECT COUNT(*) FROM users WHERE disabled_at IS NOT NULL";
    assert_eq!(server.database.count(disabled).await, 1);
}

/// A user with a password, and the variables for the program.
fn prepare(directory: &Path, variables: &[(&str, &str)]) {
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

async fn ask_process(process: &Process) {
    let mut browser = Browser::at(&process.base);
    let page = "/reset-password";
    let asked = browser
        .submit(page, page, &[("email", "ada@test.example")])
        .await;
    assert_eq!(asked.status, 200, "{}", asked.text);
}

/// The program is killed with a mail to send, at once or after it has tried in vain.
async fn killed(tries_first: bool) {
    let (directory, mails) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let database = Database::make(directory.path()).await;
    let port = free_port();
    let url = format!("smtp://127.0.0.1:{port}");
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("PORTCULLIS_SMTP_URL", &url),
        FROM,
    ];
    prepare(directory.path(), &variables);
    let process = Process::start(directory.path(), &variables);
    ask_process(&process).await;
    if tries_first {
        process.wait_for("not delivered");
    }
    process.kill();
    // Whether it was killed while it tried or while it waited: the time of either passes.
    database.execute("UPDATE outbox SET due_at = at").await;
    let mail_server = MailServer::start(mails.path(), &["--port", &port.to_string()]);
    let _process = Process::start(directory.path(), &variables);
    assert!(mail_server.wait().contains("ada@test.example"));
    assert_eq!(mail_server.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_is_sent_though_the_program_was_killed_right_after_the_act() {
    killed(false).await;
}

#[tokio::test]
async fn a_mail_is_sent_though_the_program_was_killed_while_it_could_not_be_sent() {
    killed(true).await;
}

#[tokio::test]
async fn away_from_this_machine_mails_and_the_password_go_only_by_tls() {
    let (directory, mails) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // This machine, but not called loopback.
    let (certificate, key) = certificate(directory.path(), "0.0.0.0");
    let credentials = ["--user", "gate", "--password", "open / sesame"];
    let tls = ["--certificate", &certificate, "--key", &key];
    let mail_server = MailServer::start(mails.path(), &[&credentials[..], &tls[..]].concat());
    let url = format!(
        "smtp://gate:open%20%2F%20sesame@0.0.0.0:{}",
        mail_server.port
    );
    let variables = [
        ("PORTCULLIS_SMTP_URL", &url[..]),
        FROM,
        ("SSL_CERT_FILE", &certificate),
    ];
    prepare(directory.path(), &variables);
    let process = Process::start(directory.path(), &variables);
    ask_process(&process).await;
    let line = mail_server.wait();
    assert!(line.contains(" secured gate ada@test.example"), "{line}");
    let doctor = run(directory.path(), &variables, &["doctor"], "");
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(said.contains("ok       mail: "), "{said}");
    assert!(!said.contains("sesame"), "{said}");
    let log = process.stop().join("\n");
    assert!(
        !log.contains("sesame") && !log.contains("ada@test"),
        "{log}"
    );

    // A certificate that nobody vouches for, and a server without TLS: neither gets anything.
    let without = MailServer::start(mails.path(), &[]);
    let open = format!("smtp://0.0.0.0:{}", without.port);
    for (url, certificate, why) in [
        (&url, "/dev/null", "TLS"),
        (&open, &certificate[..], "STARTTLS"),
    ] {
        let variables = [
            ("PORTCULLIS_SMTP_URL", &url[..]),
            FROM,
            ("SSL_CERT_FILE", certificate),
        ];
        let process = Process::start(directory.path(), &variables);
        ask_process(&process).await;
        let line = process.wait_for("not delivered");
        assert!(line.contains(why), "{line}");
        process.kill();
        let doctor = run(directory.path(), &variables, &["doctor"], "");
        assert!(!doctor.status.success());
    }
    assert_eq!(mail_server.mails().len(), 1);
}
