//! The clean-up by API and by command: what it does, what it would do, and bad input.

use reqwest::Method;
use serde_json::json;

use crate::cli::Host;
use crate::support::{Server, Tokens};

const CLEANUP: &str = "/api/admin/cleanup";

#[tokio::test]
async fn a_dry_run_by_api_says_what_a_clean_up_then_does() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ada = server.user("ada@test.example", &[]).await;
    server.sign_in(&ada).await;
    server.advance(3_600);
    let console = server.sign_in(&admin).await;
    let call = async |query: &str| {
        let path = format!("{CLEANUP}{query}");
        server
            .call(Method::POST, &path, Some(&console.access), None)
            .await
    };
    let open = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL";
    let before = server.database.count(open).await;
    for _ in 0..2 {
        let would = call("?dry_run=true").await.json();
        assert_eq!(would["cleaned"], 1);
        assert_eq!(would["dry_run"], true);
    }
    assert_eq!(server.database.count(open).await, before);
    let done = call("?dry_run=false").await.json();
    assert_eq!(done["cleaned"], 1);
    assert_eq!(done["dry_run"], false);
    assert_eq!(server.database.count(open).await, before - 1);

    // A month later the session is gone, and its refresh token is one that nobody knows.
    server.advance(30 * 86_400);
    let console: Tokens = server.sign_in(&admin).await;
    let path = format!("{CLEANUP}?dry_run=true");
    let would = server
        .call(Method::POST, &path, Some(&console.access), None)
        .await
        .json();
    assert_eq!(would["deleted"]["ended_sessions"], 1, "{would}");
    let done = server
        .call(Method::POST, CLEANUP, Some(&console.access), None)
        .await
        .json();
    assert_eq!(done["deleted"]["ended_sessions"], 1, "{done}");
    let of_ada = server
        .get(
            "/api/admin/sessions?status=all&q=ada@",
            Some(&console.access),
        )
        .await
        .json();
    assert_eq!(of_ada["sessions"], json!([]));
}

#[tokio::test]
async fn a_query_that_makes_no_sense_changes_nothing() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let tokens = server.sign_in(&admin).await;
    for (query, named) in [
        ("?dry_run=maybe", "`dry_run` is `maybe`"),
        ("?dry_run=", "`dry_run` is ``"),
        ("?dry_run=true&dry_run=false", "dry_run"),
        ("?dry-run=true", "dry-run"),
        ("?days=1", "days"),
    ] {
        let path = format!("{CLEANUP}{query}");
        let answer = server
            .call(Method::POST, &path, Some(&tokens.access), None)
            .await;
        assert_eq!(answer.status, 400, "{query}");
        let problem = answer.json();
        assert_eq!(problem["code"], "invalid-request", "{query}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(named), "{query}: {detail}");
    }
}

#[tokio::test]
async fn the_command_counts_or_cleans_and_says_which() {
    let host = Host::new().await;
    let would = host.json(&["session", "cleanup", "--dry-run"]);
    assert_eq!(would["dry_run"], true);
    assert_eq!(would["cleaned"], 0);
    let done = host.json(&["session", "cleanup"]);
    assert_eq!(done["dry_run"], false);
    let said = host.done(&["session", "cleanup", "--dry-run"], "");
    assert!(said.starts_with("Nothing was changed."), "{said}");
    let said = host.done(&["session", "cleanup"], "");
    assert!(said.starts_with("Ended and deleted:"), "{said}");
    let output = host.run(&["session", "cleanup", "--dry-run=perhaps"], "");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
