//! `portcullis doctor`.

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::migrate;
use crate::cli::open::{self, Tables};
use crate::cli::output::{self, counted, harmless};
use crate::clock::SystemClock;
use crate::service::doctor::{
    Check, Outcome, check_host, check_mail, check_tables, check_webhook, sqlite_file,
};
use crate::settings::Settings;

/// A check, as written.
#[derive(Serialize)]
struct CheckRow<'a> {
    name: &'a str,
    outcome: &'static str,
    finding: &'a str,
    advice: Option<&'a str>,
}

impl<'a> From<&'a Check> for CheckRow<'a> {
    fn from(check: &'a Check) -> Self {
        let outcome = match check.outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "warning",
            Outcome::Problem => "problem",
        };
        Self {
            name: check.name,
            outcome,
            finding: &check.finding,
            advice: check.advice.as_deref(),
        }
    }
}

/// Looks at everything; a failure if anything is a problem.
pub(super) async fn run(as_json: bool) -> Result<(), Failure> {
    let checks = match Settings::from_env() {
        Ok(settings) => examine(&settings).await,
        Err(error) => {
            let advice =
                "correct it in the environment or in .env; .env.example says what it means";
            vec![Check::problem("settings", error.to_string(), advice)]
        }
    };
    let rows: Vec<CheckRow> = checks.iter().map(CheckRow::from).collect();
    if as_json {
        output::json(&rows)?;
    } else {
        rows.iter().try_for_each(show)?;
    }
    let problems = checks
        .iter()
        .filter(|check| check.outcome == Outcome::Problem)
        .count();
    if problems > 0 {
        return Err(Failure::said(format!(
            "{} found",
            counted(problems as u64, "problem")
        )));
    }
    Ok(())
}

async fn examine(settings: &Settings) -> Vec<Check> {
    let mut checks = vec![Check::ok("settings", "all were read and make sense")];
    checks.extend(check_host(settings));
    checks.push(check_mail(settings).await);
    checks.push(check_webhook(settings));
    checks.extend(check_database(settings).await);
    checks
}

async fn check_database(settings: &Settings) -> Vec<Check> {
    const NAME: &str = "database";
    // Opening an embedded database makes it, which is not for a check to do.
    if sqlite_file(settings).is_some_and(|file| matches!(file.try_exists(), Ok(false))) {
        return vec![Check::ok(NAME, "not there yet; the first start makes it")];
    }
    let store = match open::store(settings, Tables::AsTheyAre).await {
        Ok(store) => store,
        Err(failure) => {
            let advice =
                "see whether it runs, and whether DATABASE_URL names it and its user rightly";
            return vec![Check::problem(NAME, failure.to_string(), advice)];
        }
    };
    let mut checks = vec![Check::ok(
        NAME,
        format!("{} answers", open::place(settings)),
    )];
    let migrations = match migrate::pending(&store).await {
        Ok(pending) => check_migrations(settings, &pending),
        Err(failure) => Check::problem(
            "migrations",
            failure.to_string(),
            "use the version that last served with it",
        ),
    };
    let current = migrations.outcome == Outcome::Ok;
    checks.push(migrations);
    if !current {
        return checks;
    }
    match check_tables(settings, &store, &SystemClock).await {
        Ok(found) => checks.extend(found),
        Err(error) => {
            let finding = format!("a question failed: {}", output::with_causes(&error));
            checks.push(Check::problem(NAME, finding, "see its own log"));
        }
    }
    checks
}

fn check_migrations(settings: &Settings, pending: &[String]) -> Check {
    const NAME: &str = "migrations";
    if pending.is_empty() {
        return Check::ok(NAME, format!("all {} are applied", migrate::count()));
    }
    let finding = format!("pending: {}", pending.join(", "));
    if sqlite_file(settings).is_some() {
        return Check::warning(
            NAME,
            finding,
            "the next start applies them; so does: portcullis migrate up",
        );
    }
    Check::problem(NAME, finding, "portcullis migrate up")
}

fn show(row: &CheckRow) -> Result<(), Failure> {
    output::line(format!(
        "{:<8} {}: {}",
        row.outcome,
        row.name,
        harmless(row.finding)
    ))?;
    match row.advice {
        Some(advice) => output::line(format!("         what to do: {}", harmless(advice))),
        None => Ok(()),
    }
}
