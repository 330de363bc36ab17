//! What is kept of a password, and what hashing may cost everybody else (ASVS 11.2.2, 11.4.2, 2.4.1).

use std::sync::Arc;

use sea_orm::{ConnectionTrait, Statement};

use crate::support::{PASSWORD, Server};

/// The kept hash and pepper of the only user.
async fn kept(server: &Server) -> (String, String) {
    let connection = server.database.connect().await;
    let sql = "SELECT password_hash, password_pepper_id FROM users";
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.unwrap().unwrap();
    (
        row.try_get_by_index(0).unwrap(),
        row.try_get_by_index(1).unwrap(),
    )
}

#[tokio::test]
async fn asvs_11_4_2_a_password_is_kept_as_bcrypt_over_a_keyed_hash() {
    let server = Server::start().await;
    server.user("ada@test.example", &[]).await;
    let (hash, pepper) = kept(&server).await;
    assert!(hash.starts_with("$2b$04$") && hash.len() == 60, "{hash}");
    assert!(!pepper.is_empty());
    // Without the pepper the password itself does not fit.
    assert!(!bcrypt::verify(PASSWORD, &hash).unwrap());
}

#[tokio::test]
async fn asvs_11_2_2_a_password_is_hashed_anew_when_the_cost_has_changed() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let before = kept(&server).await;
    let (directory, database, clock) = server.stop().await;
    let server = Server::start_in(directory, database, &[], clock).await;
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 200);
    assert_eq!(kept(&server).await, before, "nothing has changed");
    let (directory, database, clock) = server.stop().await;
    let server = Server::start_changed(directory, database, clock, |settings| {
        settings.bcrypt_cost = 5
    })
    .await;
    assert_eq!(server.try_sign_in(&ada.email, "wrong").await.status, 401);
    assert_eq!(
        kept(&server).await,
        before,
        "a wrong password changes nothing"
    );
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 200);
    let after = kept(&server).await;
    assert!(after.0.starts_with("$2b$05$"), "{}", after.0);
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 200);
    assert_eq!(kept(&server).await, after);
}

#[tokio::test]
async fn asvs_2_4_1_a_flood_of_sign_ins_is_refused_in_time_and_checks_go_on() {
    let variables = [
        ("PORTCULLIS_BCRYPT_THREADS", "1"),
        ("PORTCULLIS_BCRYPT_QUEUE", "2"),
        ("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let server = Server::start_with(&variables).await;
    let ada = server.user("ada@test.example", &[]).await;
    let tokens = server.sign_in(&ada).await;
    let (directory, database, clock) = server.stop().await;
    // Slow enough for a queue to form.
    let change = |settings: &mut portcullis::settings::Settings| {
        (
            settings.bcrypt_cost,
            settings.bcrypt_threads,
            settings.bcrypt_queue,
        ) = (13, 1, 2);
        settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    };
    let server = Arc::new(Server::start_changed(directory, database, clock, change).await);
    let flood: Vec<_> = (0..24)
        .map(|number| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let request = server
                    .request(reqwest::Method::POST, "/api/auth/sign-in")
                    .header("x-forwarded-for", format!("192.0.2.{number}"))
                    .json(&serde_json::json!({ "email": format!("u{number}@test.example"), "password": "wrong" }));
                crate::support::Answer::read(request.send().await.unwrap()).await
            })
        })
        .collect();
    let mut checks = 0;
    while !flood.iter().all(tokio::task::JoinHandle::is_finished) {
        assert_eq!(server.verify(&tokens.access).await.status, 200);
        checks += 1;
    }
    let (mut overloaded, mut looked_at) = (0, 0);
    for answer in flood {
        let answer = answer.await.unwrap();
        if answer.status == 503 {
            assert_eq!(answer.code(), "overloaded");
            assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
            overloaded += 1;
        } else {
            assert_eq!(answer.code(), "invalid-credentials");
            looked_at += 1;
        }
    }
    // The queue of two, and whatever its thread took out of it in time.
    assert!(overloaded > 0 && looked_at >= 2, "{overloaded} {looked_at}");
    // Behind the flood there would have been one.
    assert!(checks > 2, "{checks} checks meanwhile");
    // What was refused for want of time counts as no failure.
    let counted = server
        .database
        .count("SELECT count(*) FROM throttles WHERE failures > 0")
        .await;
    assert_eq!(
        counted,
        2 * looked_at,
        "one for each account and address that was looked at"
    );
}

#[tokio::test]
async fn a_proof_that_was_not_looked_at_for_want_of_time_counts_as_no_failure() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let access = server.sign_in(&ada).await.access;
    // The password is hashed anew at this cost first, so that a queue forms.
    let (directory, database, clock) = server.stop().await;
    let change = |settings: &mut portcullis::settings::Settings| {
        (
            settings.bcrypt_cost,
            settings.bcrypt_threads,
            settings.bcrypt_queue,
        ) = (13, 1, 1);
    };
    let server = Arc::new(Server::start_changed(directory, database, clock, change).await);
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 200);
    let proofs: Vec<_> = (0..8)
        .map(|_| {
            let (server, access) = (Arc::clone(&server), access.clone());
            let document = serde_json::json!({ "password": PASSWORD });
            tokio::spawn(async move {
                server
                    .post("/api/auth/step-up", Some(&access), document)
                    .await
                    .status
            })
        })
        .collect();
    let mut overloaded = 0;
    for proof in proofs {
        overloaded += u32::from(proof.await.unwrap() == 503);
    }
    assert!(overloaded > 0);
    let counted = "SELECT count(*) FROM throttles WHERE failures > 0";
    assert_eq!(server.database.count(counted).await, 0);
}
