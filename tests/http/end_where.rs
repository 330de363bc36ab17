//! Ending sessions by what is known of them, as administrators meet it: counted first, ended with a
//! receipt, on the page, by API and on the command line.

mod half_way;

use serde_json::{Value, json};

use crate::support::browser::form_token;
use crate::support::process::run;
use crate::support::{Answer, Server, TestUser, Tokens};

const PAGE: &str = "/admin/sessions/end-where";

struct House {
    server: Server,
    admin: TestUser,
    console: Tokens,
    ada: Tokens,
    ben: Tokens,
}

impl House {
    async fn open() -> Self {
        let server = Server::start().await;
        let admin = server.admin().await;
        let ada = server.user("ada@test.example", &["editor"]).await;
        let ben = server.user("ben@test.example", &[]).await;
        Self {
            console: server.sign_in(&admin).await,
            ada: server.sign_in(&ada).await,
            ben: server.sign_in(&ben).await,
            admin,
            server,
        }
    }

    async fn end(&self, document: Value) -> Answer {
        let path = "/api/admin/sessions/end";
        self.server
            .post(path, Some(&self.console.access), document)
            .await
    }

    /// Who is signed in: the administrator, Ada, Ben.
    async fn live(&self) -> [bool; 3] {
        let mut live = [false; 3];
        for (live, tokens) in live.iter_mut().zip([&self.console, &self.ada, &self.ben]) {
            *live = self.server.verify(&tokens.access).await.status == 200;
        }
        live
    }

