//! The tables are changed by somebody else: by hand, or with another command of the program.

use std::time::Instant;

use crate::door::Said;
use crate::nodes::Nodes;
use crate::support::{PASSWORD, TestUser, Tokens};

use portcullis::service::seed;
use reqwest::Method;
use serde_json::json;

/// Somebody who is signed in, in the memory of every node.
async fn signed_in(nodes: &Nodes, email: &str, roles: &[&str]) -> (TestUser, Tokens) {
    let user = nodes.user(email, roles).await;
    let tokens = nodes.sign_in(0, &user).await;
    nodes.warm(&[&tokens]).await;
    (user, tokens)
}

#[tokio::test]
async fn what_is_changed_by_hand_counts_on_every_node_within_the_bound() {
    let nodes = Nodes::start().await;
    let (_, bystander) = signed_in(&nodes, "ben@test.example", &[]).await;
    let by_hand = [
        "DELETE FROM users WHERE id = '{id}'",
        "DELETE FROM sessions WHERE id = '{sid}'",
        "UPDATE users SET disabled_at = now() WHERE id = '{id}'",
        "UPDATE sessions SET ended_at = now(), end_reason = 'ended-by-admin' WHERE id = '{sid}'",
        "UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id = '{sid}'",
    ];
    for (number, sql) in by_hand.into_iter().enumerate() {
        let email = format!("victim{number}@test.example");
        let (user, tokens) = signed_in(&nodes, &email, &[]).await;
        let sql = sql
            .replace("{sid}", &tokens.session_id)
            .replace("{id}", &user.id.to_string());
        assert_eq!(nodes.database.execute(&sql).await, 1);
        let took = nodes
            .refused_elsewhere(None, &tokens.access, Instant::now())
            .await;
        eprintln!("{sql}: refused after {took:?}");
    }
    nodes.warm(&[&bystander]).await;
}

#[tokio::test]
async fn other_processes_put_somebody_out_on_every_node_within_the_bound() {
    let nodes = Nodes::start().await;
    nodes.command(&["seed"]).await;
    let document = json!({ "email": "ben@demo.example", "password": seed::PASSWORD });
    let seeded = nodes
        .act(1, Method::POST, "/api/auth/sign-in", "", document.clone())
        .await;
    let seeded = Tokens::from(seeded);
    let (_, mine) = signed_in(&nodes, "ada@test.example", &[]).await;
    nodes.warm(&[&seeded]).await;

    nodes.command(&["seed"]).await;
    nodes
        .refused_elsewhere(None, &seeded.access, Instant::now())
        .await;
    nodes.warm(&[&mine]).await;
    let again = nodes
        .act(2, Method::POST, "/api/auth/sign-in", "", document)
        .await;
    let again = Tokens::from(again);
    nodes.warm(&[&again]).await;

    nodes.command(&["session", "end", &mine.session_id]).await;
    nodes
        .refused_elsewhere(None, &mine.access, Instant::now())
        .await;

    nodes.command(&["reset", "--yes"]).await;
    nodes
        .refused_elsewhere(None, &again.access, Instant::now())
        .await;
    let document = json!({ "email": "ada@test.example", "password": PASSWORD });
    let door = &nodes.nodes[0].door;
    let reply = door
        .call(Method::POST, "/api/auth/sign-in", None, Some(document))
        .await;
    assert_eq!(reply.unwrap().code(), "invalid-credentials");
}

/// Nobody is told of a change any more, and whoever followed the list has to begin again.
#[tokio::test]
async fn nodes_whose_database_connections_are_all_ended_lose_no_change() {
    let nodes = Nodes::start().await;
    let (_, bystander) = signed_in(&nodes, "ben@test.example", &[]).await;
    for round in 0..4 {
        let email = format!("victim{round}@test.example");
        let (_, tokens) = signed_in(&nodes, &email, &[]).await;
        // One connection, which ends the others and then, at once, the session.
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
              WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'; \
             UPDATE sessions SET ended_at = now(), end_reason = 'ended-by-admin' WHERE id = '{}'",
            tokens.session_id
        );
        nodes.database.execute(&sql).await;
        nodes
            .refused_elsewhere(None, &tokens.access, Instant::now())
            .await;
        for node in &nodes.nodes {
            let said = node.door.verify(&bystander.access).await;
            assert_eq!(said, Said::Yes, "nobody asked to end this session");
        }
    }
}

/// As when an administrator puts everybody out at this very moment.
#[tokio::test]
async fn who_is_put_out_while_signing_in_is_not_told_that_the_password_is_wrong() {
    const AT_ONCE: &str = "\
        CREATE FUNCTION end_at_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         UPDATE sessions SET ended_at = now(), end_reason = 'everyone-out' WHERE id = NEW.id; \
         RETURN NULL; \
        END $$; \
        CREATE TRIGGER end_at_once AFTER INSERT ON sessions \
         FOR EACH ROW EXECUTE FUNCTION end_at_once()";
    let nodes = Nodes::start().await;
    let user = nodes.user("ada@test.example", &[]).await;
    nodes.database.execute(AT_ONCE).await;
    let document = json!({ "email": user.email, "password": PASSWORD });
    let door = &nodes.nodes[0].door;
    let asked = door.call(Method::POST, "/api/auth/sign-in", None, Some(document));
    let reply = asked.await.unwrap();
    assert_eq!(
        (reply.status.as_u16(), reply.code()),
        (401, "session-ended")
    );
    assert_eq!(reply.document["reason"], "everyone-out");
}
