//! Figures by API and by command: a newcomer sees them at once, and they stay when time passes.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use portcullis::rules::audit::Origin;
use portcullis::service::cleanup::{cleanup, round};
use portcullis::service::organizations::{add_member, create_organization};
use portcullis::service::seed::seed;
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::Host;
use crate::support::process::run;
use crate::support::{Answer, PASSWORD, Process, Server, Tokens, client};

const STATS: &str = "/api/admin/stats";

async fn stats(server: &Server, by: &Tokens, query: &str) -> Value {
    let answer = server
        .get(&format!("{STATS}{query}"), Some(&by.access))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// The sum of a figure over all buckets.
fn sum(document: &Value, of: impl Fn(&Value) -> u64) -> u64 {
    let buckets = document["over_time"].as_array().unwrap();
    buckets.iter().map(of).sum()
}

/// The figures of the member with this label.
fn member(document: &Value, table: &str, label: &str) -> [u64; 3] {
    let all = document[table].as_array().unwrap();
    let found = all.iter().find(|member| member["label"] == label);
    let found = found.unwrap_or_else(|| panic!("{label} in {table}: {document}"));
    ["live", "created", "ended"].map(|name| found[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_newcomer_sees_the_first_sign_in_at_once() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let tokens = server.sign_in(&admin).await;
    let document = stats(&server, &tokens, "").await;
    for (name, expected) in [
        ("users", json!(1)),
        ("disabled_users", json!(0)),
        ("live_sessions", json!(1)),
        ("signed_in_users", json!(1)),
        ("sign_ins_24h", json!(1)),
        ("failed_sign_ins_24h", json!(0)),
        ("ended_24h", json!({})),
        ("range", json!("day")),
        ("refresh_reuse", json!(0)),
        (
            "duration",
            json!({ "average_secs": null, "longest_secs": null }),
        ),
    ] {
        assert_eq!(document[name], expected, "{name}");
    }
    assert_eq!(document["peak"]["live_sessions"], 1);
    assert_eq!(document["totals"]["created"], 1);
    assert_eq!(document["over_time"].as_array().unwrap().len(), 24);
    assert_eq!(
        sum(&document, |bucket| bucket["created"].as_u64().unwrap()),
        1
    );
    assert_eq!(member(&document, "by_role", "admin"), [1, 1, 0]);
    assert_eq!(member(&document, "by_method", "pwd"), [1, 1, 0]);
    assert_eq!(member(&document, "by_organization", "none"), [1, 1, 0]);
    assert!(document["cache"]["checks"].as_u64().unwrap() > 0);
    assert!(document["revocation"]["bound_ms"].is_number());
    let checked = &document["checked"];
    assert!(checked["checks"].as_u64().unwrap() > 0, "{checked}");
    let rate = checked["hit_rate"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&rate), "{checked}");
    for (range, buckets, hours) in [("day", 24, 1), ("week", 28, 6), ("month", 30, 24)] {
        let document = stats(&server, &tokens, &format!("?range={range}")).await;
        let over_time = document["over_time"].as_array().unwrap();
        assert_eq!(over_time.len(), buckets, "{range}");
        assert_eq!(document["range"], range);
        let last = over_time.last().unwrap();
        let length = instant(&last["to"]) - instant(&last["from"]);
        assert_eq!(length, TimeDelta::hours(hours));
        assert_eq!((&last["created"], &last["live"]), (&json!(1), &json!(1)));
    }
}

#[tokio::test]
async fn a_range_that_is_none_is_named() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let tokens = server.sign_in(&admin).await;
    for (query, named) in [
        (
            "?range=year",
            "`range` is `year`, which is none of `day`, `week` and `month`.",
        ),
        ("?range=", "`range` is ``"),
        ("?range=Day", "`range` is `Day`"),
        ("?range=day&range=week", "range"),
        ("?span=day", "span"),
    ] {
        let path = format!("{STATS}{query}");
        let answer = server.get(&path, Some(&tokens.access)).await;
        assert_eq!(answer.status, 400, "{query}");
        let problem = answer.json();
        assert_eq!(problem["code"], "invalid-request");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(named), "{query}: {detail}");
    }
}

