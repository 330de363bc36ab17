//! A database full of rows with the services on top, and rows to act on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use migration::{Migrator, MigratorTrait};
use portcullis::clock::{Clock, SystemClock};
use portcullis::service::Context;
use portcullis::store::Store;
use tempfile::TempDir;
use uuid::Uuid;

use crate::acts::Act;
use crate::rows::Rows;
use crate::support::{self, Database};

pub(crate) struct Scene {
    pub(crate) context: Context,
    pub(crate) rows: Rows,
    pub(crate) database: Database,
    /// Where the last page of a list is, so that it is looked for once.
    pub(crate) cursors: Vec<(Act, Option<Uuid>)>,
    used: HashSet<u64>,
    random: u64,
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
        // As if the change list were read all the time.
        context.store.cache().confirm(Duration::MAX);
        println!(
            "{sessions} sessions made in {:.0} s",
            began.elapsed().as_secs_f64()
        );
        Self {
            context,
            rows,
            database,
            cursors: Vec::new(),
            used: HashSet::new(),
            random: 0x9e37_79b9_7f4a_7c15,
            _directory: directory,
        }
    }

    pub(crate) async fn time(&mut self, act: Act) -> Duration {
        act.run(self).await
    }

    /// Any of so many.
    pub(crate) fn any(&mut self, count: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % count
    }

    /// A live session that nobody has ended here yet; nor will anybody else be given it.
    pub(crate) fn live_session(&mut self) -> u64 {
        loop {
            let session = self.any(self.rows.sessions);
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
