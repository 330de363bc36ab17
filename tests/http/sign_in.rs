//! Which passwords may be chosen, and that they are compared whole (ASVS 6.2).

use portcullis::rules::audit::Origin;
use portcullis::service::users::{NewUser, create_user_with_password};
use portcullis::settings::Secret;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Browser, PASSWORD, Server};

const PAGE: &str = "/account/security";

async fn change(browser: &mut Browser, current: &str, new: &str) -> Answer {
    let fields = [
        ("current_password", current),
        ("new_password", new),
        ("new_password_again", new),
    ];
    browser.submit(PAGE, PAGE, &fields).await
}

/// A user with this password, who is in the database already when it is typed.
async fn user_with(server: &Server, email: &str, password: &str) {
    let new = NewUser {
        email: email.to_owned(),
        name: String::new(),
        roles: Vec::new(),
    };
    let password = Secret::new(password.to_owned());
    create_user_with_password(&server.context, new, &password, Origin::HOST)
        .await
        .unwrap();
}

#[tokio::test]
async fn asvs_6_2_1_and_6_2_4_and_6_2_11_what_may_not_be_chosen_is_refused_with_the_reason() {
    let server = Server::start().await;
    let ada = server.user("ada.lovelace@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    for (password, reason) in [
        ("", "at least 15 characters; this one has 0"),
        ("fourteen chars", "at least 15 characters; this one has 14"),
        (
            &"\u{1f600}".repeat(14),
            "at least 15 characters; this one has 14",
        ),
        (
            &"e\u{301}".repeat(14),
            "at least 15 characters; this one has 14",
        ),
        (
            &"long enough ".repeat(22),
            "at most 256 characters; this one has 264",
        ),
        ("passwordpassword", "guessed first"),
        ("password12345678", "guessed first"),
        ("123456123456123456", "guessed first"),
        ("QWERTYUIOPqwertyuiop", "guessed first"),
        ("PortcullisPortcullis", "your own or this server"),
        ("portcullis2026!!", "your own or this server"),
        ("Ada.Lovelace-1815", "your own or this server"),
        ("ada.lovelace@test.example", "your own or this server"),
        ("localhostlocalhost", "your own or this server"),
    ] {
        let refused = change(&mut browser, PASSWORD, password).await;
        assert_eq!(refused.status, 422, "{password}: {}", refused.text);
        assert!(
            refused.text.contains(reason),
            "{password}: {}",
            refused.text
        );
        server.advance(1);
    }
    assert_eq!(
        server.try_sign_in(&ada.email, PASSWORD).await.status,
        200,
        "nothing was changed"
    );
}

#[tokio::test]
async fn asvs_6_2_2_and_6_2_5_and_6_2_9_every_other_password_may_be_chosen_and_signs_in() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let mut current = PASSWORD.to_owned();
    for new in [
        "\u{1f600}".repeat(15),
        "\u{e9}".repeat(64),
        "\u{1f600}".repeat(64),
        "x y".repeat(43),
        "\u{1f600}z".repeat(128),
        "aaaabbbbccccdddd".to_owned(),
        "31415926535897932384".to_owned(),
        "αβγδεζηθικλμνξο".to_owned(),
        " surrounded by blanks ".to_owned(),
        "a NUL \0 in the middle".to_owned(),
    ] {
        let done = change(&mut browser, &current, &new).await;
        assert_eq!(done.status, 303, "{new}: {}", done.text);
        assert_eq!(
            server.try_sign_in(&ada.email, &new).await.status,
            200,
            "{new}"
        );
        assert_eq!(
            server.try_sign_in(&ada.email, &current).await.status,
            401,
            "{current}"
        );
        current = new;
    }
}

