//! What administrators do, and what the people concerned see of it.

use super::between;
use crate::support::{Browser, PASSWORD, Server};

/// The page that somebody sees after their session has ended.
async fn next_visit(browser: &mut Browser) -> String {
    let had_cookies = !browser.cookies.is_empty();
    let answer = browser.get("/account").await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert!(
        answer
            .location()
            .starts_with("/sign-in?next=%2Faccount&ended="),
        "{}",
        answer.location()
    );
    assert!(
        had_cookies && browser.cookies.is_empty(),
        "the dead cookies are taken away"
    );
    let page = browser.get(answer.location()).await;
    assert_eq!(page.status, 200);
    between(&page.text, "</strong>", "</p>")
        .trim()
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
}

#[tokio::test]
async fn the_next_visit_says_who_ended_the_session_and_when() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let bob = server.user("bob@test.example", &[]).await;
    let mut console = server.signed_in_browser(&admin).await;
    let mut of_bob = server.signed_in_browser(&bob).await;
    let user = format!("/admin/users/{}", ada.id);

    let mut browser = server.signed_in_browser(&ada).await;
    let page = console.get("/admin/sessions?q=ada@test.example").await.text;
    let action = between(&page, "action=\"/admin/sessions/", "\"");
    let action = format!("/admin/sessions/{action}");
    assert_eq!(
        console
            .submit("/admin/sessions", &action, &[("back", &user)])
            .await
            .location(),
        format!("{user}?done=session-ended")
    );
    let said = next_visit(&mut browser).await;
    let at = server.context.now().format("%-d %b %Y, ").to_string();
    let expected =
        format!("You were signed out because an administrator ended this session on {at}");
    assert!(
        said.starts_with(&expected) && said.ends_with(" UTC."),
        "{said}"
    );

    let mut browser = server.signed_in_browser(&ada).await;
    console
        .submit(&user, &format!("{user}/end-sessions"), &[])
        .await;
    let said = next_visit(&mut browser).await;
    assert!(
        said.contains("because an administrator ended this session on "),
        "{said}"
    );
    assert_eq!(of_bob.get("/account").await.status, 200, "only hers");

    let mut browser = server.signed_in_browser(&ada).await;
    console.submit(&user, &format!("{user}/disable"), &[]).await;
    let said = next_visit(&mut browser).await;
    assert!(
        said.contains("because your account was disabled on "),
        "{said}"
    );
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 401);
    console.submit(&user, &format!("{user}/enable"), &[]).await;
    assert_eq!(
        browser.get("/account").await.status,
        303,
        "what has ended stays ended"
    );

    let mut browser = server.signed_in_browser(&ada).await;
    let deleted = console
        .submit(&format!("{user}/delete"), &format!("{user}/delete"), &[])
        .await;
    assert_eq!(deleted.location(), "/admin/users?done=user-deleted");
    let said = next_visit(&mut browser).await;
    assert!(
        said.contains("the account it belonged to, does not exist any more"),
        "{said}"
    );
    assert_eq!(console.get(&user).await.status, 404);
}

#[tokio::test]
async fn everyone_out_is_confirmed_and_spares_ones_own_session_unless_told() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let mut console = server.signed_in_browser(&admin).await;
    let mut elsewhere = server.signed_in_browser(&admin).await;
    let mut browser = server.signed_in_browser(&ada).await;
    const PAGE: &str = "/admin/sessions/end-all";
    let page = console.get(PAGE).await.text;
    assert!(
        page.contains("3 sessions of 2 users are live just now."),
        "{page}"
    );
    assert_eq!(
        browser.get("/account").await.status,
        200,
        "asking ends nothing"
    );

    let done = console.submit(PAGE, PAGE, &[]).await;
    assert_eq!(done.location(), "/admin/sessions?done=everyone-out");
    let said = next_visit(&mut browser).await;
    assert!(
        said.contains("because an administrator ended everyone's sessions on "),
        "{said}"
    );
    assert_eq!(elsewhere.get("/account").await.status, 303);
    assert_eq!(console.get("/admin").await.status, 200);

    let done = console
        .submit(PAGE, PAGE, &[("include_self", "true")])
        .await;
    assert_eq!(done.status, 303);
    assert_eq!(console.get("/admin").await.status, 303);
}

