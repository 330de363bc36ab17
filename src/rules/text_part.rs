//! A text that is looked for in addresses and names: by which of its parts an index is asked, and
//! whether very many have it.
//!
//! An index of grams, the runs of three characters that are in a text, leads to the texts that have
//! some of them, and takes the longer the more there are. So it is asked by the rarest, as a sample
//! of the texts tells; the texts that it leads to are then looked at whole.

/// Characters of a gram. The indexes are made of grams of this length.
pub const GRAM: usize = 3;

/// Grams that the index is asked by: more make it slower, and hardly surer.
const CHOSEN: usize = 3;

/// No more of a long text is used to choose from.
const CONSIDERED: usize = 64;

/// Texts of a sample.
pub const SAMPLE: u64 = 128;

/// Found in so many of a sample, a text is one that very many have.
const FREQUENT: u64 = 4;

/// An address and a name, both in lower case.
pub type Sampled = (String, String);

/// A text that is looked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TextPart {
    /// In lower case.
    pub text: String,
    /// Grams that are in it, the rarest that were found. None if the text is shorter than a gram:
    /// then it is looked for at the beginning of addresses and names only.
    pub grams: Vec<String>,
    /// In how many texts of the sample it is; none if the sample is not full, as there are few.
    hits: Option<u64>,
}

impl TextPart {
    /// The text, and what a sample of all addresses and names says of it.
    pub fn new(text: &str, sample: &[Sampled]) -> Self {
        // Neither database takes this character as others, and nobody has it in a name.
        let text = text.trim().to_lowercase().replace('\0', "\u{FFFD}");
        let short = text.chars().count() < GRAM;
        let is_in = |whole: &String| {
            if short {
                whole.starts_with(&text)
            } else {
                whole.contains(&text)
            }
        };
        let hits = sample
            .iter()
            .filter(|(email, name)| is_in(email) || is_in(name))
            .count() as u64;
        Self {
            grams: rarest(&text, sample),
            hits: (sample.len() as u64 >= SAMPLE).then_some(hits),
            text,
        }
    }

    /// Is it looked for at the beginning only?
    pub fn is_short(&self) -> bool {
        self.grams.is_empty()
    }

    /// If very many have it: among how many a number of them should be found.
    pub fn window(&self, wanted: u64) -> Option<u64> {
        let hits = self.hits.filter(|hits| *hits >= FREQUENT)?;
        Some(2 * wanted * SAMPLE / hits)
    }
}

/// The rarest grams of a text; of equally rare ones those that lie furthest apart, since neighbours
/// say nearly the same.
fn rarest(text: &str, sample: &[Sampled]) -> Vec<String> {
    let characters: Vec<char> = text.chars().take(CONSIDERED).collect();
    let mut grams: Vec<String> = Vec::new();
    for window in characters.windows(GRAM) {
        let gram = String::from_iter(window);
        if !grams.contains(&gram) {
            grams.push(gram);
        }
    }
    let frequency = |gram: &String| {
        sample
            .iter()
            .filter(|(email, name)| email.contains(gram) || name.contains(gram))
            .count()
    };
    let mut counted: Vec<(usize, String)> = grams
        .into_iter()
        .map(|gram| (frequency(&gram), gram))
        .collect();
    counted.sort_by_key(|(count, _)| *count);
    let least = counted.first().map_or(0, |(count, _)| *count);
    let equal = counted.partition_point(|(count, _)| *count == least);
    if equal > CHOSEN {
        let middle = equal / 2;
        counted = [0, middle, equal - 1]
            .into_iter()
            .filter_map(|place| counted.get(place).cloned())
            .collect();
    }
    counted
        .into_iter()
        .take(CHOSEN)
        .map(|(_, gram)| gram)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{SAMPLE, Sampled, TextPart};

    fn sample() -> Vec<Sampled> {
        (0..SAMPLE)
            .map(|n| {
                (
                    format!("ada.lovelace{n}@company{}.example", n % 10),
                    "ada lovelace".to_owned(),
                )
            })
            .collect()
    }

    #[test]
    fn the_rarest_grams_are_asked_for() {
        let part = TextPart::new(" Lovelace777@ ", &sample());
        assert_eq!(part.text, "lovelace777@");
        assert_eq!(part.grams, ["777", "e77", "77@"]);
        // Of equally rare ones those that lie apart.
        assert_eq!(
            TextPart::new("zyxwvutsr", &sample()).grams,
            ["zyx", "wvu", "tsr"]
        );
    }

    #[test]
    fn a_short_text_has_no_grams() {
        for (text, short) in [("", true), ("a", true), ("äö", true), ("äöü", false)] {
            let part = TextPart::new(text, &[]);
            assert_eq!(part.is_short(), short, "{text}");
        }
        assert_eq!(TextPart::new("äöü", &[]).grams, ["äöü"]);
        assert_eq!(TextPart::new("aaaaaa", &[]).grams, ["aaa"]);
    }

    #[test]
    fn a_text_that_many_have_is_looked_for_among_the_newest() {
        let sample = sample();
        assert_eq!(TextPart::new("lovelace", &sample).window(51), Some(102));
        // In thirteen of the sample.
        assert_eq!(
            TextPart::new("company7", &sample).window(50),
            Some(2 * 50 * SAMPLE / 13)
        );
        assert_eq!(TextPart::new("lovelace12@", &sample).window(50), None);
        // A short text counts where it is a beginning.
        assert_eq!(TextPart::new("ad", &sample).window(51), Some(102));
        assert_eq!(TextPart::new("ce", &sample).window(51), None);
        // Few users are no sample.
        assert_eq!(TextPart::new("lovelace", &sample[1..]).window(51), None);
    }
}
