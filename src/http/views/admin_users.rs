//! The console's pages about users.
//!
//! No administrator sets or sees a password: a person chooses it behind a one-time link, which
//! exactly one page shows.

use serde::Serialize;

use super::policies::LimitRow;
use super::sessions::SessionCard;
use super::{Instant, NoticeKind, Page, Section, Shell, samples};

/// `/admin/users`: the list, searched.
#[derive(Clone, Serialize)]
pub struct AdminUsersPage {
    /// The frame.
    pub shell: Shell,
    /// One page of what was found.
    pub rows: Vec<UserRow>,
    /// What was searched for.
    pub q: String,
    /// How many were found in all, counted no further than the store counts.
    pub total: u64,
    /// Address of the next page of the list.
    pub next_url: Option<String>,
    /// Address of the first page of the list, unless this is it.
    pub first_url: Option<String>,
}

/// One user in the list.
#[derive(Clone, Serialize)]
pub struct UserRow {
    /// Their id.
    pub id: String,
    /// E-mail address.
    pub email: String,
    /// Name; may be empty.
    pub name: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Whether they may sign in.
    pub enabled: bool,
    /// Whether they have chosen a password yet.
    pub has_password: bool,
    /// How many of their sessions are live.
    pub live_sessions: u64,
    /// When the account was made.
    pub created_at: Instant,
}

impl Page for AdminUsersPage {
    const TEMPLATE: &'static str = "admin_users.html";

    fn samples() -> Vec<Self> {
        let shell = samples::admin("Users", Section::AdminUsers);
        let ada = UserRow {
            id: samples::id(1),
            email: "ada@example.org".to_owned(),
            name: "Ada Lovelace".to_owned(),
            roles: vec!["editor".to_owned(), "billing".to_owned()],
            enabled: true,
            has_password: true,
            live_sessions: 3,
            created_at: samples::instant(-400 * 86_400),
        };
        let invited = UserRow {
            id: samples::id(3),
            email: "a.very.long.address.indeed@subdivision.example.com".to_owned(),
            name: String::new(),
            roles: Vec::new(),
            has_password: false,
            live_sessions: 0,
            created_at: samples::instant(-2 * 86_400),
            ..ada.clone()
        };
        let disabled = UserRow {
            id: samples::id(4),
            enabled: false,
            live_sessions: 0,
            ..ada.clone()
        };
        let page = |rows: Vec<UserRow>, q: &str, total: u64| Self {
            shell: shell.clone(),
            rows,
            q: q.to_owned(),
            total,
            next_url: None,
            first_url: None,
        };
        let mut many = page(vec![ada.clone(), invited, disabled], "", 1_284);
        many.next_url = Some("/admin/users?cursor=abc".to_owned());
        let mut last = page(vec![ada], "ada", 1);
        last.first_url = Some("/admin/users?q=ada".to_owned());
        last.shell = samples::noticed(
            last.shell,
            NoticeKind::Success,
            "The user has been deleted.",
        );
        vec![
            many,
            last,
            page(Vec::new(), "nobody", 0),
            page(Vec::new(), "", 0),
        ]
    }
}

/// `/admin/users/new`: make a user, who then gets a link.
#[derive(Clone, Serialize)]
pub struct NewUserPage {
    /// The frame.
    pub shell: Shell,
    /// What was typed before.
    pub email: String,
    /// What was typed before.
    pub name: String,
    /// Whether the box was ticked before.
    pub admin: bool,
    /// Other roles as typed before, separated by commas.
    pub roles_text: String,
    /// Why the last try was refused.
    pub problem: Option<String>,
}

impl Page for NewUserPage {
    const TEMPLATE: &'static str = "new_user.html";

    fn samples() -> Vec<Self> {
        let empty = Self {
            shell: samples::admin("New user", Section::AdminUsers),
            email: String::new(),
            name: String::new(),
            admin: false,
            roles_text: String::new(),
            problem: None,
        };
        vec![
            Self {
                email: "ada@example.org".to_owned(),
                name: "Ada Lovelace".to_owned(),
                admin: true,
                roles_text: "editor, billing".to_owned(),
                problem: Some("There is already a user with this e-mail address.".to_owned()),
                ..empty.clone()
            },
            empty,
        ]
    }
}

