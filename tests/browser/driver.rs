//! The WebDriver protocol, as far as these tests need it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::process::{DEADLINE, Process};
use crate::support::client;

/// A running chromedriver.
pub struct Driver {
    address: String,
    _process: Process,
}

/// One session with it: one browser.
pub struct Session {
    address: String,
    id: String,
    client: Client,
}

/// Why a command was not done: the protocol's short code and its words.
#[derive(Debug)]
pub struct Refused {
    pub code: String,
    pub words: String,
}

impl Driver {
    /// Starts chromedriver on a port that it picks.
    pub fn start() -> Self {
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = Process::start(&mut command);
        let port = process.stdout().find("started successfully on port ", ".");
        Self {
            address: format!("127.0.0.1:{port}"),
            _process: process,
        }
    }

    pub async fn open(&self, capabilities: Value) -> Session {
        let document = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let url = format!("http://{}/session", self.address);
        let answer = client().post(url).json(&document).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let Some(id) = answer["value"]["sessionId"].as_str() else {
            panic!("no Chromium ({answer}): run bin/test, which installs it");
        };
        Session {
            address: self.address.clone(),
            id: id.to_owned(),
            client: client(),
        }
    }
}

impl Session {
    /// One command; what it answers.
    pub async fn try_command(
        &self,
        method: Method,
        path: &str,
        document: Option<Value>,
    ) -> Result<Value, Refused> {
        let url = format!("http://{}/session/{}/{path}", self.address, self.id);
        let mut request = self.client.request(method, url).timeout(DEADLINE);
        if let Some(document) = &document {
            request = request.json(document);
        }
        let answer = request.send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{path} {document:?}: {error:?}"));
        let answer: Value = answer.json().await.unwrap();
        let value = answer["value"].clone();
        match value["error"].as_str() {
            Some(code) if value.get("message").is_some() => {
                let words = value["message"].as_str().unwrap_or_default().to_owned();
                Err(Refused {
                    code: code.to_owned(),
                    words,
                })
            }
            _ => Ok(value),
        }
    }

    pub async fn get(&self, path: &str) -> Value {
        self.done(path, self.try_command(Method::GET, path, None).await)
    }

    pub async fn post(&self, path: &str, document: Value) -> Value {
        self.done(
            path,
            self.try_command(Method::POST, path, Some(document)).await,
        )
    }

    /// A command of the DevTools protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post(
            "goog/cdp/execute",
            json!({ "cmd": command, "params": parameters }),
        )
        .await
    }

    fn done(&self, path: &str, outcome: Result<Value, Refused>) -> Value {
        outcome.unwrap_or_else(|refused| panic!("{path}: {}: {}", refused.code, refused.words))
    }
}

impl Drop for Session {
    /// Closes the browser, which would outlive its driver. By hand, since this cannot wait for
    /// anything asynchronous.
    fn drop(&mut self) {
        let Ok(mut stream) = TcpStream::connect(&self.address) else {
            return;
        };
        let request = format!(
            "DELETE /session/{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.id, self.address
        );
        // It may still be busy with a command that hangs; the driver's end takes it down then.
        let limited = stream.set_read_timeout(Some(Duration::from_secs(5)));
        if limited.is_ok() && stream.write_all(request.as_bytes()).is_ok() {
            let mut answer = [0; 512];
            let _ = stream.read(&mut answer);
        }
    }
}
