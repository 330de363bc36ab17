//! Everything a person sees: one struct per page, its template, and the look they share.
//!
//! Knows words, HTML and what a page needs to be drawn. Knows no request, no database, no rule and
//! no clock: whoever fills a page in has already decided everything, and hands over instants
//! together with the "now" they are seen from.
//!
//! A page is a plain struct with public fields that implements [`Page`]. [`Renderer::load`] parses
//! every template when the server starts, so a broken one stops the start instead of a request.
//! Pages hold form tokens and one-time links, so none of them is `Debug`: what can't be printed
//! can't reach a log.

mod account;
mod admin;
mod admin_end_where;
mod admin_users;
mod assets;
mod audit;
mod by_mail;
mod chart;
mod error;
mod filters;
mod instant;
mod outbox;
mod over_time;
mod overview;
mod policies;
mod samples;
mod sessions;
mod shell;
mod sign_in;
mod step_up;
#[cfg(test)]
mod tests;

use std::error::Error;

use tera::{Context, Tera};

pub use account::{AccountPage, SecurityPage};
pub use admin::{AdminSessionRow, AdminSessionsPage, EndEveryonePage};
pub use admin_end_where::{EndWhereFields, EndWhereFound, EndWherePage};
pub use admin_users::{
    AdminUserPage, AdminUsersPage, DeleteUserPage, InvitationMadePage, NewUserPage, UserRow,
};
pub use assets::{ICON, ICON_PATH, STYLESHEET, stylesheet_path};
pub use audit::{ActionChoice, AuditPage, AuditRow};
pub use by_mail::{
    ChangeEmailPage, ConfirmEmailPage, NewPasswordPage, NotMePage, ResetPage, VerifyEmailPage,
};
pub use error::ErrorPage;
pub use instant::Instant;
pub use outbox::{DeliveryRow, OutboxPage};
pub use over_time::{Key, OverTime, Slot, TimeDrawing, TimeRow};
pub use overview::{
    AdminOverviewPage, AsOf, Group, GroupRow, Lasted, NodeFigures, Others, Peak, RangeLink,
    ReasonCount, VisibleFigures,
};
pub use policies::{LimitRow, PoliciesPage, PolicyPage, PolicyRow, PolicyValues};
pub use sessions::{SessionCard, SessionsPage};
pub use shell::{LookingOn, Notice, NoticeKind, Section, Shell, ShellUser};
pub use sign_in::{ChooseSessionPage, InvitationDeadPage, InvitationPage, SetUpPage, SignInPage};
pub use step_up::{HiddenField, StepUpPage};

/// Every template, by the name its page asks for. A name must end in `.html`: Tera escapes by that
/// ending alone.
static TEMPLATES: &[(&str, &str)] = &[
    (
        "account.html",
        include_str!("../../../templates/account.html"),
    ),
    (
        "admin_overview.html",
        include_str!("../../../templates/admin_overview.html"),
    ),
    (
        "admin_sessions.html",
        include_str!("../../../templates/admin_sessions.html"),
    ),
    (
        "admin_user.html",
        include_str!("../../../templates/admin_user.html"),
    ),
    (
        "admin_users.html",
        include_str!("../../../templates/admin_users.html"),
    ),
    ("audit.html", include_str!("../../../templates/audit.html")),
    ("base.html", include_str!("../../../templates/base.html")),
    (
        "choose_session.html",
        include_str!("../../../templates/choose_session.html"),
    ),
    (
        "components.html",
        include_str!("../../../templates/components.html"),
    ),
    (
        "change_email.html",
        include_str!("../../../templates/change_email.html"),
    ),
    (
        "confirm_email.html",
        include_str!("../../../templates/confirm_email.html"),
    ),
    (
        "delete_user.html",
        include_str!("../../../templates/delete_user.html"),
    ),
    (
        "drawings.html",
        include_str!("../../../templates/drawings.html"),
    ),
    (
        "end_everyone.html",
        include_str!("../../../templates/end_everyone.html"),
    ),
    (
        "end_where.html",
        include_str!("../../../templates/end_where.html"),
    ),
    ("error.html", include_str!("../../../templates/error.html")),
    (
        "invitation.html",
        include_str!("../../../templates/invitation.html"),
    ),
    (
        "invitation_dead.html",
        include_str!("../../../templates/invitation_dead.html"),
    ),
    (
        "invitation_made.html",
        include_str!("../../../templates/invitation_made.html"),
    ),
    (
        "new_user.html",
        include_str!("../../../templates/new_user.html"),
    ),
    (
        "new_password.html",
        include_str!("../../../templates/new_password.html"),
    ),
    (
        "not_me.html",
        include_str!("../../../templates/not_me.html"),
    ),
    (
        "outbox.html",
        include_str!("../../../templates/outbox.html"),
    ),
    ("reset.html", include_str!("../../../templates/reset.html")),
    (
        "policies.html",
        include_str!("../../../templates/policies.html"),
    ),
    (
        "policy.html",
        include_str!("../../../templates/policy.html"),
    ),
    (
        "security.html",
        include_str!("../../../templates/security.html"),
    ),
    (
        "sessions.html",
        include_str!("../../../templates/sessions.html"),
    ),
    (
        "set_up.html",
        include_str!("../../../templates/set_up.html"),
    ),
    (
        "verify_email.html",
        include_str!("../../../templates/verify_email.html"),
    ),
    (
        "sign_in.html",
        include_str!("../../../templates/sign_in.html"),
    ),
    (
        "step_up.html",
        include_str!("../../../templates/step_up.html"),
    ),
];

/// A page: the data its template draws.
pub trait Page: serde::Serialize {
    /// Name of the template in `templates/`.
    const TEMPLATE: &'static str;

    /// Made-up pages that between them take both arms of every condition in the template, because
    /// Tera reads a name it doesn't know as false and would hide a misspelt one.
    fn samples() -> Vec<Self>
    where
        Self: Sized;
}

/// Why a page could not be drawn. The message names the template; the cause is in `source` and may
/// quote it.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template embedded in this binary is broken.
    #[error("the page templates could not be read")]
    Load(#[source] Box<dyn Error + Send + Sync>),
    /// One page could not be drawn from its data.
    #[error("the page template {template} could not be filled in")]
    Render {
        /// The template asked for.
        template: &'static str,
        /// What Tera says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Turns pages into HTML. Made once, shared by every worker.
pub struct Renderer {
    tera: Tera,
}

impl Renderer {
    /// Parses every embedded template.
    pub fn load() -> Result<Renderer, RenderError> {
        let mut tera = Tera::new();
        filters::register(&mut tera);
        tera.global_context()
            .insert("stylesheet", stylesheet_path());
        tera.global_context().insert("icon", ICON_PATH);
        tera.add_raw_templates(TEMPLATES.iter().copied())
            .map_err(|source| RenderError::Load(source.into()))?;
        Ok(Renderer { tera })
    }

    /// Draws one page.
    pub fn render<P: Page>(&self, page: &P) -> Result<String, RenderError> {
        Context::from_serialize(page)
            .and_then(|context| self.tera.render(P::TEMPLATE, &context))
            .map_err(|source| RenderError::Render {
                template: P::TEMPLATE,
                source: source.into(),
            })
    }
}
