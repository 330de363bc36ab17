//! A receiver of webhooks, which checks signatures by itself.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Lines, channel};
use std::time::Duration;

use portcullis::service::outbox::{Deliverer, deliver_due};
use portcullis::service::webhook::Webhook;
use serde_json::Value;
use tempfile::TempDir;

use super::Server;

/// What events are signed with in tests.
pub const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// Longest wait for an event that has to come; only a broken server lets it pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// A receiver, killed when dropped.
#[derive(Debug)]
pub struct Receiver {
    pub url: String,
    pub port: u16,
    directory: TempDir,
    child: Child,
    coming: Lines<String>,
}

impl Receiver {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_at(0)
    }

    /// Starts one on this port.
    pub fn start_at(port: u16) -> Self {
        Self::launch("http", &["--port", &port.to_string()])
    }

    /// Starts one that speaks TLS, with this certificate and its key.
    pub fn start_with(certificate: &str, key: &str) -> Self {
        Self::launch("https", &["--certificate", certificate, "--key", key])
    }

    fn launch(scheme: &str, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/support/webhook_receiver.py"
        );
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(directory.path())
            .arg(SECRET)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start a receiver: is python3 installed?");
        let stdout = child.stdout.take().unwrap();
        let (sender, coming) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody may be waiting any more.
                drop(sender.send(line));
            }
        });
        let line = coming.recv_timeout(PATIENCE).expect("no receiver");
        let port = line.strip_prefix("listening ").unwrap().parse().unwrap();
        Self {
            url: format!("{scheme}://127.0.0.1:{port}/hook?of=portcullis"),
            port,
            directory,
            child,
            coming,
        }
    }

    /// The variables of a server that tells it.
    pub fn variables(&self) -> [(&str, &str); 2] {
        [
            ("PORTCULLIS_WEBHOOK_URL", &self.url),
            ("PORTCULLIS_WEBHOOK_SECRET", SECRET),
        ]
    }

    /// Waits for the next request: who it says it is, and whether that is so.
    pub fn wait(&self) -> Value {
        let line = self.coming.recv_timeout(PATIENCE);
        let request: Value = serde_json::from_str(&line.expect("no event came")).unwrap();
        assert_eq!(request["good"], true, "the signature: {request}");
        assert_eq!(request["path"], "/hook?of=portcullis");
        assert_eq!(request["kind"], "application/json");
        request
    }

    /// What has come and was not waited for.
    pub fn rest(&self) -> Vec<Value> {
        let lines = self.coming.try_iter();
        lines
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect()
    }

    /// Answers with this from now on.
    pub fn answer(&self, status: u16) {
        std::fs::write(self.directory.path().join("answer"), status.to_string()).unwrap();
    }

    /// Answers nobody until it is released.
    pub fn hold(&self) {
        std::fs::write(self.directory.path().join("hold"), "").unwrap();
    }

    pub fn release(&self) {
        std::fs::remove_file(self.directory.path().join("hold")).unwrap();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Whatever this server posts, as it does on its own beside requests.
pub fn deliverer(server: &Server) -> Arc<dyn Deliverer> {
    let webhook = server.context.settings.webhook.as_ref();
    Arc::new(Webhook::new(webhook.expect("a webhook is set")).unwrap())
}

impl Server {
    /// Posts the events that are due. Returns how many were tried.
    pub async fn deliver_events(&self) -> u64 {
        deliver_due(&self.context, &deliverer(self)).await.unwrap()
    }
}

/// The types of these events, sorted: they come in any order.
pub fn types(requests: &[Value]) -> Vec<String> {
    let kind = |request: &Value| request["event"]["type"].as_str().unwrap().to_owned();
    let mut types: Vec<String> = requests.iter().map(kind).collect();
    types.sort_unstable();
    types
}

/// None of these texts is in it.
pub fn assert_nothing_personal(request: &Value, texts: &[&str]) {
    let text = request.to_string();
    for personal in texts {
        assert!(!text.contains(personal), "{personal}: {text}");
    }
}
