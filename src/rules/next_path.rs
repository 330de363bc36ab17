//! Where to go after signing in: only ever a path on this site (ASVS 3.7.2).

/// `next` if it is safe to redirect to, else `fallback`.
///
/// Safe is what every browser reads as a path on the same host: one leading slash, not followed by
/// a second slash or a backslash, and nothing that browsers strip or that could split a header.
/// Encoded slashes are refused after the first slash too, since some proxies decode them.
pub fn next_path<'a>(next: &'a str, fallback: &'a str) -> &'a str {
    let bytes = next.as_bytes();
    let printable = bytes
        .iter()
        .all(|b| (0x21..=0x7e).contains(b) && *b != b'\\');
    let second = next.get(1..).unwrap_or("").to_ascii_lowercase();
    let leaves = ["/", "%2f", "%5c", "%09", "%0a", "%0d"]
        .iter()
        .any(|prefix| second.starts_with(prefix));
    if bytes.first() == Some(&b'/') && printable && !leaves && next.len() <= 1024 {
        next
    } else {
        fallback
    }
}

#[cfg(test)]
mod tests {
    use super::next_path;

    #[test]
    fn only_paths_on_this_site_are_followed() {
        for good in [
            "/",
            "/account",
            "/admin/sessions?q=a%20b&status=live",
            "/a//b",
        ] {
            assert_eq!(next_path(good, "/account"), good);
        }
        for bad in [
            "",
            "account",
            "//evil",
            "///evil",
            "/\\evil",
            "\\\\evil",
            "https:evil",
            "https://evil",
            "https://localhost:8080/account",
            "https://localhost@evil",
            "javascript:alert(1)",
            "%2f%2fevil",
            "/%2fevil",
            "/%2Fevil",
            "/%5Cevil",
            "/\tevil",
            "/a\r\nSet-Cookie: x=y",
            "/%0d%0aevil",
            " /account",
            "/ä",
        ] {
            assert_eq!(next_path(bad, "/account"), "/account", "{bad:?}");
        }
        assert_eq!(next_path(&format!("/{}", "a".repeat(1024)), "/"), "/");
    }
}
