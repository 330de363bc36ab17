//! What the operator can set: the only place that reads the environment.
//!
//! Read once at start. A value that makes no sense, or a `PORTCULLIS_` name that does not exist,
//! stops the start with one line that names it. `.env.example` lists the same variables; a test
//! holds the two together.

mod mail;
mod values;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use ipnet::IpNet;
use lettre::message::Mailbox;
use zeroize::Zeroizing;

pub use crate::settings::mail::{MailSecurity, Smtp};
use crate::settings::mail::{mail_from, smtp};
use crate::settings::values::{
    Values, YEAR, database_url, fault, master_key, networks, public_url, sqlite_in,
};
pub use crate::settings::webhook::Webhook;
use crate::settings::webhook::webhook;

/// One variable of the environment.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What is used without it; empty where that is not one fixed value.
    pub default: &'static str,
    /// May it be given as a file, by its name and `_FILE`?
    pub secret: bool,
}

const fn plain(name: &'static str, default: &'static str) -> Variable {
    Variable {
        name,
        default,
        secret: false,
    }
}

const fn secret(name: &'static str) -> Variable {
    Variable {
        name,
        default: "",
        secret: true,
    }
}

/// Every variable that is read, in the order of `.env.example`.
pub const VARIABLES: &[Variable] = &[
    secret("DATABASE_URL"),
    plain("PORTCULLIS_DATABASE_CONNECTIONS", "10"),
    plain("PORTCULLIS_DATA_DIR", "data"),
    secret("PORTCULLIS_MASTER_KEY"),
    plain("PORTCULLIS_BIND", "127.0.0.1:8080"),
    plain("PORTCULLIS_PUBLIC_URL", "http://localhost:8080"),
    plain("PORTCULLIS_TRUSTED_PROXIES", ""),
    plain("PORTCULLIS_WORKERS", ""),
    plain("PORTCULLIS_ACCESS_TOKEN_SECS", "300"),
    plain("PORTCULLIS_SESSION_IDLE_SECS", "3600"),
    plain("PORTCULLIS_SESSION_LIFETIME_SECS", "28800"),
    plain("PORTCULLIS_REMEMBERED_IDLE_SECS", "604800"),
    plain("PORTCULLIS_REMEMBERED_LIFETIME_SECS", "2592000"),
    plain("PORTCULLIS_MAX_SESSIONS", ""),
    plain("PORTCULLIS_AT_SESSION_LIMIT", "end-oldest"),
    plain("PORTCULLIS_STEP_UP_SECS", "600"),
    plain("PORTCULLIS_ENDED_SESSION_RETENTION_DAYS", "30"),
    plain("PORTCULLIS_AUDIT_RETENTION_DAYS", "365"),
    plain("PORTCULLIS_FIGURES_RETENTION_DAYS", "400"),
    plain("PORTCULLIS_CACHE_TTL_SECS", "60"),
    plain("PORTCULLIS_CACHE_CAPACITY", "1000000"),
    plain("PORTCULLIS_REVOCATION_BOUND_MS", "1000"),
    plain("PORTCULLIS_BCRYPT_COST", "12"),
    plain("PORTCULLIS_BCRYPT_THREADS", ""),
    plain("PORTCULLIS_BCRYPT_QUEUE", "64"),
    plain("PORTCULLIS_PASSWORD_MIN_CHARS", "15"),
    plain("PORTCULLIS_GEOIP_FILE", ""),
    plain("PORTCULLIS_ADDRESS_RETENTION_DAYS", ""),
    secret("PORTCULLIS_SMTP_URL"),
    plain("PORTCULLIS_MAIL_FROM", ""),
    secret("PORTCULLIS_WEBHOOK_URL"),
    secret("PORTCULLIS_WEBHOOK_SECRET"),
    plain("PORTCULLIS_METRICS_BIND", "127.0.0.1:9464"),
    plain("PORTCULLIS_LOG_FORMAT", "text"),
    plain("RUST_LOG", "info,actix_server=warn,sea_orm_migration=warn"),
];

/// A setting that makes no sense. The message names the variable and never holds a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct SettingsError {
    /// The variable.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For eyes.
    Text,
    /// One JSON object a line.
    Json,
}

/// What happens to a sign-in of somebody who has as many sessions as are allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AtSessionLimit {
    /// The session that was opened first ends.
    EndOldest,
    /// The person says which session ends.
    Ask,
    /// Nobody is let in.
    Refuse,
}

