//! What people are told by mail, and what the links in it do.

mod change_email;
mod letters;
mod new_device;
mod outbox;
mod reset_password;
mod server;
mod verify_email;

use crate::support::{Answer, Browser, Server, TestUser};

/// Another password that may be chosen.
const NEW: &str = "another long and quiet one";

/// A path with a link's token, and the token alone.
fn token(path: &str) -> String {
    path.split_once("token=").unwrap().1.to_owned()
}

/// The same browser on another machine.
fn windows(server: &Server) -> Browser {
    let mut browser = server.browser();
    browser.user_agent =
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
            .to_owned();
    browser
}

/// What scanners of mails do: they look at what a link leads to, several times.
async fn scan(server: &Server, path: &str) -> Answer {
    for _ in 0..2 {
        let mut scanner = server.browser();
        assert_eq!(scanner.get(path).await.status, 200, "{path}");
        let head = scanner.request(reqwest::Method::HEAD, path).send().await;
        assert_eq!(head.unwrap().status(), 200, "{path}");
    }
    server.browser().get(path).await
}

/// Asks for a new password, from a browser of its own.
async fn ask(server: &Server, email: &str) -> Answer {
    let fields = [("email", email)];
    let mut browser = server.browser();
    browser
        .submit("/reset-password", "/reset-password", &fields)
        .await
}

/// The link on which this user chooses a new password.
async fn reset_link(server: &Server, user: &TestUser) -> String {
    assert_eq!(ask(server, &user.email).await.status, 200);
    let mails = server.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to, user.email);
    mails[0].link("/new-password?token=")
}

/// Chooses a password behind a link.
async fn choose(server: &Server, link: &str, end_all: bool) -> Answer {
    let token = token(link);
    let mut fields = vec![
        ("token", token.as_str()),
        ("password", NEW),
        ("password_again", NEW),
    ];
    if end_all {
        fields.push(("end_all", "true"));
    }
    // A dead link shows no form; any page gives the hidden text.
    let mut browser = server.browser();
    browser
        .submit("/reset-password", "/new-password", &fields)
        .await
}
