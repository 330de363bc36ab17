//! Hashing and comparing passwords, on threads of their own.
//!
//! bcrypt over a keyed pre-hash: `bcrypt(base64(HMAC-SHA-384(pepper, NFC(password))))`. The
//! pre-hash is 64 characters whatever the password, so bcrypt neither cuts at 72 bytes nor at a
//! NUL, and a stolen table cannot be guessed at without the pepper, which is sealed.
//!
//! A hash takes a fifth of a second of a core. The threads here are few, run below the priority of
//! those that answer requests, and their queue is bounded: a flood of sign-ins waits and is then
//! refused, while checks of sessions go on.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::entropy;
use crate::rules::password::{MAX_CHARS, normalize};
use crate::service::error::Error;
use crate::service::key_ring::KeyRing;
use crate::settings::{Secret, Settings};

/// Below the threads that answer requests, which run at 0.
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// What a comparison found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Comparison {
    /// Another password.
    Different,
    /// The same.
    Same,
    /// The same, but kept with an older pepper or another cost: keep this one instead.
    SameButOutdated(NewHash),
}

/// A hash to keep, and the pepper it was keyed with.
#[derive(Clone, Eq, PartialEq)]
pub struct NewHash {
    /// bcrypt's text.
    pub hash: String,
    /// The pepper.
    pub pepper_id: String,
}

impl std::fmt::Debug for NewHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The threads that hash.
#[derive(Debug)]
pub struct PasswordHasher {
    queue: SyncSender<Job>,
    cost: u32,
    decoy: String,
}

impl PasswordHasher {
    /// Starts the threads.
    pub fn start(settings: &Settings) -> Result<Self, Error> {
        let (queue, jobs) = sync_channel::<Job>(settings.bcrypt_queue);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..settings.bcrypt_threads {
            let jobs = Arc::clone(&jobs);
            std::thread::Builder::new()
                .name(format!("bcrypt-{number}"))
                .spawn(move || {
                    // On Linux niceness is a thread's own. Without the right to it, go on as is.
                    let _ = rustix::process::nice(NICENESS);
                    loop {
                        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        match job {
                            Ok(job) => job(),
                            Err(_) => break,
                        }
                    }
                })
                .map_err(|_| Error::Internal("password threads"))?;
        }
        let cost = settings.bcrypt_cost;
        Ok(Self {
            queue,
            cost,
            decoy: decoy(cost)?,
        })
    }

    /// Hashes a password that may be chosen.
    pub async fn hash(&self, keys: &KeyRing, password: &Secret) -> Result<NewHash, Error> {
        let pepper_id = keys.pepper_id().to_owned();
        let keyed = pre_hash(pepper(keys, &pepper_id)?, password);
        let cost = self.cost;
        self.run(move || {
            bcrypt::non_truncating_hash(keyed.as_bytes(), cost)
                .map(|hash| NewHash { hash, pepper_id })
                .map_err(|_| Error::Internal("bcrypt"))
        })
        .await?
    }

    /// Compares a password with a kept hash; without one, with a decoy that takes just as long, so
    /// that time does not tell who has an account.
    pub async fn compare(
        &self,
        keys: &KeyRing,
        password: &Secret,
        kept: Option<(&str, &str)>,
    ) -> Result<Comparison, Error> {
        let (hash, pepper_id) = kept.unwrap_or((&self.decoy, keys.pepper_id()));
        let keyed = pre_hash(pepper(keys, pepper_id)?, password);
        let outdated = pepper_id != keys.pepper_id() || cost_of(hash) != Some(self.cost);
        let (hash, known) = (hash.to_owned(), kept.is_some());
        let same = self
            .run(move || bcrypt::verify(keyed.as_bytes(), &hash).unwrap_or(false))
            .await?;
        if !same || !known {
            return Ok(Comparison::Different);
        }
        if outdated {
            return Ok(Comparison::SameButOutdated(
                self.hash(keys, password).await?,
            ));
        }
        Ok(Comparison::Same)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Whoever asked may have hung up while waiting: then there is nothing to do.
            if !reply.is_closed() {
                let _ = reply.send(work());
            }
        });
        match self.queue.try_send(job) {
            Ok(()) => answer
                .await
                .map_err(|_| Error::Internal("password threads")),
            Err(TrySendError::Full(_)) => Err(Error::Busy),
            Err(TrySendError::Disconnected(_)) => Err(Error::Internal("password threads")),
        }
    }
}

/// Is this longer than any password there is? Then it is refused before it is hashed.
pub fn is_too_long(password: &str) -> bool {
    normalize(password).chars().count() > MAX_CHARS
}

fn pepper<'k>(keys: &'k KeyRing, id: &str) -> Result<&'k hmac::Key, Error> {
    keys.pepper(id).ok_or(Error::Internal("pepper"))
}

fn pre_hash(pepper: &hmac::Key, password: &Secret) -> Zeroizing<String> {
    let normalized = Zeroizing::new(normalize(password.reveal()));
    Zeroizing::new(STANDARD_NO_PAD.encode(hmac::sign(pepper, normalized.as_bytes())))
}

/// A hash of nothing anybody knows: right in form and cost, with random salt and digest.
fn decoy(cost: u32) -> Result<String, Error> {
    const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let random = entropy::random_bytes::<53>()?;
    let mut text: Vec<u8> = random
        .iter()
        .map(|b| ALPHABET[usize::from(b % 64)])
        .collect();
    // Last characters of the 128-bit salt and the 184-bit digest, whose spare bits are zero.
    for (at, canonical) in [(21, b'.'), (52, b'.')] {
        if let Some(byte) = text.get_mut(at) {
            *byte = canonical;
        }
    }
    let text = String::from_utf8(text).map_err(|_| Error::Internal("decoy"))?;
    Ok(format!("$2b${cost:02}${text}"))
}

pub(super) fn cost_of(hash: &str) -> Option<u32> {
    hash.split('$').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{cost_of, decoy};

    #[test]
    fn the_decoy_is_a_hash_of_the_right_cost() {
        let decoy = decoy(4).unwrap_or_default();
        assert_eq!(cost_of(&decoy), Some(4));
        assert_eq!(bcrypt::verify("anything", &decoy).ok(), Some(false));
    }
}
