//! What may be typed, and how answers are laid out.

use chrono::{DateTime, TimeDelta};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::output::{counted, harmless, instant_from, span};
use super::{Cli, Command};

fn refused(line: &str) -> Option<ErrorKind> {
    Cli::try_parse_from(line.split(' '))
        .err()
        .map(|error| error.kind())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn without_a_command_it_serves() {
    let parsed = Cli::try_parse_from(["portcullis"]).map(|cli| cli.command.is_none());
    assert_eq!(parsed.ok(), Some(true));
    let parsed = Cli::try_parse_from(["portcullis", "serve"]).map(|cli| cli.command);
    assert!(matches!(parsed, Ok(Some(Command::Serve))));
}

#[test]
fn what_the_contract_lists_is_understood() {
    for line in [
        "migrate up",
        "migrate down",
        "migrate down --steps 2",
        "migrate status --json",
        "migrate fresh --yes",
        "user create --email ada@example.org",
        "user create --email ada@example.org --name Ada --role admin --role editor --password-stdin",
        "user list --search ada --json",
        "user show ada@example.org --json",
        "user disable ada@example.org",
        "user enable 0190b0a0-0000-7000-8000-000000000000",
        "user delete ada@example.org",
        "user delete ada@example.org --yes",
        "user grant ada@example.org admin",
        "user revoke-role ada@example.org admin",
        "user set-password ada@example.org --password-stdin",
        "user invite ada@example.org",
        "session list --user ada@example.org --status ended --limit 5 --json",
        "session end 0190b0a0-0000-7000-8000-000000000000",
        "session end-user ada@example.org",
        "session show 0190b0a0-0000-7000-8000-000000000000 --json",
        "policy list --json",
        "policy set role admin --idle 10m --lifetime 8h --remembered-idle 1d --remembered-lifetime 7d --max-sessions 3 --at-limit refuse --end-on-role-change",
        "policy delete organization acme",
        "organization create acme --name Acme",
        "organization list --json",
        "organization add-user acme ada@example.org",
        "organization remove-user acme ada@example.org",
        "session end-all --yes",
        "session end-where --role editor --cidr 192.0.2.0/24 --dry-run",
        "session end-where --user ada@example.org --organization engines --method pwd --yes",
        "session end-where --signed-in-before 2026-11-25T17:00:00Z --idle-for 3600 --user-agent Firefox",
        "session cleanup",
        "session cleanup --dry-run --json",
        "session stats --json",
        "session stats --range month",
        "seed",
        "reset --yes",
        "doctor --json",
        "keys list --json",
        "keys rotate",
        "explain",
    ] {
        assert_eq!(refused(&format!("portcullis {line}")), None, "{line}");
    }
}

#[test]
fn what_cannot_be_undone_needs_consent() {
    for line in ["reset", "migrate fresh", "session end-all"] {
        let kind = refused(&format!("portcullis {line}"));
        assert_eq!(kind, Some(ErrorKind::MissingRequiredArgument), "{line}");
    }
}

#[test]
fn no_password_is_an_argument() {
    for line in [
        "user set-password ada@example.org",
        "user set-password ada@example.org secret",
        "user set-password ada@example.org --password secret",
        "user create --email ada@example.org --password secret",
        "user create --email ada@example.org --password=secret",
        "user create --email ada@example.org --password-stdin=secret",
    ] {
        assert!(refused(&format!("portcullis {line}")).is_some(), "{line}");
    }
}

#[test]
fn senseless_values_are_refused() {
    for line in [
        "user show ada",
        "session end ada@example.org",
        "session list --status alive",
        "session list --limit 0",
        "session stats --range year",
        "policy set role admin --idle soon",
        "policy set planet mars --idle 10m",
        "migrate down --steps 0",
    ] {
        let kind = refused(&format!("portcullis {line}"));
        assert!(
            matches!(
                kind,
                Some(ErrorKind::InvalidValue | ErrorKind::ValueValidation)
            ),
            "{line}: {kind:?}"
        );
    }
}

#[test]
fn lengths_of_time_are_told_in_the_largest_unit_that_tells_enough() {
    for (seconds, expected) in [
        (0, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (172_799, "47 hours"),
        (172_800, "2 days"),
    ] {
        assert_eq!(span(TimeDelta::seconds(seconds)), expected);
    }
    let now = DateTime::UNIX_EPOCH;
    let ahead = instant_from(now + TimeDelta::seconds(5), now);
    assert_eq!(ahead, "1970-01-01T00:00:05Z (in 5 seconds)");
    assert_eq!(
        instant_from(now, now),
        "1970-01-01T00:00:00Z (0 seconds ago)"
    );
    assert_eq!(counted(2, "session"), "2 sessions");
}

#[test]
fn words_of_others_cannot_command_the_terminal() {
    assert_eq!(
        harmless("Ada\u{1b}[2J\n\u{202E}x"),
        "Ada\u{FFFD}[2J\u{FFFD}\u{FFFD}x"
    );
    assert_eq!(harmless("Zoë 😀"), "Zoë 😀");
}
