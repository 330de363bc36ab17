//! `portcullis session`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::cli::end_where::{self, EndWhereArgs};
use crate::cli::failure::Failure;
use crate::cli::input::UserName;
use crate::cli::output::{self, counted, instant};
use crate::cli::session_rows::{self, SessionRow};
use crate::cli::stats::{self, StatsArgs};
use crate::cli::{AsJson, Consent, open};
use crate::rules::audit::Origin;
use crate::rules::end_reason::EndReason;
use crate::rules::id::SessionId;
use crate::rules::record::{SessionSearch, SessionStatus};
use crate::service::Context;
use crate::service::cleanup::{cleanup, dry_run};
use crate::service::end_session::{end, end_everyone};
use crate::store::sessions::Which;

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List sessions, newest first
    List(ListArgs),
    /// Show one session with its limits, and who set them
    Show {
        /// Its id
        session: SessionId,
        #[command(flatten)]
        as_json: AsJson,
    },
    /// End one session
    End {
        /// Its id
        session: SessionId,
    },
    /// End every session of a user
    EndUser {
        /// E-mail address or id
        user: UserName,
    },
    /// End every session of which all that is said holds
    EndWhere(EndWhereArgs),
    /// End everyone's sessions
    EndAll(Consent),
    /// Write down which sessions have ended by a limit, and delete what is old enough
    Cleanup(CleanupArgs),
    /// Count users, sessions and sign-ins, now and over time
    Stats(StatsArgs),
}

#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Only this user's: an e-mail address or id
    #[arg(long)]
    user: Option<UserName>,
    /// Which sessions
    #[arg(long, value_enum, default_value_t = Status::Live)]
    status: Status,
    /// Most sessions listed
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    as_json: AsJson,
}

#[derive(Args, Debug)]
pub(super) struct CleanupArgs {
    /// Only count what would be ended and deleted; change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    as_json: AsJson,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    /// Those that can be used
    Live,
    /// Those that cannot any more
    Ended,
    /// Both
    All,
}

impl From<Status> for SessionStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Live => Self::Live,
            Status::Ended => Self::Ended,
            Status::All => Self::All,
        }
    }
}

pub(super) async fn run(command: SessionCommand) -> Result<(), Failure> {
    let context = open::context().await?;
    match command {
        SessionCommand::List(args) => list(&context, args).await,
        SessionCommand::Show { session, as_json } => {
            session_rows::show(&context, session, as_json.json).await
        }
        SessionCommand::End { session } => end_one(&context, session).await,
        SessionCommand::EndUser { user } => {
            let user = user.find(&context).await?;
            let ended = end(
                &context,
                Which::User(user.id),
                EndReason::EndedByAdmin,
                Origin::HOST,
            )
            .await?;
            output::line(format!(
                "Ended {} of {}.",
                counted(ended, "session"),
                user.email
            ))?;
            output::bound(&context)
        }
        SessionCommand::EndWhere(args) => end_where::run(&context, args).await,
        SessionCommand::EndAll(_) => {
            let ended = end_everyone(&context, None, Origin::HOST).await?;
            output::line(format!("Ended {}.", counted(ended, "session")))?;
            output::bound(&context)
        }
        SessionCommand::Cleanup(args) => clean_up(&context, &args).await,
        SessionCommand::Stats(args) => stats::run(&context, &args).await,
    }
}

async fn clean_up(context: &Context, args: &CleanupArgs) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shown {
        cleaned: u64,
        deleted: BTreeMap<&'static str, u64>,
        dry_run: bool,
    }

    let done = if args.dry_run {
        dry_run(context).await?
    } else {
        cleanup(context, Origin::HOST).await?
    };
    if args.as_json.json {
        let deleted = done.deleted.iter();
        return output::json(&Shown {
            cleaned: done.ended,
            deleted: deleted.map(|(kept, count)| (kept.code(), *count)).collect(),
            dry_run: args.dry_run,
        });
    }
    output::line(if args.dry_run {
        "Nothing was changed. A clean-up would end and delete:"
    } else {
        "Ended and deleted:"
    })?;
    let mut pairs = vec![("sessions past a limit", done.ended.to_string())];
    for (kept, count) in done.deleted {
        pairs.push((kept.words(), count.to_string()));
    }
    output::pairs(&pairs)
}

async fn list(context: &Context, args: ListArgs) -> Result<(), Failure> {
    let user_id = match &args.user {
        Some(user) => Some(user.find(context).await?.id),
        None => None,
    };
    let search = SessionSearch {
        user_id,
        status: args.status.into(),
        text: String::new(),
    };
    let limit = u64::from(args.limit);
    let found = context
        .store
        .search_sessions(&search, None, limit, context.now())
        .await?;
    let more = found.next_cursor.is_some();
    let rows: Vec<SessionRow> = found
        .rows
        .into_iter()
        .map(|row| SessionRow::new(row.session, &row.email))
        .collect();
    output::list(&rows, args.as_json.json, "There are no such sessions.")?;
    if more {
        output::remark(format!("There are more than these {limit}; see --limit."))?;
    }
    Ok(())
}

async fn end_one(context: &Context, session_id: SessionId) -> Result<(), Failure> {
    let ended = end(
        context,
        Which::One(session_id),
        EndReason::EndedByAdmin,
        Origin::HOST,
    )
    .await?;
    if ended > 0 {
        output::line(format!("Ended session {session_id}."))?;
        return output::bound(context);
    }
    let record = context
        .store
        .find_session(session_id, context.now())
        .await?;
    let record =
        record.ok_or_else(|| Failure::said(format!("there is no session {session_id}")))?;
    match record.ended {
        Some(ended) => {
            let at = instant(ended.at);
            output::line(format!(
                "Session {session_id} had ended already, at {at}: {}.",
                ended.reason
            ))
        }
        None => Err(Failure::said(format!(
            "session {session_id} was not ended; try again"
        ))),
    }
}
