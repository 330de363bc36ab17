//! `portcullis organization`.

use clap::Subcommand;
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::input::UserName;
use crate::cli::output::{self, Row, counted};
use crate::cli::{AsJson, open};
use crate::rules::audit::Origin;
use crate::rules::id::OrganizationId;
use crate::service::organizations::{add_member, create_organization, remove_member};

#[derive(Debug, Subcommand)]
pub(super) enum OrganizationCommand {
    /// Make an organisation
    Create {
        /// Its short name: a-z, 0-9 and -
        slug: String,
        /// Name for people
        #[arg(long, default_value = "")]
        name: String,
    },
    /// List organisations
    List(AsJson),
    /// Make a user a member
    AddUser {
        /// The organisation's short name
        slug: String,
        /// E-mail address or id
        user: UserName,
    },
    /// Take a user's membership away
    RemoveUser {
        /// The organisation's short name
        slug: String,
        /// E-mail address or id
        user: UserName,
    },
}

pub(super) async fn run(command: OrganizationCommand) -> Result<(), Failure> {
    let context = open::context().await?;
    match command {
        OrganizationCommand::Create { slug, name } => {
            let name = if name.is_empty() { &slug } else { &name };
            let id = create_organization(&context, &slug, name, Origin::HOST).await?;
            output::line(format!("Made {slug} ({id})."))
        }
        OrganizationCommand::List(AsJson { json }) => {
            let all = context.store.organizations().await?;
            let rows: Vec<OrganizationRow> = all
                .into_iter()
                .map(|(it, members)| OrganizationRow {
                    id: it.id,
                    slug: it.slug,
                    name: it.name,
                    members,
                })
                .collect();
            output::list(&rows, json, "There are no organisations.")
        }
        OrganizationCommand::AddUser { slug, user } => {
            let user = user.find(&context).await?;
            add_member(&context, &slug, user.id, Origin::HOST).await?;
            output::line(format!("{} is a member of {slug}.", user.email))?;
            output::bound(&context)
        }
        OrganizationCommand::RemoveUser { slug, user } => {
            let user = user.find(&context).await?;
            let ended = remove_member(&context, &slug, user.id, Origin::HOST).await?;
            let ended = counted(ended, "session");
            output::line(format!(
                "{} is no longer a member of {slug}; {ended} ended.",
                user.email
            ))?;
            output::bound(&context)
        }
    }
}

/// An organisation, as written.
#[derive(Debug, Serialize)]
struct OrganizationRow {
    id: OrganizationId,
    slug: String,
    name: String,
    members: u64,
}

impl Row for OrganizationRow {
    const HEADINGS: &'static [&'static str] = &["SHORT NAME", "NAME", "MEMBERS", "ID"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.slug.clone(),
            self.name.clone(),
            self.members.to_string(),
            self.id.to_string(),
        ]
    }
}
