//! `portcullis session end-where`.

use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::input;
use crate::cli::output::{self, counted};
use crate::rules::audit::Origin;
use crate::service::Context;
use crate::service::end_session::end_where;
use crate::service::session_query::{TypedQuery, preview};

#[derive(Args, Debug)]
pub(super) struct EndWhereArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// Only count them
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// What must hold of each session; at least one.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct WhichArgs {
    /// Of this user: an e-mail address or id
    #[arg(long)]
    user: Option<String>,
    /// Of users who have this role
    #[arg(long)]
    role: Option<String>,
    /// Opened in this organisation: its short name or id
    #[arg(long)]
    organization: Option<String>,
    /// Opened from this network or address, such as 192.0.2.0/24
    #[arg(long)]
    cidr: Option<String>,
    /// Opened by this method, such as pwd
    #[arg(long)]
    method: Option<String>,
    /// Opened before this instant, such as 2026-11-25T17:00:00Z
    #[arg(long)]
    signed_in_before: Option<String>,
    /// Not used for so many seconds, at least 60
    #[arg(long)]
    idle_for: Option<i64>,
    /// Opened by a browser or program that says this of itself
    #[arg(long)]
    user_agent: Option<String>,
}

impl From<WhichArgs> for TypedQuery {
    fn from(args: WhichArgs) -> Self {
        Self {
            user: args.user,
            role: args.role,
            organization: args.organization,
            cidr: args.cidr,
            method: args.method,
            signed_in_before: args.signed_in_before,
            idle_for: args.idle_for,
            user_agent: args.user_agent,
        }
    }
}

/// The fields of a query, and their options.
const OPTIONS: &[(&str, &str)] = &[
    ("user", "--user"),
    ("role", "--role"),
    ("organization", "--organization"),
    ("cidr", "--cidr"),
    ("method", "--method"),
    ("signed_in_before", "--signed-in-before"),
    ("idle_for", "--idle-for"),
    ("user_agent", "--user-agent"),
];

pub(super) async fn run(context: &Context, args: EndWhereArgs) -> Result<(), Failure> {
    let query = TypedQuery::from(args.which).resolve(context).await;
    let query = query.map_err(|error| Failure::of_options(error, OPTIONS))?;
    let found = preview(context, query.clone(), None, 0).await?;
    let found = of_users(found.sessions, found.users);
    if args.dry_run {
        return output::line(format!("This would end {found}."));
    }
    input::consent(args.yes, &format!("This ends {found}."))?;
    let receipt = end_where(context, query, None, Origin::HOST).await?;
    let ended = of_users(receipt.ended, receipt.users);
    output::line(format!("Ended {ended}. Receipt: {}", receipt.id))?;
    output::bound(context)
}

fn of_users(sessions: u64, users: u64) -> String {
    format!(
        "{} of {}",
        counted(sessions, "session"),
        counted(users, "user")
    )
}