/// A value that never shows itself.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Hides a value.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The two limits of a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetimes {
    /// Unused for this long, it ends.
    pub idle: TimeDelta,
    /// After this long it ends, however much it is used.
    pub absolute: TimeDelta,
}

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the tables are; may hold a password.
    pub database_url: Secret,
    /// Most connections at once.
    pub database_connections: u32,
    /// Directory of the embedded database, the master key, and mails where no server is set.
    pub data_dir: PathBuf,
    /// The master key in base64, if not in a file of the data directory.
    pub master_key: Option<Secret>,
    /// Address to listen on.
    pub bind: SocketAddr,
    /// How browsers reach us, without a slash at the end; the issuer of tokens.
    pub public_url: String,
    /// The origin (scheme, host, port) of the public URL, as browsers write it.
    pub public_origin: String,
    /// Is the public URL https?
    pub https: bool,
    /// Proxies whose forwarding headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// Threads that answer requests.
    pub workers: usize,
    /// Life of an access token.
    pub access_token: TimeDelta,
    /// Limits of a session.
    pub session: Lifetimes,
    /// Limits of a session opened with "stay signed in".
    pub remembered: Lifetimes,
    /// Most sessions of one user at once, if there is a most.
    pub max_sessions: Option<u32>,
    /// What happens to a sign-in beyond that.
    pub at_session_limit: AtSessionLimit,
    /// Age of proof up to which dangerous acts need no new one.
    pub step_up: TimeDelta,
    /// How long a session that has ended is kept.
    pub ended_session_retention: TimeDelta,
    /// How long the audit goes back.
    pub audit_retention: TimeDelta,
    /// How long hourly figures are kept.
    pub figures_retention: TimeDelta,
    /// How long cached facts are believed.
    pub cache_ttl: TimeDelta,
    /// Facts in memory are believed only if the change list was read no longer ago than this.
    pub revocation_bound: Duration,
    /// Most sessions in the cache.
    pub cache_capacity: u64,
    /// bcrypt's cost.
    pub bcrypt_cost: u32,
    /// Threads that hash passwords.
    pub bcrypt_threads: usize,
    /// Password checks that may wait for such a thread.
    pub bcrypt_queue: usize,
    /// Shortest password, in characters.
    pub password_min_chars: usize,
    /// File of places by address, in MaxMind's format, if there is one.
    pub geoip_file: Option<PathBuf>,
    /// How long client addresses are kept; without it for good.
    pub address_retention: Option<TimeDelta>,
    /// The mail server; without one, mails are files.
    pub smtp: Option<Smtp>,
    /// From whom mails come.
    pub mail_from: Mailbox,
    /// Who is told of events by HTTP, if anybody is.
    pub webhook: Option<Webhook>,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Address for whoever collects figures, if anybody may.
    pub metrics_bind: Option<SocketAddr>,
    /// Which log lines are written.
    pub log_filter: String,
}

