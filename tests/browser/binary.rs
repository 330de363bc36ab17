//! The program itself, started as an operator starts it.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::process::{Lines, Process, free_port};

/// A running `portcullis` on a directory of its own.
pub struct Portcullis {
    pub base: String,
    pub directory: TempDir,
    pub log: Lines,
    _process: Process,
}

impl Portcullis {
    /// Starts it where nothing is yet, and waits until it listens.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let base = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command
            .current_dir(directory.path())
            .env_clear()
            .env("PORTCULLIS_BIND", format!("127.0.0.1:{port}"))
            .env("PORTCULLIS_METRICS_BIND", "127.0.0.1:0")
            .env("PORTCULLIS_PUBLIC_URL", &base)
            .env("PORTCULLIS_BCRYPT_COST", "10")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = Process::start(&mut command);
        let mut log = process.stderr();
        log.find("listening", "public_url");
        Self {
            base,
            directory,
            log,
            _process: process,
        }
    }

    /// The link on which to make the first administrator.
    pub fn set_up_link(&mut self) -> String {
        let rest = self.log.find("url=", " ");
        rest.trim_matches('"').to_owned()
    }
}
