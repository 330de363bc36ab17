//! A browser as far as HTTP shows it: cookies, forms, Fetch Metadata.

use std::collections::BTreeMap;

use reqwest::{Client, Method};

use super::{Answer, Server, Tokens, client};

/// Keeps cookies, sends what browsers send.
#[derive(Clone, Debug)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
    pub user_agent: String,
    base: String,
    client: Client,
}

impl Browser {
    pub fn new(server: &Server) -> Self {
        Self::at(&server.base)
    }

    /// One for the server at this address.
    pub fn at(base: &str) -> Self {
        Self {
            cookies: BTreeMap::new(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
                .to_owned(),
            base: base.to_owned(),
            client: client(),
        }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let request = self
            .request(Method::GET, path)
            .header("sec-fetch-site", "none");
        self.send(request).await
    }

    /// Sends a form as the page `path_of_page` would: with its hidden text.
    pub async fn submit(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let drawn = self.get(page).await;
        let token = form_token(&drawn.text);
        self.post(action, &token, fields).await
    }

    /// Sends a form with this hidden text.
    pub async fn post(&mut self, action: &str, token: &str, fields: &[(&str, &str)]) -> Answer {
        let mut fields = fields.to_vec();
        fields.push(("csrf_token", token));
        let body = form(&fields);
        let request = self
            .request(Method::POST, action)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        self.send(request).await
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        let fields = [("email", email), ("password", password), ("next", "")];
        self.submit("/sign-in", "/sign-in", &fields).await
    }

    /// A request with this browser's cookies, to fill in further by hand.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header("user-agent", &self.user_agent);
        if self.cookies.is_empty() {
            return request;
        }
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        request.header("cookie", pairs.join("; "))
    }

    /// Sends, and keeps the cookies of the answer.
    pub async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let answer = Answer::read(request.send().await.unwrap()).await;
        for header in answer.set_cookies() {
            let (pair, attributes) = header.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// The cookie with the access token (or the text before sign-in), whatever its name here.
    pub fn access_cookie(&self) -> Option<&String> {
        self.cookies
            .get("portcullis")
            .or_else(|| self.cookies.get("__Host-portcullis"))
    }
}

impl Server {
    /// `GET /api/auth/token`, as a browser with the cookies of these asks.
    pub async fn token_by_cookies(&self, tokens: &Tokens) -> Answer {
        let mut browser = self.browser();
        let cookies = [
            ("portcullis", &tokens.access),
            ("portcullis_refresh", &tokens.refresh),
        ];
        for (name, value) in cookies {
            browser.cookies.insert(name.to_owned(), value.clone());
        }
        browser.get("/api/auth/token").await
    }
}

/// The hidden text of the first form of a page.
pub fn form_token(html: &str) -> String {
    let rest = html
        .split_once("name=\"csrf_token\" value=\"")
        .map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// A form's body.
pub fn form(fields: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(fields).unwrap()
}
