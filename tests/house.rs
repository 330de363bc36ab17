//! The walls between the rooms of the house, checked by reading it.
//!
//! Each check has a line that it must catch beside the files that it must not, so that none of
//! them passes because it looks at nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};

#[path = "house/dependencies.rs"]
mod dependencies;
#[path = "house/security.rs"]
mod security;

/// Longest file, in lines, tests inside it not counted.
const MAX_LINES: usize = 400;

/// A file, by its path from the top.
struct File {
    path: String,
    text: String,
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under a directory whose name ends so.
fn files(directory: &str, ending: &str) -> Vec<File> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![top().join(directory)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            open.extend(entries.filter(|entry| !is_foreign(entry)));
        } else if path.to_str().unwrap().ends_with(ending)
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            let path = path
                .strip_prefix(top())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            found.push(File { path, text });
        }
    }
    assert!(!found.is_empty(), "nothing in {directory}");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// What is made here or belongs to somebody's machine.
fn is_foreign(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    ["target", "data", ".git", ".env", "node_modules"].contains(&name)
}

/// The lines of code, numbered, without comments and without the tests at the end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = code.lines().enumerate();
    lines
        .map(|(number, line)| (number + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Does the line name this word, not as a part of another?
fn names(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !(word.starts_with(is_part) && before.is_some_and(is_part)
            || word.ends_with(is_part) && after.is_some_and(is_part))
    })
}

/// No file but those that `may` names any of these words.
fn only(may: impl Fn(&str) -> bool, words: &[&str], why: &str) {
    let files = files("src", ".rs");
    let mut broken = Vec::new();
    let mut checked = 0;
    for file in files.iter().filter(|file| !may(&file.path)) {
        checked += 1;
        for (number, line) in code(&file.text) {
            if let Some(word) = words.iter().find(|word| names(line, word)) {
                broken.push(format!("{}:{number} names `{word}`", file.path));
            }
        }
    }
    assert!(checked > 0, "{why}: nothing was checked");
    assert!(broken.is_empty(), "{why}:\n{}", broken.join("\n"));
}

fn in_room(path: &str, room: &str) -> bool {
    path.starts_with(&format!("src/{room}/"))
}

/// Everything but one room is let through.
fn room_names_none_of(room: &str, words: &[&str]) {
    only(
        |path| !in_room(path, room),
        words,
        &format!("the room `{room}`"),
    );
}

#[test]
fn the_checks_see_what_they_look_for() {
    assert!(names("use crate::http::server;", "crate::http"));
    assert!(names("    moka::future::Cache", "moka"));
    assert!(names("crate::store::{Store}", "crate::store"));
    assert!(!names("use crate::https;", "crate::http"));
    assert!(!names("let smoka = 1;", "moka"));
    assert!(names("tx.end_sessions(which)", ".end_sessions"));
    assert!(!names("end_sessions(tx, which)", ".end_sessions"));
    assert!(!names("tx.end_sessions_past(it)", ".end_sessions"));
    let text = "//! moka\nuse x;\n// moka\n#[cfg(test)]\nmod tests {\nuse moka;\n}\n";
    assert_eq!(code(text).collect::<Vec<_>>(), [(2, "use x;")]);
    let lines: Vec<usize> = code("a\n// b\nc\n").map(|(number, _)| number).collect();
    assert_eq!(lines, [1, 3]);
}

#[test]
fn each_room_knows_only_the_rooms_before_it() {
    let rooms = ["rules", "store", "service", "http", "cli"];
    for (number, room) in rooms.iter().enumerate() {
        let later: Vec<String> = rooms[number + 1..]
            .iter()
            .map(|room| format!("crate::{room}"))
            .collect();
        let later: Vec<&str> = later.iter().map(String::as_str).collect();
        room_names_none_of(room, &later);
    }
    // Clock, entropy and settings are below all rooms.
    let below = |path: &str| !["src/clock.rs", "src/entropy.rs", "src/settings.rs"].contains(&path);
    only(
        below,
        &[
            "crate::rules",
            "crate::store",
            "crate::service",
            "crate::http",
            "crate::cli",
        ],
        "what lies below all rooms",
    );
    // The command line calls services; of HTTP it knows how to start it.
    let starts = |path: &str| {
        !in_room(path, "cli") || ["src/cli/serve.rs", "src/cli/failure.rs"].contains(&path)
    };
    only(starts, &["crate::http"], "the command line");
}

#[test]
fn rules_are_pure() {
    room_names_none_of(
        "rules",
        &[
            "actix_web",
            "sea_orm",
            "tokio",
            "moka",
            "tracing",
            "entity",
            "migration",
            "async fn",
            ".await",
            "std::fs",
            "std::env",
            "std::thread",
            "std::net::Tcp",
            "crate::clock",
            "crate::entropy",
            "crate::settings",
        ],
    );
}

#[test]
fn only_the_store_knows_the_database() {
    only(
        |path| in_room(path, "store"),
        &[
            "entity::",
            "use entity",
            "sea_orm::",
            "sea_query",
            "SELECT ",
            "DELETE FROM",
        ],
        "SQL",
    );
    let migrates = |path: &str| in_room(path, "cli") || path == "src/main.rs";
    only(
        migrates,
        &["migration::", "use migration", "Migrator"],
        "migrations",
    );
}

