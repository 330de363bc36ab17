//! How a mail reads: one struct, as text and as simple HTML.

use serde::Serialize;
use tera::{Context, Tera};

const TEXT: &str = "letter.txt";
const HTML: &str = "letter.html";

/// A mail. Nothing that anybody typed is part of its subject.
#[derive(Clone, Serialize)]
pub(super) struct Letter {
    pub(super) subject: String,
    /// Whom it greets; may be empty.
    pub(super) name: String,
    /// What happened, in whole sentences.
    pub(super) paragraphs: Vec<String>,
    pub(super) facts: Vec<Fact>,
    pub(super) action: Option<Action>,
    /// What else to know, in whole sentences.
    pub(super) closing: Vec<String>,
    /// Where this server is.
    pub(super) site: String,
}

/// One line of what happened.
#[derive(Clone, Serialize)]
pub(super) struct Fact {
    pub(super) label: &'static str,
    pub(super) value: String,
}

/// A link to follow.
#[derive(Clone, Serialize)]
pub(super) struct Action {
    pub(super) label: String,
    /// May hold a one-time token.
    pub(super) url: String,
}

/// The templates, parsed.
pub(super) struct Letters(Tera);

impl Letters {
    pub(super) fn load() -> Result<Self, tera::Error> {
        let mut tera = Tera::new();
        // Only the name that ends in .html is escaped.
        tera.add_raw_templates([
            (TEXT, include_str!("../../../templates/mail/letter.txt")),
            (HTML, include_str!("../../../templates/mail/letter.html")),
        ])?;
        Ok(Self(tera))
    }

    /// As text, and as HTML.
    pub(super) fn render(&self, letter: &Letter) -> Result<(String, String), tera::Error> {
        let context = Context::from_serialize(letter)?;
        Ok((
            self.0.render(TEXT, &context)?,
            self.0.render(HTML, &context)?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Fact, Letter, Letters};

    /// Between them they take both arms of every condition.
    fn samples() -> Vec<Letter> {
        let least = Letter {
            subject: "Your password was changed".to_owned(),
            name: String::new(),
            paragraphs: vec!["The password was changed.".to_owned()],
            facts: Vec::new(),
            action: None,
            closing: Vec::new(),
            site: "https://gate.example.org".to_owned(),
        };
        vec![
            Letter {
                name: "Ada <b>\"Lovelace\"</b> & {{ 7 * 7 }}".to_owned(),
                facts: vec![Fact {
                    label: "Browser",
                    value: "Firefox 145 on Linux".to_owned(),
                }],
                action: Some(Action {
                    label: "This was not me".to_owned(),
                    url: "https://gate.example.org/not-me?token=abc".to_owned(),
                }),
                closing: vec!["If it was you, do nothing.".to_owned()],
                ..least.clone()
            },
            least,
        ]
    }

    #[test]
    fn every_sample_renders_whole_in_both_forms() -> Result<(), tera::Error> {
        let letters = Letters::load()?;
        for letter in samples() {
            let (text, html) = letters.render(&letter)?;
            for form in [&text, &html] {
                for leftover in ["{%", "%}", "{#", "[object]", "[array]"] {
                    assert!(!form.contains(leftover), "{form}");
                }
                assert!(form.contains(&letter.paragraphs[0]) && form.contains(&letter.site));
            }
            assert_eq!(text.contains("Firefox 145"), !letter.facts.is_empty());
            if let Some(action) = &letter.action {
                assert!(text.contains(&format!("\n{}\n", action.url)), "{text}");
                assert!(html.contains(&format!("href=\"{}\"", action.url)), "{html}");
            }
            assert!(!html.contains("<b>"), "{html}");
            assert!(
                letter.name.is_empty() || text.contains(&letter.name),
                "{text}"
            );
        }
        Ok(())
    }
}
