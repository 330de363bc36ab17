//! What a person does on a page: read, type, press.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::chromium::{Chromium, text};

/// Longest that a page may be on its way.
const PATIENCE: Duration = Duration::from_secs(10);

/// The key of an element's id in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Chromium {
    /// The id of the first element, if there is one. A leading slash means XPath, else CSS.
    pub async fn find(&self, selector: &str) -> Option<String> {
        let document = locator(selector);
        match self
            .session
            .try_command(Method::POST, "element", Some(document))
            .await
        {
            Ok(found) => Some(text(&found[ELEMENT])),
            Err(refused) if refused.code == "no such element" => None,
            Err(refused) => panic!("{selector}: {}: {}", refused.code, refused.words),
        }
    }

    pub async fn count(&self, selector: &str) -> usize {
        self.session
            .post("elements", locator(selector))
            .await
            .as_array()
            .unwrap()
            .len()
    }

    /// What a person reads in an element.
    pub async fn read(&self, selector: &str) -> String {
        let id = self.must_find(selector).await;
        text(&self.session.get(&format!("element/{id}/text")).await)
    }

    pub async fn is_displayed(&self, selector: &str) -> bool {
        let id = self.must_find(selector).await;
        self.session.get(&format!("element/{id}/displayed")).await == Value::Bool(true)
    }

    /// Types into a field that is empty or is emptied first.
    pub async fn fill(&self, selector: &str, typed: &str) {
        let id = self.must_find(selector).await;
        self.session
            .post(&format!("element/{id}/clear"), json!({}))
            .await;
        self.session
            .post(&format!("element/{id}/value"), json!({ "text": typed }))
            .await;
    }

    /// Presses what leads to another page, and waits until the one it stands on is gone: the next may
    /// have the same address, and the same things on it.
    pub async fn click(&self, selector: &str) {
        let root = self.must_find("html").await;
        self.press(selector).await;
        let asked = format!("element/{root}/name");
        let until = Instant::now() + PATIENCE;
        loop {
            match self.session.try_command(Method::GET, &asked, None).await {
                Ok(_) => {}
                Err(refused) => {
                    // The last is how the driver says it in the moment of the change.
                    let code = refused.code.as_str();
                    let gone = ["stale element reference", "no such element"].contains(&code)
                        || refused.words.contains("does not belong to the document");
                    assert!(gone, "{code}: {}", refused.words);
                    return;
                }
            }
            assert!(Instant::now() < until, "{selector} led nowhere");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Presses what leads to no other page.
    pub async fn press(&self, selector: &str) {
        let id = self.must_find(selector).await;
        self.session
            .post(&format!("element/{id}/click"), json!({}))
            .await;
    }

    /// Fills in the sign-in form that is shown, and sends it.
    pub async fn fill_in_sign_in(&self, email: &str, password: &str) {
        self.fill("#email", email).await;
        self.fill("#password", password).await;
        self.click("form[action='/sign-in'] button").await;
    }

    /// A click returns when it is done, and the page it leads to may still be on its way.
    async fn must_find(&self, selector: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(id) = self.find(selector).await {
                return id;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "no {selector} at {}: {}",
                self.url().await,
                self.source().await
            );
        }
    }
}

fn locator(selector: &str) -> Value {
    let using = if selector.starts_with('/') {
        "xpath"
    } else {
        "css selector"
    };
    json!({ "using": using, "value": selector })
}
