//! The only place that asks the system for randomness.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The system gave no random bytes; nothing secret may be made then.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system's random number generator does not answer")]
pub struct EntropyError;

/// `N` bytes from the system's cryptographic generator.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], EntropyError> {
    let mut bytes = [0_u8; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| EntropyError)?;
    Ok(bytes)
}

/// A secret of 256 bits, as 43 characters that need no escaping in URLs, forms and headers.
pub fn random_token() -> Result<String, EntropyError> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?))
}

/// A new identifier: UUID v7, so that identifiers sort by the time they were made.
pub fn new_id(now: DateTime<Utc>) -> Result<Uuid, EntropyError> {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes::<10>()?).into_uuid())
}