#[tokio::test]
async fn users_are_made_and_changed_by_plain_forms() {
    let server = Server::start().await;
    let mut console = server.signed_in_browser(&server.admin().await).await;
    let ada = server.user("ada@test.example", &[]).await;
    let tokens = server.sign_in(&ada).await;
    let user = format!("/admin/users/{}", ada.id);

    let fields = [("name", "Ada L"), ("roles", "staff, editor")];
    assert_eq!(
        console.submit(&user, &user, &fields).await.location(),
        format!("{user}?done=saved")
    );
    let verified = server.verify(&tokens.access).await;
    assert_eq!(
        verified.header("x-user-roles"),
        "editor,staff",
        "from the very next request"
    );
    assert!(
        console
            .get("/admin/users?q=ada")
            .await
            .text
            .contains("Ada L")
    );
    let bad = console
        .submit(
            &user,
            &user,
            &[("name", "kept"), ("roles", "No Such Rôle!")],
        )
        .await;
    assert_eq!(bad.status, 422, "{}", bad.text);
    assert!(
        bad.text.contains("value=\"kept\""),
        "what was typed is not lost"
    );

    for (email, status) in [
        ("ada@test.example", 409),
        ("ADA@test.example", 409),
        ("nonsense", 422),
    ] {
        let fields = [("email", email), ("name", ""), ("roles", "")];
        let answer = console
            .submit("/admin/users/new", "/admin/users", &fields)
            .await;
        assert_eq!(answer.status, status, "{email}: {}", answer.text);
        assert!(answer.text.contains("role=\"alert\""), "{email}");
    }
    let fields = [
        ("email", "ops@test.example"),
        ("name", ""),
        ("admin", "true"),
        ("roles", ""),
    ];
    assert_eq!(
        console
            .submit("/admin/users/new", "/admin/users", &fields)
            .await
            .status,
        200
    );
    let page = console.get("/admin/users?q=ops").await.text;
    assert!(
        page.contains(">admin<") && page.contains("Has no password yet"),
        "{page}"
    );
}

#[tokio::test]
async fn asvs_6_4_6_no_administrator_sets_or_sees_a_password() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut console = server.signed_in_browser(&admin).await;
    let user = format!("/admin/users/{}", ada.id);
    for page in ["/admin/users/new", &user] {
        assert!(
            !console.get(page).await.text.contains("type=\"password\""),
            "{page}"
        );
    }
    let fields = [
        ("name", "x"),
        ("roles", ""),
        ("password", "a password of their choosing"),
    ];
    assert_eq!(console.submit(&user, &user, &fields).await.status, 400);
    let access = server.sign_in(&admin).await.access;
    let path = format!("/api/admin/users/{}", ada.id);
    let document = serde_json::json!({ "password": "a password of their choosing" });
    let answer = server
        .call(reqwest::Method::PATCH, &path, Some(&access), Some(document))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (400, "invalid-request")
    );
    let shown = server.get(&path, Some(&access)).await.text;
    assert!(!shown.contains("$2") && !shown.contains("hash"), "{shown}");
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn the_audit_is_paged_to_its_end_and_filtered() {
    let server = Server::start().await;
    let mut console = server.signed_in_browser(&server.admin().await).await;
    let ada = server.user("ada@test.example", &[]).await;
    for number in 0..60 {
        server.user(&format!("u{number}@test.example"), &[]).await;
    }
    server.sign_in(&ada).await;
    let all = server
        .database
        .count("SELECT count(*) FROM audit_events")
        .await;
    assert!(all > 50);
    const ROW: &str = "<td data-label=\"When\">";
    let (mut path, mut pages, mut rows) = ("/admin/audit".to_owned(), Vec::new(), 0);
    while !path.is_empty() {
        let page = console.get(&path).await.text;
        rows += page.matches(ROW).count();
        path = match page.split_once("\">Next page</a>") {
            Some((before, _)) => before
                .rsplit_once("href=\"")
                .unwrap()
                .1
                .replace("&#x2F;", "/"),
            None => String::new(),
        };
        pages.push(page);
    }
    assert_eq!(pages[0].matches(ROW).count(), 50);
    assert_eq!(i64::try_from(rows).unwrap(), all);
    for number in 0..60 {
        let email = format!(">u{number}@test.example</a>");
        let shown: usize = pages.iter().map(|page| page.matches(&email).count()).sum();
        assert_eq!(shown, 1, "{email}");
    }

    let page = console.get("/admin/audit?action=sign-in").await.text;
    assert_eq!(
        page.matches("<strong>Signed in</strong>").count(),
        page.matches(ROW).count()
    );
    assert_eq!(page.matches(ROW).count(), 2);
    let page = console.get("/admin/audit?q=ada@test.example").await.text;
    assert_eq!(page.matches(ROW).count(), 2, "made, and signed in");
    assert!(
        page.contains("127.0.0.1") && page.contains("command line"),
        "{page}"
    );
    assert!(
        !console
            .get("/admin/audit?q=nobody@test.example")
            .await
            .text
            .contains(ROW)
    );
    assert_eq!(console.get("/admin/audit?q=nonsense").await.status, 400);
    assert_eq!(
        console.get("/admin/audit?cursor=nonsense").await.status,
        400
    );
}
