//! Everything that can happen to the cache, at random, on several threads at once; and after each
//! check the promise: no check tells less than what had been told to the cache when it began.
//!
//! A seed decides what each thread does and in which order; `TEST_SEED` makes the choices of
//! another run again, and the seed stands in the output of a test that fails. How the threads come
//! to meet is up to the machine and cannot be had again, so a seed that failed once may have to be
//! tried several times.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use portcullis::rules::id::SessionId;
use portcullis::rules::session::{Facts, Stored};
use portcullis::store::validity_cache::weakness::Weakness;
use portcullis::store::validity_cache::{CachedSession, ValidityCache, VerifiedToken};
use tokio::sync::Barrier;

use crate::bench::id;
use crate::cache::{NOBODY, T0, ended, facts, followed};
use crate::support::chance::{Chance, seed};

const THREADS: usize = 4;
/// All threads do so much with the same few sessions, then meet, and go on to the next few.
const MEETINGS: usize = 1_500;
const ACTS: usize = 12;
const SESSIONS: usize = 3;
/// Fewer than there are sessions, so that some are crowded out.
const CAPACITY: u64 = 1_000;
/// So few that those who meet are mostly held together, and crowd one another out.
const TIGHT: u64 = 12;

/// What is done with one session.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A check that has its token remembered.
    Check,
    /// A check with a token that was remembered, or not.
    CheckAgain,
    /// Something about the session changes.
    Change,
    /// Something about its user changes.
    ChangeUser,
    /// Something about everybody changes.
    ChangeAll,
    /// It is ended here.
    End,
    /// It is ended elsewhere, and the change list says so.
    EndElsewhere,
    /// A key is withdrawn.
    ForgetTokens,
    /// What was left alone for long is dropped.
    Tidy,
}

const WEIGHTS: [(usize, Act); 9] = [
    (40, Act::Check),
    (40, Act::CheckAgain),
    (20, Act::Change),
    (4, Act::ChangeUser),
    (2, Act::ChangeAll),
    (3, Act::End),
    (3, Act::EndElsewhere),
    (2, Act::ForgetTokens),
    (1, Act::Tidy),
];

/// A session in the table, and what the cache has been told of it.
struct Row {
    id: SessionId,
    /// Grows with each change.
    number: AtomicU32,
    ended: AtomicBool,
    told: AtomicU32,
    told_ended: AtomicBool,
}

impl Row {
    fn new() -> Self {
        Self {
            id: SessionId(id()),
            number: AtomicU32::new(1),
            ended: AtomicBool::new(false),
            told: AtomicU32::new(1),
            told_ended: AtomicBool::new(false),
        }
    }

    /// Reads the row; then the answer is some time under way.
    async fn read(&self, under_way: usize) -> Stored {
        let number = self.number.load(Ordering::SeqCst);
        let stored = if self.ended.load(Ordering::SeqCst) {
            Stored::Ended(ended())
        } else {
            Stored::Open(Facts {
                // Stands for whatever may change.
                idle_timeout_secs: number,
                ..facts(self.id)
            })
        };
        for _ in 0..under_way {
            tokio::task::yield_now().await;
            std::hint::spin_loop();
        }
        stored
    }

    fn change(&self, tell: impl FnOnce()) {
        let number = self.number.fetch_add(1, Ordering::SeqCst) + 1;
        tell();
        self.told.fetch_max(number, Ordering::SeqCst);
    }

    fn told(&self) -> (u32, bool) {
        let ended = self.told_ended.load(Ordering::SeqCst);
        (self.told.load(Ordering::SeqCst), ended)
    }
}

/// Is this less than what had been told?
fn is_less(cached: &CachedSession, (number, has_ended): (u32, bool)) -> bool {
    match cached.stored() {
        Stored::Open(facts) => has_ended || facts.idle_timeout_secs < number,
        Stored::Ended(_) => false,
        Stored::UserGone | Stored::SessionGone => true,
    }
}

async fn check(cache: &ValidityCache, row: &Row, under_way: usize) -> CachedSession {
    let load = async { Ok(row.read(under_way).await) };
    cache.find_or_load(row.id, NOBODY, T0, load).await.unwrap()
}

/// Does it, and returns whether the promise was broken.
async fn act(cache: &ValidityCache, row: &Row, act: Act, under_way: usize) -> bool {
    const TOKENS: [&str; 4] = ["one", "two", "three", "four"];
    let token = TOKENS[under_way % TOKENS.len()];
    let told = row.told();
    match act {
        Act::Check => {
            let generation = cache.generation();
            let cached = check(cache, row, under_way).await;
            let verified = VerifiedToken {
                session_id: row.id,
                user_id: NOBODY,
                expires_at: T0 + chrono::TimeDelta::seconds(300),
                auth_time: T0,
            };
            cache.remember_token(&cached, token, verified, generation);
            return is_less(&cached, told);
        }
        Act::CheckAgain => {
            let cached = match cache.find_verified(row.id, token, T0).await {
                Some((_, Some(cached))) => cached,
                Some((_, None)) | None => check(cache, row, under_way).await,
            };
            return is_less(&cached, told);
        }
        Act::Change => row.change(|| cache.forget(row.id)),
        Act::ChangeUser => row.change(|| cache.forget_user(NOBODY)),
        Act::ChangeAll => row.change(|| cache.forget_everyone()),
        Act::End => {
            row.ended.store(true, Ordering::SeqCst);
            cache.mark_ended(row.id, ended()).await;
            row.told_ended.store(true, Ordering::SeqCst);
        }
        Act::EndElsewhere => {
            row.ended.store(true, Ordering::SeqCst);
            cache.forget(row.id);
            row.told_ended.store(true, Ordering::SeqCst);
        }
        Act::ForgetTokens => cache.forget_tokens(),
        Act::Tidy => cache.tidy(T0).await,
    }
    false
}

/// Runs all of it and returns what broke the promise.
fn stress(cache: &ValidityCache) -> Vec<(usize, Act)> {
    let mut chance = Chance::new(seed());
    let rows: Vec<Row> = (0..MEETINGS * SESSIONS).map(|_| Row::new()).collect();
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (rows, barrier, mut chance) = (&rows, &barrier, chance.split());
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build();
                    runtime.unwrap().block_on(async {
                        let mut broken = Vec::new();
                        for (meeting, some) in rows.chunks(SESSIONS).enumerate() {
                            barrier.wait().await;
                            for _ in 0..ACTS {
                                let row = &some[chance.below(SESSIONS)];
                                let (what, under_way) = (chance.weighed(&WEIGHTS), chance.below(8));
                                if act(cache, row, what, under_way).await {
                                    broken.push((meeting, what));
                                }
                            }
                        }
                        broken
                    })
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.flatten().collect()
    })
}

#[test]
fn no_check_ever_tells_less_than_what_had_been_told_when_it_began() {
    for capacity in [CAPACITY, TIGHT] {
        let broken = stress(&followed(capacity));
        assert_eq!(format!("{broken:?}"), "[]", "room for {capacity}");
    }
}

#[test]
fn a_door_without_versions_is_found_out_so_the_test_can_fail() {
    for capacity in [CAPACITY, TIGHT] {
        let cache = followed(capacity);
        cache.weaken(Weakness::Versions);
        assert_ne!(stress(&cache).len(), 0, "room for {capacity}");
    }
}
