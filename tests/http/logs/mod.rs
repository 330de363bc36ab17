//! What the log of the real program says, and what it keeps to itself (ASVS 16).

mod story;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::support::Answer;
use story::Story;

/// It takes a second or two; each test looks at the same one.
async fn story() -> &'static Story {
    static STORY: OnceCell<Story> = OnceCell::const_new();
    STORY.get_or_init(Story::tell).await
}

fn parsed(story: &Story) -> Vec<Value> {
    let parse =
        |line: &String| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    story.lines.iter().map(parse).collect()
}

/// The request lines that bear this number.
fn lines_of(lines: &[Value], id: &str) -> Vec<Value> {
    let of = |line: &&Value| line["target"] == "portcullis::request" && line["request_id"] == id;
    lines.iter().filter(of).cloned().collect()
}

#[tokio::test]
async fn asvs_16_2_2_and_16_2_4_every_line_is_one_object_with_its_instant() {
    let story = story().await;
    let mut last = chrono::DateTime::UNIX_EPOCH.fixed_offset();
    for line in parsed(story) {
        let text = line["timestamp"].as_str().unwrap();
        assert!(
            text.ends_with('Z') && text.len() == "2026-11-21T09:29:02.709477Z".len(),
            "{text}"
        );
        let at = chrono::DateTime::parse_from_rfc3339(text).unwrap();
        assert!(
            ["ERROR", "WARN", "INFO", "DEBUG"].contains(&line["level"].as_str().unwrap()),
            "{line}"
        );
        assert!(line["target"].is_string(), "{line}");
        // Threads may swap two lines, but not by more than a moment.
        assert!(
            at + chrono::TimeDelta::seconds(1) > last,
            "{at} after {last}"
        );
        last = last.max(at);
    }
}

#[tokio::test]
async fn asvs_16_2_1_each_request_has_one_line_that_says_who_did_what_and_how_it_went() {
    let story = story().await;
    let lines = parsed(story);
    for (what, answer) in &story.answers {
        let id = answer.header("x-request-id");
        let found = lines_of(&lines, id);
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        let line = &found[0];
        assert_eq!(line["status"], answer.status.as_u16(), "{what}: {line}");
        assert!(
            line["millis"].is_f64() && line["method"].is_string(),
            "{what}: {line}"
        );
        assert!(
            !line["path"].as_str().unwrap().contains(['?', '@', '%']),
            "{what}: {line}"
        );
    }
    let line = |what: &str| {
        let (_, answer) = story
            .answers
            .iter()
            .find(|(name, _)| *name == what)
            .unwrap();
        lines_of(&lines, answer.header("x-request-id"))[0].clone()
    };
    for (what, method, path) in [
        ("session", "GET", "/api/auth/session"),
        ("ended", "POST", "/admin/sessions/{sid}/end"),
        ("sign-in", "POST", "/api/auth/sign-in"),
        ("invitation page", "GET", "/invitation"),
        ("nowhere", "GET", "(none)"),
    ] {
        let line = line(what);
        assert_eq!(
            (line["method"].as_str(), line["path"].as_str()),
            (Some(method), Some(path)),
            "{what}"
        );
    }
    for what in ["session", "ended", "csrf", "outage"] {
        assert_eq!(line(what)["session_id"], story.session_id, "{what}");
        assert!(line(what)["user_id"].is_string(), "{what}");
    }
    assert!(line("forbidden")["user_id"].is_string());
    assert!(line("alg none")["user_id"].is_null());
    let ids: std::collections::BTreeSet<_> = story
        .answers
        .iter()
        .map(|(_, a)| a.header("x-request-id"))
        .collect();
    assert_eq!(ids.len(), story.answers.len(), "no number twice");
}

/// The one answer of this name, or the first with this status.
fn answer_to<'a>(story: &'a Story, what: &str, status: u16) -> &'a Answer {
    let named = |(name, answer): &&(&str, Answer)| *name == what && answer.status == status;
    let found = story.answers.iter().find(named);
    &found.unwrap_or_else(|| panic!("{what} was not {status}")).1
}

#[tokio::test]
async fn asvs_16_2_1_the_line_of_a_request_says_why_it_was_not_done() {
    let story = story().await;
    let lines = parsed(story);
    for (what, status, code) in [
        ("forbidden", 403, "forbidden"),
        ("alg none", 401, "invalid-token"),
        ("bad json", 400, "invalid-request"),
        ("use after end", 401, "session-ended"),
        ("csrf", 403, "cross-site"),
        ("sent to sign in", 303, "no-credential"),
        ("mistyped on the page", 401, "invalid-credentials"),
        ("wrong", 429, "throttled"),
        ("outage", 503, "store-unavailable"),
        ("nowhere", 404, "not-found"),
    ] {
        let id = answer_to(story, what, status).header("x-request-id");
        assert_eq!(lines_of(&lines, id)[0]["code"], code, "{what}");
    }
    for (what, status) in [("session", 200), ("set-up", 303), ("ended", 303)] {
        let id = answer_to(story, what, status).header("x-request-id");
        assert!(lines_of(&lines, id)[0]["code"].is_null(), "{what}");
    }
}

