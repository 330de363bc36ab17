//! `portcullis policy`.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output::{self, Row, counted};
use crate::cli::{AsJson, open};
use crate::rules::audit::Origin;
use crate::rules::policy::{AtLimit, PolicyDraft, Scope};
use crate::rules::span;
use crate::service::Context;
use crate::service::policies::{delete_policy, scope, set_policy};
use crate::store::policies::PolicyRecord;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// List policies
    List(AsJson),
    /// Set the policy of a role or organisation, in place of the one before. Live sessions are
    /// brought within it
    Set(Box<SetArgs>),
    /// Delete a policy. Live sessions keep the limits they have
    Delete(Whose),
}

#[derive(Args, Debug)]
pub(super) struct Whose {
    /// For a role or an organisation
    #[arg(value_enum)]
    kind: Kind,
    /// Which: the role, or the organisation's short name
    name: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Users with a role
    Role,
    /// Members of an organisation
    Organization,
}

/// Lengths of time: seconds, or with m, h or d behind the number, as 10m, 8h or 30d.
#[derive(Args, Debug)]
pub(super) struct SetArgs {
    #[command(flatten)]
    whose: Whose,
    /// Longest time a session may be unused, as 10m, 8h or 30d; at least 1m
    #[arg(long, value_parser = seconds)]
    idle: Option<i64>,
    /// Longest life of a session, however much it is used
    #[arg(long, value_parser = seconds)]
    lifetime: Option<i64>,
    /// As --idle, for sessions opened with "Keep me signed in on this device"
    #[arg(long, value_parser = seconds)]
    remembered_idle: Option<i64>,
    /// As --lifetime, for sessions opened with "Keep me signed in on this device"
    #[arg(long, value_parser = seconds)]
    remembered_lifetime: Option<i64>,
    /// Most sessions of one user at once, 1 to 1000
    #[arg(long)]
    max_sessions: Option<i64>,
    /// What happens to a sign-in beyond that: end-oldest, ask or refuse
    #[arg(long)]
    at_limit: Option<String>,
    /// End a user's sessions when a role or membership is taken away
    #[arg(long)]
    end_on_role_change: bool,
}

fn seconds(text: &str) -> Result<i64, span::SpanError> {
    let seconds = span::parse(text)?;
    Ok(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// The fields of a policy, and their options.
const OPTIONS: &[(&str, &str)] = &[
    ("remembered_idle_secs", "--remembered-idle"),
    ("remembered_lifetime_secs", "--remembered-lifetime"),
    ("idle_secs", "--idle"),
    ("lifetime_secs", "--lifetime"),
    ("max_sessions", "--max-sessions"),
    ("at_limit", "--at-limit"),
];

impl Whose {
    fn scope(&self) -> Result<Scope, Failure> {
        let kind = match self.kind {
            Kind::Role => "role",
            Kind::Organization => "organization",
        };
        Ok(scope(kind, &self.name)?)
    }
}

pub(super) async fn run(command: PolicyCommand) -> Result<(), Failure> {
    let context = open::context().await?;
    match command {
        PolicyCommand::List(AsJson { json }) => list(&context, json).await,
        PolicyCommand::Set(args) => {
            let scope = args.whose.scope()?;
            let said = format!("Set the policy of {scope}");
            let draft = PolicyDraft {
                idle_secs: args.idle,
                lifetime_secs: args.lifetime,
                remembered_idle_secs: args.remembered_idle,
                remembered_lifetime_secs: args.remembered_lifetime,
                max_sessions: args.max_sessions,
                at_limit: args.at_limit,
                end_on_role_change: args.end_on_role_change,
            };
            let lowered = set_policy(&context, scope, &draft, Origin::HOST).await;
            let lowered = lowered.map_err(|error| Failure::of_options(error, OPTIONS))?;
            let lowered = counted(lowered, "live session");
            output::line(format!("{said}; lowered the limits of {lowered}."))?;
            output::bound(&context)
        }
        PolicyCommand::Delete(whose) => {
            let scope = whose.scope()?;
            let said = format!("Deleted the policy of {scope}. Live sessions keep their limits.");
            delete_policy(&context, scope, Origin::HOST).await?;
            output::line(said)
        }
    }
}

async fn list(context: &Context, as_json: bool) -> Result<(), Failure> {
    let policies = context.store.policies().await?;
    let rows: Vec<PolicyRow> = policies.iter().map(PolicyRow::new).collect();
    output::list(
        &rows,
        as_json,
        "There are no policies; the settings hold for everybody.",
    )
}

/// A policy, as written.
#[derive(Debug, Serialize)]
struct PolicyRow {
    kind: &'static str,
    name: String,
    idle_secs: Option<i64>,
    lifetime_secs: Option<i64>,
    remembered_idle_secs: Option<i64>,
    remembered_lifetime_secs: Option<i64>,
    max_sessions: Option<u32>,
    at_limit: Option<&'static str>,
    end_on_role_change: bool,
}

impl PolicyRow {
    fn new(record: &PolicyRecord) -> Self {
        let policy = &record.policy;
        let secs = |span: Option<chrono::TimeDelta>| span.map(|span| span.num_seconds());
        Self {
            kind: record.scope.kind(),
            name: record.scope.name().to_owned(),
            idle_secs: secs(policy.idle),
            lifetime_secs: secs(policy.lifetime),
            remembered_idle_secs: secs(policy.remembered_idle),
            remembered_lifetime_secs: secs(policy.remembered_lifetime),
            max_sessions: policy.max_sessions,
            at_limit: policy.at_limit.map(AtLimit::code),
            end_on_role_change: policy.end_on_role_change,
        }
    }
}

impl Row for PolicyRow {
    const HEADINGS: &'static [&'static str] = &[
        "KIND",
        "NAME",
        "IDLE",
        "LIFETIME",
        "REMEMBERED IDLE",
        "REMEMBERED LIFETIME",
        "SESSIONS",
        "AT LIMIT",
        "ROLE TAKEN",
    ];

    fn cells(&self) -> Vec<String> {
        let time = |secs: Option<i64>| {
            secs.map_or("-".to_owned(), |secs| span::short(secs.unsigned_abs()))
        };
        let count = self.max_sessions.map_or("-".to_owned(), |n| n.to_string());
        let ends = if self.end_on_role_change { "ends" } else { "-" };
        vec![
            self.kind.to_owned(),
            self.name.clone(),
            time(self.idle_secs),
            time(self.lifetime_secs),
            time(self.remembered_idle_secs),
            time(self.remembered_lifetime_secs),
            count,
            self.at_limit.unwrap_or("-").to_owned(),
            ends.to_owned(),
        ]
    }
}
