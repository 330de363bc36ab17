//! How somebody proved who they are: a set of the method names of RFC 8176.

use std::fmt;

/// The registered names (RFC 8176, 2).
const NAMES: [&str; 21] = [
    "face", "fpt", "geo", "hwk", "iris", "kba", "mca", "mfa", "otp", "pin", "pop", "pwd", "rba",
    "retina", "sc", "sms", "swk", "tel", "user", "vbm", "wia",
];

/// Methods, each there or not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Amr(u32);

impl Amr {
    /// From names with spaces between them. What is no registered name is left out: no method is
    /// claimed that nobody knows.
    pub fn new(names: &str) -> Self {
        let known = |name| NAMES.iter().position(|known| *known == name);
        let bits = names.split_ascii_whitespace().filter_map(known);
        Self(bits.fold(0, |all, bit| all | 1 << bit))
    }

    /// The names, in the order of the alphabet.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = NAMES.into_iter().enumerate();
        all.filter(move |(bit, _)| self.0 & 1 << bit != 0)
            .map(|(_, name)| name)
    }
}

impl fmt::Display for Amr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::{Amr, NAMES};

    #[test]
    fn registered_names_are_kept_and_others_are_not() {
        let all = NAMES.join(" ");
        let cases = [
            ("", ""),
            ("pwd", "pwd"),
            ("pwd otp mfa", "mfa otp pwd"),
            ("pwd pwd", "pwd"),
            ("pwd magic", "pwd"),
            ("PWD", ""),
            (all.as_str(), all.as_str()),
        ];
        for (names, kept) in cases {
            assert_eq!(Amr::new(names).to_string(), kept, "{names}");
        }
    }
}