#[test]
fn one_door_leads_to_the_cache() {
    only(
        |path| path == "src/store/validity_cache.rs",
        &["moka"],
        "the cache",
    );
}

#[test]
fn nothing_in_the_program_weakens_the_cache() {
    only(
        |path| path == "src/store/validity_cache/weakness.rs",
        &["weaken("],
        "what only tests may ask for",
    );
}

#[test]
fn one_door_leads_to_the_end_of_a_session() {
    // Whoever ended one elsewhere could forget its audit row.
    only(
        |path| in_room(path, "store") || path == "src/service/end_session.rs",
        &[
            ".end_sessions",
            "Transaction::end_sessions",
            "end_some_sessions",
            "end_sessions_past",
            "end_session_past",
        ],
        "the end of a session",
    );
}

#[test]
fn only_http_knows_requests() {
    let serves = |path: &str| in_room(path, "http") || path == "src/cli/serve.rs";
    only(
        serves,
        &["actix_web", "HttpRequest", "HttpResponse", "HeaderMap"],
        "HTTP",
    );
}

#[test]
fn only_one_file_names_the_status_of_a_refusal() {
    // `edge` reads those that the framework made of itself and turns them into ours.
    let may = |path: &str| ["src/http/problem.rs", "src/http/edge.rs"].contains(&path);
    let words = [
        "StatusCode::BAD_REQUEST",
        "StatusCode::UNAUTHORIZED",
        "StatusCode::FORBIDDEN",
        "StatusCode::NOT_FOUND",
        "StatusCode::METHOD_NOT_ALLOWED",
        "StatusCode::CONFLICT",
        "StatusCode::GONE",
        "StatusCode::PAYLOAD_TOO_LARGE",
        "StatusCode::UNPROCESSABLE_ENTITY",
        "StatusCode::TOO_MANY_REQUESTS",
        "StatusCode::INTERNAL_SERVER_ERROR",
        "StatusCode::SERVICE_UNAVAILABLE",
        "StatusCode::from_u16",
        "HttpResponse::BadRequest",
        "HttpResponse::Unauthorized",
        "HttpResponse::Forbidden",
        "HttpResponse::NotFound",
        "HttpResponse::Conflict",
        "HttpResponse::InternalServerError",
        "HttpResponse::ServiceUnavailable",
        "HttpResponse::TooManyRequests",
    ];
    only(may, &words, "status codes");
}

#[test]
fn only_one_file_asks_for_the_time_the_environment_and_randomness_each() {
    only(
        |path| path == "src/clock.rs",
        &["Utc::now", "SystemTime::now", "Local::now"],
        "the time",
    );
    only(
        |path| path == "src/settings.rs",
        &["std::env", "dotenvy"],
        "the environment",
    );
    let random = ["SystemRandom", "Uuid::new_v4", "Uuid::now_v7", "rand::rng"];
    // The signing key is made by the library that signs.
    let may = |path: &str| ["src/entropy.rs", "src/service/key_ring.rs"].contains(&path);
    only(may, &random, "randomness");
}

fn rust_files() -> impl Iterator<Item = File> {
    ["src", "entity/src", "migration/src", "tests", "benches"]
        .into_iter()
        .flat_map(|room| files(room, ".rs"))
}

#[test]
fn every_file_says_first_what_it_is_and_is_not_too_long() {
    for file in rust_files() {
        assert!(
            file.text.starts_with("//! "),
            "{} does not begin with what it is",
            file.path
        );
        let lines = file
            .text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default()
            .lines()
            .count();
        assert!(
            lines <= MAX_LINES,
            "{} has {lines} lines; {MAX_LINES} are the most",
            file.path
        );
    }
}

#[test]
fn no_lint_is_silenced_for_good_and_nothing_is_left_undone() {
    only(
        |_| false,
        &["#[allow(", "#![allow(", "todo!", "unimplemented!", "dbg!"],
        "the lints",
    );
    // In tests too, nothing is left out.
    let ignored = ["#[ign", "ore"].concat();
    for file in files("tests", ".rs") {
        assert!(
            !file.text.contains(&ignored),
            "{} leaves out a test",
            file.path
        );
    }
}

#[test]
fn nothing_tells_of_a_machine_or_of_work_left_over() {
    let words = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X:"],
        ["/wo", "rk/"],
        ["/ro", "ot/"],
        ["/ho", "me/"],
        ["/Us", "ers/"],
    ];
    for file in files("", "") {
        if file.path == "Cargo.lock" || file.path == "src/rules/common_passwords.txt" {
            continue;
        }
        for word in words.map(|parts| parts.concat()) {
            assert!(!file.text.contains(&word), "{} says {word}", file.path);
        }
    }
}

#[test]
fn no_template_has_the_name_that_is_not_escaped() {
    for file in files("templates", "") {
        // The text of a mail is no HTML.
        let is_text = file.path.starts_with("templates/mail/") && file.path.ends_with(".txt");
        assert!(file.path.ends_with(".html") || is_text, "{}", file.path);
        for unsafe_word in [
            "| safe",
            "|safe",
            "<script",
            "style=\"",
            "onclick",
            "javascript:",
        ] {
            assert!(
                !file.text.contains(unsafe_word),
                "{} has {unsafe_word}",
                file.path
            );
        }
    }
}
