//! Guessing at passwords leads nowhere, and locks no owner out (ASVS 6.3, 2.4.1).

mod owner;

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, PASSWORD, Server, TestUser};

/// A proxy in front, so that requests come from many addresses.
const PROXY: &[(&str, &str)] = &[("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1")];

async fn from(server: &Server, ip: &str, email: &str, password: &str) -> Answer {
    let request = server
        .request(Method::POST, "/api/auth/sign-in")
        .header("x-forwarded-for", ip)
        .json(&json!({ "email": email, "password": password }));
    Answer::read(request.send().await.unwrap()).await
}

/// Guesses from this address until it is told to wait, and returns how long.
async fn guess_until_throttled(server: &Server, ip: &str, user: &TestUser) -> (u32, u64) {
    for tries in 0..40 {
        let answer = from(server, ip, &user.email, "wrong").await;
        if answer.status == 429 {
            assert_eq!(answer.code(), "throttled");
            return (tries, answer.header("retry-after").parse().unwrap());
        }
        assert_eq!(answer.code(), "invalid-credentials");
    }
    panic!("never throttled")
}

#[tokio::test]
async fn asvs_6_3_1_an_account_is_throttled_for_longer_each_time_whoever_guesses() {
    let server = Server::start_with(PROXY).await;
    let ada = server.user("ada@test.example", &[]).await;
    for number in 0..6 {
        let answer = from(&server, &format!("192.0.2.{number}"), &ada.email, "wrong").await;
        assert_eq!(answer.status, 401, "{number}");
    }
    let mut waits = Vec::new();
    for number in 0..8 {
        let ip = format!("198.51.100.{number}");
        let (_, wait) = guess_until_throttled(&server, &ip, &ada).await;
        waits.push(wait);
        // A wait so short may be over by now.
        if wait > 8 {
            let right = from(&server, &ip, &ada.email, PASSWORD).await;
            assert_eq!(
                right.status, 429,
                "the right password is not even looked at"
            );
        }
        server.advance(i64::try_from(wait).unwrap());
    }
    assert!(waits.windows(2).all(|pair| pair[1] > pair[0]), "{waits:?}");
    assert!(waits.last().is_some_and(|wait| *wait >= 128), "{waits:?}");
    assert_eq!(
        from(&server, "203.0.113.1", &ada.email, PASSWORD)
            .await
            .status,
        200,
        "after the wait"
    );
    assert_eq!(
        from(&server, "203.0.113.2", &ada.email, "wrong")
            .await
            .status,
        401,
        "and the count is gone"
    );
}

#[tokio::test]
async fn asvs_6_3_1_an_address_is_throttled_whatever_account_it_tries() {
    let server = Server::start_with(PROXY).await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut statuses = Vec::new();
    for number in 0..30 {
        let email = format!("u{number}@test.example");
        statuses.push(
            from(&server, "192.0.2.1", &email, "wrong")
                .await
                .status
                .as_u16(),
        );
    }
    assert!(
        statuses[..20].iter().all(|status| *status == 401),
        "{statuses:?}"
    );
    assert!(statuses[21..].contains(&429), "{statuses:?}");
    assert_eq!(
        from(&server, "192.0.2.2", &ada.email, PASSWORD)
            .await
            .status,
        200,
        "others go on"
    );
}

