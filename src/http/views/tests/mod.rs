//! What must hold for every page: it renders, its forms are guarded, its text is escaped, no name
//! is misspelt.
//!
//! Set `SAMPLES_DIR` while building the tests to have every sample written there as a file to look
//! at.

mod contrast;
mod forms;
mod text;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{
    AccountPage, AdminOverviewPage, AdminSessionsPage, AdminUserPage, AdminUsersPage, AuditPage,
    ChangeEmailPage, ChooseSessionPage, ConfirmEmailPage, DeleteUserPage, EndEveryonePage,
    EndWherePage, ErrorPage, InvitationDeadPage, InvitationMadePage, InvitationPage,
    NewPasswordPage, NewUserPage, NotMePage, OutboxPage, Page, PoliciesPage, PolicyPage, Renderer,
    ResetPage, Section, SecurityPage, SessionsPage, SetUpPage, SignInPage, StepUpPage, TEMPLATES,
    VerifyEmailPage, samples, stylesheet_path,
};

type Outcome = Result<(), Box<dyn Error>>;

/// One rendered sample.
struct Drawn {
    template: &'static str,
    data: Value,
    html: String,
}

/// Every sample of every page. A page missing here is found by `every_template_belongs_to_a_page`.
fn drawn() -> Result<Vec<Drawn>, Box<dyn Error>> {
    let renderer = Renderer::load()?;
    let mut all = Vec::new();
    macro_rules! draw {
        ($($page:ty),* $(,)?) => {$(
            let samples = <$page>::samples();
            assert!(!samples.is_empty(), "{} has no sample", <$page>::TEMPLATE);
            for page in samples {
                let html = renderer.render(&page).map_err(|error| format!("{error}: {:?}", error.source()))?;
                all.push(Drawn { template: <$page>::TEMPLATE, data: serde_json::to_value(&page)?, html });
            }
        )*};
    }
    draw![
        AccountPage,
        SecurityPage,
        AdminOverviewPage,
        AdminSessionsPage,
        EndEveryonePage,
        EndWherePage,
        AdminUserPage,
        AdminUsersPage,
        DeleteUserPage,
        InvitationMadePage,
        NewUserPage,
        PoliciesPage,
        PolicyPage,
        AuditPage,
        ErrorPage,
        ChangeEmailPage,
        ConfirmEmailPage,
        NewPasswordPage,
        NotMePage,
        ResetPage,
        OutboxPage,
        SessionsPage,
        InvitationDeadPage,
        InvitationPage,
        SetUpPage,
        SignInPage,
        ChooseSessionPage,
        StepUpPage,
        VerifyEmailPage,
    ];
    Ok(all)
}

#[test]
fn every_sample_renders_whole() -> Outcome {
    for (number, page) in drawn()?.iter().enumerate() {
        let html = &page.html;
        assert!(
            html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"),
            "{}",
            page.template
        );
        for leftover in ["{{", "}}", "{%", "%}", "{#", "[object]", "[array]"] {
            assert!(
                !html.contains(leftover),
                "{} shows {leftover}",
                page.template
            );
        }
        for wanted in [
            "<html lang=\"en\">",
            "name=\"viewport\"",
            "content=\"noindex\"",
            stylesheet_path(),
        ] {
            assert!(html.contains(wanted), "{} lacks {wanted}", page.template);
        }
        assert_eq!(
            html.matches("<h1").count(),
            1,
            "{} needs one heading",
            page.template
        );
        if let Some(folder) = option_env!("SAMPLES_DIR") {
            fs::create_dir_all(folder)?;
            fs::write(
                Path::new(folder).join(format!("{number:02}_{}", page.template)),
                html,
            )?;
        }
    }
    Ok(())
}

#[test]
fn the_table_is_the_folder() -> Outcome {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/templates"));
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Mails are no pages.
        if entry.file_name() != "mail" {
            files.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    let table: BTreeSet<String> = TEMPLATES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(table, files);
    assert!(
        table.iter().all(|name| name.ends_with(".html")),
        "Tera escapes only names that end so"
    );
    Ok(())
}

#[test]
fn every_template_belongs_to_a_page() -> Outcome {
    let mut used: BTreeSet<&str> = drawn()?.iter().map(|page| page.template).collect();
    used.extend(["base.html", "components.html", "drawings.html"]);
    assert_eq!(used, TEMPLATES.iter().map(|(name, _)| *name).collect());
    Ok(())
}

fn collect_keys(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                keys.insert(key.clone());
                collect_keys(inner, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn nothing_is_inline_and_nothing_is_foreign() -> Outcome {
    for page in drawn()? {
        for banned in [
            "<script",
            "<style",
            " style=",
            " onclick",
            " onload",
            " onpaste",
            "javascript:",
            "autocomplete=\"off\"",
        ] {
            assert!(
                !page.html.contains(banned),
                "{} holds {banned}",
                page.template
            );
        }
        for attribute in ["href=\"", "src=\"", "action=\""] {
            for address in page.html.split(attribute).skip(1) {
                assert!(
                    address.starts_with(['/', '#']),
                    "{}: {attribute}{address:.40}",
                    page.template
                );
            }
        }
    }
    Ok(())
}

#[test]
fn whoever_is_signed_in_can_sign_out_on_every_page() -> Outcome {
    for page in drawn()? {
        let signed_in = !page.data["shell"]["user"].is_null();
        let count = |action: &str| page.html.matches(&format!("action=\"{action}\"")).count();
        // Whoever looks on as somebody else stops instead.
        let looks_on = !page.data["shell"]["impersonation"].is_null();
        let expected = (usize::from(signed_in && !looks_on), usize::from(looks_on));
        let forms = (count("/sign-out"), count("/impersonation/stop"));
        assert_eq!(forms, expected, "{}", page.template);
        assert_eq!(page.html.contains("<nav"), signed_in, "{}", page.template);
        let admin = page.data["shell"]["user"]["is_admin"]
            .as_bool()
            .unwrap_or(false);
        assert_eq!(
            page.html.contains("href=\"/admin/audit\""),
            admin,
            "{}",
            page.template
        );
    }
    Ok(())
}

#[test]
fn each_section_marks_its_own_menu_entry() -> Outcome {
    let renderer = Renderer::load()?;
    for (section, href) in [
        (Section::None, None),
        (Section::Account, Some("/account")),
        (Section::Sessions, Some("/account/sessions")),
        (Section::Security, Some("/account/security")),
        (Section::AdminOverview, Some("/admin")),
        (Section::AdminSessions, Some("/admin/sessions")),
        (Section::AdminUsers, Some("/admin/users")),
        (Section::AdminPolicies, Some("/admin/policies")),
        (Section::AdminAudit, Some("/admin/audit")),
        (Section::AdminOutbox, Some("/admin/outbox")),
    ] {
        let html = renderer.render(&InvitationDeadPage {
            shell: samples::admin("Menu", section),
        })?;
        assert_eq!(
            html.matches("aria-current").count(),
            usize::from(href.is_some()),
            "{section:?}"
        );
        if let Some(href) = href {
            assert!(
                html.contains(&format!("href=\"{href}\" aria-current=\"page\"")),
                "{section:?}"
            );
        }
    }
    Ok(())
}
