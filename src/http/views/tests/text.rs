//! Text: names a template uses exist, what people typed stays text, messages have their words.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{
    AdminOverviewPage, AdminSessionsPage, InvitationDeadPage, NoticeKind, Page, Renderer, Shell,
    SignInPage, TEMPLATES, samples,
};
use super::{Outcome, collect_keys, drawn};

/// Tera reads an unknown name in a condition as false; so every name a template uses must be one a
/// page really has.
#[test]
fn templates_misspell_no_name() -> Outcome {
    let renderer = Renderer::load()?;
    let mut fields: BTreeSet<String> = ["index", "first", "last"].map(str::to_owned).into();
    for page in drawn()? {
        let Value::Object(top) = &page.data else {
            return Err("a page is a struct".into());
        };
        for name in renderer.tera.get_template_variables(page.template)? {
            let known = top.contains_key(name) || ["stylesheet", "icon"].contains(&name);
            assert!(
                known,
                "{} uses {name}, which its page doesn't have",
                page.template
            );
        }
        collect_keys(&page.data, &mut fields);
    }
    for (name, text) in TEMPLATES {
        for field in dotted_names(text) {
            assert!(
                fields.contains(&field),
                "{name} uses .{field}, which no page has"
            );
        }
    }
    Ok(())
}

/// What follows a dot inside a tag, outside quotes.
fn dotted_names(template: &str) -> Vec<String> {
    let mut names = Vec::new();
    for opened in template
        .split("{{")
        .flat_map(|part| part.split("{%"))
        .skip(1)
    {
        let tag = opened
            .split("}}")
            .next()
            .unwrap_or_default()
            .split("%}")
            .next()
            .unwrap_or_default();
        let code: String = tag.split('"').step_by(2).collect();
        names.extend(code.split('.').skip(1).map(|rest| {
            rest.chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                .collect::<String>()
        }));
    }
    names
}

/// ASVS 3.2.2: text is shown as text, in elements and in attributes.
#[test]
fn hostile_text_stays_text() -> Outcome {
    let hostile = "\"><script>alert('1')</script>{{ 7 * 7 }}";
    let escaped = "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;{{ 7 * 7 }}";
    let renderer = Renderer::load()?;

    let mut page = SignInPage::samples().remove(0);
    page.email = hostile.to_owned();
    page.problem = Some(hostile.to_owned());
    page.shell = Shell {
        title: hostile.to_owned(),
        ..samples::noticed(page.shell, NoticeKind::Info, hostile)
    };
    let html = renderer.render(&page)?;
    assert!(
        html.contains(&format!("value=\"{escaped}\"")),
        "in an attribute"
    );
    assert_eq!(
        html.matches(escaped).count(),
        4,
        "title, notice, problem and field"
    );
    assert!(!html.contains("<script"));

    for mut page in AdminSessionsPage::samples() {
        if let Some(user) = &mut page.shell.user {
            user.name = hostile.to_owned();
        }
        for row in &mut page.rows {
            row.user_name = hostile.to_owned();
            row.user_email = hostile.to_owned();
            row.card.name = Some(hostile.to_owned());
            row.card.browser = hostile.to_owned();
            row.card.end_reason = Some(hostile.to_owned());
        }
        page.q = hostile.to_owned();
        let html = renderer.render(&page)?;
        assert!(html.contains(escaped) && !html.contains("<script"));
    }
    Ok(())
}

/// What organisations are called, in cells and in what a pointer is told.
#[test]
fn hostile_text_stays_text_beside_drawings() -> Outcome {
    let hostile = "</title></svg><script>alert('1')</script>\"";
    let escaped = "&lt;/title&gt;&lt;/svg&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;";
    let renderer = Renderer::load()?;
    for mut page in AdminOverviewPage::samples() {
        for row in page.groups.iter_mut().flat_map(|group| &mut group.rows) {
            row.name = hostile.to_owned();
        }
        for column in &mut page.live.columns {
            column.words = hostile.to_owned();
        }
        page.live.heading = hostile.to_owned();
        let html = renderer.render(&page)?;
        assert!(html.matches(escaped).count() > 26 && !html.contains("<script"));
        let closed = html.matches("</svg>").count();
        assert_eq!(
            html.matches("<svg").count(),
            closed,
            "no shape is left open"
        );
    }
    Ok(())
}

#[test]
fn each_kind_of_notice_has_its_own_word() -> Outcome {
    let renderer = Renderer::load()?;
    for (kind, word) in [
        (NoticeKind::Info, "Note"),
        (NoticeKind::Success, "Done"),
        (NoticeKind::Warning, "Please note"),
        (NoticeKind::Error, "Problem"),
    ] {
        let shell = samples::noticed(samples::signed_out("Notice"), kind, "Words.");
        let html = renderer.render(&InvitationDeadPage { shell })?;
        assert!(
            html.contains(&format!("<strong>{word}:</strong> Words.")),
            "{kind:?}"
        );
    }
    Ok(())
}