    async fn audit(&self, receipt: &str, by: &Tokens) -> Vec<Value> {
        let path = format!("/api/admin/audit?receipt={receipt}");
        let answer = self.server.get(&path, Some(&by.access)).await;
        answer.json()["events"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn asvs_7_4_5_a_dry_run_changes_nothing_and_the_end_leaves_a_receipt() {
    let house = House::open().await;
    let query = json!({ "role": "editor" });
    let acts = "SELECT COUNT(*) FROM audit_events";
    let before = house.server.database.count(acts).await;
    let dry = house.end(json!({ "query": query, "dry_run": true })).await;
    assert_eq!(
        dry.json(),
        json!({ "matched": 1, "users": 1, "ended": 0, "receipt_id": null })
    );
    assert_eq!(house.live().await, [true; 3]);
    assert_eq!(house.server.database.count(acts).await, before);

    let done = house.end(json!({ "query": query })).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let done = done.json();
    assert_eq!(
        (&done["matched"], &done["ended"], &done["users"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(house.live().await, [true, false, true]);
    let refused = house.server.verify(&house.ada.access).await;
    assert_eq!(refused.json()["reason"], "ended-by-admin");

    let receipt = done["receipt_id"].as_str().unwrap();
    let events = house.audit(receipt, &house.console).await;
    let actions: Vec<_> = events
        .iter()
        .map(|event| event["action"].as_str().unwrap())
        .collect();
    let mut sorted = actions.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["end-where", "end-where-begun", "session-ended"]);
    for event in &events {
        assert_eq!(event["actor"]["email"], house.admin.email, "{event}");
        assert_eq!(event["receipt_id"], receipt);
        assert!(event["at"].is_string());
        match event["action"].as_str().unwrap() {
            "end-where" => {
                assert_eq!(event["detail"], "1 sessions of 1 users; query: role editor");
            }
            "end-where-begun" => assert_eq!(event["detail"], "query: role editor"),
            _ => {
                assert_eq!(event["session_id"], house.ada.session_id.as_str());
                assert_eq!(event["reason"], "ended-by-admin");
            }
        }
    }
    // Again: nobody is left, and nothing is counted twice.
    let again = house.end(json!({ "query": query })).await.json();
    assert_eq!((&again["matched"], &again["ended"]), (&json!(0), &json!(0)));
    assert_ne!(again["receipt_id"], receipt);
}

#[tokio::test]
async fn ones_own_session_stays_unless_told() {
    let house = House::open().await;
    let query = json!({ "method": "pwd" });
    let dry = |include_self: bool| json!({ "query": query, "dry_run": true, "include_self": include_self });
    assert_eq!(house.end(dry(false)).await.json()["matched"], 2);
    assert_eq!(house.end(dry(true)).await.json()["matched"], 3);
    // Another session of the same administrator is like everybody's.
    let elsewhere = house.server.sign_in(&house.admin).await;
    let done = house.end(json!({ "query": query })).await.json();
    assert_eq!((&done["ended"], &done["users"]), (&json!(3), &json!(3)));
    assert_eq!(house.live().await, [true, false, false]);
    assert_eq!(house.server.verify(&elsewhere.access).await.status, 401);
    let done = house
        .end(json!({ "query": query, "include_self": true }))
        .await;
    assert_eq!(
        (done.status.as_u16(), &done.json()["ended"]),
        (200, &json!(1))
    );
    assert_eq!(house.live().await, [false; 3]);
}

#[tokio::test]
async fn bad_input_is_refused_by_name_and_ends_nothing() {
    let house = House::open().await;
    for (document, status, field, said) in [
        (
            json!({ "query": {} }),
            422,
            Some("query"),
            "at least one of user, role",
        ),
        (
            json!({ "query": { "cidr": "10.0.0.0/40" } }),
            422,
            Some("cidr"),
            "10.0.0.0/40",
        ),
        (
            json!({ "query": { "user": "", "method": "pwd" } }),
            422,
            Some("user"),
            "neither",
        ),
        (
            json!({ "query": { "idle_for": 5 } }),
            422,
            Some("idle_for"),
            "5 is not a number",
        ),
        (
            json!({ "query": { "idle_for": "5" } }),
            400,
            None,
            "expected i64",
        ),
        (
            json!({ "query": { "rol": "editor" } }),
            400,
            None,
            "unknown field `rol`",
        ),
        (
            json!({ "role": "editor" }),
            400,
            None,
            "unknown field `role`",
        ),
        (json!({}), 400, None, "missing field `query`"),
    ] {
        let answer = house.end(document.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, "invalid-request"),
            "{document}"
        );
        let problem = answer.json();
        assert_eq!(problem["field"].as_str(), field, "{document}");
        assert!(
            problem["detail"].as_str().unwrap().contains(said),
            "{problem}"
        );
    }
    assert_eq!(house.live().await, [true; 3]);
}

#[tokio::test]
async fn the_page_counts_shows_and_ends_and_shows_the_receipt() {
    let house = House::open().await;
    let mut console = house.server.signed_in_browser(&house.admin).await;
    let empty = console.get(PAGE).await;
    assert!(
        !empty
            .text
            .contains("method=\"post\" action=\"/admin/sessions/end-where")
    );
    let nothing = console.get(&format!("{PAGE}?user=&role=&cidr=")).await;
    assert_eq!(nothing.status, 422);
    assert!(
        nothing.text.contains("Say which sessions are meant"),
        "{}",
        nothing.text
    );
    let wrong = console
        .get(&format!("{PAGE}?cidr=10.0.0.0%2F40&idle_minutes=5"))
        .await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.text.contains("`10.0.0.0&#x2F;40` is neither")
            || wrong.text.contains("`10.0.0.0/40` is neither"),
        "{}",
        wrong.text
    );
    assert!(
        wrong.text.contains("name=\"idle_minutes\" value=\"5\""),
        "{}",
        wrong.text
    );

    let asked = format!(
        "{PAGE}?user=&role=editor&organization=&cidr=127.0.0.0%2F8&method=&user_agent=&signed_in_before=2999-01-01T00%3A00&idle_minutes="
    );
    let shown = console.get(&asked).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert!(shown.text.contains("1 session of 1 user"), "{}", shown.text);
    assert!(shown.text.contains("ada@test.example"));
    assert!(!shown.text.contains("ben@test.example"));
    assert!(
        !shown.text.contains("include_self"),
        "it is not one of these"
    );
    assert_eq!(house.live().await, [true; 3]);
    let (_, rest) = shown
        .text
        .split_once("method=\"post\" action=\"/admin/sessions/end-where")
        .unwrap();
    let action = format!("{PAGE}{}", rest.split('"').next().unwrap());
    let action = action.replace("&amp;", "&").replace("&#x2F;", "/");
    // One who signs in between the count and the button is not missed.
    let ada = TestUser {
        id: house.admin.id,
        email: "ada@test.example".to_owned(),
    };
    let late = house.server.sign_in(&ada).await;
    let token = form_token(&shown.text);
    let done = console.post(&action, &token, &[]).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert!(
        done.location().starts_with("/admin/audit?receipt="),
        "{}",
        done.location()
    );
    assert_eq!(house.live().await, [true, false, true]);
    assert_eq!(house.server.verify(&late.access).await.status, 401);
    let path = done.location().to_owned();
    let receipt = console.get(&path).await;
    assert!(
        receipt
            .text
            .contains("2 sessions of 1 users; query: role editor, cidr 127.0.0.0"),
        "{}",
        receipt.text
    );
    assert!(receipt.text.contains(&late.session_id));
    assert!(receipt.text.contains("Only what belongs to the receipt"));
    // Everybody else's acts are not on it.
    assert!(
        !receipt.text.contains("Signed in</strong>"),
        "{}",
        receipt.text
    );
    // With a proof that has become stale it goes on with the same query after the password.
    house.server.advance(601);
    let stale = console.post(&action, &token, &[]).await;
    assert_eq!(stale.status, 403);
    let kept = action.replace('&', "&amp;");
    assert!(
        stale.text.contains(&format!("action=\"{kept}\"")),
        "{}",
        stale.text
    );

    let all = console.get(&format!("{PAGE}?method=pwd")).await;
    assert!(
        all.text
            .contains("Your own session is one of these as well"),
        "{}",
        all.text
    );
    assert!(all.text.contains("include_self"));
}

#[tokio::test]
async fn the_command_counts_asks_and_ends() {
    let house = House::open().await;
    let variables = [
        ("DATABASE_URL", house.server.database.url.as_str()),
        ("PORTCULLIS_BIND", "192.0.2.1:9"),
    ];
    let command = |arguments: &[&str]| {
        let all = [&["session", "end-where"], arguments].concat();
        let output = run(house.server.directory.path(), &variables, &all, "");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, out, _) = command(&["--role", "editor", "--cidr", "127.0.0.1", "--dry-run"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "This would end 1 session of 1 user.\n")
    );
    // Nobody is there to answer.
    let (code, _, error) = command(&["--role", "editor"]);
    assert_eq!(code, 1);
    assert!(
        error.contains("This ends 1 session of 1 user. Nothing was done: say --yes"),
        "{error}"
    );
    let (code, _, error) = command(&["--yes"]);
    assert_eq!(code, 2, "{error}");
    let (code, _, error) = command(&["--cidr", "10.0.0.0/40", "--yes"]);
    assert_eq!(code, 1);
    assert!(
        error.contains("`10.0.0.0/40` is neither a network"),
        "{error}"
    );
    assert_eq!(house.live().await, [true; 3]);

    let (code, out, error) = command(&["--role", "editor", "--yes"]);
    assert_eq!(code, 0, "{error}");
    let receipt = out
        .trim()
        .strip_prefix("Ended 1 session of 1 user. Receipt: ")
        .unwrap();
    let events = house.audit(receipt, &house.console).await;
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event["actor"]["kind"] == "host"));
    // The server beside it learns of it within the bound; asked again it refuses.
    while house.live().await[1] {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.live().await, [true, false, true]);
}
