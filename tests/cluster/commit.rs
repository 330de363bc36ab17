//! The network fails at the worst moment: while an end is being committed.
//!
//! Whoever asked is told that nobody can tell. Once the end is in the table it is an end, on every
//! node within the bound, whoever was told what.

use std::time::{Duration, Instant};

use reqwest::Method;

use crate::door::Said;
use crate::nodes::{Nodes, PATIENCE};
use crate::proxy::Link;
use crate::support::Tokens;

/// The node that asks, and whose network fails.
const HERE: usize = 1;

struct Scene {
    nodes: Nodes,
    admin: Tokens,
    ends: Tokens,
    lives: Tokens,
}

impl Scene {
    async fn start() -> Self {
        let nodes = Nodes::start().await;
        let admin = nodes.admin(HERE).await;
        let user = nodes.user("ada@test.example", &[]).await;
        let (ends, lives) = (
            nodes.sign_in(0, &user).await,
            nodes.sign_in(HERE, &user).await,
        );
        nodes.warm(&[&admin, &ends, &lives]).await;
        Self {
            nodes,
            admin,
            ends,
            lives,
        }
    }

    /// Asks for the end, and is told after the patience of the store that nobody can tell.
    async fn ask_in_vain(&self) {
        let path = format!("/api/admin/sessions/{}", self.ends.session_id);
        let door = &self.nodes.nodes[HERE].door;
        let asked = door.call(Method::DELETE, &path, Some(&self.admin.access), None);
        assert_eq!(asked.await.unwrap().status, 503);
    }

    /// Waits until the end is in the table, and then for every node, within the bound.
    async fn is_an_end_everywhere(&self) {
        let sql = format!(
            "SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL AND id = '{}'",
            self.ends.session_id
        );
        let began = Instant::now();
        while self.nodes.database.count(&sql).await == 0 {
            assert!(began.elapsed() < PATIENCE, "it was never committed");
        }
        let committed = Instant::now();
        let access = &self.ends.access;
        self.nodes.refused_elsewhere(None, access, committed).await;
    }

    async fn nobody_else_is_out(&self) {
        for node in &self.nodes.nodes {
            node.until_admitted(&self.lives.access).await;
            node.until_admitted(&self.admin.access).await;
        }
    }
}

#[tokio::test]
async fn an_end_whose_commit_arrives_after_its_node_gave_up_is_an_end() {
    let scene = Scene::start().await;
    let proxy = &scene.nodes.nodes[HERE].proxy;
    proxy.set(Link::LateCommit);
    scene.ask_in_vain().await;
    for node in &scene.nodes.nodes {
        assert_eq!(
            node.door.verify(&scene.ends.access).await,
            Said::Yes,
            "it is not committed"
        );
    }
    proxy.set(Link::Up);
    scene.is_an_end_everywhere().await;
    scene.nobody_else_is_out().await;
}

#[tokio::test]
async fn an_end_whose_commit_nobody_confirms_is_an_end() {
    let scene = Scene::start().await;
    let proxy = &scene.nodes.nodes[HERE].proxy;
    proxy.set(Link::UnconfirmedCommit);
    let began = Instant::now();
    tokio::join!(scene.ask_in_vain(), async {
        scene.is_an_end_everywhere().await;
        // Long before the node gives up.
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{:?}",
            began.elapsed()
        );
    });
    scene.nobody_else_is_out().await;
    proxy.set(Link::Up);
    scene.nobody_else_is_out().await;
}
