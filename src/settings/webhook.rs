//! Who is told of events by HTTP, and with what key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;
use zeroize::Zeroizing;

use crate::settings::SettingsError;
use crate::settings::values::{Values, fault, is_loopback};

const URL: &str = "PORTCULLIS_WEBHOOK_URL";
const SECRET: &str = "PORTCULLIS_WEBHOOK_SECRET";

/// What a secret begins with, after the Standard Webhooks specification.
const PREFIX: &str = "whsec_";

/// Somebody who is told of events by HTTP. Shows its host alone.
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    key: Zeroizing<Vec<u8>>,
}

impl Webhook {
    /// Where events are posted to.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The host in it, which tells nothing that others must not know.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// What they are signed with: 24 to 64 bytes.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({}, [redacted])", self.host())
    }
}

/// Reads both variables. No message quotes either.
pub(super) fn webhook(values: &Values) -> Result<Option<Webhook>, SettingsError> {
    let text = |name: &str| values.0.get(name).map(|text| text.trim());
    let (url, secret) = (text(URL), text(SECRET));
    let Some(url) = url else {
        return match secret {
            Some(_) => Err(fault(SECRET, &format!("it is set, but {URL} is not"))),
            None => Ok(None),
        };
    };
    let url = address(url)?;
    let Some(secret) = secret else {
        return Err(fault(SECRET, &format!("it must be set, since {URL} is")));
    };
    let bytes = secret
        .strip_prefix(PREFIX)
        .map(|text| STANDARD.decode(text));
    let key = match bytes {
        Some(Ok(bytes)) => Zeroizing::new(bytes),
        Some(Err(_)) | None => {
            let problem = format!("it is not {PREFIX} and bytes in base64 behind it");
            return Err(fault(SECRET, &problem));
        }
    };
    if !(24..=64).contains(&key.len()) {
        let problem = format!("it has {} bytes; 24 to 64 are needed", key.len());
        return Err(fault(SECRET, &problem));
    }
    Ok(Some(Webhook { url, key }))
}

fn address(text: &str) -> Result<Url, SettingsError> {
    let url = Url::parse(text).map_err(|_| {
        fault(
            URL,
            "it is not a URL such as https://app.example.org/events",
        )
    })?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(fault(
                URL,
                "plain http is for loopback names only; use https",
            ));
        }
        _ => return Err(fault(URL, "it must begin with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        let problem = "there must be no user and no password in it; the signature says who it is";
        return Err(fault(URL, problem));
    }
    if url.fragment().is_some() {
        return Err(fault(URL, "there must be no # in it"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::{SECRET, URL, webhook};
    use crate::settings::SettingsError;
    use crate::settings::values::Values;

    /// 24 bytes.
    const GOOD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn read(url: &str, secret: &str) -> Result<Option<super::Webhook>, SettingsError> {
        let set = [(URL, url), (SECRET, secret)];
        let set = set.into_iter().filter(|(_, value)| !value.is_empty());
        let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        webhook(&Values::collect(set)?)
    }

    #[test]
    fn both_are_set_or_neither() -> Result<(), SettingsError> {
        assert!(read("", "")?.is_none());
        for url in [
            "https://app.example.org",
            "https://app.example.org:8443/events?of=portcullis",
            "http://127.0.0.1:9/x",
            "http://[::1]:9",
            "http://localhost:3000/hook",
        ] {
            let webhook = read(url, GOOD)?;
            let shown = format!("{webhook:?}");
            assert!(
                !shown.contains("events") && !shown.contains("MfKQ"),
                "{shown}"
            );
            assert_eq!(webhook.map(|it| it.key().len()), Some(24), "{url}");
        }
        for (url, secret, named) in [
            ("", GOOD, SECRET),
            ("https://app.example.org", "", SECRET),
            ("https://app.example.org", &GOOD[6..], SECRET),
            ("https://app.example.org", "whsec_", SECRET),
            (
                "https://app.example.org",
                "whsec_not base64 at all!",
                SECRET,
            ),
            ("https://app.example.org", &GOOD[..GOOD.len() - 4], SECRET),
            ("http://app.example.org", GOOD, URL),
            ("http://10.0.0.1/hook", GOOD, URL),
            ("http://localhost.example.org", GOOD, URL),
            ("ftp://localhost", GOOD, URL),
            ("app.example.org/secret", GOOD, URL),
            ("https://user@app.example.org", GOOD, URL),
            ("https://:secret@app.example.org", GOOD, URL),
            ("https://app.example.org/#secret", GOOD, URL),
        ] {
            let error = read(url, secret).err();
            let said = error.map(|error| (error.name.clone(), error.to_string()));
            let Some((name, text)) = said else {
                assert_eq!(url, "refused", "{secret}");
                continue;
            };
            assert_eq!(name, named, "{url} {secret}");
            assert!(
                !text.contains("/secret") && !text.contains("MfKQ"),
                "{text}"
            );
        }
        let long = format!("whsec_{}", "A".repeat(88));
        assert!(read("https://app.example.org", &long).is_err());
        Ok(())
    }
}
