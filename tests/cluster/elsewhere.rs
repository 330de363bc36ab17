//! Acknowledged by one node, held by the others within the bound.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::door::Said;
use crate::nodes::{BOUND, NODES, Nodes, PATIENCE, until};
use crate::support::{PASSWORD, Tokens};

/// One way to put somebody out: what it is, and whose token asks for it.
struct Act {
    method: Method,
    path: &'static str,
    document: Value,
    by: By,
}

#[derive(Clone, Copy)]
enum By {
    Admin,
    /// Somebody by the session that ends.
    Itself,
    /// Somebody by another session of the same user.
    Other,
}

fn act(method: Method, path: &'static str, document: Value, by: By) -> Act {
    Act {
        method,
        path,
        document,
        by,
    }
}

fn acts() -> Vec<Act> {
    let (delete, nothing) = (Method::DELETE, Value::Null);
    let disable = json!({"enabled": false});
    vec![
        act(Method::POST, "/api/auth/sign-out", json!({}), By::Itself),
        act(
            Method::POST,
            "/api/auth/clear-session",
            json!({}),
            By::Itself,
        ),
        act(
            delete.clone(),
            "/api/sessions/{sid}",
            nothing.clone(),
            By::Other,
        ),
        act(
            delete.clone(),
            "/api/sessions?others=true",
            nothing.clone(),
            By::Other,
        ),
        act(
            delete.clone(),
            "/api/admin/sessions/{sid}",
            nothing.clone(),
            By::Admin,
        ),
        act(
            delete.clone(),
            "/api/admin/users/{id}/sessions",
            nothing.clone(),
            By::Admin,
        ),
        act(
            delete.clone(),
            "/api/admin/sessions",
            nothing.clone(),
            By::Admin,
        ),
        act(Method::PATCH, "/api/admin/users/{id}", disable, By::Admin),
        act(delete, "/api/admin/users/{id}", nothing, By::Admin),
    ]
}

/// Two sessions of a user who is used for nothing else, in the memory of every node.
async fn victim(nodes: &Nodes, number: usize) -> (String, Tokens, Tokens) {
    let user = nodes
        .user(&format!("victim{number}@test.example"), &[])
        .await;
    let tokens = nodes.sign_in(number % NODES, &user).await;
    let others = nodes.sign_in((number + 1) % NODES, &user).await;
    nodes.warm(&[&tokens, &others]).await;
    (user.id.to_string(), tokens, others)
}

#[tokio::test]
async fn every_way_to_end_a_session_holds_on_this_node_at_once_and_on_the_others_within_the_bound()
{
    let nodes = Nodes::start().await;
    let admin = nodes.admin(0).await;
    for (number, act) in acts().into_iter().enumerate() {
        let here = number % NODES;
        let (id, tokens, others) = victim(&nodes, number).await;
        let path = act
            .path
            .replace("{sid}", &tokens.session_id)
            .replace("{id}", &id);
        let by = match act.by {
            By::Admin => &admin,
            By::Itself => &tokens,
            By::Other => &others,
        };
        nodes
            .act(here, act.method, &path, &by.access, act.document)
            .await;
        let acknowledged = Instant::now();
        let said = nodes.nodes[here].door.verify(&tokens.access).await;
        assert!(matches!(said, Said::No(_)), "{path}: {said:?}");
        let took = nodes
            .refused_elsewhere(Some(here), &tokens.access, acknowledged)
            .await;
        eprintln!("{path}: refused elsewhere after {took:?}");
        // An end is final: nothing that is read later brings the session back.
        for node in &nodes.nodes {
            let said = node.door.verify(&tokens.access).await;
            assert!(matches!(said, Said::No(_)), "{path}: {said:?}");
        }
    }
}

#[tokio::test]
async fn a_role_taken_away_on_one_node_counts_on_none_within_the_bound() {
    let nodes = Nodes::start().await;
    let admin = nodes.admin(0).await;
    let user = nodes.user("ada@test.example", &["editor"]).await;
    let tokens = nodes.sign_in(1, &user).await;
    let path = "/api/auth/verify?role=editor";
    for node in &nodes.nodes {
        let asked = node
            .door
            .call(Method::GET, path, Some(&tokens.access), None);
        assert_eq!(asked.await.unwrap().status, 200);
    }
    let url = format!("/api/admin/users/{}", user.id);
    nodes
        .act(0, Method::PATCH, &url, &admin.access, json!({"roles": []}))
        .await;
    let acknowledged = Instant::now();
    for (number, node) in nodes.nodes.iter().enumerate() {
        let forbidden = |said: &Said| *said == Said::No("forbidden".to_owned());
        let after = until(&node.door, path, &tokens.access, acknowledged, forbidden).await;
        assert!(number != 0 || after < BOUND, "{after:?}");
        assert_eq!(node.door.verify(&tokens.access).await, Said::Yes);
    }
}

#[tokio::test]
async fn a_fresh_proof_on_one_node_makes_older_tokens_worthless_on_the_others() {
    let nodes = Nodes::start().await;
    let user = nodes.user("ada@test.example", &[]).await;
    let (older, other) = (nodes.sign_in(0, &user).await, nodes.sign_in(1, &user).await);
    nodes.warm(&[&older, &other]).await;
    let password = json!({ "password": PASSWORD });
    let answer = nodes
        .act(
            0,
            Method::POST,
            "/api/auth/step-up",
            &older.access,
            password,
        )
        .await;
    let acknowledged = Instant::now();
    let newer = Tokens::from(answer);
    // The new one admits everywhere from the first moment on, whatever is remembered there.
    for node in &nodes.nodes {
        assert_eq!(node.door.verify(&newer.access).await, Said::Yes);
    }
    nodes
        .refused_elsewhere(None, &older.access, acknowledged)
        .await;
    nodes.warm(&[&newer, &other]).await;
}

/// How long it takes, with nothing going wrong.
#[tokio::test]
async fn an_end_reaches_the_other_nodes_long_before_the_bound() {
    const ROUNDS: usize = 60;
    let nodes = Nodes::start().await;
    let admin = nodes.admin(0).await;
    let user = nodes.user("ada@test.example", &[]).await;
    let mut took: Vec<Duration> = Vec::new();
    for round in 0..ROUNDS {
        let here = round % NODES;
        let tokens = nodes.sign_in(here, &user).await;
        nodes.warm(&[&tokens]).await;
        let path = format!("/api/admin/sessions/{}", tokens.session_id);
        nodes
            .act(here, Method::DELETE, &path, &admin.access, Value::Null)
            .await;
        let acknowledged = Instant::now();
        took.extend(
            nodes
                .refused_elsewhere(Some(here), &tokens.access, acknowledged)
                .await,
        );
    }
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    eprintln!(
        "ended here, refused there, {} times: p50 {:?}, p99 {:?}, most {:?}",
        took.len(),
        at(50),
        at(99),
        at(100)
    );
    assert!(at(100) <= BOUND.min(PATIENCE));
}
