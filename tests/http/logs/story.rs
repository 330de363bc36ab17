//! A day in the life of the real program at its most talkative, and what it wrote.

use std::io::{Read, Write};
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::form_token;
use crate::support::process::Process;
use crate::support::{Answer, Browser, Database, client};

pub(super) const ADMIN: &str = "Root.Admin@test.example";
pub(super) const ADA: &str = "ada.lovelace@test.example";
const PASSWORD: &str = "correct horse & battery+staple";
const WRONG: &str = "incorrect horse & battery+staple";
const CHOSEN: &str = "chosen by herself, 100% new/own";

/// What happened.
pub(super) struct Story {
    /// Each line of the log.
    pub(super) lines: Vec<String>,
    /// Each request: its name, and its answer.
    pub(super) answers: Vec<(&'static str, Answer)>,
    /// What must not be in the log.
    pub(super) secrets: Vec<(String, String)>,
    /// The administrator's session.
    pub(super) session_id: String,
    /// The code of acts in the audit, oldest first.
    pub(super) audited: Vec<String>,
}

impl Story {
    pub(super) async fn tell() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let variables = [("PORTCULLIS_LOG_FORMAT", "json"), ("RUST_LOG", "debug")];
        let process = Process::start(directory.path(), &variables);
        let code = process.wait_for("no administrator yet");
        let code: Value = serde_json::from_str(&code).unwrap();
        let code = code["url"]
            .as_str()
            .unwrap()
            .split_once("code=")
            .unwrap()
            .1
            .to_owned();
        let mut story = Self {
            lines: Vec::new(),
            answers: Vec::new(),
            secrets: Vec::new(),
            session_id: String::new(),
            audited: Vec::new(),
        };
        for text in [ADMIN, ADA, PASSWORD, WRONG, CHOSEN] {
            story.secret(text, text);
        }
        let key = std::fs::read_to_string(directory.path().join("master.key")).unwrap();
        story.secret("master key", key.trim());
        let mut console = Browser::at(&process.base);
        story.set_up(&mut console, &code).await;
        let ada = story.people(&process.base, &mut console).await;
        story.misdeeds(&process.base, &mut console, &ada).await;
        story.forgeries(&process.base).await;
        story
            .outage(&process.base, directory.path(), &mut console)
            .await;
        let listed = console.get("/api/admin/audit?limit=200").await;
        for event in listed.json()["events"].as_array().unwrap().iter().rev() {
            story
                .audited
                .push(event["action"].as_str().unwrap().to_owned());
        }
        story.note("audit", listed);
        story.lines = process.stop();
        story
    }

    fn secret(&mut self, what: &str, text: &str) {
        assert!(text.len() > 8, "{what}");
        self.secrets.push((what.to_owned(), text.to_owned()));
    }

    fn note(&mut self, what: &'static str, answer: Answer) -> Answer {
        for cookie in answer.set_cookies() {
            let value = cookie
                .split(';')
                .next()
                .unwrap()
                .split_once('=')
                .unwrap()
                .1
                .to_owned();
            if !value.is_empty() {
                self.secret("cookie", &value);
            }
        }
        let token = form_token(&answer.text);
        if !token.is_empty() {
            self.secret("form token", &token);
        }
        self.answers.push((what, answer.clone()));
        answer
    }

    async fn set_up(&mut self, console: &mut Browser, code: &str) {
        let page = console.get(&format!("/set-up?code={code}")).await;
        let page = self.note("set-up page", page);
        let fields = [
            ("code", code),
            ("email", ADMIN),
            ("name", "Root"),
            ("password", PASSWORD),
            ("password_again", PASSWORD),
        ];
        let made = console
            .post("/set-up", &form_token(&page.text), &fields)
            .await;
        assert_eq!(made.status, 303, "{}", made.text);
        self.note("set-up", made);
        let who = console.get("/api/auth/session").await;
        self.session_id = who.json()["session"]["id"].as_str().unwrap().to_owned();
        self.note("session", who);
    }

    /// Ada is invited, chooses a password, signs in and renews; her access token comes back.
    async fn people(&mut self, base: &str, console: &mut Browser) -> String {
        let page = console.get("/admin/users/new").await;
        let page = self.note("new user", page);
        let fields = [("email", ADA), ("name", ""), ("roles", "")];
        let made = console
            .post("/admin/users", &form_token(&page.text), &fields)
            .await;
        let token = made
            .text
            .split_once("token=")
            .or(made.text.split_once("token&#x3D;"))
            .unwrap()
            .1;
        let token = token.split('<').next().unwrap().to_owned();
        self.secret("invitation", &token);
        self.note("user made", made);
        let mut browser = Browser::at(base);
        let link = format!("/invitation?token={token}");
        let page = browser.get(&link).await;
        let page = self.note("invitation page", page);
        let fields = [
            ("token", token.as_str()),
            ("password", CHOSEN),
            ("password_again", CHOSEN),
        ];
        let chosen = browser
            .post("/invitation", &form_token(&page.text), &fields)
            .await;
        assert_eq!(chosen.status, 303, "{}", chosen.text);
        self.note("invitation", chosen);
        let signed_in = self.sign_in(base, "sign-in", ADA, CHOSEN).await.json();
        let refresh = signed_in["refresh_token"].as_str().unwrap();
        self.secret("refresh token", refresh);
        self.secret("access token", signed_in["access_token"].as_str().unwrap());
        let request = client()
            .post(format!("{base}/api/auth/refresh"))
            .json(&json!({ "refresh_token": refresh }));
        let renewed = Answer::read(request.send().await.unwrap()).await;
        let renewed = self.note("refresh", renewed).json();
        self.secret("refresh token", renewed["refresh_token"].as_str().unwrap());
        let access = renewed["access_token"].as_str().unwrap().to_owned();
        self.secret("access token", &access);
        self.secret("signature", access.rsplit('.').next().unwrap());
        access
    }