#[tokio::test]
async fn what_happened_is_told_for_as_long_as_its_range_goes_back() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ada = server.user("ada@test.example", &["editor"]).await;
    create_organization(&server.context, "acme", "Acme", Origin::HOST)
        .await
        .unwrap();
    add_member(&server.context, "acme", ada.id, Origin::HOST)
        .await
        .unwrap();
    // One signs out after ten minutes, one has its refresh token used twice, two fail to sign in.
    let first = server.sign_in(&ada).await;
    let copied = server.sign_in(&ada).await;
    for _ in 0..2 {
        assert_eq!(
            server
                .try_sign_in(&ada.email, "a wrong password")
                .await
                .status,
            401
        );
    }
    server.advance(600);
    let path = "/api/auth/sign-out";
    let first = Tokens::from(server.refresh(&first.refresh).await.json());
    let answer = server.post(path, Some(&first.access), json!({})).await;
    assert_eq!(answer.status, 204);
    let renewed = Tokens::from(server.refresh(&copied.refresh).await.json());
    assert_eq!(server.verify(&renewed.access).await.status, 200);
    // As an answer that was lost it would do for half a minute.
    server.advance(30);
    assert_eq!(server.refresh(&copied.refresh).await.status, 401);
    let console = server.sign_in(&admin).await;
    let now = stats(&server, &console, "").await;
    assert_eq!(
        now["ended_24h"],
        json!({ "refresh-reuse": 1, "signed-out": 1 })
    );
    assert_eq!(now["refresh_reuse"], 1);
    assert_eq!(now["failed_sign_ins_24h"], 2);
    assert_eq!(now["totals"]["sign_in_failed"], 2);
    assert_eq!(now["totals"]["ended"], 2);
    let longest = now["duration"]["longest_secs"].as_u64().unwrap();
    assert!((600..660).contains(&longest), "{longest}");
    assert_eq!(member(&now, "by_organization", "Acme"), [0, 2, 2]);
    assert_eq!(member(&now, "by_role", "editor"), [0, 2, 2]);
    // Whether somebody counts meanwhile or nobody does, a week later it is in the month, and the
    // day knows nothing of it.
    for counts in [false, true] {
        if counts {
            for _ in 0..9 {
                cleanup(&server.context, Origin::HOST).await.unwrap();
            }
        }
        let console = server.sign_in(&admin).await;
        let month = stats(&server, &console, "?range=month").await;
        assert_eq!(month["totals"]["ended_by_reason"]["refresh-reuse"], 1);
        assert_eq!(member(&month, "by_organization", "Acme"), [0, 2, 2]);
        server.advance(7 * 86_400);
        let console = server.sign_in(&admin).await;
        let day = stats(&server, &console, "").await;
        assert_eq!(day["totals"]["sign_in_failed"], 0, "{counts}");
        assert_eq!(day["sign_ins_24h"], 1);
        let month = stats(&server, &console, "?range=month").await;
        assert_eq!(month["totals"]["sign_in_failed"], 2, "{counts}");
        assert_eq!(month["refresh_reuse"], 1);
        assert!(month["duration"]["longest_secs"].as_u64().unwrap() >= longest);
    }
    // After a month, nor does that.
    server.advance(31 * 86_400);
    cleanup(&server.context, Origin::HOST).await.unwrap();
    let console = server.sign_in(&admin).await;
    let month = stats(&server, &console, "?range=month").await;
    assert_eq!(month["refresh_reuse"], 0);
}

#[tokio::test]
async fn everybody_out_a_deleted_user_and_a_seed_are_in_the_figures() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ada = server.user("ada@test.example", &[]).await;
    let grace = server.user("grace@test.example", &[]).await;
    let sign_in = async |email: &str, password: &str| {
        assert_eq!(server.try_sign_in(email, password).await.status, 200);
    };
    sign_in(&ada.email, PASSWORD).await;
    sign_in(&ada.email, PASSWORD).await;
    sign_in(&grace.email, PASSWORD).await;
    let console = server.sign_in(&admin).await;
    // Half of what is told was counted before it happened.
    round(&server.context).await.unwrap();
    let path = format!("/api/admin/users/{}", grace.id);
    let answer = server.call(Method::DELETE, &path, Some(&console.access), None);
    assert_eq!(answer.await.status, 204);
    let demo = seed(&server.context, Origin::HOST).await.unwrap()[0];
    sign_in(demo, portcullis::service::seed::PASSWORD).await;
    seed(&server.context, Origin::HOST).await.unwrap();
    let answer = server.delete("/api/admin/sessions", Some(&console.access));
    assert_eq!(answer.await.status, 200);
    let expected = json!({ "everyone-out": 2, "reseeded": 1, "user-deleted": 1 });
    for _ in 0..3 {
        let document = stats(&server, &console, "").await;
        assert_eq!(document["ended_24h"], expected);
        assert_eq!(document["totals"]["ended_by_reason"], expected);
        assert_eq!(document["totals"]["created"], 5);
        assert_eq!(document["live_sessions"], 1);
        round(&server.context).await.unwrap();
    }
}

