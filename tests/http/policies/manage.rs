//! Managing policies: by API, in the console and on the command line.

use reqwest::Method;
use serde_json::{Value, json};

use super::Policed;
use crate::cli::{EMAIL, Host};

#[tokio::test]
async fn policies_are_set_shown_and_deleted_by_api() {
    let house = Policed::open().await;
    house.server.user("ada@test.example", &["editor"]).await;
    let policy = json!({
        "idle_secs": 600, "lifetime_secs": 7200, "remembered_idle_secs": 600,
        "remembered_lifetime_secs": 7200, "max_sessions": 3, "at_limit": "refuse",
        "end_on_role_change": true,
    });
    house.set("role/editor", policy.clone()).await;
    house
        .set("organization/acme", json!({ "max_sessions": 9 }))
        .await;
    let all = house
        .call(Method::GET, "/api/admin/policies", None)
        .await
        .json();
    assert_eq!(all["installation"]["idle_secs"], 3600);
    assert_eq!(all["installation"]["max_sessions"], Value::Null);
    assert_eq!(all["installation"]["at_limit"], "end-oldest");
    let names: Vec<_> = all["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["kind"].clone(), it["name"].clone()))
        .collect();
    assert_eq!(
        names,
        [
            ("role".into(), "editor".into()),
            ("organization".into(), "acme".into())
        ]
    );
    let path = "/api/admin/policies/role/editor";
    let one = house.call(Method::GET, path, None).await.json();
    for (field, value) in policy.as_object().unwrap() {
        assert_eq!(&one[field], value, "{field}");
    }
    // Put in place of the one before: what is not said is left to others.
    house.set("role/editor", json!({ "idle_secs": 300 })).await;
    let one = house.call(Method::GET, path, None).await.json();
    assert_eq!(
        (&one["idle_secs"], &one["max_sessions"]),
        (&json!(300), &Value::Null)
    );
    assert_eq!(house.call(Method::DELETE, path, None).await.status, 204);
    assert_eq!(house.call(Method::GET, path, None).await.status, 404);
    assert_eq!(
        house.call(Method::DELETE, path, None).await.code(),
        "not-found"
    );
    let [set, deleted] = [
        house.audited("policy-set").await,
        house.audited("policy-deleted").await,
    ];
    assert_eq!((set, deleted), (3, 1));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_field_and_bounds() {
    let house = Policed::open().await;
    let cases = [
        ("role/admin", json!({}), "idle_secs", "at least one"),
        (
            "role/admin",
            json!({ "idle_secs": 0 }),
            "idle_secs",
            "from 60 to 31536000",
        ),
        (
            "role/admin",
            json!({ "idle_secs": -5 }),
            "idle_secs",
            "-5 is not a whole number",
        ),
        (
            "role/admin",
            json!({ "lifetime_secs": 31_536_001 }),
            "lifetime_secs",
            "31536001",
        ),
        (
            "role/admin",
            json!({ "idle_secs": 601, "lifetime_secs": 600 }),
            "idle_secs",
            "longer than lifetime_secs",
        ),
        (
            "role/admin",
            json!({ "max_sessions": 0 }),
            "max_sessions",
            "from 1 to 1000",
        ),
        (
            "role/admin",
            json!({ "at_limit": "wait" }),
            "at_limit",
            "`end-oldest`, `ask` and `refuse`",
        ),
        (
            "role/amdin",
            json!({ "idle_secs": 600 }),
            "role",
            "Nobody has the role `amdin`",
        ),
        (
            "role/Admin",
            json!({ "idle_secs": 600 }),
            "role",
            "1 to 32 characters",
        ),
        (
            "organization/acne",
            json!({ "idle_secs": 600 }),
            "organization",
            "no organisation `acne`",
        ),
        (
            "planet/mars",
            json!({ "idle_secs": 600 }),
            "kind",
            "neither `role` nor `organization`",
        ),
    ];
    for (of, policy, field, words) in cases {
        let answer = house.try_set(of, policy).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (422, "invalid-request"),
            "{of}: {}",
            answer.text
        );
        let problem = answer.json();
        assert_eq!(problem["field"], field, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(words),
            "{problem}"
        );
    }
    for policy in [
        json!({ "idle": 600 }),
        json!({ "idle_secs": 1.5 }),
        json!({ "idle_secs": "10m" }),
    ] {
        let answer = house.try_set("role/admin", policy).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
    let all = house
        .call(Method::GET, "/api/admin/policies", None)
        .await
        .json();
    assert_eq!(all["policies"], json!([]));
}

#[tokio::test]
async fn the_console_keeps_policies_by_plain_forms_and_shows_whose_limit_counts() {
    let house = Policed::open().await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &["editor"]).await;
    let admin = server.user("boss@test.example", &["admin"]).await;
    let mut console = server.signed_in_browser(&admin).await;
    const NEW: &str = "/admin/policies/new";
    const LIST: &str = "/admin/policies";
    let fields = [
        ("kind", "role"),
        ("name", "editor"),
        ("idle", "2h"),
        ("lifetime", "1h"),
    ];
    let bad = console.submit(NEW, LIST, &fields).await;
    assert_eq!(bad.status, 422, "{}", bad.text);
    assert!(
        bad.text.contains(
            "Idle timeout: 7200 seconds is longer than Absolute lifetime with 3600 seconds"
        ) && bad.text.contains("value=\"2h\""),
        "{}",
        bad.text
    );
    for (name, value) in [
        ("idle", "soon"),
        ("max_sessions", "many"),
        ("name", "nobodys"),
    ] {
        let fields = [("kind", "role"), ("name", "editor"), ("idle", "10m")];
        let mut fields: Vec<_> = fields.into_iter().filter(|(it, _)| *it != name).collect();
        fields.push((name, value));
        let bad = console.submit(NEW, LIST, &fields).await;
        assert_eq!(bad.status, 422, "{name}: {}", bad.text);
        assert!(bad.text.contains("role=\"alert\""), "{name}");
    }
    let fields = [
        ("kind", "role"),
        ("name", "editor"),
        ("idle", "10m"),
        ("lifetime", ""),
        ("max_sessions", "2"),
        ("at_limit", "ask"),
        ("end_on_role_change", "true"),
    ];
    let saved = console.submit(NEW, LIST, &fields).await;
    assert_eq!(saved.location(), "/admin/policies?done=policy-saved");
    let list = console.get(saved.location()).await.text;
    assert!(
        list.contains(">role editor</a>") && list.contains("10 minutes"),
        "{list}"
    );
    let page = console.get("/admin/policies/role/editor").await.text;
    assert!(
        page.contains("value=\"10m\"") && page.contains("value=\"ask\" selected"),
        "{page}"
    );

    let user = console.get(&format!("/admin/users/{}", ada.id)).await.text;
    for (name, by, value) in [
        ("Idle timeout", "role editor", "10 minutes"),
        ("Absolute lifetime", "installation", "8 hours"),
        ("Sessions at once", "role editor", "2"),
        (
            "One more sign-in",
            "role editor",
            "ask which session to end",
        ),
    ] {
        let row =
            format!("<dt>{name}<br><span class=\"soft\">set by: {by}</span></dt><dd>{value}</dd>");
        assert!(user.contains(&row), "{row} is not in {user}");
    }
    let delete = "/admin/policies/role/editor/delete";
    let deleted = console
        .submit("/admin/policies/role/editor", delete, &[])
        .await;
    assert_eq!(deleted.location(), "/admin/policies?done=policy-deleted");
    assert_eq!(console.get("/admin/policies/role/editor").await.status, 404);
}

#[tokio::test]
async fn the_command_line_does_the_same_and_shows_a_session_with_its_limits() {
    let host = Host::new().await;
    host.make_user();
    host.done(&["organization", "create", "acme", "--name", "Acme"], "");
    assert!(
        host.refused(&["organization", "create", "acme"], "")
            .contains("already")
    );
    assert!(
        host.refused(&["organization", "create", "A b"], "")
            .contains("a-z")
    );
    host.done(&["organization", "add-user", "acme", EMAIL], "");
    assert!(
        host.refused(&["organization", "add-user", "acme", EMAIL], "")
            .contains("member already")
    );
    assert!(
        host.refused(&["organization", "add-user", "acne", EMAIL], "")
            .contains("no organisation `acne`")
    );
    let all = host.json(&["organization", "list"]);
    assert_eq!(
        (&all[0]["slug"], &all[0]["members"]),
        (&json!("acme"), &json!(1))
    );
    assert_eq!(
        host.json(&["user", "show", EMAIL])["organizations"],
        json!(["acme"])
    );

    assert_eq!(host.json(&["policy", "list"]), json!([]));
    host.done(
        &[
            "policy",
            "set",
            "role",
            "editor",
            "--idle",
            "10m",
            "--max-sessions",
            "3",
            "--at-limit",
            "refuse",
        ],
        "",
    );
    host.done(
        &[
            "policy",
            "set",
            "organization",
            "acme",
            "--lifetime",
            "4h",
            "--end-on-role-change",
        ],
        "",
    );
    let all = host.json(&["policy", "list"]);
    assert_eq!(all[0]["idle_secs"], 600);
    assert_eq!(
        (&all[1]["name"], &all[1]["lifetime_secs"]),
        (&json!("acme"), &json!(14_400))
    );
    let table = host.done(&["policy", "list"], "");
    assert!(
        table.contains("10m") && table.contains("refuse") && table.contains("4h"),
        "{table}"
    );
    for (arguments, words) in [
        (
            ["policy", "set", "role", "amdin", "--idle", "10m"],
            "Nobody has the role `amdin`",
        ),
        (
            ["policy", "set", "role", "editor", "--idle", "0"],
            "--idle: 0 is not",
        ),
        (
            ["policy", "set", "role", "editor", "--at-limit", "wait"],
            "--at-limit: `wait` is none of",
        ),
    ] {
        let said = host.refused(&arguments, "");
        assert!(said.contains(words), "{said}");
    }
    host.done(&["policy", "delete", "organization", "acme"], "");
    assert!(
        host.refused(&["policy", "delete", "organization", "acme"], "")
            .contains("policy")
    );
    host.done(&["organization", "remove-user", "acme", EMAIL], "");
    assert!(
        host.refused(&["organization", "remove-user", "acme", EMAIL], "")
            .contains("membership")
    );
    let unknown = "01a1fd84-e085-7be0-a7ca-4830a2d83a18";
    assert!(
        host.refused(&["session", "show", unknown], "")
            .contains("no session")
    );
}

#[tokio::test]
async fn session_show_tells_who_set_each_limit() {
    let house = Policed::open().await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &["editor"]).await;
    house.set("role/editor", json!({ "idle_secs": 600 })).await;
    let tokens = server.sign_in(&ada).await;
    let show = |as_json: bool| {
        let mut arguments = vec!["session", "show", tokens.session_id.as_str()];
        arguments.extend(as_json.then_some("--json"));
        let variables = [
            ("DATABASE_URL", server.database.url.as_str()),
            crate::cli::NOWHERE,
        ];
        let output =
            crate::support::process::run(server.directory.path(), &variables, &arguments, "");
        crate::cli::written(&output, &arguments)
    };
    let shown: Value = serde_json::from_str(&show(true)).unwrap();
    assert_eq!(shown["id"], tokens.session_id.as_str());
    assert_eq!(
        (&shown["idle_timeout_secs"], &shown["idle_timeout_set_by"]),
        (&json!(600), &json!("role editor"))
    );
    assert_eq!(
        (&shown["lifetime_secs"], &shown["lifetime_set_by"]),
        (&json!(28_800), &json!("installation"))
    );
    let text = show(false);
    assert!(text.contains("10 minutes (set by: role editor)"), "{text}");
    // A policy that is gone is no longer named; what it did stays.
    let path = "/api/admin/policies/role/editor";
    assert_eq!(house.call(Method::DELETE, path, None).await.status, 204);
    let shown: Value = serde_json::from_str(&show(true)).unwrap();
    assert_eq!(
        (&shown["idle_timeout_secs"], &shown["idle_timeout_set_by"]),
        (&json!(600), &Value::Null)
    );
}
