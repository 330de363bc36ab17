//! A database full of rows with the services on top, and rows to act on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use migration::{Migrator, MigratorTrait};
use portcullis::clock::{Clock, SystemClock};
use portcullis::service::Context;
use portcullis::service::figures::keep;
use portcullis::store::Store;
use tempfile::TempDir;
use uuid::Uuid;

use crate::acts::Act;
use crate::rows::Rows;
use crate::support::{self, Database};

/// Rows that are asked about again and again, spread over the whole table: they are in memory after
/// a first time. What a read from a disk costs is the disk's, and says nothing of the question.
pub(crate) const KNOWN: u64 = 50;

pub(crate) struct Scene {
    pub(crate) context: Context,
    pub(crate) rows: Rows,
    pub(crate) database: Database,
    /// Where the last page of a list is, so that it is looked for once.
    pub(crate) cursors: Vec<(Act, Option<Uuid>)>,
    /// See the acts: looked for once.
    pub(crate) ten: std::cell::OnceCell<String>,
    known: Vec<u64>,
    used: HashSet<u64>,
    random: u64,
    turn: usize,
    _directory: TempDir,
}

impl Scene {
    pub(crate) async fn make(database: Database, sessions: u64) -> Self {
        let began = Instant::now();
        let directory = tempfile::tempdir().unwrap();
        let rows = Rows {
            now: SystemClock.now(),
            sessions,
            some_ended: true,
        };
        if !database.is_postgres() {
            let path = database.url.trim_start_matches("sqlite://");
            std::fs::File::create(path).unwrap();
        }
        let connection = database.connect().await;
        Migrator::up(&connection, None).await.unwrap();
        rows.load(&connection, None).await;
        connection.close().await.unwrap();
        let settings = support::settings(directory.path(), &database, &[]);
        let store = Store::open(&settings).await.unwrap();
        let context = Context::start(settings, store, Arc::new(SystemClock))
            .await
            .unwrap();
        // As a server that has been there all the time has counted what happened.
        for round in 0..32 {
            // Without a measurement a look still works, and says only "more than 10,000".
            if let Err(error) = keep(&context, None).await {
                println!("round {round}: live sessions were not measured: {error}");
            }
        }
        // As if the change list were read all the time.
        context.store.cache().confirm(Duration::MAX);
        let known = known(&rows);
        println!(
            "{sessions} sessions made in {:.0} s",
            began.elapsed().as_secs_f64()
        );
        Self {
            context,
            rows,
            database,
            cursors: Vec::new(),
            ten: std::cell::OnceCell::new(),
            // Nobody ends them: an end would be remembered, and never be asked about again.
            used: known.iter().copied().collect(),
            known,
            random: 0x9e37_79b9_7f4a_7c15,
            turn: 0,
            _directory: directory,
        }
    }

    pub(crate) async fn time(&mut self, act: Act) -> Duration {
        act.run(self).await
    }

    /// One of the known sessions, in turn.
    pub(crate) fn session(&mut self) -> u64 {
        self.turn += 1;
        self.known[self.turn % self.known.len()]
    }

    /// The user of one of the known sessions, in turn.
    pub(crate) fn user(&mut self) -> u64 {
        let session = self.session();
        self.rows.owner(session)
    }

    fn any_session(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % self.rows.sessions
    }

    /// A live session that nobody has ended here yet; nor will anybody else be given it.
    pub(crate) fn live_session(&mut self) -> u64 {
        loop {
            let session = self.any_session();
            if self.rows.is_live(session) && self.used.insert(session) {
                return session;
            }
        }
    }

    pub(crate) async fn close(self) {
        self.context
            .store
            .schema_connection()
            .clone()
            .close()
            .await
            .unwrap();
    }
}

fn known(rows: &Rows) -> Vec<u64> {
    (0..KNOWN)
        .map(|place| {
            // A step to the side each, or they would be a few users' own.
            let first = (place * 2 + 1) * rows.sessions / (KNOWN * 2) + place;
            (first..).find(|session| rows.is_live(*session)).unwrap()
        })
        .collect()
}
