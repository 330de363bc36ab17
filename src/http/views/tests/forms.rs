//! Forms: the token, the labels, and passwords that are never sent back.

use std::collections::BTreeSet;

use super::{Outcome, collect_keys, drawn};

#[test]
fn every_posting_form_carries_the_token() -> Outcome {
    let mut forms = 0;
    for page in drawn()? {
        let token = page.data["shell"]["csrf_token"]
            .as_str()
            .unwrap_or("missing")
            .to_owned();
        let field = format!("name=\"csrf_token\" value=\"{token}\"");
        for form in page.html.split("<form ").skip(1) {
            let (tag, rest) = form.split_once('>').ok_or("an open tag")?;
            let inside = rest.split_once("</form>").ok_or("an open form")?.0;
            if tag.contains("method=\"get\"") {
                assert!(
                    !inside.contains("csrf_token"),
                    "{}: a token in an address",
                    page.template
                );
            } else {
                assert!(
                    tag.contains("method=\"post\"") && tag.contains("action=\"/"),
                    "{}: {tag}",
                    page.template
                );
                assert!(
                    inside.contains(&field),
                    "{}: a form without its token: {tag}",
                    page.template
                );
                forms += 1;
            }
        }
    }
    assert!(forms > 60, "only {forms} forms were seen");
    Ok(())
}

#[test]
fn every_field_has_a_label_and_the_right_kind() -> Outcome {
    for page in drawn()? {
        for tag in ["<input ", "<select ", "<textarea "] {
            for input in page.html.split(tag).skip(1) {
                let input = input.split('>').next().unwrap_or_default();
                if input.contains("type=\"hidden\"") {
                    continue;
                }
                let id = input
                    .split("id=\"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .unwrap_or("missing");
                assert!(
                    page.html.contains(&format!("for=\"{id}\"")),
                    "{}: no label for {input}",
                    page.template
                );
                assert_eq!(
                    page.html.matches(&format!(" id=\"{id}\"")).count(),
                    1,
                    "{}: {id} twice",
                    page.template
                );
                if input.contains("name=\"email\"") {
                    assert!(
                        input.contains("type=\"email\""),
                        "{}: {input}",
                        page.template
                    );
                }
                if input.contains("password") {
                    let kind = ["current-password", "new-password"].iter().any(|kind| {
                        input.contains("type=\"password\"")
                            && input.contains(&format!("autocomplete=\"{kind}\""))
                    });
                    assert!(
                        kind && !input.contains("value="),
                        "{}: {input}",
                        page.template
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn passwords_are_in_no_page() -> Outcome {
    for page in drawn()? {
        let mut keys = BTreeSet::new();
        collect_keys(&page.data, &mut keys);
        for key in [
            "password",
            "password_again",
            "current_password",
            "new_password",
        ] {
            assert!(!keys.contains(key), "{} carries {key}", page.template);
        }
    }
    Ok(())
}
