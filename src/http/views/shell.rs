//! What surrounds every page: title, who is signed in, the form token, a message and the place in
//! the menu.
//!
//! Knows nothing of how somebody came to be signed in; a page with a user shows the menu and the
//! sign-out button.

use serde::Serialize;

use super::Instant;

/// The frame around a page; each page has it as its field `shell`.
#[derive(Clone, Serialize)]
pub struct Shell {
    /// Title of the window; the layout adds the product's name.
    pub title: String,
    /// Who is signed in, if anybody.
    pub user: Option<ShellUser>,
    /// The token every form on the page sends back. Needed without a user too: signing in is a
    /// form.
    pub csrf_token: String,
    /// One message above the page's content.
    pub notice: Option<Notice>,
    /// The entry of the menu that is current.
    pub section: Section,
    /// An administrator looks at the page as somebody else.
    pub impersonation: Option<LookingOn>,
}

/// The banner of an administrator who looks at the pages as somebody else.
#[derive(Clone, Serialize)]
pub struct LookingOn {
    /// As whom: their name, or the e-mail address where it is empty.
    pub name: String,
    /// Why, in their own words.
    pub reason: String,
    /// When it ends by itself.
    pub ends_at: Instant,
    /// Whether nothing can be changed.
    pub read_only: bool,
}

/// The person a page is shown to.
#[derive(Clone, Serialize)]
pub struct ShellUser {
    /// Their id.
    pub id: String,
    /// Their name; where it is empty the e-mail address is shown instead.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// Whether the menu has the part for administrators. The guards decide what opens; this only
    /// decides what shows.
    pub is_admin: bool,
}

/// A message above the page: what just happened, or why somebody was signed out.
#[derive(Clone, Serialize)]
pub struct Notice {
    /// Sets the look and the leading word.
    pub kind: NoticeKind,
    /// Whole sentences for people.
    pub text: String,
}

/// What a [`Notice`] is about. Each has its own leading word, so nothing is said by colour alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// Good to know.
    Info,
    /// What was asked for has been done.
    Success,
    /// Something to look at, such as having been signed out.
    Warning,
    /// What was asked for was not done.
    Error,
}

/// Where in the menu a page belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// In none of its places.
    None,
    /// `/account`
    Account,
    /// `/account/sessions`
    Sessions,
    /// `/account/security`
    Security,
    /// `/admin`
    AdminOverview,
    /// `/admin/sessions`
    AdminSessions,
    /// `/admin/users`
    AdminUsers,
    /// `/admin/policies`
    AdminPolicies,
    /// `/admin/audit`
    AdminAudit,
    /// `/admin/outbox`
    AdminOutbox,
}
