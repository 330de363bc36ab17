//! What people may call a device.

/// Longest name, in characters.
pub const MAX_CHARS: usize = 60;

/// Why a device cannot be called so.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameFault {
    /// It is too long.
    #[error("The name has {chars} characters; at most {MAX_CHARS} are taken.")]
    TooLong {
        /// How many it has.
        chars: usize,
    },
    /// It has characters that show nothing, or that change how what stands around them is read.
    #[error("The name has a character that cannot be printed (U+{code:04X}).")]
    Unprintable {
        /// Which.
        code: u32,
    },
}

/// The name as it is kept; none if nothing was typed, which takes a name away.
pub fn session_name(typed: &str) -> Result<Option<String>, NameFault> {
    let name = typed.trim();
    let chars = name.chars().count();
    if chars > MAX_CHARS {
        return Err(NameFault::TooLong { chars });
    }
    if let Some(c) = name.chars().find(|c| is_unprintable(*c)) {
        return Err(NameFault::Unprintable { code: u32::from(c) });
    }
    // Joiners are for what they stand between; alone they would be a name that nobody sees.
    let seen = name.chars().any(|c| !is_joiner(c) && !c.is_whitespace());
    Ok(seen.then(|| name.to_owned()))
}

/// Control characters, line ends, what reverses the order of text, and what has no width.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e001f}')
}

/// Non-joiner and joiner (Persian, Hindi, families of emoji).
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::{MAX_CHARS, NameFault, session_name};

    #[test]
    fn names_are_printable_and_short() {
        let kept = |name: &str| Ok(Some(name.to_owned()));
        let unprintable = |code| Err(NameFault::Unprintable { code });
        let longest = "ü".repeat(MAX_CHARS);
        let longer = "ü".repeat(MAX_CHARS + 1);
        for (typed, expected) in [
            ("Work laptop", kept("Work laptop")),
            ("  Ada's phone\n", kept("Ada's phone")),
            ("<b>", kept("<b>")),
            ("电脑 👩\u{200d}💻", kept("电脑 👩\u{200d}💻")),
            ("", Ok(None)),
            (" \u{a0} ", Ok(None)),
            ("\u{200d}", Ok(None)),
            ("two\nlines", unprintable(0x0a)),
            ("nul\0", unprintable(0)),
            ("\u{1b}[31mred", unprintable(0x1b)),
            ("a\u{202e}b", unprintable(0x202e)),
            ("a\u{2067}b", unprintable(0x2067)),
            ("\u{200b}", unprintable(0x200b)),
            (&longest, kept(&longest)),
            (
                &longer,
                Err(NameFault::TooLong {
                    chars: MAX_CHARS + 1,
                }),
            ),
        ] {
            assert_eq!(session_name(typed), expected, "{typed:?}");
        }
    }
}
