//! The keys in use: signing keys by their id, peppers by theirs, and the keys derived from one
//! more secret. All lie sealed in the database, so that every process shares them.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse, ThumbprintHash,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use zeroize::Zeroizing;

use crate::entropy;
use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::service::error::Error;
use crate::service::master_key::{MasterKey, MasterKeyError};
use crate::store::keys::{KeyPurpose, SealedKey};
use crate::store::{Store, StoreError};

/// How long a new signing key is there, read by every process and published, before the first token
/// is signed with it. Longer than processes go without reading the keys, and clocks may differ.
pub const LEAD: TimeDelta = TimeDelta::seconds(30);

/// How long after its retirement a signing key still verifies, beyond the life of a token: for
/// processes that have not noticed yet and go on signing with it.
const NOTICE: TimeDelta = TimeDelta::seconds(120);

/// Why the keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The database does not answer.
    #[error("the database does not answer")]
    Store(#[from] StoreError),
    /// The master key does not fit.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// A key that was opened is not a key.
    #[error("the key {0} in the database is not usable")]
    Unusable(String),
}

/// A signing key, or one that only verifies any more.
pub struct SigningKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Signs nothing from then on.
    pub retired_at: Option<DateTime<Utc>>,
    /// The public half.
    pub jwk: Jwk,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
}

/// The keys as they were when they were last read.
pub struct KeyRing {
    signing: Vec<Arc<SigningKey>>,
    peppers: HashMap<String, hmac::Key>,
    pepper_id: String,
    derivation: hmac::Key,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kids: Vec<&str> = self.signing.iter().map(|key| key.kid.as_str()).collect();
        write!(f, "KeyRing({kids:?})")
    }
}