#[tokio::test]
async fn asvs_6_1_1_and_6_3_1_the_owner_gets_in_from_a_known_address_while_others_are_throttled() {
    let server = Server::start_with(PROXY).await;
    let ada = server.user("ada@test.example", &[]).await;
    assert_eq!(
        from(&server, "203.0.113.1", &ada.email, PASSWORD)
            .await
            .status,
        200
    );
    for number in 0..8 {
        let (_, wait) = guess_until_throttled(&server, &format!("192.0.2.{number}"), &ada).await;
        if number < 7 {
            server.advance(i64::try_from(wait).unwrap());
        }
    }
    assert_eq!(
        from(&server, "192.0.2.99", &ada.email, PASSWORD)
            .await
            .status,
        429
    );
    assert_eq!(
        from(&server, "203.0.113.1", &ada.email, PASSWORD)
            .await
            .status,
        200
    );
    assert_eq!(
        from(&server, "192.0.2.99", &ada.email, PASSWORD)
            .await
            .status,
        429,
        "which helps nobody else"
    );
    // A guesser at the owner's address costs the owner a minute at most.
    for _ in 0..12 {
        let (_, wait) = guess_until_throttled(&server, "203.0.113.1", &ada).await;
        assert!(wait <= 61, "{wait}");
        server.advance(i64::try_from(wait).unwrap());
    }
    assert_eq!(
        from(&server, "203.0.113.1", &ada.email, PASSWORD)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn asvs_6_3_1_a_restart_forgets_no_failure() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    for wait in [2, 4, 8, 16, 32, 64] {
        guess_until_throttled(&server, "", &ada).await;
        server.advance(wait);
    }
    let (_, wait) = guess_until_throttled(&server, "", &ada).await;
    assert!(wait > 60, "{wait}");
    let (directory, database, clock) = server.stop().await;
    let server = Server::start_in(directory, database, &[], clock).await;
    let answer = server.try_sign_in(&ada.email, PASSWORD).await;
    assert_eq!(answer.status, 429, "{}", answer.text);
    server.advance(i64::try_from(wait).unwrap());
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn asvs_6_3_1_guesses_at_the_same_moment_do_not_all_pass() {
    let server = std::sync::Arc::new(Server::start_with(PROXY).await);
    let ada = server.user("ada@test.example", &[]).await;
    let guesses: Vec<_> = (0..40)
        .map(|number| {
            let (server, email) = (std::sync::Arc::clone(&server), ada.email.clone());
            tokio::spawn(async move {
                from(&server, &format!("192.0.2.{number}"), &email, "wrong").await
            })
        })
        .collect();
    let mut looked_at = 0;
    for guess in guesses {
        let status = guess.await.unwrap().status;
        looked_at += u32::from(status == 401);
        assert!(status == 401 || status == 429, "{status}");
    }
    // Six are free; each further one waits twice as long, so that half a minute admits five more.
    assert!(
        (1..=11).contains(&looked_at),
        "{looked_at} of 40 were looked at"
    );
}

#[tokio::test]
async fn asvs_6_3_2_a_fresh_installation_knows_nobody() {
    let server = Server::start_with(PROXY).await;
    assert_eq!(server.database.count("SELECT count(*) FROM users").await, 0);
    for (number, name) in ["admin", "root", "sa", "administrator", "test", "portcullis"]
        .iter()
        .enumerate()
    {
        for (half, password) in [*name, "password", "admin", ""].iter().enumerate() {
            let ip = format!("192.0.{number}.{half}");
            for email in [(*name).to_owned(), format!("{name}@localhost")] {
                assert_eq!(
                    from(&server, &ip, &email, password).await.status,
                    401,
                    "{email}"
                );
            }
        }
    }
}

#[tokio::test]
async fn asvs_6_3_4_there_is_no_other_way_in() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let tokens = server.sign_in(&ada).await;
    let access = &tokens.access;
    for path in [
        format!("/api/auth/session?access_token={access}"),
        format!("/api/auth/session?token={access}"),
        format!("/account?access_token={access}"),
    ] {
        assert!(
            [401, 303].contains(&server.get(&path, None).await.status.as_u16()),
            "{path}"
        );
    }
    let request = server
        .request(Method::GET, "/api/auth/session")
        .basic_auth(&ada.email, Some(PASSWORD));
    assert_eq!(request.send().await.unwrap().status(), 401);
    for token in [&tokens.refresh, &tokens.session_id, &ada.id.to_string()] {
        assert_eq!(server.verify(token).await.status, 401, "{token}");
    }
    assert_eq!(server.refresh(access).await.status, 401);
}

#[tokio::test]
async fn asvs_6_3_8_a_refused_sign_in_does_not_tell_why() {
    let server = Server::start_with(PROXY).await;
    let admin = server.admin().await;
    let access = server.sign_in(&admin).await.access;
    server.user("wrong@test.example", &[]).await;
    let disabled = server.user("disabled@test.example", &[]).await;
    let path = format!("/api/admin/users/{}", disabled.id);
    server
        .call(
            Method::PATCH,
            &path,
            Some(&access),
            Some(json!({ "enabled": false })),
        )
        .await;
    let made = server
        .post(
            "/api/admin/users",
            Some(&access),
            json!({ "email": "without@test.example" }),
        )
        .await;
    assert_eq!(made.status, 201);
    let tries = [
        ("wrong@test.example", "not the right password"),
        ("nobody@test.example", PASSWORD),
        ("disabled@test.example", PASSWORD),
        ("disabled@test.example", "not the right password"),
        ("without@test.example", PASSWORD),
        ("without@test.example", ""),
        ("no address at all", PASSWORD),
    ];
    let without_number = |answer: &Answer| {
        let mut headers: Vec<(String, String)> = answer
            .headers
            .iter()
            .filter(|(name, _)| {
                !["date", "x-request-id", "set-cookie", "content-length"].contains(&name.as_str())
            })
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.sort();
        headers
    };
    let mut api = Vec::new();
    let mut pages = Vec::new();
    for (number, (email, password)) in tries.into_iter().enumerate() {
        let answer = from(&server, &format!("192.0.2.{number}"), email, password).await;
        api.push((
            answer.status,
            without_number(&answer),
            answer.text.clone(),
            answer.set_cookies(),
        ));
        let page = server.browser().sign_in(email, password).await;
        let token = crate::support::browser::form_token(&page.text);
        let text = page
            .text
            .replace(&token, "")
            .replace(&format!("value=\"{email}\""), "");
        let names: Vec<String> = page
            .set_cookies()
            .iter()
            .map(|cookie| cookie.split('=').next().unwrap().to_owned())
            .collect();
        pages.push((page.status, without_number(&page), text, names));
    }
    assert_eq!(api[0].0, 401);
    assert_eq!(pages[0].0, 401);
    for (one, page) in api.iter().zip(&pages).skip(1) {
        assert_eq!(one, &api[0]);
        assert_eq!(page, &pages[0]);
    }
}

#[tokio::test]
async fn asvs_6_3_8_an_unknown_account_is_throttled_like_a_known_one() {
    let server = Server::start_with(PROXY).await;
    let ada = server.user("ada@test.example", &[]).await;
    let nobody = TestUser {
        email: "nobody@test.example".to_owned(),
        ..ada.clone()
    };
    let known = guess_until_throttled(&server, "192.0.2.1", &ada).await;
    let unknown = guess_until_throttled(&server, "192.0.2.2", &nobody).await;
    // Six are free; a second may pass between two of them.
    assert!(
        (6..=8).contains(&known.0) && (6..=8).contains(&unknown.0),
        "{known:?} {unknown:?}"
    );
}
