//! The server is killed at a random moment while several clients act; what it had acknowledged is
//! compared with what is there after the next start. `TEST_SEED` makes the same choices again, and
//! `TEST_CRASHES` sets how often it is killed; which act is under way when it is, no seed decides.

mod client;
mod compare;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use self::client::Client;
use crate::support::chance::{Chance, seed};
use crate::support::database::variable;
use crate::support::process::run;
use crate::support::{Answer, Database, PASSWORD, Process, client};

const CLIENTS: usize = 4;

/// Acts that are acknowledged before a kill: at least, and how many more at most.
const ACTS: (usize, usize) = (24, 40);

fn make_user(directory: &Path, variables: &[(&str, &str)], email: &str, role: Option<&str>) {
    let mut create = vec!["user", "create", "--email", email, "--password-stdin"];
    create.extend(role.iter().flat_map(|role| ["--role", role]));
    let done = run(directory, variables, &create, PASSWORD);
    assert!(done.status.success(), "{done:?}");
}

async fn admin_access(process: &Process) -> String {
    let document = json!({ "email": "admin@test.example", "password": PASSWORD });
    let request = client()
        .post(format!("{}/api/auth/sign-in", process.base))
        .json(&document);
    let answer = Answer::read(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_at_a_random_moment_is_there() {
    let crashes = variable("TEST_CRASHES").map_or(4, |number| number.parse().unwrap());
    let mut chance = Chance::new(seed());
    let directory = tempfile::tempdir().unwrap();
    let database = Database::make(directory.path()).await;
    let variables = [("DATABASE_URL", database.url.as_str())];
    let migrated = run(directory.path(), &variables, &["migrate", "up"], "");
    assert!(migrated.status.success(), "{migrated:?}");
    make_user(
        directory.path(),
        &variables,
        "admin@test.example",
        Some("admin"),
    );
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let email = format!("client-{number}@test.example");
        make_user(directory.path(), &variables, &email, None);
        clients.push(Client {
            base: String::new(),
            http: client(),
            chance: chance.split(),
            email,
            user_id: String::new(),
            admin: String::new(),
            sessions: BTreeMap::new(),
            name: String::new(),
            made: BTreeMap::new(),
            acts: 0,
            unanswered: None,
        });
    }
    let mut cut_off = 0;
    for crash in 0..=crashes {
        let process = Process::start(directory.path(), &variables);
        let admin = admin_access(&process).await;
        for client in &mut clients {
            client.base.clone_from(&process.base);
            client.admin.clone_from(&admin);
            if crash == 0 {
                let path = format!("/api/admin/users?q={}", client.email);
                let found = client.ask(&path).await.json();
                let id = found["users"][0]["id"].as_str().unwrap();
                id.clone_into(&mut client.user_id);
            }
            cut_off += usize::from(client.unanswered.is_some());
            client.compare(&database).await;
        }
        if crash == crashes {
            break;
        }
        let enough = ACTS.0 + chance.below(ACTS.1);
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let running: Vec<_> = clients
            .drain(..)
            .map(|client| tokio::spawn(client.act(Arc::clone(&acknowledged), enough)))
            .collect();
        while acknowledged.load(Ordering::SeqCst) < enough {
            assert!(
                running.iter().all(|client| !client.is_finished()),
                "a client has stopped before anybody killed the server"
            );
            tokio::task::yield_now().await;
        }
        process.kill();
        for client in running {
            clients.push(client.await.unwrap());
        }
    }
    let acts: usize = clients.iter().map(|client| client.acts).sum();
    println!("{acts} acts acknowledged, {cut_off} cut off");
    assert!(acts >= crashes * ACTS.0);
    assert!(cut_off > 0, "no act was ever cut off");
}