#[tokio::test]
async fn the_command_says_what_the_api_says() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ada = server.user("ada@test.example", &[]).await;
    let tokens = server.sign_in(&ada).await;
    server
        .post("/api/auth/sign-out", Some(&tokens.access), json!({}))
        .await;
    let console = server.sign_in(&admin).await;
    let host = Host {
        database: crate::support::Database {
            url: server.database.url.clone(),
        },
        directory: tempfile::tempdir().unwrap(),
    };
    let key = server.directory.path().join("master.key");
    std::fs::copy(key, host.directory.path().join("master.key")).unwrap();
    for range in ["day", "week", "month"] {
        let mut by_api = stats(&server, &console, &format!("?range={range}")).await;
        let mut by_command = host.json(&["session", "stats", "--range", range]);
        for document in [&mut by_api, &mut by_command] {
            let document = document.as_object_mut().unwrap();
            // Of the moment, or of this server alone.
            for name in [
                "as_of",
                "levels_as_of",
                "cache",
                "revocation",
                "checked",
                "peak",
            ] {
                document.remove(name);
            }
            for bucket in document["over_time"].as_array_mut().unwrap() {
                bucket.as_object_mut().unwrap().remove("checked");
            }
        }
        assert_eq!(by_api, by_command, "{range}");
    }
    let said = host.done(&["session", "stats", "--range", "week"], "");
    for line in [
        "live sessions:    ",
        "In 7 days",
        "signed-out: ",
        "By role (a session counts under each of its user's):",
        "admin  1     1        0",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    assert_eq!(
        said.lines().filter(|line| line.ends_with("–")).count(),
        27 + 1,
        "{said}"
    );
    let output = host.run(&["session", "stats", "--range", "year"], "");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[tokio::test]
async fn prometheus_counts_acts_after_their_commit_and_shows_what_was_measured() {
    let directory = tempfile::tempdir().unwrap();
    let email = "ada@test.example";
    let create = ["user", "create", "--email", email, "--password-stdin"];
    assert!(
        run(directory.path(), &[], &create, PASSWORD)
            .status
            .success()
    );
    let process = Process::start(directory.path(), &[]);
    let lines = process.lines();
    let line = lines.iter().find(|line| line.contains("/metrics")).unwrap();
    let (_, rest) = line.split_once("address=").unwrap();
    let address = rest.split(' ').next().unwrap().to_owned();
    let figures = async || {
        let url = format!("http://{address}/metrics");
        Answer::read(client().get(url).send().await.unwrap())
            .await
            .text
    };
    let has = |text: &str, line: &str| text.lines().any(|other| other == line);
    let text = figures().await;
    for line in [
        "portcullis_sessions_ended_total{reason=\"refresh-reuse\"} 0",
        "portcullis_sessions_ended_total{reason=\"signed-out\"} 0",
        "portcullis_sign_in_failures_total 0",
        "# TYPE portcullis_sessions_created counter",
    ] {
        assert!(has(&text, line), "{line} in {text}");
    }
    let sign_in = async |password: &str| {
        let document = json!({ "email": email, "password": password });
        let request = client().post(format!("{}/api/auth/sign-in", process.base));
        Answer::read(request.json(&document).send().await.unwrap()).await
    };
    assert_eq!(sign_in("a wrong password").await.status, 401);
    assert_eq!(sign_in(PASSWORD).await.status, 200);
    let answer = sign_in(PASSWORD).await.json();
    let access = answer["access_token"].as_str().unwrap();
    let request = client().post(format!("{}/api/auth/sign-out", process.base));
    let request = request.bearer_auth(access).json(&json!({}));
    assert_eq!(request.send().await.unwrap().status(), 204);
    let text = figures().await;
    for line in [
        "portcullis_sessions_created_total{method=\"pwd\"} 2",
        "portcullis_sessions_ended_total{reason=\"signed-out\"} 1",
        "portcullis_sessions_ended_total{reason=\"refresh-reuse\"} 0",
        "portcullis_sign_in_failures_total 1",
    ] {
        assert!(has(&text, line), "{line} in {text}");
    }
    // The first clean-up measures, soon after the start.
    let began = Instant::now();
    while !figures().await.contains("portcullis_live_sessions ") {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    let measured = "portcullis_live_sessions_measured_timestamp_seconds ";
    assert!(figures().await.contains(measured));
    assert!(!figures().await.contains(email));
}
