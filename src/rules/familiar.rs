//! Does a sign-in look like those before it? (ASVS 6.3.5)

use std::net::IpAddr;

use ipnet::IpNet;

use crate::rules::record::Device;

/// Earlier sign-ins that a new one is compared with.
pub const COMPARED: u64 = 200;

/// Where and with what somebody signed in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Client address, as stored.
    pub ip: String,
    /// Browser and its version, as stored.
    pub browser: String,
    /// Operating system, as stored.
    pub os: String,
}

impl Seen {
    /// A sign-in that happens now.
    pub fn now(ip: IpAddr, device: &Device) -> Self {
        Self {
            ip: ip.to_string(),
            browser: device.browser.clone(),
            os: device.os.clone(),
        }
    }
}

/// Is this like a sign-in of before: the same browser, whatever its version, on the same system, and
/// the same network? Of the very first sign-in nobody needs to be told.
pub fn is_familiar(now: &Seen, before: &[Seen]) -> bool {
    let same_device = |seen: &Seen| {
        seen.os == now.os && without_version(&seen.browser) == without_version(&now.browser)
    };
    let here = network(&now.ip);
    before.is_empty()
        || (before.iter().any(same_device) && before.iter().any(|seen| network(&seen.ip) == here))
}

/// The browser's name without the number behind it.
fn without_version(browser: &str) -> &str {
    match browser.rsplit_once(' ') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => browser,
    }
}

/// What addresses of one household or company share: providers give new ones within it.
fn network(ip: &str) -> Option<IpNet> {
    let address = ip.parse::<IpAddr>().ok()?.to_canonical();
    let bits = if address.is_ipv4() { 24 } else { 48 };
    IpNet::new(address, bits).ok().map(|net| net.trunc())
}

#[cfg(test)]
mod tests {
    use super::{Seen, is_familiar};

    fn seen(ip: &str, browser: &str, os: &str) -> Seen {
        Seen {
            ip: ip.to_owned(),
            browser: browser.to_owned(),
            os: os.to_owned(),
        }
    }

    #[test]
    fn device_and_network_must_both_be_known() {
        let before = [
            seen("192.0.2.7", "Firefox 140", "Linux"),
            seen("2001:db8:1::1", "Safari 26", "iOS"),
        ];
        for (ip, browser, os, expected) in [
            ("192.0.2.7", "Firefox 140", "Linux", true),
            ("192.0.2.250", "Firefox 141", "Linux", true),
            ("192.0.3.7", "Firefox 140", "Linux", false),
            ("192.0.2.7", "Firefox 140", "Windows 10", false),
            ("192.0.2.7", "Chrome 140", "Linux", false),
            ("2001:db8:1:ffff::2", "Safari 27", "iOS", true),
            ("2001:db8:2::1", "Safari 26", "iOS", false),
            ("::ffff:192.0.2.9", "Firefox 140", "Linux", true),
            // Both are known, though not together: a phone at home.
            ("192.0.2.7", "Safari 26", "iOS", true),
        ] {
            let now = seen(ip, browser, os);
            assert_eq!(is_familiar(&now, &before), expected, "{now:?}");
        }
        assert!(is_familiar(&before[0], &[]));
    }
}
