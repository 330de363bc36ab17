//! Programs that a test starts, and that end with it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long something may take that takes a moment.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A program and what it started, ended when the test is over.
pub struct Process(Child);

impl Process {
    /// Starts it, in a group of its own; a missing program is a failure that says what to do.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        match command.process_group(0).spawn() {
            Ok(child) => Self(child),
            Err(error) => panic!("cannot start {name} ({error}): run bin/test, which installs it"),
        }
    }

    /// The lines it writes to a pipe, as they come. The pipe is read to its end, so that it never
    /// blocks the writer.
    pub fn lines(pipe: impl std::io::Read + Send + 'static) -> Lines {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                // Nobody listens any more: read on all the same.
                let _ = sender.send(line);
            }
        });
        Lines {
            receiver,
            seen: Vec::new(),
        }
    }

    pub fn stdout(&mut self) -> Lines {
        Self::lines(self.0.stdout.take().expect("standard output is piped"))
    }

    pub fn stderr(&mut self) -> Lines {
        Self::lines(self.0.stderr.take().expect("standard error is piped"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

/// Lines that a program writes.
pub struct Lines {
    receiver: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    /// What stands between `before` and `after` in the first line that has both.
    pub fn find(&mut self, before: &str, after: &str) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.receiver.recv_timeout(left) else {
                panic!("no line with {before:?}, but {:#?}", self.seen);
            };
            let found = line
                .split_once(before)
                .and_then(|(_, rest)| rest.split_once(after))
                .map(|(found, _)| found.to_owned());
            self.seen.push(line);
            if let Some(found) = found {
                return found;
            }
        }
    }
}

/// A port that was free a moment ago, for a program that has to be told one.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
