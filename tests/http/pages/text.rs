//! What people call themselves is text on every page, whatever it looks like (ASVS 3.2.2).

use serde_json::json;

use crate::support::{PASSWORD, Server};

const NAME: &str = "<img src=x onerror=alert(1)>{{7*7}}{% if true %}</script>\"'";
/// Nothing else is taken in an address.
const EMAIL: &str = "o'{{7*7}}&lt;@test.example";

fn is_text(what: &str, page: &str) {
    for markup in [
        "<img src=x",
        "<script",
        "</script",
        "onerror=alert(1)>{",
        "\"'<",
        "{{49}}",
    ] {
        assert!(!page.contains(markup), "{what} holds {markup}: {page}");
    }
    // No attribute is left by a quotation mark of theirs.
    assert!(!page.contains("{% if true %}</"), "{what}");
}

#[tokio::test]
async fn asvs_3_2_2_names_are_text_on_every_page() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let access = server.sign_in(&admin).await.access;
    for user in [&admin, &server.user("ada@test.example", &[]).await] {
        let path = format!("/api/admin/users/{}", user.id);
        let document = json!({ "name": NAME });
        let answer = server
            .call(reqwest::Method::PATCH, &path, Some(&access), Some(document))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let mut console = server.browser();
    console.user_agent = NAME.to_owned();
    assert_eq!(console.sign_in(&admin.email, PASSWORD).await.status, 303);
    let odd = [
        ("email", "o'{{7*7}}&@test.example"),
        ("name", NAME),
        ("roles", ""),
    ];
    let made = console
        .submit("/admin/users/new", "/admin/users", &odd)
        .await;
    assert_eq!(made.status, 200, "{}", made.text);
    is_text("the invitation", &made.text);
    let link = super::link_on(&made);
    let invited = server.browser().get(&link).await;
    assert!(invited.text.contains("{{7*7}}"));
    is_text(&link, &invited.text);

    let user = format!("/admin/users/{}", admin.id);
    let delete = format!("{user}/delete");
    let search = format!(
        "/admin/sessions?q={}",
        "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%22%27"
    );
    let paths = [
        "/account",
        "/account/sessions",
        "/account/security",
        "/step-up",
        "/admin",
        "/admin/sessions",
        &search,
        "/admin/sessions/end-all",
        "/admin/users",
        "/admin/users?q=%3Cscript%3E%22%3E",
        "/admin/users/new",
        &user,
        &delete,
        "/admin/audit",
        "/admin/users/%3Cscript%3E",
        "/step-up?next=/%22%3E%3Cscript%3E",
    ];
    for path in paths {
        let page = console.get(path).await.text;
        assert!(
            page.contains("&lt;img src=x onerror=alert(1)&gt;{{7*7}}"),
            "{path}: {page}"
        );
        is_text(path, &page);
    }
    is_text("nothing", &console.get("/nothing/%3Cscript%3E").await.text);
}

#[tokio::test]
async fn asvs_3_2_2_what_was_typed_wrongly_comes_back_as_text() {
    let server = Server::start().await;
    let mut browser = server.browser();
    for email in [NAME, EMAIL] {
        let page = browser.sign_in(email, "wrong").await;
        assert_eq!(page.status, 401);
        is_text(email, &page.text);
    }
    let page = browser
        .get("/sign-in?next=/%22%3E%3Cscript%3Ealert(1)")
        .await
        .text;
    is_text("next", &page);
    let page = browser
        .get("/set-up?code=%22%3E%3Cscript%3Ealert(1)")
        .await
        .text;
    is_text("code", &page);
    let page = browser
        .get("/sign-in?done=%3Cscript%3E&ended=%3Cscript%3E")
        .await
        .text;
    is_text("done", &page);
}