impl Settings {
    /// Reads the process's environment, after adding what `.env` in the working directory sets.
    #[expect(clippy::disallowed_methods, reason = "the one place that may ask")]
    pub fn from_env() -> Result<Self, SettingsError> {
        match dotenvy::dotenv() {
            Ok(_) => {}
            Err(error) if error.not_found() => {}
            Err(error) => return Err(fault(".env", &error.to_string())),
        }
        Self::read(std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name, value.to_string_lossy().into_owned()))
        }))
    }

    /// Reads the variables given.
    pub fn read(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let values = Values::collect(variables)?;
        let data_dir = PathBuf::from(values.text("PORTCULLIS_DATA_DIR"));
        let (public_url, public_origin, https) = public_url(&values.text("PORTCULLIS_PUBLIC_URL"))?;
        let smtp = values.0.get("PORTCULLIS_SMTP_URL").map(|url| smtp(url));
        let smtp = smtp.transpose()?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let settings = Self {
            database_url: match values.0.get("DATABASE_URL") {
                Some(url) => database_url(url)?,
                None => sqlite_in(&data_dir)?,
            },
            database_connections: values.number("PORTCULLIS_DATABASE_CONNECTIONS", 1, 1000)?,
            master_key: values
                .0
                .get("PORTCULLIS_MASTER_KEY")
                .map(|key| master_key(key))
                .transpose()?,
            bind: values.parse(
                "PORTCULLIS_BIND",
                "an address and port such as 127.0.0.1:8080",
            )?,
            public_url,
            public_origin,
            https,
            trusted_proxies: networks(&values.text("PORTCULLIS_TRUSTED_PROXIES"))?,
            workers: values.number_or("PORTCULLIS_WORKERS", 1, 1024, cores)?,
            access_token: values.seconds("PORTCULLIS_ACCESS_TOKEN_SECS", 5, 3600)?,
            session: Lifetimes {
                idle: values.seconds("PORTCULLIS_SESSION_IDLE_SECS", 1, YEAR)?,
                absolute: values.seconds("PORTCULLIS_SESSION_LIFETIME_SECS", 1, YEAR)?,
            },
            remembered: Lifetimes {
                idle: values.seconds("PORTCULLIS_REMEMBERED_IDLE_SECS", 1, YEAR)?,
                absolute: values.seconds("PORTCULLIS_REMEMBERED_LIFETIME_SECS", 1, YEAR)?,
            },
            max_sessions: match values.text("PORTCULLIS_MAX_SESSIONS").as_str() {
                "" => None,
                _ => Some(values.number("PORTCULLIS_MAX_SESSIONS", 1, 1000)?),
            },
            at_session_limit: match values.text("PORTCULLIS_AT_SESSION_LIMIT").as_str() {
                "end-oldest" => AtSessionLimit::EndOldest,
                "ask" => AtSessionLimit::Ask,
                "refuse" => AtSessionLimit::Refuse,
                other => {
                    let problem = format!("`{other}` is none of `end-oldest`, `ask` and `refuse`");
                    return Err(fault("PORTCULLIS_AT_SESSION_LIMIT", &problem));
                }
            },
            step_up: values.seconds("PORTCULLIS_STEP_UP_SECS", 30, 86400)?,
            ended_session_retention: values.days(
                "PORTCULLIS_ENDED_SESSION_RETENTION_DAYS",
                1,
                3650,
            )?,
            audit_retention: values.days("PORTCULLIS_AUDIT_RETENTION_DAYS", 1, 36_500)?,
            figures_retention: values.days("PORTCULLIS_FIGURES_RETENTION_DAYS", 32, 3650)?,
            revocation_bound: Duration::from_millis(values.number(
                "PORTCULLIS_REVOCATION_BOUND_MS",
                100,
                60_000,
            )?),
            cache_ttl: values.seconds("PORTCULLIS_CACHE_TTL_SECS", 1, 3600)?,
            cache_capacity: values.number("PORTCULLIS_CACHE_CAPACITY", 100, 100_000_000)?,
            bcrypt_cost: values.number("PORTCULLIS_BCRYPT_COST", 10, 15)?,
            bcrypt_threads: values.number_or(
                "PORTCULLIS_BCRYPT_THREADS",
                1,
                64,
                (cores / 2).max(1),
            )?,
            bcrypt_queue: values.number("PORTCULLIS_BCRYPT_QUEUE", 1, 100_000)?,
            password_min_chars: values.number("PORTCULLIS_PASSWORD_MIN_CHARS", 8, 64)?,
            geoip_file: values.path("PORTCULLIS_GEOIP_FILE"),
            address_retention: values.days_if_set("PORTCULLIS_ADDRESS_RETENTION_DAYS", 1, 3650)?,
            mail_from: mail_from(&values.text("PORTCULLIS_MAIL_FROM"), smtp.is_some())?,
            smtp,
            webhook: webhook(&values)?,
            metrics_bind: match values.text("PORTCULLIS_METRICS_BIND").as_str() {
                "off" => None,
                _ => Some(values.parse(
                    "PORTCULLIS_METRICS_BIND",
                    "`off`, or an address and port, as 127.0.0.1:9464",
                )?),
            },
            log_format: match values.text("PORTCULLIS_LOG_FORMAT").as_str() {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                other => {
                    let problem = format!("`{other}` is neither `text` nor `json`");
                    return Err(fault("PORTCULLIS_LOG_FORMAT", &problem));
                }
            },
            log_filter: values.text("RUST_LOG"),
            data_dir,
        };
        for (name, lifetimes) in [
            ("PORTCULLIS_SESSION_IDLE_SECS", settings.session),
            ("PORTCULLIS_REMEMBERED_IDLE_SECS", settings.remembered),
        ] {
            if lifetimes.idle > lifetimes.absolute {
                return Err(fault(
                    name,
                    "the idle timeout is longer than the absolute lifetime",
                ));
            }
        }
        Ok(settings)
    }

    /// The limits of a session.
    pub fn lifetimes(&self, remembered: bool) -> Lifetimes {
        if remembered {
            self.remembered
        } else {
            self.session
        }
    }
}

#[cfg(test)]
mod tests;
