//! The stylesheet and the icon, embedded in the binary.
//!
//! Knows their bytes and the paths they are served under; serving them, and how long they may be
//! kept, is not here.

use std::sync::LazyLock;

/// The one stylesheet.
pub const STYLESHEET: &str = include_str!("../../../static/portcullis.css");

/// The icon, an SVG.
pub const ICON: &str = include_str!("../../../static/portcullis.svg");

/// Where the icon is served. Not hashed: it is the one address a bookmark or a README may point at.
pub const ICON_PATH: &str = "/static/portcullis.svg";

static STYLESHEET_PATH: LazyLock<String> = LazyLock::new(|| {
    format!(
        "/static/portcullis-{:08x}.css",
        fingerprint(STYLESHEET.as_bytes())
    )
});

/// Where the stylesheet is served. The name changes with the content, so a browser may keep it for
/// ever.
pub fn stylesheet_path() -> &'static str {
    &STYLESHEET_PATH
}

/// FNV-1a. It tells releases apart; nothing relies on it being hard to forge.
fn fingerprint(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_fnv_1a() {
        assert_eq!(fingerprint(b""), 0x811c_9dc5);
        assert_eq!(fingerprint(b"a"), 0xe40c_292c);
        assert_eq!(fingerprint(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn the_stylesheets_path_carries_eight_hex_digits() {
        let hash = stylesheet_path()
            .strip_prefix("/static/portcullis-")
            .and_then(|rest| rest.strip_suffix(".css"))
            .unwrap_or_default();
        assert_eq!(hash.len(), 8, "{}", stylesheet_path());
        assert!(
            hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{}",
            stylesheet_path()
        );
    }

    #[test]
    fn assets_load_nothing_from_elsewhere() {
        for (asset, namespaces) in [(STYLESHEET, 0), (ICON, 1)] {
            assert_eq!(
                asset.matches("://").count(),
                namespaces,
                "an address outside this site"
            );
            assert!(!asset.contains("@import"), "a second stylesheet");
            assert!(
                !asset.contains("<script") && !asset.contains("<style"),
                "the content policy would block this"
            );
        }
    }
}
