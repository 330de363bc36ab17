//! Log lines: to standard error, gathered and written a few times a second.
//!
//! One write a line would cost more than the check of a session does. What is gathered is written
//! at once when it is a warning or an error, when it grows large, and when the process stops; a
//! `kill -9` loses at most the last moment of lines. The audit, which must lose nothing, lies in
//! the database.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::settings::{LogFormat, Settings, SettingsError};

/// How long a line waits at most.
const DELAY: Duration = Duration::from_millis(100);

/// How much is gathered at most, in bytes.
const LARGE: usize = 32 * 1024;

/// Writes what was gathered when the process stops and drops it.
#[derive(Debug)]
pub struct Kept(Log);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// What was gathered and is not written yet.
#[derive(Clone, Debug)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

/// Starts logging as the settings say. Keep what it returns until the process stops.
pub fn start(settings: &Settings) -> Result<Kept, SettingsError> {
    let fault = |problem: String| SettingsError {
        name: "RUST_LOG".to_owned(),
        problem,
    };
    let filter =
        EnvFilter::try_new(&settings.log_filter).map_err(|error| fault(error.to_string()))?;
    let log = Log(Arc::default());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log.clone());
    let started = match settings.log_format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| fault(error.to_string()))?;
    let gathered = log.clone();
    let flusher = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(DELAY);
                gathered.flush();
            }
        });
    flusher.map_err(|error| fault(error.to_string()))?;
    Ok(Kept(log))
}

impl Log {
    /// Writes what was gathered.
    pub fn flush(&self) {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Self::write_out(&mut gathered);
    }

    fn write_out(gathered: &mut Vec<u8>) {
        if !gathered.is_empty() {
            // There is nowhere left to complain to.
            let _ = std::io::stderr().lock().write_all(gathered);
            gathered.clear();
        }
    }
}

/// One line under way.
#[derive(Debug)]
pub struct Line<'a> {
    log: &'a Log,
    urgent: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut gathered = self.log.0.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.extend_from_slice(bytes);
        if self.urgent || gathered.len() >= LARGE {
            Log::write_out(&mut gathered);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.log.flush();
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            log: self,
            urgent: true,
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line {
            log: self,
            urgent: *metadata.level() <= Level::WARN,
        }
    }
}
