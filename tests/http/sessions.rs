//! Sessions: ASVS V7 by number, and what the product promises of them.

mod ended_by_admin;
mod ends;
mod isolation;
mod limits;
mod names;
mod new_tokens;
mod powers;
mod reasons;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Browser, PASSWORD, Server, TestUser, Tokens};

/// A server with an administrator and a user, both signed in over the API.
struct House {
    server: Server,
    admin: TestUser,
    console: Tokens,
    ada: TestUser,
    tokens: Tokens,
}

impl House {
    async fn open() -> Self {
        Self::open_with(&[]).await
    }

    async fn open_with(variables: &[(&str, &str)]) -> Self {
        let server = Server::start_with(variables).await;
        let (admin, ada) = (
            server.admin().await,
            server.user("ada@test.example", &[]).await,
        );
        let (console, tokens) = (server.sign_in(&admin).await, server.sign_in(&ada).await);
        Self {
            server,
            admin,
            console,
            ada,
            tokens,
        }
    }

    /// What the administrator does over the API.
    async fn admin(&self, method: Method, path: &str, document: Option<Value>) -> Answer {
        self.server
            .call(method, path, Some(&self.console.access), document)
            .await
    }

    async fn patch(&self, user: &TestUser, document: Value) -> Answer {
        self.admin(
            Method::PATCH,
            &format!("/api/admin/users/{}", user.id),
            Some(document),
        )
        .await
    }

    async fn is_live(&self, tokens: &Tokens) -> bool {
        self.server.verify(&tokens.access).await.status == 200
    }

    /// Refused on every path: bearer, cookie on the API and on pages, refresh token.
    async fn assert_refused(&self, tokens: &Tokens, code: &str, reason: Option<&str>) {
        let server = &self.server;
        let cookies = format!(
            "portcullis={}; portcullis_refresh={}",
            tokens.access, tokens.refresh
        );
        let bearer = server.verify(&tokens.access).await;
        let cookie = server
            .request(Method::GET, "/api/auth/session")
            .header("cookie", &cookies);
        let cookie = Answer::read(cookie.send().await.unwrap()).await;
        for answer in [bearer, cookie] {
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (401, code),
                "{}",
                answer.text
            );
            assert_eq!(answer.json()["reason"].as_str(), reason, "{}", answer.text);
        }
        let page = server
            .request(Method::GET, "/account")
            .header("cookie", &cookies);
        let page = Answer::read(page.send().await.unwrap()).await;
        assert_eq!(page.status, 303);
        assert!(
            page.location().starts_with("/sign-in?next=%2Faccount"),
            "{}",
            page.location()
        );
        let taken = |answer: &Answer| {
            let cookies = answer.set_cookies();
            cookies.iter().filter(|c| c.contains("Max-Age=0")).count()
        };
        if code == "invalid-token" {
            // Another tab may have brought newer ones by now; what still comes to the sign-in page
            // is taken away there, where a text for its form takes the place of one.
            assert_eq!(taken(&page), 0);
            let sign_in = server
                .request(Method::GET, page.location())
                .header("cookie", &cookies);
            let sign_in = Answer::read(sign_in.send().await.unwrap()).await;
            assert_eq!((taken(&sign_in), sign_in.set_cookies().len()), (1, 2));
        } else {
            assert_eq!(taken(&page), 2);
        }
        assert_eq!(server.refresh(&tokens.refresh).await.status, 401);
    }

    /// How many acts of ending a session stand in the audit for this reason.
    async fn audited_ends(&self, reason: &str) -> i64 {
        let sql = format!(
            "SELECT COUNT(*) FROM audit_events WHERE action = 'session-ended' AND reason = '{reason}'"
        );
        self.server.database.count(&sql).await
    }

    /// How many sessions have ended for this reason.
    async fn ended_rows(&self, reason: &str) -> i64 {
        let sql = format!(
            "SELECT COUNT(*) FROM sessions WHERE end_reason = '{reason}' AND ended_at IS NOT NULL"
        );
        self.server.database.count(&sql).await
    }
}

async fn sign_out(server: &Server, tokens: &Tokens) -> Answer {
    server
        .call(
            Method::POST,
            "/api/auth/sign-out",
            Some(&tokens.access),
            None,
        )
        .await
}

async fn step_up(server: &Server, access: &str) -> Answer {
    server
        .post(
            "/api/auth/step-up",
            Some(access),
            json!({ "password": PASSWORD }),
        )
        .await
}

/// The tokens in a browser's cookies.
async fn tokens_of(browser: &mut Browser) -> Tokens {
    let request = browser.request(Method::GET, "/api/auth/session");
    let who = browser.send(request).await.json();
    Tokens {
        access: browser.access_cookie().unwrap().clone(),
        refresh: browser.cookies["portcullis_refresh"].clone(),
        session_id: who["session"]["id"].as_str().unwrap().to_owned(),
        document: who,
    }
}
