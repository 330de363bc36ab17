//! Does an unsafe request made with a cookie come from our own pages? (ASVS 3.5.1, Fetch Metadata)

/// What the request says about where it comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Evidence {
    /// The browser vouches that our own page sent it.
    SameOrigin,
    /// Some other site sent it.
    CrossSite,
    /// Too old a client, or none that is a browser: it says nothing.
    Silent,
}

/// Reads `Sec-Fetch-Site`, else `Origin`, against our own origin (scheme, host, port).
///
/// `Sec-Fetch-Site` is set by the browser, which no page can change; values it does not know are
/// ignored, and `Origin` decides then. `none` means that the person did it by hand; no form of
/// ours is sent that way, so for an unsafe request it is refused too.
pub fn evidence(sec_fetch_site: Option<&str>, origin: Option<&str>, own_origin: &str) -> Evidence {
    match sec_fetch_site {
        Some("same-origin") => Evidence::SameOrigin,
        Some("same-site" | "cross-site" | "none") => Evidence::CrossSite,
        Some(_) | None => match origin {
            Some(origin) if origin == own_origin => Evidence::SameOrigin,
            Some(_) => Evidence::CrossSite,
            None => Evidence::Silent,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Evidence, evidence};

    #[test]
    fn the_browsers_word_counts_before_the_origin() {
        const OWN: &str = "https://login.test";
        let cases = [
            (Some("same-origin"), None, Evidence::SameOrigin),
            (Some("same-origin"), Some("null"), Evidence::SameOrigin),
            (Some("same-site"), Some(OWN), Evidence::CrossSite),
            (Some("cross-site"), Some(OWN), Evidence::CrossSite),
            (Some("none"), None, Evidence::CrossSite),
            (Some("from-the-future"), Some(OWN), Evidence::SameOrigin),
            (Some("from-the-future"), None, Evidence::Silent),
            (None, Some(OWN), Evidence::SameOrigin),
            (None, Some("null"), Evidence::CrossSite),
            (None, Some("http://login.test"), Evidence::CrossSite),
            (
                None,
                Some("https://login.test.evil.test"),
                Evidence::CrossSite,
            ),
            (None, Some("https://login.test:8443"), Evidence::CrossSite),
            (None, None, Evidence::Silent),
        ];
        for (site, origin, expected) in cases {
            assert_eq!(evidence(site, origin, OWN), expected, "{site:?} {origin:?}");
        }
    }
}
