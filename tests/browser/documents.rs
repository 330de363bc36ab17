//! The pieces of the documents that tests run.

use std::path::Path;

/// The fenced block behind `<!-- test: name -->` in a document of this repository.
pub fn block(document: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let marker = format!("<!-- test: {name} -->\n```");
    let (_, rest) = text
        .split_once(&marker)
        .unwrap_or_else(|| panic!("no {marker} in {document}"));
    let (block, _) = rest.split_once("\n```").expect("the block ends");
    let (_, block) = block.split_once('\n').expect("the fence names a language");
    format!("{block}\n")
}

/// Replaces what a test has to do elsewhere; a text that is not there is a failure.
pub fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no {from} to replace");
        text.replace(from, to)
    })
}
