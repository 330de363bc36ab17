//! Chromium without a window, with an empty profile of its own.

use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::driver::{Driver, Session};
use crate::process::DEADLINE;

/// One browser with one profile.
pub struct Chromium {
    pub session: Session,
    _profile: TempDir,
}

/// How a browser is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// As a person sets it who trusts no script.
    pub without_scripts: bool,
    /// What it says it is.
    pub user_agent: Option<&'static str>,
    /// Take the certificate of a test's proxy.
    pub any_certificate: bool,
}

impl Chromium {
    pub async fn open(driver: &Driver, options: Options) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--no-proxy-server".to_owned(),
            "--lang=en-GB".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        if let Some(user_agent) = options.user_agent {
            arguments.push(format!("--user-agent={user_agent}"));
        }
        let scripts = if options.without_scripts { 2 } else { 1 };
        let session = driver.open(json!({
            "browserName": "chrome",
            "acceptInsecureCerts": options.any_certificate,
            "unhandledPromptBehavior": "ignore",
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": {
                    "profile.managed_default_content_settings.javascript": scripts,
                    "credentials_enable_service": false,
                    "profile.password_manager_leak_detection": false,
                },
            },
        }));
        Self {
            session: session.await,
            _profile: profile,
        }
    }

    pub async fn go(&self, url: &str) {
        self.session.post("url", json!({ "url": url })).await;
    }

    pub async fn back(&self) {
        self.session.post("back", json!({})).await;
    }

    pub async fn reload(&self) {
        self.session.post("refresh", json!({})).await;
    }

    pub async fn url(&self) -> String {
        text(&self.session.get("url").await)
    }

    pub async fn title(&self) -> String {
        text(&self.session.get("title").await)
    }

    pub async fn source(&self) -> String {
        text(&self.session.get("source").await)
    }

    /// The value of a script's `return`.
    pub async fn script(&self, script: &str) -> Value {
        self.session
            .post("execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// What the console has said since it was last asked, oldest first.
    pub async fn console(&self) -> Vec<String> {
        let entries = self
            .session
            .post("se/log", json!({ "type": "browser" }))
            .await;
        let entries = entries.as_array().unwrap().iter();
        entries.map(|entry| text(&entry["message"])).collect()
    }

    /// The cookies for the page that is shown.
    pub async fn cookies(&self) -> Vec<Value> {
        self.session.get("cookie").await.as_array().unwrap().clone()
    }

    /// Lays out for a screen of this width, as a phone or a desktop does.
    pub async fn set_width(&self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.session
            .devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Waits until the browser is at this address, query aside.
    pub async fn arrives_at(&self, address: &str) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let url = self.url().await;
            if url.split('?').next() == Some(address) {
                return url;
            }
            assert!(
                Instant::now() < until,
                "at {url}, not {address}: {}",
                self.source().await
            );
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// A JSON string.
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}
