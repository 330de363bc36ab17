//! Which passwords may be chosen (NIST SP 800-63B-4 §3.1.1.2; ASVS 6.2).
//!
//! Length and whether it is a common or expected one; nothing about its composition. Knows nothing
//! of hashing: see `service::passwords`.

use unicode_normalization::UnicodeNormalization;

/// Longest password, in characters.
pub const MAX_CHARS: usize = 256;

/// The 19,640 commonest passwords, lower case, sorted by bytes, one a line. From the list that
/// Django ships (BSD-3-Clause; compiled by Royce Williams from published breaches).
const COMMON: &str = include_str!("common_passwords.txt");

/// Why a password is refused. The words are for the person who chose it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PasswordFault {
    /// Fewer characters than the installation asks for.
    #[error("Choose a password of at least {min} characters; this one has {chars}.")]
    TooShort {
        /// How many it has.
        chars: usize,
        /// How many it needs.
        min: usize,
    },
    /// More than [`MAX_CHARS`].
    #[error("Choose a password of at most {MAX_CHARS} characters; this one has {chars}.")]
    TooLong {
        /// How many it has.
        chars: usize,
    },
    /// Among the first a guesser tries.
    #[error(
        "This is one of the passwords that are guessed first. Choose another, for example four or five words that do not belong together."
    )]
    Common,
    /// Made of the person's or the server's own name.
    #[error(
        "This password is made of your own or this server's name, which is guessed first. Choose another, for example four or five words that do not belong together."
    )]
    Expected,
}

/// The form that is counted, compared and hashed: NFC, so that the same characters typed on
/// another keyboard are the same password. Nothing else is changed.
pub fn normalize(password: &str) -> String {
    password.nfc().collect()
}

/// May this password be chosen? `context` names what a guesser would try for this very person:
/// product, host, the parts of the address, the name.
///
/// The whole password is compared, not its parts; a common or expected word does not become
/// another by being repeated or followed by digits and signs.
pub fn judge(password: &str, min_chars: usize, context: &[&str]) -> Result<(), PasswordFault> {
    let password = normalize(password);
    let chars = password.chars().count();
    if chars < min_chars {
        return Err(PasswordFault::TooShort {
            chars,
            min: min_chars,
        });
    }
    if chars > MAX_CHARS {
        return Err(PasswordFault::TooLong { chars });
    }
    let folded = password.to_lowercase();
    let core = folded.trim_matches(|c: char| !c.is_alphabetic());
    let unit = repeated_unit(core);
    if is_common(&folded) || is_common(repeated_unit(&folded)) || is_common(unit) {
        return Err(PasswordFault::Common);
    }
    let expected = context
        .iter()
        .map(|word| word.trim().to_lowercase())
        .any(|word| {
            word.chars().count() >= 3 && [folded.as_str(), core, unit].contains(&word.as_str())
        });
    if expected {
        return Err(PasswordFault::Expected);
    }
    Ok(())
}

/// The shortest text whose repetition is `text`, if it has at least three characters.
fn repeated_unit(text: &str) -> &str {
    text.char_indices()
        .map(|(at, _)| text.split_at(at))
        .find(|(unit, _)| {
            unit.chars().nth(2).is_some()
                && text.len().is_multiple_of(unit.len())
                && text.len() / unit.len() > 1
                && unit.repeat(text.len() / unit.len()) == text
        })
        .map_or(text, |(unit, _)| unit)
}

/// Binary search by line, straight in the embedded text, so that the list costs no memory.
fn is_common(folded: &str) -> bool {
    let (mut low, mut high) = (0, COMMON.len());
    while low < high {
        let middle = (low + high) / 2;
        let bytes = COMMON.as_bytes();
        let start = bytes
            .get(..middle)
            .and_then(|before| before.iter().rposition(|b| *b == b'\n'))
            .map_or(0, |newline| newline + 1);
        let line = bytes.get(start..).unwrap_or_default();
        let length = line.iter().position(|b| *b == b'\n').unwrap_or(line.len());
        let line = line.get(..length).unwrap_or_default();
        match line.cmp(folded.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = start + length + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{COMMON, PasswordFault, is_common, judge};

    #[test]
    fn length_is_counted_in_characters() {
        let cases = [
            (
                "x".repeat(14),
                Err(PasswordFault::TooShort { chars: 14, min: 15 }),
            ),
            ("x1".repeat(7) + "y", Ok(())),
            ("\u{1f600}".repeat(15), Ok(())),
            ("\u{1f600}".repeat(64), Ok(())),
            (
                "e\u{301}".repeat(14),
                Err(PasswordFault::TooShort { chars: 14, min: 15 }),
            ),
            ("xy".repeat(128), Ok(())),
            (
                "xy".repeat(128) + "z",
                Err(PasswordFault::TooLong { chars: 257 }),
            ),
        ];
        for (password, expected) in cases {
            assert_eq!(judge(&password, 15, &[]), expected, "{password}");
        }
    }

    #[test]
    fn asvs_6_2_4_every_listed_password_is_refused_and_the_list_is_long_enough() {
        let mut count = 0;
        for password in COMMON.lines() {
            assert!(is_common(password), "{password}");
            let chars = password.chars().count();
            if chars >= 8 {
                assert_eq!(judge(password, 8, &[]), Err(PasswordFault::Common));
                count += 1;
            }
        }
        assert!(count >= 3000, "{count}");
        assert!(!is_common("") && !is_common("\u{7f}") && !is_common("zzzzzzzzzzzzzzzzzzzzz"));
    }

    #[test]
    fn asvs_6_2_11_expected_words_are_refused_whole() {
        let context = ["Portcullis", "ada.lovelace", "login.example.org"];
        for expected in [
            "portcullis2026!!",
            "PortcullisPortcullis",
            "ada.lovelace-1815",
            "login.example.org",
        ] {
            assert_eq!(
                judge(expected, 15, &context),
                Err(PasswordFault::Expected),
                "{expected}"
            );
        }
        for common in [
            "passwordpassword",
            "password12345678",
            "Qwertyuiop!!!!!!",
            "123456123456123456",
        ] {
            assert_eq!(
                judge(common, 15, &context),
                Err(PasswordFault::Common),
                "{common}"
            );
        }
    }

    #[test]
    fn asvs_6_2_5_no_composition_is_asked_for() {
        for password in [
            "aaaabbbbccccdddd",
            "onlylowercaseletters",
            "31415926535897932384",
            "words and blanks",
            "\u{3b1}\u{3b2}\u{3b3}\u{3b4}\u{3b5}\u{3b6}\u{3b7}\u{3b8}\u{3b9}\u{3ba}\u{3bb}\u{3bc}\u{3bd}\u{3be}\u{3bf}",
            "the portcullis is down",
        ] {
            assert_eq!(judge(password, 15, &["portcullis"]), Ok(()), "{password}");
        }
    }
}
