//! The page that asks for the password once more, before something that matters.

use serde::Serialize;

use super::{Page, Section, Shell, samples};

/// A field that is sent back as it came.
#[derive(Clone, Serialize)]
pub struct HiddenField {
    /// Its name.
    pub name: String,
    /// What it says; never a password.
    pub value: String,
}

/// `/step-up`, and every form that needs a recent proof: the password once more.
#[derive(Clone, Serialize)]
pub struct StepUpPage {
    /// The frame.
    pub shell: Shell,
    /// What it is for, to follow "To", e.g. "end another device's session".
    pub act: String,
    /// Is that done as soon as the password is right?
    pub carries_on: bool,
    /// Where the form is sent.
    pub action: String,
    /// What is sent along.
    pub fields: Vec<HiddenField>,
    /// Name of the field for the password.
    pub proof: String,
    /// Where "Cancel" leads: a path on this site.
    pub back: String,
    /// Why the last try was refused.
    pub problem: Option<String>,
}

impl Page for StepUpPage {
    const TEMPLATE: &'static str = "step_up.html";

    fn samples() -> Vec<Self> {
        let field = |name: &str, value: &str| HiddenField {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let first = Self {
            shell: samples::member("Confirm that it is you", Section::None),
            act: "go on".to_owned(),
            carries_on: false,
            action: "/step-up".to_owned(),
            fields: vec![field("next", "/account/sessions?a=1&b=\"2\"")],
            proof: "password".to_owned(),
            back: "/account/sessions".to_owned(),
            problem: None,
        };
        let carrying_on = Self {
            shell: samples::admin("Confirm that it is you", Section::None),
            act: "change the name and roles of ada@example.org".to_owned(),
            carries_on: true,
            action: format!("/admin/users/{}", samples::id(1)),
            fields: vec![
                field("name", "Ada \"<b>Countess</b>\" O'Lovelace & Co"),
                field("roles", "admin, editor"),
            ],
            proof: "step_up_password".to_owned(),
            back: format!("/admin/users/{}", samples::id(1)),
            problem: None,
        };
        vec![
            first,
            Self {
                act: "end everyone's sessions".to_owned(),
                action: "/admin/sessions/end-all".to_owned(),
                fields: Vec::new(),
                problem: Some("The password is not right.".to_owned()),
                ..carrying_on.clone()
            },
            carrying_on,
        ]
    }
}
