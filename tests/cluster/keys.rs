//! A new signing key takes over while every node goes on signing and checking.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures_util::future::join_all;
use portcullis::rules::audit::Origin;
use portcullis::service::authenticate::{Authentication, Principal, authenticate};
use portcullis::service::tokens::issue_access_token;
use reqwest::Method;
use serde_json::{Value, json};

use crate::door::Said;
use crate::nodes::{NODES, Nodes};
use crate::proxy::Link;
use crate::support::Tokens;

/// Between two renewals of one caller.
const PAUSE: Duration = Duration::from_millis(50);

/// For this long after it has read the keys, a node takes a key that it does not know for invented.
const TRUSTED: Duration = Duration::from_secs(3);

/// A new key signs half a minute after it was made.
const LEAD_AND_MORE: Duration = Duration::from_secs(60);

/// The key that a token says it was signed with.
fn key_of(access: &str) -> String {
    let header = access.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// Renews at each node in turn and checks at all, until each of them signs with another key.
async fn renew_until_all_sign_with_another_key(nodes: &Nodes, number: usize) -> usize {
    let user = nodes.user(&format!("user{number}@test.example"), &[]).await;
    let mut tokens = nodes.sign_in(number, &user).await;
    let oldest = tokens.access.clone();
    let mut latest = VecDeque::new();
    let mut with_another: BTreeSet<usize> = BTreeSet::new();
    let began = Instant::now();
    let mut checks = 0;
    while with_another.len() < NODES {
        for node in 0..NODES {
            let document = json!({ "refresh_token": tokens.refresh });
            let path = "/api/auth/refresh";
            tokens = Tokens::from(nodes.act(node, Method::POST, path, "", document).await);
            if key_of(&tokens.access) != key_of(&oldest) {
                with_another.insert(node);
            }
            latest.push_front(tokens.access.clone());
            latest.truncate(NODES);
            for access in latest.iter().chain([&oldest]) {
                let asked = nodes.nodes.iter().map(|node| node.door.verify(access));
                for said in join_all(asked).await {
                    assert_eq!(said, Said::Yes, "signed with {}", key_of(access));
                    checks += 1;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        assert!(began.elapsed() < LEAD_AND_MORE, "{with_another:?}");
    }
    checks
}

#[tokio::test]
async fn no_token_is_refused_anywhere_while_a_new_key_takes_over() {
    let nodes = Nodes::start().await;
    let renewing = join_all((0..NODES).map(|n| renew_until_all_sign_with_another_key(&nodes, n)));
    let (checks, ()) = tokio::join!(renewing, nodes.command(&["keys", "rotate"]));
    eprintln!("{checks:?} checks while the key was changed");
}

/// A key that signs from now on, as if its lead had passed while a node could not read it.
async fn token_by_a_key_that_signs_at_once(nodes: &Nodes, tokens: &Tokens) -> String {
    nodes.host.rotate_keys(Origin::HOST).await.unwrap();
    let sql = "UPDATE sealed_keys SET retired_at = now() WHERE retired_at > now()";
    assert_eq!(nodes.database.execute(sql).await, 1);
    nodes.host.refresh_keys(TimeDelta::zero()).await.unwrap();
    let found = authenticate(&nodes.host, &tokens.access).await.unwrap();
    let Authentication::SignedIn(Principal { facts, .. }) = found else {
        panic!("{found:?}");
    };
    let issued = issue_access_token(&nodes.host, &facts, nodes.host.now()).unwrap();
    let access = issued.text.reveal().to_owned();
    assert_ne!(key_of(&access), key_of(&tokens.access));
    access
}

/// Not to know a key is no reason to refuse, for as long as nobody can be asked.
#[tokio::test]
async fn a_token_by_a_new_key_is_not_refused_by_a_node_that_cannot_read_the_keys() {
    let nodes = Nodes::start().await;
    let user = nodes.user("ada@test.example", &[]).await;
    let tokens = nodes.sign_in(0, &user).await;
    let apart = &nodes.nodes[1];
    apart.proxy.set(Link::Cut);
    tokio::time::sleep(TRUSTED).await;
    let access = token_by_a_key_that_signs_at_once(&nodes, &tokens).await;
    for _ in 0..3 {
        let at_once = join_all((0..3).map(|_| apart.door.verify(&access))).await;
        assert_eq!(at_once, vec![Said::Unavailable; 3]);
    }
    apart.proxy.set(Link::Up);
    apart.until_admitted(&access).await;
}
