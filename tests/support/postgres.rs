//! A PostgreSQL server of a test's own, to stop, start and freeze.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::Database;

/// Runs from [`Cluster::start`] until it is dropped.
#[derive(Debug)]
pub struct Cluster {
    directory: TempDir,
    programs: PathBuf,
    /// Whom it runs as: it refuses to be root.
    user: Option<(u32, u32)>,
    port: u16,
}

impl Cluster {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let user = rustix::process::geteuid().is_root().then(postgres_user);
        if let Some((uid, gid)) = user {
            chown(directory.path(), Some(uid), Some(gid)).unwrap();
        }
        // The next to be bound gets another one, so it stays free for a while.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let cluster = Self {
            directory,
            programs: programs(),
            user,
            port,
        };
        let options = [
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ];
        cluster.run("initdb", &options);
        cluster.resume();
        cluster
    }

    /// Its database, which is empty.
    pub fn database(&self) -> Database {
        Database {
            url: self.url_at(self.address()),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Its database, for somebody who reaches it at this address.
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("postgres://postgres@{address}/postgres")
    }

    /// Stops it as a power cut would.
    pub fn stop(&self) {
        self.run("pg_ctl", &["stop", "-w", "-m", "immediate"]);
    }

    /// Starts it again.
    pub fn resume(&self) {
        let directory = self.directory.path().display();
        let log = format!("{directory}/log");
        let options = format!(
            "-p {} -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off",
            self.port
        );
        self.run("pg_ctl", &["start", "-w", "-l", &log, "-o", &options]);
    }

    /// All its processes stand still, and its connections with them.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// They go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        for id in self.processes() {
            // One that has ended meanwhile stands still as well.
            let _ = kill_process(Pid::from_raw(id).unwrap(), signal);
        }
    }

    /// Its processes, first the one that makes the others; none while it is stopped.
    pub fn processes(&self) -> Vec<i32> {
        let path = self.directory.path().join("data/postmaster.pid");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let first = text.lines().next().and_then(|line| line.parse().ok());
        first.map_or_else(Vec::new, |first| {
            std::iter::once(first).chain(children_of(first)).collect()
        })
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.programs.join(program));
        command
            .args(arguments)
            .arg("-D")
            .arg(self.directory.path().join("data"))
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        assert!(
            command.status().unwrap().success(),
            "{program} {arguments:?}"
        );
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.thaw();
        if self.directory.path().join("data/postmaster.pid").exists() {
            self.stop();
        }
    }
}

/// The directory of the newest PostgreSQL programs.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, directory)| directory.join("initdb").exists())
        .collect();
    found.sort_unstable();
    found.extend(["/usr/bin", "/usr/local/bin"].map(|path| (0, PathBuf::from(path))));
    let newest = found
        .iter()
        .rposition(|(version, _)| *version > 0)
        .unwrap_or(0);
    found.swap_remove(newest).1
}

fn postgres_user() -> (u32, u32) {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with("postgres:"));
    let mut fields = line
        .expect("there is no user `postgres`")
        .split(':')
        .skip(2);
    let mut number = || fields.next().unwrap().parse().unwrap();
    (number(), number())
}

fn children_of(parent: i32) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| {
            let id: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // After the name, which may hold anything: state, parent.
            let (_, rest) = stat.rsplit_once(") ")?;
            (rest.split(' ').nth(1)?.parse() == Ok(parent)).then_some(id)
        })
        .collect()
}
