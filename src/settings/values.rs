//! Reading one variable: its text, its kind, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use ipnet::IpNet;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::settings::{Secret, SettingsError, VARIABLES};

pub(super) const YEAR: u32 = 31_536_000;

pub(super) struct Values(pub(super) BTreeMap<String, String>);

impl Values {
    pub(super) fn collect(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut values = BTreeMap::new();
        for (name, value) in variables {
            // The name of a setting may itself end so.
            let whole = VARIABLES.iter().any(|v| v.name == name);
            let base = match name.strip_suffix("_FILE") {
                Some(base) if !whole => base,
                Some(_) | None => &name,
            };
            let from_file = base != name;
            let known = VARIABLES.iter().find(|v| v.name == base);
            match known {
                Some(variable) if !from_file || variable.secret => {
                    if value.is_empty() {
                        continue;
                    }
                    let value = if from_file {
                        read_file(&name, &value)?
                    } else {
                        value
                    };
                    if values.insert(base.to_owned(), value).is_some() {
                        let problem = format!("`{base}` and `{base}_FILE` are both set");
                        return Err(fault(base, &problem));
                    }
                }
                _ if name.starts_with("PORTCULLIS_") => {
                    return Err(fault(&name, "there is no such setting; see .env.example"));
                }
                _ => {}
            }
        }
        Ok(Self(values))
    }

    pub(super) fn text(&self, name: &str) -> String {
        let default = || {
            VARIABLES
                .iter()
                .find(|v| v.name == name)
                .map_or("", |v| v.default)
        };
        self.0
            .get(name)
            .map_or_else(|| default().to_owned(), |value| value.trim().to_owned())
    }

    pub(super) fn parse<T: FromStr>(&self, name: &str, expected: &str) -> Result<T, SettingsError> {
        let text = self.text(name);
        text.parse()
            .map_err(|_| fault(name, &format!("`{text}` is not {expected}")))
    }

    pub(super) fn number<T>(&self, name: &str, min: T, max: T) -> Result<T, SettingsError>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let expected = format!("a whole number from {min} to {max}");
        let number: T = self.parse(name, &expected)?;
        if number < min || number > max {
            return Err(fault(name, &format!("`{number}` is not {expected}")));
        }
        Ok(number)
    }

    pub(super) fn number_or(
        &self,
        name: &str,
        min: usize,
        max: usize,
        otherwise: usize,
    ) -> Result<usize, SettingsError> {
        if self.text(name).is_empty() {
            Ok(otherwise)
        } else {
            self.number(name, min, max)
        }
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(name).map(PathBuf::from)
    }

    /// None if nothing is said.
    pub(super) fn days_if_set(
        &self,
        name: &str,
        min: u32,
        max: u32,
    ) -> Result<Option<TimeDelta>, SettingsError> {
        if self.text(name).is_empty() {
            return Ok(None);
        }
        let days = self.number(name, min, max)?;
        Ok(Some(TimeDelta::days(i64::from(days))))
    }

    pub(super) fn seconds(
        &self,
        name: &str,
        min: u32,
        max: u32,
    ) -> Result<TimeDelta, SettingsError> {
        self.number(name, min, max)
            .map(|seconds| TimeDelta::seconds(i64::from(seconds)))
    }

    pub(super) fn days(&self, name: &str, min: u32, max: u32) -> Result<TimeDelta, SettingsError> {
        self.number(name, min, max)
            .map(|days| TimeDelta::days(i64::from(days)))
    }
}

pub(super) fn fault(name: &str, problem: &str) -> SettingsError {
    SettingsError {
        name: name.to_owned(),
        problem: problem.to_owned(),
    }
}

fn read_file(name: &str, path: &str) -> Result<String, SettingsError> {
    std::fs::read_to_string(path)
        .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
        .map_err(|error| fault(name, &format!("cannot read `{path}`: {error}")))
}

pub(super) fn database_url(url: &str) -> Result<Secret, SettingsError> {
    let known = ["sqlite:", "postgres://", "postgresql://"];
    if !known.iter().any(|scheme| url.starts_with(scheme)) {
        return Err(fault(
            "DATABASE_URL",
            "it must begin with sqlite: or postgres://",
        ));
    }
    if url.starts_with("postgres") && Url::parse(url).is_err() {
        // The parser's own words may quote the password.
        return Err(fault(
            "DATABASE_URL",
            "it is not a URL; a password with signs such as # or / must have them percent-encoded",
        ));
    }
    if url.starts_with("sqlite:") && url.contains('%') {
        return Err(fault(
            "DATABASE_URL",
            "the path of an SQLite file must not hold a `%`",
        ));
    }
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(fault(
            "DATABASE_URL",
            "a database in memory would forget everybody at each start",
        ));
    }
    Ok(Secret::new(url.to_owned()))
}

pub(super) fn sqlite_in(data_dir: &Path) -> Result<Secret, SettingsError> {
    let path = data_dir.join("portcullis.sqlite");
    let path = path
        .to_str()
        .filter(|path| !path.contains(['?', '%', '#']))
        .ok_or_else(|| {
            fault(
                "PORTCULLIS_DATA_DIR",
                "the path has characters that no database address can hold",
            )
        })?;
    Ok(Secret::new(format!("sqlite://{path}")))
}

/// The URL without a slash at its end, its origin, and whether it is https.
pub(super) fn public_url(text: &str) -> Result<(String, String, bool), SettingsError> {
    const NAME: &str = "PORTCULLIS_PUBLIC_URL";
    let url = Url::parse(text).map_err(|error| fault(NAME, &format!("`{text}`: {error}")))?;
    let https = match url.scheme() {
        "https" => true,
        "http" if is_loopback(&url) => false,
        "http" => {
            return Err(fault(
                NAME,
                "plain http is for loopback names only; use https",
            ));
        }
        _ => return Err(fault(NAME, "it must begin with https://")),
    };
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !bare {
        return Err(fault(
            NAME,
            "it must be scheme, host and port only, without a path",
        ));
    }
    let origin = url.origin().ascii_serialization();
    Ok((origin.clone(), origin, https))
}

/// Does it lead to this machine, by a name or address that can lead nowhere else?
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, SettingsError> {
    const NAME: &str = "PORTCULLIS_TRUSTED_PROXIES";
    text.split([',', ' '])
        .filter(|part| !part.is_empty())
        .map(|part| {
            let address = part.parse::<std::net::IpAddr>().map(IpNet::from);
            part.parse::<IpNet>().or(address).map_err(|_| {
                fault(
                    NAME,
                    &format!("`{part}` is neither an address nor a network"),
                )
            })
        })
        .collect()
}

/// What it is worth is found out where it is used; that it is a key at all, before anything is made
/// or changed.
pub(super) fn master_key(text: &str) -> Result<Secret, SettingsError> {
    let decoded = STANDARD.decode(text).map(Zeroizing::new);
    if !decoded.is_ok_and(|bytes| bytes.len() == 32) {
        return Err(fault(
            "PORTCULLIS_MASTER_KEY",
            "it is not 32 bytes in base64",
        ));
    }
    Ok(Secret::new(text.to_owned()))
}
