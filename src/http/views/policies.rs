//! The console's pages about policies of sessions, and the limits of one user.

use serde::Serialize;

use super::{NoticeKind, Page, Section, Shell, samples};

/// `/admin/policies`: the settings and every policy.
#[derive(Clone, Serialize)]
pub struct PoliciesPage {
    /// The frame.
    pub shell: Shell,
    /// The policies.
    pub rows: Vec<PolicyRow>,
    /// What the settings say for everybody; times in words.
    pub installation: PolicyValues,
}

/// One policy in the list.
#[derive(Clone, Serialize)]
pub struct PolicyRow {
    /// Whose sessions it is for, e.g. "role admin".
    pub whose: String,
    /// Address of its page.
    pub url: String,
    /// What it asks for; times in words.
    pub values: PolicyValues,
}

/// What a policy asks for; empty where it leaves it to others.
#[derive(Clone, Default, Serialize)]
pub struct PolicyValues {
    /// Idle timeout.
    pub idle: String,
    /// Absolute lifetime.
    pub lifetime: String,
    /// Idle timeout of remembered sessions.
    pub remembered_idle: String,
    /// Absolute lifetime of remembered sessions.
    pub remembered_lifetime: String,
    /// Most sessions at once.
    pub max_sessions: String,
    /// `end-oldest`, `ask` or `refuse`.
    pub at_limit: String,
    /// Whether sessions end when a role or membership is taken away.
    pub end_on_role_change: bool,
}

/// One value that holds for a user.
#[derive(Clone, Serialize)]
pub struct LimitRow {
    /// What it is.
    pub name: String,
    /// The value, in words.
    pub value: String,
    /// Who set it, e.g. "installation" or "role admin".
    pub set_by: String,
}

impl LimitRow {
    pub(super) fn samples() -> Vec<Self> {
        [
            ("Idle timeout", "10 minutes", "role billing"),
            ("Absolute lifetime", "8 hours", "installation"),
            ("Sessions at once", "3", "organisation analytical-engines"),
            ("One more sign-in", "refuse the sign-in", "role billing"),
        ]
        .into_iter()
        .map(|(name, value, set_by)| Self {
            name: name.to_owned(),
            value: value.to_owned(),
            set_by: set_by.to_owned(),
        })
        .collect()
    }
}

fn sample_values(times: [&str; 4], max_sessions: &str, at_limit: &str, ends: bool) -> PolicyValues {
    let [idle, lifetime, remembered_idle, remembered_lifetime] = times.map(str::to_owned);
    PolicyValues {
        idle,
        lifetime,
        remembered_idle,
        remembered_lifetime,
        max_sessions: max_sessions.to_owned(),
        at_limit: at_limit.to_owned(),
        end_on_role_change: ends,
    }
}

impl Page for PoliciesPage {
    const TEMPLATE: &'static str = "policies.html";

    fn samples() -> Vec<Self> {
        let shell = samples::admin("Policies", Section::AdminPolicies);
        let times = ["1 hour", "8 hours", "7 days", "30 days"];
        let row = |whose: &str, url: &str, values: PolicyValues| PolicyRow {
            whose: whose.to_owned(),
            url: url.to_owned(),
            values,
        };
        let times_of_admin = ["10 minutes", "4 hours", "10 minutes", "4 hours"];
        vec![
            Self {
                shell: samples::noticed(
                    shell.clone(),
                    NoticeKind::Success,
                    "The policy was saved. Sessions that are live keep within it too.",
                ),
                rows: vec![
                    row(
                        "role admin",
                        "/admin/policies/role/admin",
                        sample_values(times_of_admin, "2", "refuse", true),
                    ),
                    row(
                        "organisation analytical-engines",
                        "/admin/policies/organization/analytical-engines",
                        sample_values(["", "", "1 day", ""], "10", "ask", false),
                    ),
                    row(
                        "role billing",
                        "/admin/policies/role/billing",
                        sample_values(["15 minutes", "", "", ""], "", "end-oldest", false),
                    ),
                ],
                installation: sample_values(times, "20", "end-oldest", false),
            },
            Self {
                shell,
                rows: Vec::new(),
                installation: sample_values(times, "", "end-oldest", false),
            },
        ]
    }
}

/// `/admin/policies/new` and the page of one policy.
#[derive(Clone, Serialize)]
pub struct PolicyPage {
    /// The frame.
    pub shell: Shell,
    /// `role` or `organization`.
    pub kind: String,
    /// Which role or organisation.
    pub name: String,
    /// Whether it is there already.
    pub known: bool,
    /// What was typed, or is kept; times as the form reads them.
    pub values: PolicyValues,
    /// Why the last try was refused.
    pub problem: Option<String>,
}

impl Page for PolicyPage {
    const TEMPLATE: &'static str = "policy.html";

    fn samples() -> Vec<Self> {
        let new = Self {
            shell: samples::admin("New policy", Section::AdminPolicies),
            kind: "role".to_owned(),
            name: String::new(),
            known: false,
            values: PolicyValues::default(),
            problem: None,
        };
        let typed = sample_values(["10m", "5m", "", ""], "3", "ask", true);
        vec![
            new.clone(),
            Self {
                kind: "organization".to_owned(),
                name: "analytical-engines".to_owned(),
                values: typed.clone(),
                problem: Some(
                    "Idle timeout: 600 seconds is longer than Absolute lifetime with 300 seconds."
                        .to_owned(),
                ),
                ..new.clone()
            },
            Self {
                shell: samples::admin("Policy of role admin", Section::AdminPolicies),
                name: "admin".to_owned(),
                known: true,
                values: PolicyValues {
                    at_limit: "refuse".to_owned(),
                    ..typed.clone()
                },
                ..new.clone()
            },
            Self {
                values: PolicyValues {
                    at_limit: "end-oldest".to_owned(),
                    ..typed
                },
                ..new
            },
        ]
    }
}
