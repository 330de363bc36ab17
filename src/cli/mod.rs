//! The command line: one file for each group of commands, the same services as pages and API.
//!
//! Knows arguments, standard input and output, exit codes, and the migrations. Knows no HTTP and
//! makes no rule of its own; whoever commands here acts as the host.

mod demo;
mod doctor;
mod end_where;
mod explain;
mod explain_opaque;
mod failure;
mod input;
mod keys;
mod migrate;
mod open;
mod organization;
mod output;
mod policy;
mod serve;
mod session;
mod session_rows;
mod stats;
mod user;
mod user_rows;

use std::future::Future;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::cli::failure::Failure;

/// What was typed.
///
/// Exit codes: 0 done, 1 could not, 2 not understood.
#[derive(Debug, Parser)]
#[command(
    name = "portcullis",
    version,
    about = "Signs people in, and ends any session at once, everywhere.",
    long_about = None,
    after_help = "Without a command it serves. Settings are environment variables, also from a file \
                  .env; .env.example lists them.\nExit codes: 0 done, 1 could not, 2 not understood."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve pages and API until stopped (also without a command)
    Serve,
    /// Change the tables, or say in what state they are
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Make, list and change users
    #[command(subcommand)]
    User(user::UserCommand),
    /// Say how long sessions of a role or organisation may live, and how many there may be
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Make and list organisations, and say who is a member
    #[command(subcommand)]
    Organization(organization::OrganizationCommand),
    /// List and end sessions
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// Lay demonstration users and organisations anew
    Seed,
    /// Delete every user, session, organisation and audit event; keys and tables stay
    Reset(demo::ResetArgs),
    /// Check settings, database, keys and clock, and say what to do
    Doctor(AsJson),
    /// List or rotate keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Read a token on standard input and say why it is or isn't valid
    Explain,
}

/// How a list is written.
#[derive(Args, Clone, Copy, Debug)]
struct AsJson {
    /// Write JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Consent to what cannot be undone.
#[derive(Args, Clone, Copy, Debug)]
struct Consent {
    /// Yes, this is meant: it cannot be undone
    #[arg(long, required = true)]
    yes: bool,
}

impl Cli {
    /// Does what was typed.
    pub fn run(self) -> ExitCode {
        match self.command.unwrap_or(Command::Serve).run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                output::failure(&failure);
                ExitCode::FAILURE
            }
        }
    }
}

impl Command {
    fn run(self) -> Result<(), Failure> {
        match self {
            Self::Serve => serve::run(),
            Self::Migrate(command) => block_on(migrate::run(command)),
            Self::User(command) => block_on(user::run(command)),
            Self::Policy(command) => block_on(policy::run(command)),
            Self::Organization(command) => block_on(organization::run(command)),
            Self::Session(command) => block_on(session::run(command)),
            Self::Seed => block_on(demo::seed()),
            Self::Reset(_) => block_on(demo::reset()),
            Self::Doctor(AsJson { json }) => block_on(doctor::run(json)),
            Self::Keys(command) => block_on(keys::run(command)),
            Self::Explain => block_on(explain::run()),
        }
    }
}

fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::said(format!("cannot start: {error}")))?
        .block_on(command)
}

#[cfg(test)]
mod tests;
