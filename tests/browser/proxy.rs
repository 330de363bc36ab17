//! A real nginx with the configuration of docs/reverse-proxy.md, and Portcullis behind it.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::documents::{block, replaced};
use crate::process::{DEADLINE, Process, free_port};
use crate::support::Server;

/// Portcullis and an application behind nginx.
pub struct Site {
    /// `https://localhost:port`
    pub base: String,
    pub server: Server,
    _nginx: Process,
    _directory: TempDir,
}

/// An application that tells what it was told.
const APPLICATION: &str = r#"
server {
    listen 127.0.0.1:3000;
    default_type text/plain;
    location / {
        return 200 "uri=$request_uri
id=$http_x_user_id
email=$http_x_user_email
roles=$http_x_user_roles
session=$http_x_session_id
tenant=$http_x_tenant_id
impersonator=$http_x_impersonator_id
read_only=$http_x_read_only
cookie=$http_cookie
";
    }
}
"#;

impl Site {
    pub async fn start() -> Self {
        let port = free_port();
        let base = format!("https://localhost:{port}");
        let variables = [
            ("PORTCULLIS_PUBLIC_URL", base.as_str()),
            ("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1"),
        ];
        let server = Server::start_with(&variables).await;
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("nginx.conf");
        std::fs::write(&config, configuration(directory.path(), port, &server)).unwrap();
        make_certificate(directory.path());
        let mut command = Command::new("nginx");
        command
            .arg("-e")
            .arg(directory.path().join("error.log"))
            .arg("-c")
            .arg(&config)
            .arg("-p")
            .arg(directory.path());
        let nginx = Process::start(&mut command);
        listens(port, directory.path());
        Self {
            base,
            server,
            _nginx: nginx,
            _directory: directory,
        }
    }
}

fn configuration(directory: &Path, port: u16, server: &Server) -> String {
    let here = directory.display();
    let application = format!("127.0.0.1:{}", free_port());
    let portcullis = server.base.strip_prefix("http://").unwrap();
    let text = block("docs/reverse-proxy.md", "nginx") + APPLICATION;
    let text = replaced(
        &text,
        &[
            ("127.0.0.1:8080", portcullis),
            ("127.0.0.1:3000", &application),
            ("listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl")),
            ("server_name id.example.org", "server_name localhost"),
            (
                "/etc/ssl/certs/id.example.org.pem",
                &format!("{here}/certificate.pem"),
            ),
            (
                "/etc/ssl/private/id.example.org.key",
                &format!("{here}/key.pem"),
            ),
        ],
    );
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
        .collect();
    format!(
        "daemon off;\nmaster_process off;\npid {here}/nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{text}}}\n"
    )
}

fn make_certificate(directory: &Path) {
    let mut command = Command::new("openssl");
    command
        .current_dir(directory)
        .args("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(' '))
        .args(
            "-addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem".split(' '),
        )
        .stderr(Stdio::null());
    let status = command
        .status()
        .expect("no openssl: run bin/test, which installs it");
    assert!(status.success(), "openssl: {status}");
}

fn listens(port: u16, directory: &Path) {
    let until = Instant::now() + DEADLINE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let log = std::fs::read_to_string(directory.join("error.log")).unwrap_or_default();
        assert!(
            Instant::now() < until && !log.contains("[emerg]"),
            "nginx does not listen: {log}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
