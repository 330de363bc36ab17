//! What a browser or program says of itself, made readable.

use crate::rules::record::Device;

/// Longest `User-Agent` that is kept, in characters.
const MAX_CHARS: usize = 512;

/// Reads a `User-Agent`. What cannot be told stays empty.
pub fn device(user_agent: &str) -> Device {
    let printable = |c: &char| !c.is_control();
    let user_agent: String = user_agent
        .chars()
        .filter(printable)
        .take(MAX_CHARS)
        .collect();
    let parsed = woothee::parser::Parser::new().parse(&user_agent);
    let known = |text: &str| {
        if text == "UNKNOWN" {
            String::new()
        } else {
            text.to_owned()
        }
    };
    // What is no browser is best called by its own name.
    let Some(parsed) = parsed.filter(|parsed| !["misc", "crawler"].contains(&parsed.category))
    else {
        return Device {
            browser: program(&user_agent),
            user_agent,
            ..Device::default()
        };
    };
    let major = parsed.version.split('.').next().unwrap_or_default();
    let browser = match (known(parsed.name), known(major)) {
        (name, _) if name.is_empty() => program(&user_agent),
        (name, version) if version.is_empty() => name,
        (name, version) => format!("{name} {version}"),
    };
    let device = match parsed.category {
        "pc" => "Computer",
        "smartphone" if parsed.os.contains("iPad") => "Tablet",
        "smartphone" | "mobilephone" => "Phone",
        "appliance" => "Appliance",
        _ => "",
    };
    let os = match parsed.os {
        "OSX" | "Mac OSX" => "macOS".to_owned(),
        os => known(os),
    };
    Device {
        device: device.to_owned(),
        os,
        browser,
        user_agent,
    }
}

/// The product a program that is no browser names first, as `curl/8.5.0` does.
fn program(user_agent: &str) -> String {
    let first = user_agent
        .split_ascii_whitespace()
        .next()
        .unwrap_or_default();
    let (name, version) = first.split_once('/').unwrap_or((first, ""));
    let short: String = format!("{name} {version}")
        .trim()
        .chars()
        .take(64)
        .collect();
    short
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn common_clients_are_recognised() {
        let cases = [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
                ("Computer", "Chrome 156", "Linux"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
                ("Computer", "Firefox 140", "Windows 10"),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
                ("Phone", "Safari 18", "iPhone"),
            ),
            ("curl/8.5.0", ("", "curl 8.5.0", "")),
            ("", ("", "", "")),
            ("one\r\ntwo", ("", "onetwo", "")),
        ];
        for (user_agent, (kind, browser, os)) in cases {
            let device = device(user_agent);
            let found = (
                device.device.as_str(),
                device.browser.as_str(),
                device.os.as_str(),
            );
            assert_eq!(found, (kind, browser, os), "{user_agent}");
        }
        assert_eq!(device(&"x".repeat(5000)).user_agent.len(), 512);
    }
}
