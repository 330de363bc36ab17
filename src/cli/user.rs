//! `portcullis user`.

use clap::{Args, Subcommand};

use crate::cli::failure::Failure;
use crate::cli::input::{self, UserName};
use crate::cli::output::{self, counted, instant};
use crate::cli::user_rows::{self, UserRow};
use crate::cli::{AsJson, open};
use crate::rules::audit::Origin;
use crate::rules::record::UserRecord;
use crate::service::Context;
use crate::service::change_password::set_password;
use crate::service::invitation::{Invitation, invite};
use crate::service::users::{
    NewUser, UserPatch, create_user, create_user_with_password, delete_user, grant_role,
    revoke_role, update_user,
};

/// Users asked for at once.
const PAGE: u64 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make a user, and print the one-time link on which to choose a password
    Create(CreateArgs),
    /// List users, newest first
    List {
        /// Only those whose e-mail address or name contains this
        #[arg(long, default_value = "")]
        search: String,
        #[command(flatten)]
        as_json: AsJson,
    },
    /// Show one user and their live sessions
    Show {
        /// E-mail address or id
        user: UserName,
        #[command(flatten)]
        as_json: AsJson,
    },
    /// End a user's sessions and let them sign in no more
    Disable {
        /// E-mail address or id
        user: UserName,
    },
    /// Let a disabled user sign in again
    Enable {
        /// E-mail address or id
        user: UserName,
    },
    /// End a user's sessions and delete the user
    Delete {
        /// E-mail address or id
        user: UserName,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Give a user a role; `admin` opens the console
    Grant {
        /// E-mail address or id
        user: UserName,
        /// The role
        role: String,
    },
    /// Take a role away from a user
    RevokeRole {
        /// E-mail address or id
        user: UserName,
        /// The role
        role: String,
    },
    /// Set a user's password; all their sessions end
    SetPassword {
        /// E-mail address or id
        user: UserName,
        /// Read the password from standard input; the only way there is
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Print a new one-time link on which to choose a password; the one before is void
    Invite {
        /// E-mail address or id
        user: UserName,
    },
}

#[derive(Args, Debug)]
pub(super) struct CreateArgs {
    /// E-mail address to sign in with
    #[arg(long)]
    email: String,
    /// Name for people
    #[arg(long, default_value = "")]
    name: String,
    /// A role; may be given several times. `admin` opens the console
    #[arg(long = "role")]
    roles: Vec<String>,
    /// Read the password from standard input instead of printing a link
    #[arg(long)]
    password_stdin: bool,
}

pub(super) async fn run(command: UserCommand) -> Result<(), Failure> {
    let context = open::context().await?;
    match command {
        UserCommand::Create(args) => create(&context, args).await,
        UserCommand::List { search, as_json } => list(&context, &search, as_json).await,
        UserCommand::Show { user, as_json } => {
            let user = user.find(&context).await?;
            user_rows::show(&context, user, as_json.json).await
        }
        UserCommand::Disable { user } => {
            let user = user.find(&context).await?;
            set_enabled(&context, &user, false).await?;
            let ended = counted(user.live_sessions, "session");
            output::line(format!("Disabled {}; {ended} ended.", user.email))?;
            output::bound(&context)
        }
        UserCommand::Enable { user } => {
            let user = user.find(&context).await?;
            set_enabled(&context, &user, true).await?;
            output::line(format!(
                "Enabled {}. Sessions that have ended stay ended.",
                user.email
            ))
        }
        UserCommand::Delete { user, yes } => {
            let user = user.find(&context).await?;
            let sessions = counted(user.live_sessions, "live session");
            input::consent(
                yes,
                &format!("This deletes {} with {sessions}.", user.email),
            )?;
            delete_user(&context, user.id, Origin::HOST).await?;
            output::line(format!("Deleted {}; {sessions} ended.", user.email))?;
            output::bound(&context)
        }
        UserCommand::Grant { user, role } => {
            let user = user.find(&context).await?;
            grant_role(&context, user.id, &role, Origin::HOST).await?;
            output::line(format!("{} has the role {role}.", user.email))?;
            output::bound(&context)
        }
        UserCommand::RevokeRole { user, role } => {
            let user = user.find(&context).await?;
            revoke_role(&context, user.id, &role, Origin::HOST).await?;
            output::line(format!("{} no longer has the role {role}.", user.email))?;
            output::bound(&context)
        }
        UserCommand::SetPassword {
            user,
            password_stdin: _,
        } => {
            let user = user.find(&context).await?;
            set_password(&context, user.id, &input::password()?, Origin::HOST).await?;
            output::line(format!(
                "Set the password of {}; all their sessions ended.",
                user.email
            ))?;
            output::bound(&context)
        }
        UserCommand::Invite { user } => {
            let user = user.find(&context).await?;
            show_link(&user, &invite(&context, user.id, Origin::HOST).await?)
        }
    }
}

async fn create(context: &Context, args: CreateArgs) -> Result<(), Failure> {
    let new = NewUser {
        email: args.email,
        name: args.name,
        roles: args.roles,
    };
    if args.password_stdin {
        let password = input::password()?;
        let user = create_user_with_password(context, new, &password, Origin::HOST).await?;
        return output::line(format!("Made {} ({}).", user.email, user.id));
    }
    let (user, invitation) = create_user(context, new, Origin::HOST).await?;
    output::line(format!("Made {} ({}).", user.email, user.id))?;
    show_link(&user, &invitation)
}

async fn list(context: &Context, search: &str, as_json: AsJson) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let mut cursor = None;
    loop {
        let page = context
            .store
            .search_users(search, cursor, PAGE, context.now())
            .await?;
        rows.extend(page.rows.into_iter().map(UserRow::from));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    output::list(&rows, as_json.json, "There are no such users.")
}

async fn set_enabled(context: &Context, user: &UserRecord, enabled: bool) -> Result<(), Failure> {
    let patch = UserPatch {
        enabled: Some(enabled),
        ..UserPatch::default()
    };
    update_user(context, user.id, patch, Origin::HOST).await?;
    Ok(())
}

fn show_link(user: &UserRecord, invitation: &Invitation) -> Result<(), Failure> {
    output::line(format!(
        "On this link, once and until {}, {} chooses a password:",
        instant(invitation.expires_at),
        user.email
    ))?;
    output::line(invitation.url.reveal())
}
