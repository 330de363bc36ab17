//! Figures for Prometheus, on a listener of their own.

use std::time::{Duration, Instant};

use crate::support::process::run;
use crate::support::{Answer, PASSWORD, Process, client};
use serde_json::{Value, json};

const EMAIL: &str = "ada@test.example";

/// The value of a figure without labels.
fn figure(text: &str, name: &str) -> f64 {
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{name} ")));
    let value = line.and_then(|line| line.rsplit(' ').next());
    value
        .unwrap_or_else(|| panic!("{name} in {text}"))
        .parse()
        .unwrap()
}

async fn get(url: String) -> Answer {
    Answer::read(client().get(url).send().await.unwrap()).await
}

#[tokio::test]
async fn what_is_measured_is_shown_on_its_own_listener_and_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let create = ["user", "create", "--email", EMAIL, "--password-stdin"];
    assert!(
        run(directory.path(), &[], &create, PASSWORD)
            .status
            .success()
    );
    let process = Process::start(directory.path(), &[]);
    let lines = process.lines();
    let line = lines.iter().find(|line| line.contains("/metrics")).unwrap();
    let (_, rest) = line.split_once("address=").unwrap();
    let address = rest.split(' ').next().unwrap();
    let figures = async || {
        let answer = get(format!("http://{address}/metrics")).await;
        assert_eq!(answer.status, 200);
        assert!(
            answer
                .header("content-type")
                .starts_with("application/openmetrics-text")
        );
        assert!(answer.text.ends_with("# EOF\n"));
        answer.text
    };
    assert_eq!(
        figure(&figures().await, "portcullis_revocation_bound_seconds"),
        1.0
    );

    let document = json!({ "email": EMAIL, "password": PASSWORD });
    let request = client().post(format!("{}/api/auth/sign-in", process.base));
    let tokens: Value = Answer::read(request.json(&document).send().await.unwrap())
        .await
        .json();
    let verify = async || {
        let request = client().get(format!("{}/api/auth/verify", process.base));
        let access = tokens["access_token"].as_str().unwrap();
        Answer::read(request.bearer_auth(access).send().await.unwrap()).await
    };
    for _ in 0..20 {
        assert_eq!(verify().await.status, 200);
    }
    let text = figures().await;
    assert_eq!(figure(&text, "portcullis_checks_total"), 20.0);
    assert_eq!(figure(&text, "portcullis_session_loads_total"), 1.0);
    assert!(figure(&text, "portcullis_feed_lag_seconds") < 1.0, "{text}");
    let seen = figure(&text, "portcullis_revocation_visible_seconds_count");

    // Somebody ends the session elsewhere.
    let end = ["session", "end-user", EMAIL];
    assert!(run(directory.path(), &[], &end, "").status.success());
    let began = Instant::now();
    while verify().await.status == 200 {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    let text = figures().await;
    assert_eq!(
        figure(&text, "portcullis_revocation_visible_seconds_count"),
        seen + 1.0
    );
    assert!(figure(&text, "portcullis_revocation_visible_seconds_sum") < 10.0);
    for name in [EMAIL, "access_token", "192.0.2"] {
        assert!(!text.contains(name), "{name}");
    }

    assert_eq!(get(format!("{}/metrics", process.base)).await.status, 404);
    assert_eq!(get(format!("http://{address}/sign-in")).await.status, 404);
}

#[test]
fn an_address_that_is_taken_is_named_and_off_means_none() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(
        directory.path(),
        &[("PORTCULLIS_METRICS_BIND", &address)],
        &["serve"],
        "",
    );
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("PORTCULLIS_METRICS_BIND") && said.contains(&address),
        "{said}"
    );
    let process = Process::start(directory.path(), &[("PORTCULLIS_METRICS_BIND", "off")]);
    let lines = process.stop();
    assert!(
        !lines.iter().any(|line| line.contains("/metrics")),
        "{lines:?}"
    );
}
