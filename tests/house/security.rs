//! `docs/security.md` names the test that shows each number or feature, and there is one.

use std::collections::BTreeSet;

use super::{File, files};

/// The test and its file, of each row.
fn rows(document: &str) -> Vec<(&str, &str)> {
    document
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let inside =
                |cell: &&str| cell.len() > 2 && cell.starts_with('`') && cell.ends_with('`');
            let test = cells.get(2).copied().filter(|cell| inside(cell))?;
            let file = cells.get(3).copied().filter(|cell| inside(cell))?;
            Some((test.trim_matches('`'), file.trim_matches('`')))
        })
        .collect()
}

/// What a row says that is not so.
fn wrong(rows: &[(&str, &str)], sources: &[File]) -> Vec<String> {
    rows.iter()
        .filter(|(test, file)| {
            let source = sources.iter().find(|source| source.path == *file);
            !source.is_some_and(|source| source.text.contains(&format!("fn {test}(")))
        })
        .map(|(test, file)| format!("{file} has no test {test}"))
        .collect()
}

fn sources() -> Vec<File> {
    let mut all = files("src", ".rs");
    all.extend(files("tests", ".rs"));
    all
}

#[test]
fn every_test_that_the_document_names_is_there_and_every_numbered_one_is_named() {
    let document = include_str!("../../docs/security.md");
    let (rows, sources) = (rows(document), sources());
    assert!(rows.len() > 150, "{}", rows.len());
    assert_eq!(wrong(&rows, &sources), [""; 0]);
    let named: BTreeSet<&str> = rows.iter().map(|(test, _)| *test).collect();
    let mut missing = Vec::new();
    for source in &sources {
        for part in source.text.split("fn asvs_").skip(1) {
            let rest = part.split('(').next().unwrap();
            let test = format!("asvs_{rest}");
            let is_name = rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if is_name && !rest.is_empty() && !named.contains(test.as_str()) {
                missing.push(format!("{}: {test}", source.path));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_row_without_its_test_is_noticed() {
    let invented = "| 1.1.1 | `asvs_1_1_1_nobody_wrote_this` | `tests/house.rs` |";
    let rows = rows(invented);
    assert_eq!(rows.len(), 1);
    assert_eq!(wrong(&rows, &sources()).len(), 1);
}