    async fn sign_in(
        &mut self,
        base: &str,
        what: &'static str,
        email: &str,
        password: &str,
    ) -> Answer {
        let document = json!({ "email": email, "password": password });
        let request = client()
            .post(format!("{base}/api/auth/sign-in"))
            .json(&document);
        let answer = Answer::read(request.send().await.unwrap()).await;
        self.note(what, answer)
    }

    async fn misdeeds(&mut self, base: &str, console: &mut Browser, ada: &str) {
        let get =
            |path: &str, token: &str| client().get(format!("{base}{path}")).bearer_auth(token);
        let forbidden = get("/api/admin/stats", ada).send().await.unwrap();
        self.note("forbidden", Answer::read(forbidden).await);
        let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.";
        let unsigned = get("/api/auth/verify", none).send().await.unwrap();
        self.note("alg none", Answer::read(unsigned).await);
        let forged = console.post("/sign-out", "forged", &[]).await;
        self.note("csrf", forged);
        let request = client().post(format!("{base}/api/auth/sign-in"));
        let garbage = request
            .header("content-type", "application/json")
            .body(format!("{{\"{WRONG}"));
        self.note(
            "bad json",
            Answer::read(garbage.send().await.unwrap()).await,
        );
        let mut stranger = Browser::at(base);
        let sent_away = stranger.get("/account").await;
        self.note("sent to sign in", sent_away);
        let mistyped = stranger.sign_in(ADA, WRONG).await;
        self.note("mistyped on the page", mistyped);
        let strange = client().get(format!("{base}/no/{ADA}?password={WRONG}"));
        self.note("nowhere", Answer::read(strange.send().await.unwrap()).await);

        let who = Answer::read(get("/api/auth/session", ada).send().await.unwrap())
            .await
            .json();
        let page = console.get("/admin/sessions").await;
        let page = self.note("sessions", page);
        let action = format!(
            "/admin/sessions/{}/end",
            who["session"]["id"].as_str().unwrap()
        );
        let ended = console.post(&action, &form_token(&page.text), &[]).await;
        assert_eq!(ended.status, 303, "{}", ended.text);
        self.note("ended", ended);
        let refused = get("/api/auth/verify", ada).send().await.unwrap();
        self.note("use after end", Answer::read(refused).await);
        let mut statuses = Vec::new();
        for _ in 0..9 {
            statuses.push(
                self.sign_in(base, "wrong", ADA, WRONG)
                    .await
                    .status
                    .as_u16(),
            );
        }
        assert!(
            statuses.contains(&401) && statuses.contains(&429),
            "{statuses:?}"
        );
        self.sign_in(base, "unknown", "nobody.at.all@test.example", WRONG)
            .await;
    }

    /// Texts that would begin a line of their own, or end the object.
    async fn forgeries(&mut self, base: &str) {
        let odd = "x\r\n{\"level\":\"INFO\",\"message\":\"forged\"}\u{1b}[31m\u{2028}\"}{\"a\":\"@test.example";
        self.sign_in(base, "forged e-mail", odd, WRONG).await;
        let mut browser = Browser::at(base);
        "forged \"}{\"a\":\" agent".clone_into(&mut browser.user_agent);
        let page = browser.get("/sign-in?next=%0d%0aforged").await;
        self.note("forged next", page);
        let answer = browser
            .send(browser.request(Method::from_bytes(b"FORGED").unwrap(), "/sign-in"))
            .await;
        self.note("forged method", answer);
        let address = base.strip_prefix("http://").unwrap().to_owned();
        let raw = move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let request = "GET /%0d%0aforged HTTP/1.1\r\nHost: x\r\nUser-Agent: \u{1b}[31mforged\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        };
        tokio::task::spawn_blocking(raw).await.unwrap();
    }

    async fn outage(&mut self, base: &str, directory: &Path, console: &mut Browser) {
        let url = format!("sqlite://{}", directory.join("portcullis.sqlite").display());
        let database = Database { url };
        database
            .execute("ALTER TABLE user_roles RENAME TO away")
            .await;
        let answer = console.get("/admin/users").await;
        assert_eq!(answer.status, 503, "{}", answer.text);
        self.note("outage", answer);
        self.sign_in(base, "outage of sign-in", ADMIN, PASSWORD)
            .await;
        database
            .execute("ALTER TABLE away RENAME TO user_roles")
            .await;
    }
}