/// `/admin/users/{id}`: one user and everything that can be done about them.
#[derive(Clone, Serialize)]
pub struct AdminUserPage {
    /// The frame.
    pub shell: Shell,
    /// Their id.
    pub id: String,
    /// E-mail address.
    pub email: String,
    /// Whether it is known that mails to it arrive.
    pub email_verified: bool,
    /// Name; may be empty.
    pub name: String,
    /// Roles as the form shows them, separated by commas.
    pub roles_text: String,
    /// Roles as stored.
    pub roles: Vec<String>,
    /// Names of their organisations.
    pub organizations: Vec<String>,
    /// Whether they may sign in.
    pub enabled: bool,
    /// Whether it is the administrator who looks at the page; then disabling and deleting are not
    /// offered.
    pub is_self: bool,
    /// Whether they have chosen a password yet.
    pub has_password: bool,
    /// When the account was made.
    pub created_at: Instant,
    /// When the password was last changed.
    pub password_changed_at: Option<Instant>,
    /// What holds for their sessions, and who set it.
    pub limits: Vec<LimitRow>,
    /// Their newest sessions, live and ended.
    pub sessions: Vec<SessionCard>,
    /// How many of their sessions are live.
    pub live_sessions: u64,
    /// Why the last change was refused.
    pub problem: Option<String>,
    /// Whether it is offered to look on as them.
    pub may_impersonate: bool,
    /// Why the last try at that was refused.
    pub impersonation_problem: Option<String>,
    /// The reason as typed before.
    pub impersonation_reason: String,
    /// Whether the box was ticked before.
    pub impersonation_may_change: bool,
}

impl Page for AdminUserPage {
    const TEMPLATE: &'static str = "admin_user.html";

    fn samples() -> Vec<Self> {
        let mut sessions = vec![samples::phone(), samples::unknown_device()];
        sessions.extend(samples::ended());
        let ada = Self {
            shell: samples::admin("Ada Lovelace", Section::AdminUsers),
            id: samples::id(1),
            email: "ada@example.org".to_owned(),
            email_verified: true,
            name: "Ada Lovelace".to_owned(),
            roles_text: "editor, billing".to_owned(),
            roles: vec!["editor".to_owned(), "billing".to_owned()],
            organizations: vec!["Analytical Engines".to_owned(), "Royal Society".to_owned()],
            enabled: true,
            is_self: false,
            has_password: true,
            created_at: samples::instant(-400 * 86_400),
            password_changed_at: Some(samples::instant(-40 * 86_400)),
            limits: LimitRow::samples(),
            sessions,
            live_sessions: 2,
            problem: None,
            may_impersonate: true,
            impersonation_problem: None,
            impersonation_reason: String::new(),
            impersonation_may_change: false,
        };
        vec![
            ada.clone(),
            Self {
                impersonation_problem: Some("Say why, in 10 to 500 characters.".to_owned()),
                impersonation_reason: "ticket 12".to_owned(),
                impersonation_may_change: true,
                ..ada.clone()
            },
            Self {
                may_impersonate: false,
                shell: samples::admin("grace@example.org", Section::AdminUsers),
                id: samples::id(2),
                email: "grace@example.org".to_owned(),
                email_verified: false,
                name: String::new(),
                roles_text: "admin".to_owned(),
                roles: vec!["admin".to_owned()],
                is_self: true,
                sessions: vec![samples::this_device(), samples::looked_on()],
                live_sessions: 1,
                problem: Some("You can't take the role admin from yourself.".to_owned()),
                ..ada.clone()
            },
            Self {
                roles_text: String::new(),
                roles: Vec::new(),
                organizations: Vec::new(),
                may_impersonate: false,
                enabled: false,
                has_password: false,
                password_changed_at: None,
                sessions: Vec::new(),
                live_sessions: 0,
                ..ada
            },
        ]
    }
}

/// After making a user or a new invitation: the only page that ever shows the link.
#[derive(Clone, Serialize)]
pub struct InvitationMadePage {
    /// The frame.
    pub shell: Shell,
    /// Whose it is.
    pub user_id: String,
    /// Their e-mail address.
    pub email: String,
    /// The whole one-time link.
    pub invitation_url: String,
    /// When it stops working.
    pub expires_at: Instant,
}

impl Page for InvitationMadePage {
    const TEMPLATE: &'static str = "invitation_made.html";

    fn samples() -> Vec<Self> {
        vec![Self {
            shell: samples::admin("Invitation", Section::AdminUsers),
            user_id: samples::id(1),
            email: "ada@example.org".to_owned(),
            invitation_url: "https://id.example.org/invitation?token=Jm5zr0Cq3S8bT1yXw9uVdK2hLpE7aGfN4iRoU6tYc_k"
                .to_owned(),
            expires_at: samples::instant(24 * 3_600),
        }]
    }
}

/// `/admin/users/{id}/delete`: what will happen, and the button.
#[derive(Clone, Serialize)]
pub struct DeleteUserPage {
    /// The frame.
    pub shell: Shell,
    /// Their id.
    pub id: String,
    /// E-mail address.
    pub email: String,
    /// Name; may be empty.
    pub name: String,
    /// How many of their sessions are live.
    pub live_sessions: u64,
}

impl Page for DeleteUserPage {
    const TEMPLATE: &'static str = "delete_user.html";

    fn samples() -> Vec<Self> {
        let page = |name: &str, live_sessions: u64| Self {
            shell: samples::admin("Delete a user", Section::AdminUsers),
            id: samples::id(1),
            email: "ada@example.org".to_owned(),
            name: name.to_owned(),
            live_sessions,
        };
        vec![
            page("Ada Lovelace", 3),
            page("", 0),
            page("Ada Lovelace", 1),
        ]
    }
}
