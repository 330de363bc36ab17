//! Where an address is, roughly, by a file of the operator's in MaxMind's format.
//!
//! Knows city, region and country, in English; asks nobody over the network.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::Reader;
use maxminddb::geoip2::City;

use crate::settings::Settings;

/// Longest place that is kept, in characters.
const MAX_CHARS: usize = 120;

/// Kinds of files that have what is looked for, as a part of their type's name.
const KINDS: [&str; 3] = ["City", "Country", "Enterprise"];

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("PORTCULLIS_GEOIP_FILE: {}: {problem}", path.display())]
pub struct PlacesError {
    path: PathBuf,
    problem: String,
}

/// The places that are known: none without a file.
#[derive(Default)]
pub struct Places(Option<Reader<Vec<u8>>>);

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.0.as_ref().map(|file| &file.metadata().database_type);
        f.debug_tuple("Places").field(&kind).finish()
    }
}

impl Places {
    /// Reads the file of the settings whole, if they name one.
    pub fn read(settings: &Settings) -> Result<Self, PlacesError> {
        settings
            .geoip_file
            .as_deref()
            .map(read)
            .transpose()
            .map(Self)
    }

    /// What kind of file it is and when it was made, in seconds since 1970; none without one.
    pub fn kind(&self) -> Option<(&str, u64)> {
        let metadata = self.0.as_ref()?.metadata();
        Some((&metadata.database_type, metadata.build_epoch))
    }

    /// City (or else region) and country in English, or as much as is known of them.
    pub fn find(&self, address: IpAddr) -> Option<String> {
        // A private address, one of a kind that the file does not have, or a record that says
        // something else where a name should be: nothing is known of it.
        let found = self.0.as_ref()?.lookup(address).ok()?;
        let record: City<'_> = found.decode().ok()??;
        let region = record.subdivisions.first();
        let town = record.city.names.english;
        let town = town.or(region.and_then(|region| region.names.english));
        let country = record.country.names.english.or(record.country.iso_code);
        let parts: Vec<&str> = [town, country].into_iter().flatten().collect();
        let place: String = parts
            .join(", ")
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_CHARS)
            .collect();
        (!place.is_empty()).then_some(place)
    }
}

fn read(path: &Path) -> Result<Reader<Vec<u8>>, PlacesError> {
    let fault = |problem: String| PlacesError {
        path: path.to_owned(),
        problem,
    };
    let bytes = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    let reader = Reader::from_source(bytes)
        .map_err(|error| fault(format!("no file of MaxMind's format: {error}")))?;
    let kind = &reader.metadata().database_type;
    if !KINDS.iter().any(|known| kind.contains(known)) {
        let problem = format!("it is of the type `{kind}`, which has neither cities nor countries");
        return Err(fault(problem));
    }
    Ok(reader)
}
