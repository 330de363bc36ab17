//! What the command line does not do, and how it says so: one line, and an exit code.

use std::os::unix::fs::PermissionsExt;

use crate::cli::{EMAIL, Host, NOWHERE, one_line, written};
use crate::support::PASSWORD;
use crate::support::process::run;

#[tokio::test]
async fn what_cannot_be_undone_wants_a_yes_and_what_is_not_understood_exits_with_2() {
    let host = Host::new().await;
    host.make_user();
    for arguments in [
        &["reset"][..],
        &["migrate", "fresh"],
        &["migrate", "sideways"],
        &["user", "create"],
        &["user", "set-password", EMAIL],
        &["nonsense"],
        &["serve", "--port", "1"],
    ] {
        let output = host.run(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
    // Without a terminal nobody can be asked.
    for arguments in [&["user", "delete", EMAIL][..], &["session", "end-all"]] {
        let output = host.run(arguments, "");
        assert_ne!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    }
    assert_eq!(host.json(&["user", "list"]).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_password_that_may_not_be_chosen_and_an_address_that_is_taken_are_refused() {
    let host = Host::new().await;
    host.make_user();
    let create = |email| ["user", "create", "--email", email, "--password-stdin"];
    for (email, password) in [
        ("ben@test.example", "short"),
        ("ben@test.example", "passwordpassword"),
        (EMAIL, PASSWORD),
        ("Ada@TEST.example", PASSWORD),
        ("no address", PASSWORD),
    ] {
        let said = host.refused(&create(email), password);
        assert!(!said.contains(password), "{said}");
    }
    assert_eq!(host.json(&["user", "list"]).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_value_that_makes_no_sense_is_named_by_its_option() {
    let host = Host::new().await;
    host.make_user();
    let role = ["user", "grant", EMAIL, "editor"];
    assert!(host.run(&role, "").status.success());
    let where_ = |option, value| vec!["session", "end-where", option, value, "--dry-run"];
    let policy = |more: &[&'static str]| [&["policy", "set", "role", "editor"], more].concat();
    for (arguments, said) in [
        (
            where_("--cidr", "10.0.0.0/40"),
            "--cidr: `10.0.0.0/40` is neither a network",
        ),
        (
            where_("--idle-for", "5"),
            "--idle-for: 5 is not a number of seconds",
        ),
        (
            where_("--signed-in-before", "today"),
            "--signed-in-before: `today` is no instant",
        ),
        (
            where_("--user", "nobody@test.example"),
            "--user: There is no user",
        ),
        (where_("--role", "Editor"), "--role: `Editor` is no role"),
        (
            where_("--organization", "none"),
            "--organization: There is no organisation",
        ),
        (where_("--user-agent", " "), "--user-agent: The text"),
        (
            policy(&["--idle", "5s"]),
            "--idle: 5 is not a whole number from 60",
        ),
        (
            policy(&["--remembered-idle", "2h", "--remembered-lifetime", "1h"]),
            "--remembered-idle: 7200 seconds is longer than --remembered-lifetime",
        ),
        (policy(&["--max-sessions", "0"]), "--max-sessions: 0 is not"),
        (
            policy(&["--at-limit", "end"]),
            "--at-limit: `end` is none of",
        ),
        (
            vec!["session", "end", "nonsense"],
            "an id looks like 018f4e5a-0000-7000-8000-000000000000",
        ),
    ] {
        let output = host.run(&arguments, "");
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}

#[test]
fn a_setting_that_makes_no_sense_stops_every_command_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("PORTCULLIS_BCRYPT_COST", "9"),
        ("PORTCULLIS_BCRYPT_COST", "a lot"),
        ("PORTCULLIS_BIND", "nowhere"),
        ("PORTCULLIS_PUBLIC_URL", "http://login.example.org"),
        ("PORTCULLIS_SESSION_IDLE_SECS", "999999"),
        ("PORTCULLIS_TRUSTED_PROXIES", "everybody"),
        ("PORTCULLIS_NO_SUCH_SETTING", "1"),
        ("PORTCULLIS_MASTER_KEY", "c2hvcnQ="),
        ("PORTCULLIS_MASTER_KEY_FILE", "/nowhere/at/all"),
        ("DATABASE_URL", "mysql://localhost/x"),
    ] {
        for command in ["serve", "seed"] {
            let output = run(directory.path(), &[NOWHERE, (name, value)], &[command], "");
            let said = one_line(&output, &[name, command]);
            assert!(said.contains(name), "{name}: {said}");
        }
    }
    // None of them left anything.
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_str().unwrap().ends_with(".key")),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_master_key_that_others_can_read_or_that_does_not_fit_stops_the_start() {
    let host = Host::new().await;
    host.make_user();
    let path = host.directory.path().join("master.key");
    let mode =
        |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    let made = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(made, 0o600);
    for open in [0o644, 0o640, 0o604, 0o620, 0o666] {
        mode(open);
        for command in ["serve", "seed"] {
            let said = host.refused(&[command], "");
            assert!(
                said.contains("master.key") && said.contains("chmod 600"),
                "{said}"
            );
        }
    }
    mode(0o600);
    host.json(&["user", "list"]);

    let key = std::fs::read_to_string(&path).unwrap();
    let other = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    std::fs::write(&path, other).unwrap();
    for command in ["serve", "seed"] {
        let said = host.refused(&[command], "");
        assert!(
            said.contains("another master key") && !said.contains(other),
            "{said}"
        );
    }
    std::fs::remove_file(&path).unwrap();
    let said = host.refused(&["serve"], "");
    assert!(
        said.contains("master.key") && said.contains("PORTCULLIS_MASTER_KEY"),
        "{said}"
    );
    assert!(!path.exists(), "a new key was made that opens nothing");
    // Given by the environment it opens the same.
    let variables = [
        ("DATABASE_URL", host.database.url.as_str()),
        ("PORTCULLIS_MASTER_KEY", key.trim()),
    ];
    let output = run(
        host.directory.path(),
        &variables,
        &["user", "list", "--json"],
        "",
    );
    assert!(written(&output, &["user", "list"]).contains(EMAIL));
}
