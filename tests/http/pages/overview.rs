//! The overview: figures of now and of a range, as numbers, words, shapes and tables.

use portcullis::rules::audit::Origin;
use portcullis::service::organizations::{add_member, create_organization};
use serde_json::json;

use super::between;
use crate::support::Server;

const RANGES: [(&str, &str, usize); 3] = [
    ("day", "24 hours", 24),
    ("week", "7 days", 28),
    ("month", "30 days", 30),
];

/// One part of the page, by the id of its heading.
fn part<'a>(page: &'a str, heading: &str) -> &'a str {
    let part = between(page, &format!("id=\"{heading}\""), "</section>");
    assert!(!part.is_empty(), "no {heading} in {page}");
    part
}

/// The numbers of the row of this name.
fn numbers(part: &str, name: &str) -> Vec<String> {
    let rows = part.split("<th scope=\"row\">");
    let row = rows.skip(1).find(|row| {
        let text = row.strip_prefix("<span class=\"sentence\">").unwrap_or(row);
        text.starts_with(&format!("{name}<"))
    });
    let row = row.unwrap_or_else(|| panic!("no {name} in {part}"));
    let row = row.split("</tr>").next().unwrap();
    let cells = row.split("<td class=\"number\">").skip(1);
    cells
        .map(|cell| cell.split("</td>").next().unwrap().to_owned())
        .collect()
}

fn figure(page: &str, number: &str, words: &str) {
    let expected = format!("<strong>{number}</strong> {words}<span");
    assert!(page.contains(&expected), "no {expected} in {page}");
}

#[tokio::test]
async fn the_overview_tells_what_has_happened() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ada = server.user("ada@test.example", &["editor"]).await;
    let context = &server.context;
    let name = "<b>Acme</b> & \"Daughters\"";
    create_organization(context, "acme", name, Origin::HOST)
        .await
        .unwrap();
    add_member(context, "acme", ada.id, Origin::HOST)
        .await
        .unwrap();
    let first = server.sign_in(&ada).await;
    server.sign_in(&ada).await;
    for _ in 0..2 {
        let refused = server.try_sign_in("ada@test.example", "wrong").await;
        assert_eq!(refused.status, 401);
    }
    server.advance(125);
    let out = server
        .post("/api/auth/sign-out", Some(&first.access), json!({}))
        .await;
    assert_eq!(out.status, 204, "{}", out.text);
    let mut console = server.signed_in_browser(&admin).await;

    let page = console.get("/admin").await.text;
    figure(&page, "2", "live sessions");
    figure(&page, "3", "sign-ins");
    figure(&page, "2", "refused sign-ins");
    figure(&page, "0", "refresh tokens reused");
    figure(&page, "2", "users");
    for lasted in ["<strong class=\"long\">2 min ", "the longest 2 min "] {
        assert!(page.contains(lasted), "{lasted}: {page}");
    }
    for said in [
        "Live sessions over the last 24 hours: 2 now, 2 at most on ",
        "Sessions started and ended over the last 24 hours: 3 started, 1 ended; most started: ",
        "Refused sign-ins over the last 24 hours: 2 in all; most: ",
    ] {
        assert!(page.contains(&format!("-title\">{said}")), "{said}: {page}");
    }
    assert_eq!(numbers(part(&page, "ended-by-reason"), "signed out"), ["1"]);
    assert_eq!(numbers(part(&page, "by-2"), "editor"), ["1", "2", "1"]);
    assert_eq!(numbers(part(&page, "by-2"), "admin"), ["1", "1", "0"]);
    assert_eq!(numbers(part(&page, "by-3"), "password"), ["2", "3", "1"]);
    // What an organisation calls itself is text.
    let escaped = "&lt;b&gt;Acme&lt;/b&gt; &amp; &quot;Daughters&quot;";
    assert_eq!(numbers(part(&page, "by-1"), escaped), ["1", "2", "1"]);
    assert_eq!(numbers(part(&page, "by-1"), "no organisation").len(), 3);

    // A copy of a refresh token ends its session, and the number leads to the acts.
    let tokens = server.sign_in(&ada).await;
    let next = server.refresh(&tokens.refresh).await;
    assert_eq!(next.status, 200, "{}", next.text);
    let access = next.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.verify(&access).await.status, 200);
    server.advance(31);
    assert_eq!(server.refresh(&tokens.refresh).await.status, 401);
    let page = console.get("/admin").await.text;
    let link = "<a class=\"card figure\" href=\"/admin/audit?action=refresh-reuse\"><strong>1</strong> refresh token reused";
    assert!(page.contains(link), "{page}");
    let acts = console.get("/admin/audit?action=refresh-reuse").await.text;
    assert_eq!(acts.matches("<td data-label=\"When\">").count(), 1);
}

#[tokio::test]
async fn each_range_has_its_spans_in_every_table() {
    let server = Server::start().await;
    let mut console = server.signed_in_browser(&server.admin().await).await;
    server.try_sign_in("nobody@test.example", "wrong").await;
    for (code, words, spans) in RANGES {
        let page = console.get(&format!("/admin?range={code}")).await;
        assert_eq!(page.status, 200, "{code}: {}", page.text);
        assert!(
            page.text
                .contains(&format!("The last {words}, as of <time"))
        );
        for (other, label, _) in RANGES {
            let current = if other == code {
                " aria-current=\"true\""
            } else {
                ""
            };
            let link = format!("<a href=\"/admin?range={other}\"{current}>{label}</a>");
            assert!(page.text.contains(&link), "{code}: {link}");
        }
        for drawing in ["live", "flow", "refused"] {
            let part = part(&page.text, &format!("{drawing}-heading"));
            let rows = part.matches("<th scope=\"row\">").count();
            assert_eq!(rows, spans, "{drawing} of {code}");
            let columns = part.matches("<g class=\"column\">").count();
            assert_eq!(columns, spans, "{drawing} of {code}");
        }
    }
    let unasked = console.get("/admin").await.text;
    assert!(unasked.contains("<a href=\"/admin?range=day\" aria-current=\"true\">"));
}

#[tokio::test]
async fn a_range_that_is_none_is_refused_with_its_name() {
    let server = Server::start().await;
    let mut console = server.signed_in_browser(&server.admin().await).await;
    for (query, said) in [
        (
            "range=year",
            "`range` is `year`, which is none of `day`, `week` and `month`.",
        ),
        ("range=", "`range` is ``, which is none of"),
        ("range=Day", "`range` is `Day`"),
        ("range=%3Cscript%3E", "`range` is `&lt;script&gt;`"),
        ("range=day&range=week", "The query cannot be read"),
    ] {
        let page = console.get(&format!("/admin?{query}")).await;
        assert_eq!(page.status, 400, "{query}: {}", page.text);
        assert!(page.text.contains("Error 400"), "{query}: {}", page.text);
        assert!(page.text.contains(said), "{query}: {}", page.text);
    }
}

#[tokio::test]
async fn an_installation_without_a_past_says_so() {
    let server = Server::start().await;
    let mut console = server.signed_in_browser(&server.admin().await).await;
    let page = console.get("/admin").await.text;
    figure(&page, "1", "live session");
    for said in [
        "Figures over time begin now",
        "No session has ended in the last 24 hours.",
        "None in the last 24 hours.",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!part(&page, "refused-heading").contains("<svg"));
    assert!(page.contains("no session has ended"), "{page}");
    let hours = part(&page, "live-heading");
    assert_eq!(hours.matches("not measured</span>").count(), 2 * 23);
}