#[tokio::test]
async fn asvs_16_2_1_and_16_3_2_what_was_tried_past_a_control_is_a_warning_with_its_address() {
    let story = story().await;
    let lines = parsed(story);
    let warnings = lines
        .iter()
        .filter(|line| line["target"] == "portcullis::refused");
    for line in warnings.clone() {
        let id = line["request_id"].as_str().unwrap();
        let request = &lines_of(&lines, id)[0];
        for member in ["method", "path", "code", "session_id", "user_id"] {
            assert_eq!(line[member], request[member], "{member} of {line}");
        }
        assert_eq!(
            (&line["level"], &line["ip"]),
            (&"WARN".into(), &"127.0.0.1".into())
        );
        assert!(request["ip"].is_null(), "{request}");
    }
    for (what, status, message) in [
        ("forbidden", 403, "refused: not an administrator"),
        ("csrf", 403, "refused: not from our own page"),
        ("wrong", 429, "throttled"),
    ] {
        let id = answer_to(story, what, status).header("x-request-id");
        let of: Vec<&Value> = warnings
            .clone()
            .filter(|line| line["request_id"] == id)
            .collect();
        assert_eq!(of.len(), 1, "{what}: {of:?}");
        assert_eq!(of[0]["message"], message, "{what}");
    }
    let id = answer_to(story, "wrong", 401).header("x-request-id");
    assert!(
        warnings.clone().all(|line| line["request_id"] != id),
        "a mistake is none"
    );
}

#[tokio::test]
async fn asvs_16_2_5_no_secret_and_no_address_is_in_the_log_in_any_form() {
    let story = story().await;
    let log = story.lines.join("\n");
    let folded = log.to_lowercase();
    for (what, secret) in &story.secrets {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let percent = encoded.replace('+', "%20");
        let forms = [
            secret.clone(),
            secret.to_lowercase(),
            STANDARD.encode(secret),
            STANDARD_NO_PAD.encode(secret),
            URL_SAFE.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
            encoded,
            percent,
            serde_json::to_string(secret)
                .unwrap()
                .trim_matches('"')
                .to_owned(),
        ];
        for form in forms {
            assert!(
                !log.contains(&form) && !folded.contains(&form.to_lowercase()),
                "{what} is in the log"
            );
        }
    }
    assert!(story.secrets.len() > 20, "{}", story.secrets.len());
    for part in [
        "@test.example",
        "__Host-",
        "portcullis_refresh",
        "csrf_token",
        "eyJ",
        "$2b$",
        "127.0.0.1:0",
    ] {
        assert!(!log.contains(part), "{part} is in the log");
    }
    // The one exception: whoever reads the log may make the first administrator.
    assert_eq!(log.matches("/set-up?code=").count(), 1);
}

#[tokio::test]
async fn asvs_16_3_1_to_16_3_4_every_event_that_matters_is_written_down() {
    let story = story().await;
    // Who signs in, fails to, ends or changes what: in the audit, with address and session.
    for action in [
        "first-administrator",
        "sign-in",
        "sign-in-failed",
        "session-ended",
        "user-created",
        "invitation-made",
        "invitation-used",
        "password-changed",
    ] {
        assert!(
            story.audited.iter().any(|a| a == action),
            "{action}: {:?}",
            story.audited
        );
    }
    let lines = parsed(story);
    // What was tried past a control, and what failed: a warning or an error in the log.
    for (level, message) in [
        ("WARN", "refused: not an administrator"),
        ("WARN", "refused: not from our own page"),
        ("WARN", "throttled"),
        ("ERROR", "the database does not answer"),
    ] {
        let found = lines
            .iter()
            .any(|line| line["level"] == level && line["message"] == message);
        assert!(found, "{level} {message}");
    }
    // Bad input and bad tokens: by their status, on the line of the request.
    for (what, status) in [
        ("alg none", 401),
        ("bad json", 400),
        ("use after end", 401),
        ("forged method", 405),
    ] {
        let (_, answer) = story
            .answers
            .iter()
            .find(|(name, _)| *name == what)
            .unwrap();
        assert_eq!(
            lines_of(&lines, answer.header("x-request-id"))[0]["status"],
            status,
            "{what}"
        );
    }
}

#[tokio::test]
async fn asvs_16_4_1_nobody_writes_a_line_of_their_own() {
    let story = story().await;
    for (line, value) in story.lines.iter().zip(parsed(story)) {
        assert!(value.is_object(), "{line}");
        assert_ne!(value["message"], "forged");
        assert!(value.get("a").is_none(), "{line}");
        assert!(!line.contains(['\u{1b}', '\r', '\u{2028}']), "{line:?}");
        assert!(!line.contains("forged"), "{line}");
    }
}

#[tokio::test]
async fn asvs_16_5_1_and_16_5_2_answers_keep_to_themselves_what_the_log_tells() {
    let story = story().await;
    let log = story.lines.join("\n");
    assert!(
        log.contains("no such table: user_roles"),
        "the cause, once, for the operator"
    );
    for (what, answer) in &story.answers {
        for inside in ["user_roles", "no such table", "sqlx", "panicked", "src/"] {
            assert!(!answer.text.contains(inside), "{what}: {}", answer.text);
        }
        if what.starts_with("outage") {
            assert_eq!(answer.status, 503, "{what}");
            assert!(answer.headers.contains_key("retry-after"), "{what}");
        }
    }
}
