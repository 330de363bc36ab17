//! A new signing key takes over while every node goes on signing and checking.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use portcullis::rules::audit::Origin;
use portcullis::rules::session::Facts;
use portcullis::service::authenticate::{Authentication, authenticate};
use portcullis::service::tokens::issue_access_token;
use reqwest::Method;
use serde_json::{Value, json};

use crate::door::Said;
use crate::nodes::{NODES, Nodes, PATIENCE};
use crate::support::Tokens;

/// The key that a token says it was signed with.
fn key_of(access: &str) -> String {
    let header = access.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// A token as good as this one, but with a key that nobody has.
fn with_unknown_key(access: &str) -> String {
    let (_, rest) = access.split_once('.').unwrap();
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "no-such-key" });
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// Renews at one node and checks at all, until each has signed with the newest key.
async fn renew_until_all_sign_with_the_new_key(nodes: &Nodes, number: usize) -> usize {
    let user = nodes.user(&format!("user{number}@test.example"), &[]).await;
    let mut tokens = nodes.sign_in(number, &user).await;
    let first = key_of(&tokens.access);
    let mut known = vec![tokens.access.clone()];
    let mut renewed_by_new_key: BTreeSet<usize> = BTreeSet::new();
    let began = Instant::now();
    let mut checks = 0;
    while renewed_by_new_key.len() < NODES {
        for node in 0..NODES {
            let document = json!({ "refresh_token": tokens.refresh });
            let answer = nodes
                .act(node, Method::POST, "/api/auth/refresh", "", document)
                .await;
            tokens = Tokens::from(answer);
            if key_of(&tokens.access) != first {
                renewed_by_new_key.insert(node);
                known.truncate(1);
            }
            known.push(tokens.access.clone());
            known.drain(1..known.len().saturating_sub(3).max(1));
            let pairs = nodes
                .nodes
                .iter()
                .flat_map(|node| known.iter().map(move |access| (node, access)));
            let asked = pairs.map(async |(node, access)| (access, node.door.verify(access).await));
            for (access, said) in join_all(asked).await {
                let key = key_of(access);
                assert_eq!(said, Said::Yes, "signed with {key}, by {first} at first");
                checks += 1;
            }
        }
        assert!(began.elapsed() < PATIENCE, "{renewed_by_new_key:?}");
    }
    checks
}

#[tokio::test]
async fn no_token_is_refused_anywhere_while_a_new_key_takes_over() {
    let nodes = Nodes::start().await;
    let renewing = join_all((0..NODES).map(|n| renew_until_all_sign_with_the_new_key(&nodes, n)));
    let (checks, ()) = tokio::join!(renewing, nodes.command(&["keys", "rotate"]));
    eprintln!("{checks:?} checks while the key was changed");
}

/// Somebody has just made a node look for a key that there is not. It must look again for the one
/// that has come since.
#[tokio::test]
async fn a_token_by_the_newest_key_is_not_refused_by_a_node_that_has_just_read_the_keys() {
    let nodes = Nodes::start().await;
    let user = nodes.user("ada@test.example", &[]).await;
    let tokens = nodes.sign_in(0, &user).await;
    let began = Instant::now();
    let invented = with_unknown_key(&tokens.access);
    for node in &nodes.nodes {
        let said = node.door.verify(&invented).await;
        assert!(matches!(said, Said::No(_)), "{said:?}");
    }
    nodes.host.rotate_keys(Origin::HOST).await.unwrap();
    let by_newest = issue_access_token(
        &nodes.host,
        &*facts(&nodes, &tokens).await,
        nodes.host.now(),
    );
    let access = by_newest.unwrap().text.reveal().to_owned();
    assert_ne!(key_of(&access), key_of(&tokens.access));
    for node in &nodes.nodes {
        let said = node.door.verify(&access).await;
        assert_eq!(
            said,
            Said::Yes,
            "{:?} after the keys were read",
            began.elapsed()
        );
    }
}

async fn facts(nodes: &Nodes, tokens: &Tokens) -> Arc<Facts> {
    match authenticate(&nodes.host, &tokens.access).await.unwrap() {
        Authentication::SignedIn(principal) => principal.facts,
        other => panic!("{other:?}"),
    }
}
