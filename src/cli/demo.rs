//! `portcullis seed` and `portcullis reset`: demonstration data, and starting over.

use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::output::counted;
use crate::cli::{Consent, open, output};
use crate::rules::audit::Origin;
use crate::service::{reset, seed};

#[derive(Args, Debug)]
pub(super) struct ResetArgs {
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn seed() -> Result<(), Failure> {
    let context = open::context().await?;
    let addresses = seed::seed(&context, Origin::HOST).await?;
    output::line("Made the demonstration users anew:")?;
    for address in addresses {
        output::line(format!("  {address}"))?;
    }
    output::line(format!("The password of each is: {}", seed::PASSWORD))?;
    output::remark(
        "Warning: everybody knows this password, and one of these users is an administrator. They are \
         for demonstration only; `portcullis user delete` removes one, `portcullis reset --yes` everything.",
    )
}

pub(super) async fn reset() -> Result<(), Failure> {
    let context = open::context().await?;
    let emptied = reset::reset(&context, Origin::HOST).await?;
    output::line(format!(
        "Deleted {}, {}, {} and {}. Keys and tables stay.",
        counted(emptied.users, "user"),
        counted(emptied.sessions, "session"),
        counted(emptied.organizations, "organisation"),
        counted(emptied.audit_events, "audit event"),
    ))?;
    output::bound(&context)?;
    output::line(
        "The next `portcullis serve` prints a link to make the first administrator; \
         or make one now: portcullis user create --role admin --email …",
    )
}
