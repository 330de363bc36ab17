//! Mails as people get them, and a mail server to send them to.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use portcullis::service::mail::Mailer;
use portcullis::service::outbox::{Deliverer, deliver_due};

use super::{Server, TestUser, Tokens};

/// Longest wait for a line that has to come; only a broken server lets it pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// A mail, decoded.
#[derive(Clone, Debug)]
pub struct Mail {
    pub raw: String,
    pub to: String,
    pub from: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Mail {
    pub fn read(path: &Path) -> Self {
        let raw = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
        let (head, body) = raw.split_once("\n\n").unwrap();
        let head = head.replace("\n ", " ");
        let header = |name: &str| {
            let line = head.lines().find(|line| line.starts_with(name));
            line.map_or("", |line| line[name.len()..].trim()).to_owned()
        };
        let boundary = head.split_once("boundary=\"").unwrap().1;
        let boundary = format!("--{}", boundary.split('"').next().unwrap());
        let part = |kind: &str| {
            let part = body
                .split(&boundary)
                .find(|part| part.contains(&format!("Content-Type: {kind}")))
                .unwrap();
            let (head, body) = part.trim_start().split_once("\n\n").unwrap();
            if head.contains("quoted-printable") {
                quoted_printable(body)
            } else {
                assert!(head.contains("7bit"), "{head}");
                body.to_owned()
            }
        };
        Self {
            to: header("To:"),
            from: header("From:"),
            subject: header("Subject:"),
            text: part("text/plain"),
            html: part("text/html"),
            raw: raw.clone(),
        }
    }

    /// The path of the link in it that begins so, as the server itself has it.
    pub fn link(&self, page: &str) -> String {
        let line = self
            .text
            .lines()
            .find_map(|line| line.strip_prefix("http://localhost:8080"))
            .filter(|path| path.starts_with(page))
            .unwrap_or_else(|| panic!("no link to {page} in {}", self.text))
            .to_owned();
        let escaped = line.replace('&', "&amp;");
        assert!(
            self.html
                .contains(&format!("href=\"http://localhost:8080{escaped}\"")),
            "{}",
            self.html
        );
        line
    }
}

fn quoted_printable(text: &str) -> String {
    let text = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        if *byte == b'=' {
            let digits: Vec<u8> = rest.by_ref().take(2).copied().collect();
            let digits = String::from_utf8(digits).unwrap();
            bytes.push(u8::from_str_radix(&digits, 16).unwrap());
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The mails in a directory, oldest first.
pub fn mails_in(directory: &Path) -> Vec<Mail> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "eml"));
    paths.sort();
    paths.iter().map(|path| Mail::read(path)).collect()
}

impl Server {
    /// As [`Self::sign_in`], after the password was changed.
    pub async fn sign_in_with(&self, user: &TestUser, password: &str) -> Tokens {
        let answer = self.try_sign_in(&user.email, password).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Tokens::from(answer.json())
    }

    /// Sends what is due, as the server does on its own beside requests. Returns how many mails
    /// were tried.
    pub async fn deliver_mail(&self) -> u64 {
        let mailer = Mailer::new(&self.context.settings).unwrap();
        let mailer: Arc<dyn Deliverer> = Arc::new(mailer);
        deliver_due(&self.context, &mailer).await.unwrap()
    }

    /// Sends what is due, and takes the mails that are files now away.
    pub async fn mails(&self) -> Vec<Mail> {
        self.deliver_mail().await;
        let directory = self.directory.path().join("mails");
        let mails = mails_in(&directory);
        drop(std::fs::remove_dir_all(directory));
        mails
    }
}

impl Server {
    /// Sends what is due, and returns the one mail to this address among it.
    pub async fn mail_to(&self, address: &str) -> Mail {
        let mut mails = self.mails().await;
        mails.retain(|mail| mail.to == address);
        assert_eq!(mails.len(), 1, "{address}: {mails:?}");
        mails.remove(0)
    }
}

/// A mail server, killed when dropped.
#[derive(Debug)]
pub struct MailServer {
    pub port: u16,
    pub directory: PathBuf,
    child: Child,
    coming: Receiver<String>,
}

impl MailServer {
    /// Starts one that keeps mails in this directory.
    pub fn start(directory: &Path, arguments: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/mail_server.py");
        // Debian's own, which has the package.
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(directory)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start a mail server: is python3-aiosmtpd installed?");
        let stdout = child.stdout.take().unwrap();
        let (sender, coming) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody may be waiting any more.
                drop(sender.send(line));
            }
        });
        let mut server = Self {
            port: 0,
            directory: directory.to_owned(),
            child,
            coming,
        };
        let line = server.wait();
        server.port = line.strip_prefix("listening ").unwrap().parse().unwrap();
        server
    }

    /// Waits for the next mail, and returns what is said of it.
    pub fn wait(&self) -> String {
        self.coming.recv_timeout(PATIENCE).expect("no mail came")
    }

    pub fn mails(&self) -> Vec<Mail> {
        mails_in(&self.directory)
    }

    /// Refuses these addresses from now on, each with its code.
    pub fn refuse(&self, who: &[(&str, u16)]) {
        let lines: String = who
            .iter()
            .map(|(address, code)| format!("{address} {code}\n"))
            .collect();
        std::fs::write(self.directory.join("refused"), lines).unwrap();
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A certificate for this address, and its key: the paths of both.
pub fn certificate(directory: &Path, address: &str) -> (String, String) {
    let settings = format!(
        "[req]\ndistinguished_name = name\nx509_extensions = more\nprompt = no\n\
         [name]\nCN = test\n\
         [more]\nsubjectAltName = IP:{address}\nbasicConstraints = CA:FALSE\n"
    );
    std::fs::write(directory.join("settings.cnf"), settings).unwrap();
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                     -config settings.cnf -keyout key.pem -out certificate.pem";
    let done = Command::new("openssl")
        .current_dir(directory)
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    (path("certificate.pem"), path("key.pem"))
}
