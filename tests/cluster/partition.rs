//! A node that cannot reach the database, or barely.
//!
//! It may say yes for the bound and not longer, and then says that it cannot tell. It never says no
//! to a session that nobody has asked to end.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::door::{Door, Said};
use crate::nodes::{BOUND, Nodes};
use crate::proxy::Link;

/// How long the node may wait for its database before it says that it cannot tell, and the answer
/// be under way.
const ANSWERED: Duration = Duration::from_millis(6_500);

/// One check, and when it was made.
#[derive(Clone, Debug)]
struct Check {
    began: Instant,
    took: Duration,
    said: Said,
}

/// Checks one token again and again until told to stop, without waiting for slow answers.
async fn watch(door: Door, access: String, mut stop: oneshot::Receiver<()>) -> Vec<Check> {
    let mut asked = Vec::new();
    let mut every = tokio::time::interval(BOUND / 50);
    while stop.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
        every.tick().await;
        let (door, access) = (door.clone(), access.clone());
        asked.push(tokio::spawn(async move {
            let began = Instant::now();
            let said = door.verify(&access).await;
            let took = began.elapsed();
            Check { began, took, said }
        }));
    }
    join_all(asked)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

/// The node loses the database for so long; meanwhile a session ends elsewhere.
async fn a_node_behind(link: Link, lasts: Duration) -> (Vec<Check>, Instant) {
    let nodes = Nodes::start().await;
    let admin = nodes.admin(0).await;
    let user = nodes.user("ada@test.example", &[]).await;
    let (ended, lives) = (nodes.sign_in(1, &user).await, nodes.sign_in(0, &user).await);
    nodes.warm(&[&ended, &lives]).await;
    let apart = &nodes.nodes[1];
    let watchers: Vec<_> = [&ended, &lives]
        .into_iter()
        .map(|tokens| {
            let (stop, stopped) = oneshot::channel();
            let watching = watch(apart.door.clone(), tokens.access.clone(), stopped);
            (stop, tokio::spawn(watching))
        })
        .collect();

    apart.proxy.set(link);
    let lost = Instant::now();
    let path = format!("/api/admin/sessions/{}", ended.session_id);
    nodes
        .act(0, Method::DELETE, &path, &admin.access, Value::Null)
        .await;
    let acknowledged = Instant::now();
    tokio::time::sleep_until((lost + lasts).into()).await;
    apart.proxy.set(Link::Up);

    // Nobody was signed out, by access token or refresh token; the other one is over.
    apart.until_admitted(&lives.access).await;
    nodes
        .refused_elsewhere(Some(0), &ended.access, acknowledged)
        .await;
    let document = serde_json::json!({ "refresh_token": lives.refresh });
    nodes
        .act(1, Method::POST, "/api/auth/refresh", "", document)
        .await;

    let mut found = Vec::new();
    for (stop, watching) in watchers {
        let _ = stop.send(());
        found.push(watching.await.unwrap());
    }
    let [of_ended, of_lives] = found.try_into().unwrap();
    for Check { began, said, .. } in &of_ended {
        let after = began.saturating_duration_since(acknowledged);
        assert!(
            *said != Said::Yes || after <= BOUND,
            "admitted {after:?} after the end"
        );
    }
    for check in &of_lives {
        assert!(
            matches!(check.said, Said::Yes | Said::Unavailable),
            "{check:?}"
        );
    }
    for check in of_ended.iter().chain(&of_lives) {
        assert!(check.took < ANSWERED, "{check:?}");
    }
    (of_lives, lost)
}

/// From the bound on, every check made while the node is apart says so.
fn assert_says_that_it_cannot_tell(checks: &[Check], lost: Instant, lasts: Duration) {
    let apart =
        |check: &&Check| check.began > lost + BOUND && check.began + check.took < lost + lasts;
    let meanwhile: Vec<&Check> = checks.iter().filter(apart).collect();
    assert!(!meanwhile.is_empty(), "nobody asked");
    for check in meanwhile {
        assert_eq!(check.said, Said::Unavailable, "{check:?}");
    }
}

#[tokio::test]
async fn a_node_that_is_cut_off_admits_nobody_past_the_bound_and_signs_nobody_out() {
    let lasts = BOUND * 4;
    let (checks, lost) = a_node_behind(Link::Cut, lasts).await;
    assert_says_that_it_cannot_tell(&checks, lost, lasts);
}

/// Neither those who get no word through nor those who get none back are told that it is so.
#[tokio::test]
async fn a_node_whose_database_has_fallen_silent_admits_nobody_past_the_bound_and_signs_nobody_out()
{
    // Longer than the node waits for its database, so that some checks are answered meanwhile.
    let lasts = BOUND + Duration::from_secs(7);
    let (silent, mute) = tokio::join!(
        a_node_behind(Link::Silent, lasts),
        a_node_behind(Link::Mute, lasts),
    );
    for (checks, lost) in [silent, mute] {
        assert_says_that_it_cannot_tell(&checks, lost, lasts);
    }
}

#[tokio::test]
async fn a_node_with_a_slow_database_is_never_behind_by_more_than_the_bound() {
    tokio::join!(
        a_node_behind(Link::Slow(BOUND / 5), BOUND * 4),
        a_node_behind(Link::Slow(BOUND), BOUND * 5),
    );
}
