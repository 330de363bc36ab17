//! A load of facts against an end of the same session.
//!
//! Both doors below are tried by the same race. The naive one shows that the race is real: it lets
//! ended sessions live. Ours never does. `TEST_SEED` makes everybody wait for as long as in another
//! run; how the threads then meet is up to the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::future::Cache;
use portcullis::rules::id::SessionId;
use portcullis::rules::session::Stored;
use portcullis::store::validity_cache::ValidityCache;
use tokio::sync::Barrier;

use crate::bench::id;
use crate::cache::{NOBODY, cache, ended, open, stored};
use crate::support::chance::{Chance, seed};

const ROUNDS: usize = 20_000;
const RACES_AT_ONCE: usize = 4;
const LOADERS: usize = 3;
const T0: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

/// The table's row of one session.
#[derive(Default)]
struct Row {
    ended: AtomicBool,
}

impl Row {
    /// Reads the row; then the answer is some time under way.
    async fn read(&self, session: SessionId, under_way: usize) -> Stored {
        let stored = if self.ended.load(Ordering::SeqCst) {
            Stored::Ended(ended())
        } else {
            open(session)
        };
        for _ in 0..under_way {
            tokio::task::yield_now().await;
            std::hint::spin_loop();
        }
        stored
    }
}

trait Door: Send + Sync + 'static {
    /// Is the session alive, as far as this door knows?
    fn is_alive(
        &self,
        session: SessionId,
        row: &Row,
        under_way: usize,
    ) -> impl Future<Output = bool> + Send;

    /// Learns that the session has ended, after its row says so.
    fn end(&self, session: SessionId) -> impl Future<Output = ()> + Send;
}

impl Door for ValidityCache {
    async fn is_alive(&self, session: SessionId, row: &Row, under_way: usize) -> bool {
        let load = async { Ok(row.read(session, under_way).await) };
        let cached = self.find_or_load(session, NOBODY, T0, load).await.unwrap();
        matches!(cached.stored(), Stored::Open(_))
    }

    async fn end(&self, session: SessionId) {
        self.mark_ended(session, ended()).await;
    }
}

/// What everybody writes first.
struct Naive(Cache<SessionId, bool>);

impl Door for Naive {
    #[expect(clippy::disallowed_methods, reason = "to show what it does")]
    async fn is_alive(&self, session: SessionId, row: &Row, under_way: usize) -> bool {
        let load = async { matches!(row.read(session, under_way).await, Stored::Open(_)) };
        self.0.get_with(session, load).await
    }

    #[expect(clippy::disallowed_methods, reason = "to show what it does")]
    async fn end(&self, session: SessionId) {
        self.0.invalidate(&session).await;
    }
}

/// Runs the rounds on threads of their own and returns after how many of them a session was alive
/// though its end had been acknowledged.
fn race(door: impl Door) -> usize {
    let door = Arc::new(door);
    let alive = Arc::new(AtomicUsize::new(0));
    let mut chance = Chance::new(seed());
    let mut threads = Vec::new();
    for _ in 0..RACES_AT_ONCE {
        let races: Arc<Vec<(SessionId, Row)>> = Arc::new(
            (0..ROUNDS / RACES_AT_ONCE)
                .map(|_| (SessionId(id()), Row::default()))
                .collect(),
        );
        // Those who meet for a round begin it together.
        let barrier = Arc::new(Barrier::new(LOADERS + 1));
        for number in 0..=LOADERS {
            let (door, races, barrier) =
                (Arc::clone(&door), Arc::clone(&races), Arc::clone(&barrier));
            let (alive, mut chance) = (Arc::clone(&alive), chance.split());
            threads.push(std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    for (session, row) in races.iter() {
                        barrier.wait().await;
                        let wait = chance.below(8);
                        if number > 0 {
                            door.is_alive(*session, row, wait).await;
                            barrier.wait().await;
                            continue;
                        }
                        for _ in 0..wait {
                            tokio::task::yield_now().await;
                        }
                        row.ended.store(true, Ordering::SeqCst);
                        door.end(*session).await;
                        let at_once = door.is_alive(*session, row, 0).await;
                        barrier.wait().await;
                        let later = door.is_alive(*session, row, 0).await;
                        alive.fetch_add(usize::from(at_once || later), Ordering::Relaxed);
                    }
                });
            }));
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
    alive.load(Ordering::Relaxed)
}

#[test]
fn of_20_000_ends_that_race_with_loads_none_leaves_the_session_alive() {
    assert_eq!(race(cache()), 0);
}

#[test]
fn the_naive_door_loses_this_race_so_the_test_can_fail() {
    assert_ne!(race(Naive(Cache::new(100_000))), 0);
}

/// The same, step by step: the load has read the row before the end and comes back after it.
#[tokio::test]
async fn a_load_that_read_the_row_before_the_end_does_not_undo_the_end() {
    let (cache, session) = (Arc::new(cache()), SessionId(id()));
    let (has_read, reading) = tokio::sync::oneshot::channel();
    let (come_back, coming) = tokio::sync::oneshot::channel();
    let its_cache = Arc::clone(&cache);
    let load = tokio::spawn(async move {
        let load = async {
            has_read.send(()).unwrap();
            coming.await.unwrap();
            Ok(open(session))
        };
        its_cache
            .find_or_load(session, NOBODY, T0, load)
            .await
            .unwrap()
    });
    reading.await.unwrap();
    let mut end = Box::pin(cache.mark_ended(session, ended()));
    let waits = tokio::time::timeout(Duration::from_millis(1), &mut end).await;
    assert!(
        waits.is_err(),
        "the end did not wait for the load that holds the session"
    );
    come_back.send(()).unwrap();
    load.await.unwrap();
    end.await;
    let after = cache
        .find_or_load(session, NOBODY, T0, async { Ok(open(session)) })
        .await
        .unwrap();
    assert_eq!(stored(&after), Stored::Ended(ended()));
}