impl KeyRing {
    /// Opens the keys in the database, making those of a purpose that has none in use.
    pub async fn load(
        store: &Store,
        master: &MasterKey,
        now: DateTime<Utc>,
    ) -> Result<Self, KeyRingError> {
        let mut keys = store.keys().await?;
        let missing = |keys: &[SealedKey], purpose| {
            !keys
                .iter()
                .any(|key| key.purpose == purpose && key.retired_at.is_none())
        };
        for purpose in KeyPurpose::ALL {
            if missing(&keys, purpose) {
                let key = new_key(master, purpose, now)?;
                let made = store
                    .write(now, move |tx| {
                        Box::pin(async move { tx.insert_key(key).await })
                    })
                    .await;
                match made {
                    // Another process made one at the same moment: that one counts.
                    Ok(()) | Err(StoreError::Conflict) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        keys = store.keys().await?;
        Self::open(keys, master)
    }

    fn open(keys: Vec<SealedKey>, master: &MasterKey) -> Result<Self, KeyRingError> {
        let mut signing = Vec::new();
        let mut peppers = HashMap::new();
        let mut pepper_id = None;
        let mut derivation = None;
        for key in keys {
            let secret = master.open(key.purpose, &key.id, &key.sealed)?;
            match key.purpose {
                KeyPurpose::Signing => signing.push(Arc::new(SigningKey::open(key, &secret)?)),
                KeyPurpose::Pepper => {
                    peppers.insert(key.id.clone(), hmac::Key::new(hmac::HMAC_SHA384, &secret));
                    if key.retired_at.is_none() {
                        pepper_id = Some(key.id);
                    }
                }
                KeyPurpose::Derivation => {
                    if key.retired_at.is_none() {
                        derivation = Some(hmac::Key::new(hmac::HMAC_SHA256, &secret));
                    }
                }
            }
        }
        let lacking = |what: &str| KeyRingError::Unusable(format!("for {what}"));
        let ring = Self {
            signing,
            peppers,
            pepper_id: pepper_id.ok_or_else(|| lacking("passwords"))?,
            derivation: derivation.ok_or_else(|| lacking("derivation"))?,
        };
        if ring.signing.iter().all(|key| key.retired_at.is_some()) {
            return Err(lacking("signing"));
        }
        Ok(ring)
    }

    /// The key that signs: until a key's retirement the one that was made after it waits.
    pub fn active(&self, now: DateTime<Utc>) -> Option<&Arc<SigningKey>> {
        self.signing
            .iter()
            .filter(|key| key.retired_at.is_none_or(|at| now < at))
            .min_by_key(|key| key.created_at)
    }

    /// The key of this id, if tokens signed with it may still live.
    pub fn verifying(
        &self,
        kid: &str,
        token_life: TimeDelta,
        now: DateTime<Utc>,
    ) -> Option<&Arc<SigningKey>> {
        self.signing
            .iter()
            .find(|key| key.kid == kid && key.verifies(token_life, now))
    }

    /// All keys whose tokens may still live, newest first.
    pub fn published(
        &self,
        token_life: TimeDelta,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = &Arc<SigningKey>> {
        self.signing
            .iter()
            .filter(move |key| key.verifies(token_life, now))
    }

    /// The same signing keys, in the same state?
    pub fn same_signing_keys(&self, other: &Self) -> bool {
        let state = |ring: &Self| -> Vec<(String, Option<DateTime<Utc>>)> {
            ring.signing
                .iter()
                .map(|key| (key.kid.clone(), key.retired_at))
                .collect()
        };
        state(self) == state(other)
    }

    /// The pepper that keys new hashes.
    pub fn pepper_id(&self) -> &str {
        &self.pepper_id
    }

    pub(super) fn pepper(&self, id: &str) -> Option<&hmac::Key> {
        self.peppers.get(id)
    }

    /// 256 bits that depend on the label and the text, and that nobody can tell without the key.
    pub(super) fn derive(&self, label: &str, text: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.derivation);
        context.update(label.as_bytes());
        context.update(&[0]);
        context.update(text);
        let tag = context.sign();
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }
}

impl SigningKey {
    fn open(key: SealedKey, pkcs8: &[u8]) -> Result<Self, KeyRingError> {
        let unusable = || KeyRingError::Unusable(key.id.clone());
        let encoding = EncodingKey::from_ec_der(pkcs8);
        let mut jwk =
            Jwk::from_encoding_key(&encoding, Algorithm::ES256).map_err(|_| unusable())?;
        let AlgorithmParameters::EllipticCurve(curve) = &jwk.algorithm else {
            return Err(unusable());
        };
        let kid = thumbprint(&jwk);
        if curve.curve != EllipticCurve::P256 || kid != key.id {
            return Err(unusable());
        }
        let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| unusable())?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.key_algorithm = Some(KeyAlgorithm::ES256);
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self {
            kid,
            created_at: key.created_at,
            retired_at: key.retired_at,
            jwk,
            encoding,
            decoding,
        })
    }

    fn verifies(&self, token_life: TimeDelta, now: DateTime<Utc>) -> bool {
        self.retired_at
            .is_none_or(|at| now < at + token_life + NOTICE)
    }
}

/// A new signing key takes over, when its lead is over and everybody can verify by it. The old one
/// verifies until its last token is dead.
pub async fn rotate_signing_key(
    store: &Store,
    master: &MasterKey,
    origin: Origin,
    token_life: TimeDelta,
    now: DateTime<Utc>,
) -> Result<String, KeyRingError> {
    let key = new_key(master, KeyPurpose::Signing, now)?;
    let kid = key.id.clone();
    store
        .write(now, move |tx| {
            Box::pin(async move {
                tx.retire_key(KeyPurpose::Signing, now + LEAD).await?;
                tx.delete_keys_retired_before(KeyPurpose::Signing, now - token_life - NOTICE)
                    .await?;
                let event = AuditEvent::new(origin, Action::KeysRotated).detail(key.id.clone());
                tx.insert_key(key).await?;
                tx.audit(event).await
            })
        })
        .await
        .map_err(|error: StoreError| KeyRingError::from(error))?;
    Ok(kid)
}

fn new_key(
    master: &MasterKey,
    purpose: KeyPurpose,
    now: DateTime<Utc>,
) -> Result<SealedKey, KeyRingError> {
    let (id, secret) = match purpose {
        KeyPurpose::Signing => new_signing_key().ok_or(MasterKeyError::Cannot)?,
        KeyPurpose::Pepper | KeyPurpose::Derivation => {
            let id = entropy::random_bytes::<12>().map_err(StoreError::from)?;
            let secret = entropy::random_bytes::<48>().map_err(StoreError::from)?;
            (URL_SAFE_NO_PAD.encode(id), Zeroizing::new(secret.to_vec()))
        }
    };
    let sealed = master.seal(purpose, &id, &secret)?;
    Ok(SealedKey {
        id,
        purpose,
        sealed,
        created_at: now,
        retired_at: None,
    })
}

fn new_signing_key() -> Option<(String, Zeroizing<Vec<u8>>)> {
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .ok()?;
    let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
    let jwk = Jwk::from_encoding_key(&EncodingKey::from_ec_der(&pkcs8), Algorithm::ES256).ok()?;
    Some((thumbprint(&jwk), pkcs8))
}

/// RFC 7638 with SHA-256.
fn thumbprint(jwk: &Jwk) -> String {
    jwk.thumbprint(ThumbprintHash::SHA256).unwrap_or_default()
}

/// SHA-256, as tokens are kept.
pub(super) fn sha256(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

impl From<KeyRingError> for Error {
    fn from(error: KeyRingError) -> Self {
        match error {
            KeyRingError::Store(error) => error.into(),
            KeyRingError::MasterKey(_) | KeyRingError::Unusable(_) => Self::Internal("keys"),
        }
    }
}
