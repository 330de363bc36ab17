//! The real program as a child process, and what it writes to its log.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longest wait for a line that has to come; only a broken server lets it pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// `portcullis serve`, killed when dropped.
#[derive(Debug)]
pub struct Process {
    /// `http://127.0.0.1:port`
    pub base: String,
    child: Child,
    written: Arc<Mutex<Vec<String>>>,
    coming: Receiver<String>,
}

impl Process {
    /// Starts it on a data directory, with these variables and no others, and waits until it
    /// listens. It listens on a free port, over an SQLite file in the directory, unless told otherwise.
    pub fn start(directory: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = command(directory, variables)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("start the program");
        let stderr = child.stderr.take().unwrap();
        let written = Arc::new(Mutex::new(Vec::new()));
        let (sender, coming) = channel();
        let kept = Arc::clone(&written);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { break };
                kept.lock().unwrap().push(line.clone());
                // Nobody may be waiting any more; the line is kept all the same.
                drop(sender.send(line));
            }
        });
        let mut process = Self {
            base: String::new(),
            child,
            written,
            coming,
        };
        let line = process.wait_for("listening");
        let address = line.split_once("127.0.0.1:").map_or("", |(_, rest)| rest);
        let port: String = address.chars().take_while(char::is_ascii_digit).collect();
        process.base = format!("http://127.0.0.1:{port}");
        process
    }

    /// Waits for the next line with this text, and returns it.
    pub fn wait_for(&self, text: &str) -> String {
        loop {
            match self.coming.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!(
                    "{text:?} was not written ({error}), but:\n{}",
                    self.lines().join("\n")
                ),
            }
        }
    }

    /// What it has written so far.
    pub fn lines(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, waits until it has, and returns all that it wrote.
    pub fn stop(mut self) -> Vec<String> {
        self.signal(rustix::process::Signal::TERM);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        // The thread ends, and with it the channel, when the last line has been read.
        while self.coming.recv_timeout(PATIENCE).is_ok() {}
        self.lines()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs one command of the program to its end, with this on its standard input.
pub fn run(
    directory: &Path,
    variables: &[(&str, &str)],
    arguments: &[&str],
    input: &str,
) -> Output {
    let mut child = command(directory, variables)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the program");
    // It may end without reading.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

fn command(directory: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .env_clear()
        .current_dir(directory)
        .env("PORTCULLIS_DATA_DIR", directory)
        .env("PORTCULLIS_BIND", "127.0.0.1:0")
        .env("PORTCULLIS_METRICS_BIND", "127.0.0.1:0")
        .env("PORTCULLIS_BCRYPT_COST", "10")
        .envs(variables.iter().copied())
        .stderr(Stdio::piped());
    command
}
