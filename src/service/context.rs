//! What every act is given: settings, clock, store, keys, password threads.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::entropy;
use crate::rules::audit::Origin;
use crate::service::error::Error;
use crate::service::key_ring::{self, KeyRing, KeyRingError};
use crate::service::master_key::MasterKey;
use crate::service::measures::Measures;
use crate::service::passwords::PasswordHasher;
use crate::service::places::{Places, PlacesError};
use crate::service::receipts::Receipts;
use crate::service::touches::Touches;
use crate::settings::Settings;
use crate::store::{Store, StoreError};

/// Why nothing can be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// The file of places.
    #[error(transparent)]
    Places(#[from] PlacesError),
    /// Something else of this machine.
    #[error(transparent)]
    Service(#[from] Error),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Keys(KeyRingError::Store(error))
    }
}

/// Shared by all threads; made once.
#[derive(Debug)]
pub struct Context {
    /// What the operator set.
    pub settings: Settings,
    /// The database and its cache.
    pub store: Store,
    /// The password threads.
    pub passwords: PasswordHasher,
    /// Uses of sessions that are not written yet.
    pub touches: Touches,
    /// Where addresses are. Only who signs people in needs to know.
    pub places: Places,
    /// Receipts of refreshes that are not written yet.
    pub receipts: Receipts,
    /// This process among those that share the database: an id that it gave itself.
    pub node: String,
    /// What this process measures of itself.
    pub measures: Measures,
    clock: Arc<dyn Clock>,
    master: MasterKey,
    keys: RwLock<Arc<KeyRing>>,
    keys_read: tokio::sync::Mutex<KeysRead>,
}

/// The latest reading of the keys.
#[derive(Debug)]
struct KeysRead {
    at: DateTime<Utc>,
    /// Did the database answer?
    answered: bool,
}

impl Context {
    /// Opens the keys of a database whose tables are there.
    pub async fn start(
        settings: Settings,
        store: Store,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let now = clock.now();
        let may_make = store.keys().await?.is_empty();
        let master = MasterKey::load(&settings, may_make).map_err(KeyRingError::from)?;
        let keys = KeyRing::load(&store, &master, now).await?;
        Ok(Self {
            passwords: PasswordHasher::start(&settings)?,
            touches: Touches::default(),
            places: Places::default(),
            receipts: Receipts::default(),
            node: entropy::new_id(now).map_err(StoreError::from)?.to_string(),
            measures: Measures::default(),
            settings,
            store,
            clock,
            master,
            keys: RwLock::new(Arc::new(keys)),
            keys_read: tokio::sync::Mutex::new(KeysRead {
                at: now,
                answered: true,
            }),
        })
    }

    /// Reads the file of places as well, for a process that signs people in.
    pub fn with_places(self) -> Result<Self, StartError> {
        Ok(Self {
            places: Places::read(&self.settings)?,
            ..self
        })
    }

    /// The current instant.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The keys, as they were last read.
    pub fn keys(&self) -> Arc<KeyRing> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the keys again, since another process may have rotated them; not more often than
    /// once in `at_most_every`, whoever asks. Whoever asks meanwhile waits, and afterwards the keys
    /// are those that were found, or the answer is that nobody knows.
    pub async fn refresh_keys(&self, at_most_every: TimeDelta) -> Result<(), KeyRingError> {
        let now = self.now();
        let mut latest = self.keys_read.lock().await;
        if (now - latest.at).max(TimeDelta::zero()) < at_most_every {
            return if latest.answered {
                Ok(())
            } else {
                Err(StoreError::Unavailable(None).into())
            };
        }
        let read = KeyRing::load(&self.store, &self.master, now).await;
        *latest = KeysRead {
            at: now,
            answered: !matches!(read, Err(KeyRingError::Store(_))),
        };
        let fresh = read?;
        let changed = !fresh.same_signing_keys(&self.keys());
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        if changed {
            // A token remembered as good must not outlive the key it was good by.
            self.store.cache().forget_tokens();
        }
        Ok(())
    }

    /// A new signing key takes over once every process has had time to read it.
    pub async fn rotate_keys(&self, origin: Origin) -> Result<String, KeyRingError> {
        let life = self.settings.access_token;
        let kid = key_ring::rotate_signing_key(&self.store, &self.master, origin, life, self.now())
            .await?;
        self.refresh_keys(TimeDelta::zero()).await?;
        Ok(kid)
    }
}
