//! A node that stands still for longer than the bound, and does not know that it did.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::Value;

use crate::door::Said;
use crate::nodes::{BOUND, Nodes};

/// Checks that wait for the node to go on, and as many that are made right when it does.
const CHECKS: usize = 20;

#[tokio::test]
async fn a_node_that_stood_still_for_longer_than_the_bound_admits_nobody_who_was_ended_meanwhile() {
    let nodes = Nodes::start().await;
    let admin = nodes.admin(0).await;
    let user = nodes.user("ada@test.example", &[]).await;
    let lives = nodes.sign_in(0, &user).await;
    let asleep = &nodes.nodes[1];
    for round in 0..2 {
        let tokens = nodes.sign_in(1, &user).await;
        nodes.warm(&[&tokens, &lives]).await;
        asleep.signal(Signal::STOP);
        let path = format!("/api/admin/sessions/{}", tokens.session_id);
        nodes
            .act(0, Method::DELETE, &path, &admin.access, Value::Null)
            .await;
        let acknowledged = Instant::now();
        tokio::time::sleep(BOUND + Duration::from_millis(50)).await;

        // Asked of a node that stands still, and answered when it goes on.
        let ask = || async {
            let began = Instant::now();
            (
                began,
                asleep.door.verify(&tokens.access).await,
                asleep.door.verify(&lives.access).await,
            )
        };
        let waiting = async { join_all((0..CHECKS).map(|_| ask())).await };
        let goes_on = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            asleep.signal(Signal::CONT);
            join_all((0..CHECKS).map(|_| ask())).await
        };
        let (waited, at_once) = tokio::join!(waiting, goes_on);
        for (began, said, bystander) in waited.into_iter().chain(at_once) {
            let after = began - acknowledged;
            assert!(after > BOUND, "the test is not what it says");
            assert_ne!(
                said,
                Said::Yes,
                "round {round}: admitted {after:?} after the end"
            );
            assert!(
                matches!(bystander, Said::Yes | Said::Unavailable),
                "{bystander:?}"
            );
        }
        nodes
            .refused_elsewhere(Some(0), &tokens.access, acknowledged)
            .await;
    }
}
