//! PostgreSQL crashes, and gives numbers again that it had given before.

use std::time::Instant;

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::nodes::{BOUND, Nodes};

/// Transactions that leave no trace: more than nodes and test need after the crash.
const LOST: usize = 400;

/// Begins a transaction, takes its number and gives it up.
async fn next_transaction(connection: &DatabaseConnection) -> i64 {
    let backend = connection.get_database_backend();
    let sql = "SELECT pg_current_xact_id()::text::bigint";
    let row = connection
        .query_one_raw(Statement::from_string(backend, sql))
        .await;
    row.unwrap().unwrap().try_get_by_index(0).unwrap()
}

/// A reader that goes by the numbers of transactions has seen some that the crash made unseen. What
/// happens under the same numbers afterwards is new all the same.
#[tokio::test]
async fn a_change_whose_number_was_seen_before_a_crash_is_learnt_all_the_same() {
    let nodes = Nodes::start().await;
    let user = nodes.user("ada@test.example", &[]).await;
    let tokens = nodes.sign_in(0, &user).await;
    nodes.warm(&[&tokens]).await;
    // Nothing but a commit that somebody waits for is on disk soon.
    let delay = "ALTER SYSTEM SET wal_writer_delay = '10s'";
    nodes.database.execute(delay).await;
    nodes.database.execute("SELECT pg_reload_conf()").await;
    tokio::time::sleep(BOUND).await;
    let connection = nodes.database.connect().await;
    let mut last = 0;
    for _ in 0..LOST {
        last = next_transaction(&connection).await;
    }
    // Every node has looked.
    tokio::time::sleep(BOUND).await;
    nodes.cluster.stop();
    nodes.cluster.resume();
    for node in &nodes.nodes {
        node.until_admitted(&tokens.access).await;
    }

    let connection = nodes.database.connect().await;
    let again = next_transaction(&connection).await;
    assert!(
        again < last,
        "the test is not what it says: {again} after {last}"
    );
    let sql = format!(
        "UPDATE sessions SET ended_at = now(), end_reason = 'ended-by-admin' WHERE id = '{}'",
        tokens.session_id
    );
    connection.execute_unprepared(&sql).await.unwrap();
    nodes
        .refused_elsewhere(None, &tokens.access, Instant::now())
        .await;
}