#[tokio::test]
async fn asvs_6_2_8_passwords_are_compared_whole_and_as_typed() {
    let server = Server::start().await;
    let long = "0123456789abcdefghij".repeat(10);
    for (number, (kept, others)) in [
        (
            long.clone(),
            vec![
                format!("{}k", &long[..199]),
                long[..72].to_owned(),
                long[..71].to_owned(),
                format!("{long}x"),
            ],
        ),
        (
            "a NUL \0 in the middle".to_owned(),
            vec!["a NUL \0 in the riddle".to_owned(), "a NUL ".to_owned()],
        ),
        (
            "A Password With Capitals".to_owned(),
            vec!["a password with capitals".to_owned()],
        ),
        (
            "a blank at the end ".to_owned(),
            vec![
                "a blank at the end".to_owned(),
                "a blank at the end  ".to_owned(),
            ],
        ),
        (
            " a blank at the start".to_owned(),
            vec!["a blank at the start".to_owned()],
        ),
        (
            "fullwidth ａ is not a".to_owned(),
            vec!["fullwidth a is not a".to_owned()],
        ),
        (
            "a tab\tis not a blank".to_owned(),
            vec!["a tab is not a blank".to_owned()],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("u{number}@test.example");
        user_with(&server, &email, &kept).await;
        for other in others {
            assert_eq!(
                server.try_sign_in(&email, &other).await.status,
                401,
                "{other:?}"
            );
        }
        assert_eq!(
            server.try_sign_in(&email, &kept).await.status,
            200,
            "{kept:?}"
        );
        // The form says the same as the API.
        assert_eq!(
            server.browser().sign_in(&email, &kept).await.status,
            303,
            "{kept:?}"
        );
    }
    // The same characters from another keyboard are the same password (NFC).
    user_with(&server, "nfc@test.example", "caf\u{e9} with an accent").await;
    assert_eq!(
        server
            .try_sign_in("nfc@test.example", "cafe\u{301} with an accent")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn asvs_6_2_9_more_than_any_password_is_refused_in_words_and_much_more_unread() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let long = server.try_sign_in(&ada.email, &"x".repeat(257)).await;
    assert_eq!(
        (long.status.as_u16(), long.code().as_str()),
        (422, "invalid-request")
    );
    assert!(
        long.text
            .contains("at most 256 characters; this one has 257"),
        "{}",
        long.text
    );
    let page = server.browser().sign_in(&ada.email, &"x".repeat(257)).await;
    assert_eq!(page.status, 422);
    assert!(
        page.text.contains("at most 256 characters"),
        "{}",
        page.text
    );
    let huge = json!({ "email": ada.email, "password": "x".repeat(1 << 20) });
    let huge = server
        .call(Method::POST, "/api/auth/sign-in", None, Some(huge))
        .await;
    assert_eq!(huge.status, 413);
    let audited = server
        .database
        .count("SELECT count(*) FROM audit_events WHERE action = 'sign-in-failed'");
    assert_eq!(audited.await, 0, "none of them was compared");
}

#[tokio::test]
async fn asvs_6_2_6_and_6_2_7_password_fields_hide_and_let_managers_help() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let mut browser = server.signed_in_browser(&admin).await;
    let invitation =
        portcullis::service::invitation::invite(&server.context, admin.id, Origin::HOST)
            .await
            .unwrap();
    let link = invitation
        .url
        .reveal()
        .strip_prefix("http://localhost:8080")
        .unwrap()
        .to_owned();
    let empty = Server::start().await;
    let pages = [
        (
            server.browser().get("/sign-in").await,
            vec!["current-password"],
        ),
        (browser.get("/step-up").await, vec!["current-password"]),
        (
            browser.get(PAGE).await,
            vec!["current-password", "new-password", "new-password"],
        ),
        (
            server.browser().get(&link).await,
            vec!["new-password", "new-password"],
        ),
        (
            empty.browser().get("/set-up").await,
            vec!["new-password", "new-password"],
        ),
    ];
    for (page, kinds) in pages {
        assert_eq!(page.status, 200);
        let inputs: Vec<&str> = page
            .text
            .split("<input ")
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap())
            .collect();
        let secret: Vec<&&str> = inputs
            .iter()
            .filter(|input| input.contains("password\""))
            .collect();
        assert_eq!(secret.len(), kinds.len(), "{secret:?}");
        for (input, kind) in secret.into_iter().zip(kinds) {
            assert!(input.contains("type=\"password\""), "{input}");
            assert!(
                input.contains(&format!("autocomplete=\"{kind}\"")),
                "{input}"
            );
            assert!(
                !input.contains("value=") && !input.contains("maxlength"),
                "{input}"
            );
        }
        for barrier in [
            "autocomplete=\"off\"",
            "onpaste",
            "hint question",
            "secret question",
        ] {
            assert!(!page.text.contains(barrier), "{barrier}");
        }
    }
}

#[tokio::test]
async fn asvs_6_2_10_no_password_expires() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    server.advance(400 * 86400);
    let mut browser = server.signed_in_browser(&ada).await;
    assert_eq!(browser.get("/account").await.status, 200);
}
