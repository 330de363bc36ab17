//! Short names of organisations, for addresses and the command line.

/// A short name, known to be well formed: 1 to 64 of `a-z`, `0-9` and `-`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Slug(Box<str>);

/// Not a short name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a short name is 1 to 64 characters of a-z, 0-9 and '-'")]
pub struct SlugError;

impl Slug {
    /// Takes a well-formed name.
    pub fn new(text: &str) -> Result<Self, SlugError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
            return Err(SlugError);
        }
        Ok(Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Slug, SlugError};

    #[test]
    fn only_short_plain_names_are_taken() {
        let longest = "a".repeat(64);
        for good in ["castle", "castle-works-2", longest.as_str()] {
            assert_eq!(
                Slug::new(good).map(|slug| slug.as_str().to_owned()),
                Ok(good.to_owned())
            );
        }
        let too_long = "a".repeat(65);
        for bad in [
            "",
            "Castle",
            "castle works",
            "castle/works",
            "ö",
            too_long.as_str(),
        ] {
            assert_eq!(Slug::new(bad), Err(SlugError), "{bad}");
        }
    }
}
