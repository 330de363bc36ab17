//! Variables, their values, and the file that lists them.

use super::{Settings, SettingsError, VARIABLES};

fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Settings::read(variables.iter().map(own))
}

#[test]
fn without_any_variable_the_defaults_of_the_contract_hold() -> Result<(), SettingsError> {
    let settings = read(&[])?;
    assert_eq!(
        settings.database_url.reveal(),
        "sqlite://data/portcullis.sqlite"
    );
    assert_eq!(settings.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.public_url, "http://localhost:8080");
    assert_eq!(settings.access_token.num_seconds(), 300);
    assert_eq!(settings.session.idle.num_seconds(), 3600);
    assert_eq!(settings.session.absolute.num_seconds(), 28_800);
    assert_eq!(settings.remembered.idle.num_seconds(), 604_800);
    assert_eq!(settings.remembered.absolute.num_seconds(), 2_592_000);
    assert_eq!(settings.bcrypt_cost, 12);
    assert_eq!(settings.password_min_chars, 15);
    assert_eq!(settings.max_sessions, None);
    assert!(!settings.https);
    Ok(())
}

#[test]
fn senseless_values_are_refused_by_name() {
    let cases = [
        ("PORTCULLIS_BCRYPT_COST", "9"),
        ("PORTCULLIS_BCRYPT_COST", "16"),
        ("PORTCULLIS_BCRYPT_COST", "twelve"),
        ("PORTCULLIS_PASSWORD_MIN_CHARS", "7"),
        ("PORTCULLIS_PASSWORD_MIN_CHARS", "65"),
        ("PORTCULLIS_ACCESS_TOKEN_SECS", "-1"),
        ("PORTCULLIS_BIND", "8080"),
        ("PORTCULLIS_PUBLIC_URL", "http://login.example.org"),
        ("PORTCULLIS_PUBLIC_URL", "https://login.example.org/path"),
        ("PORTCULLIS_PUBLIC_URL", "ftp://localhost"),
        ("PORTCULLIS_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("PORTCULLIS_LOG_FORMAT", "xml"),
        ("PORTCULLIS_ADDRESS_RETENTION_DAYS", "0"),
        ("PORTCULLIS_GEOIP_FILE_FILE", "/dev/null"),
        ("PORTCULLIS_SESSION_IDLE_SECS", "28801"),
        ("PORTCULLIS_MAX_SESSIONS", "0"),
        ("PORTCULLIS_MAX_SESSIONS", "1001"),
        ("PORTCULLIS_AT_SESSION_LIMIT", "wait"),
        ("PORTCULLIS_ENDED_SESSION_RETENTION_DAYS", "0"),
        ("PORTCULLIS_ENDED_SESSION_RETENTION_DAYS", "3651"),
        ("PORTCULLIS_AUDIT_RETENTION_DAYS", "for ever"),
        ("PORTCULLIS_FIGURES_RETENTION_DAYS", "31"),
        ("PORTCULLIS_NO_SUCH_THING", "1"),
        ("PORTCULLIS_BIND_FILE", "/dev/null"),
        ("PORTCULLIS_MASTER_KEY_FILE", "/does/not/exist"),
        ("PORTCULLIS_SMTP_URL", "http://mail.example.org"),
        ("PORTCULLIS_MAIL_FROM", "nobody"),
        ("PORTCULLIS_WEBHOOK_URL", "http://hooks.example.org"),
        ("PORTCULLIS_WEBHOOK_SECRET", "whsec_AAAA"),
        ("DATABASE_URL", "mysql://localhost"),
        ("DATABASE_URL", "sqlite::memory:"),
        ("DATABASE_URL", "sqlite://a%20b.sqlite"),
        ("DATABASE_URL", "postgres://user:pass#word@host/database"),
    ];
    for (name, value) in cases {
        let error = read(&[(name, value)]).err();
        assert_eq!(
            error.map(|e| e.name).as_deref(),
            Some(name),
            "{name}={value}"
        );
    }
    for url in [
        "https://login.example.org",
        "http://127.0.0.1:9",
        "http://[::1]",
        "http://a.localhost",
    ] {
        assert!(read(&[("PORTCULLIS_PUBLIC_URL", url)]).is_ok(), "{url}");
    }
}

#[test]
fn the_example_file_lists_every_variable_with_its_default() {
    let example = include_str!("../../.env.example");
    let listed: Vec<(&str, &str)> = example
        .lines()
        .filter_map(|line| line.strip_prefix('#').and_then(|l| l.split_once('=')))
        .filter(|(name, _)| !name.contains(' '))
        .collect();
    let expected: Vec<(&str, &str)> = VARIABLES.iter().map(|v| (v.name, v.default)).collect();
    assert_eq!(listed, expected);
}
