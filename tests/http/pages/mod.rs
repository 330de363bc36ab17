//! The pages, as people with a browser and no script see them.

mod console;
mod errors;
mod first_run;
mod invitation;
mod overview;
mod password;
mod text;
mod walk;

use crate::support::Answer;

/// The title of a page.
fn title(page: &Answer) -> &str {
    let rest = page.text.split_once("<title>").map_or("", |(_, rest)| rest);
    rest.split("</title>").next().unwrap_or_default()
}

/// What stands between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or("", |(found, _)| found)
}

/// The path of the one-time link that a page shows.
fn link_on(page: &Answer) -> String {
    assert_eq!(page.status, 200, "{}", page.text);
    let output = between(&page.text, "<output class=\"link-once\"", "</output>");
    let url = output
        .split_once('>')
        .unwrap()
        .1
        .replace("&#x2F;", "/")
        .replace("&#x3D;", "=");
    url.strip_prefix("http://localhost:8080")
        .unwrap()
        .to_owned()
}
