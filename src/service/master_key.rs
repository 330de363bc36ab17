//! The master key: the one secret outside the database, which seals those inside it.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::entropy;
use crate::settings::Settings;
use crate::store::keys::KeyPurpose;

/// Name of the key's file in the data directory.
pub const FILE_NAME: &str = "master.key";

const NONCE_BYTES: usize = 12;

/// Why the master key cannot be had or used. The messages say what to do and hold no secret.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or made.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Others than its owner can read it.
    #[error("{path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
    TooOpen {
        /// Which file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// Not 32 bytes in base64.
    #[error("{0} is not 32 bytes in base64")]
    Malformed(String),
    /// The database has sealed keys, but there is no master key to open them.
    #[error(
        "the database holds keys that were sealed with a master key, but {0} is not there; put it back or set PORTCULLIS_MASTER_KEY"
    )]
    Missing(String),
    /// What was sealed was sealed with another one.
    #[error(
        "the keys in the database were sealed with another master key; give the one they were made with (PORTCULLIS_MASTER_KEY or master.key in the data directory)"
    )]
    Wrong,
    /// Nothing can be sealed.
    #[error("the keys cannot be sealed")]
    Cannot,
}

/// Seals and opens the installation's secrets.
pub struct MasterKey(RandomizedNonceKey);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl MasterKey {
    /// The key of the settings, else that of the data directory, which is made if `may_make`.
    pub fn load(settings: &Settings, may_make: bool) -> Result<Self, MasterKeyError> {
        if let Some(given) = &settings.master_key {
            return Self::decode(given.reveal(), "PORTCULLIS_MASTER_KEY");
        }
        let path = settings.data_dir.join(FILE_NAME);
        let shown = path.display().to_string();
        let failed = |source| MasterKeyError::File {
            path: shown.clone(),
            source,
        };
        if !path.try_exists().map_err(failed)? {
            if !may_make {
                return Err(MasterKeyError::Missing(shown));
            }
            make(&settings.data_dir, &path).map_err(failed)?;
        }
        let mode = std::fs::metadata(&path)
            .map_err(failed)?
            .permissions()
            .mode()
            & 0o777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::TooOpen { path: shown, mode });
        }
        let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(failed)?);
        Self::decode(text.trim(), &shown)
    }

    fn decode(text: &str, name: &str) -> Result<Self, MasterKeyError> {
        let malformed = || MasterKeyError::Malformed(name.to_owned());
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| malformed())?);
        // A key of all the same byte is a placeholder that somebody forgot to replace.
        if bytes.len() != 32 || bytes.iter().all(|b| Some(b) == bytes.first()) {
            return Err(malformed());
        }
        RandomizedNonceKey::new(&AES_256_GCM, &bytes)
            .map(Self)
            .map_err(|_| malformed())
    }

    /// Seals a secret for one purpose and identifier; it cannot be passed off as another.
    pub fn seal(
        &self,
        purpose: KeyPurpose,
        id: &str,
        secret: &[u8],
    ) -> Result<Vec<u8>, MasterKeyError> {
        let mut text = secret.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(associated(purpose, id), &mut text)
            .map_err(|_| MasterKeyError::Cannot)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// Opens what was sealed for this purpose and identifier.
    pub fn open(
        &self,
        purpose: KeyPurpose,
        id: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
        let (nonce, text) = sealed
            .split_at_checked(NONCE_BYTES)
            .ok_or(MasterKeyError::Wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| MasterKeyError::Wrong)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .0
            .open_in_place(nonce, associated(purpose, id), &mut text)
            .map_err(|_| MasterKeyError::Wrong)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

fn associated(purpose: KeyPurpose, id: &str) -> Aad<Vec<u8>> {
    Aad::from(format!("portcullis {} {id}", purpose.code()).into_bytes())
}

/// Makes the file whole or not at all: of two processes that start at once, one makes it.
fn make(directory: &Path, path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let bytes = Zeroizing::new(entropy::random_bytes::<32>().map_err(std::io::Error::other)?);
    let text = Zeroizing::new(STANDARD.encode(bytes.as_slice()) + "\n");
    let draft = directory.join(format!("{FILE_NAME}.{}", std::process::id()));
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        });
    let linked = written.and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
