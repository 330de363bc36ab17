//! The database fails in the middle of an act of many transactions: what was done is said, and the
//! same act ends the rest.

use reqwest::Method;
use serde_json::{Value, json};

use super::{House, PAGE};
use crate::support::Answer;
use crate::support::process::run;

/// Sessions of Ada beside the one she has.
const MORE: i64 = 1_500;
/// Sessions that one transaction ends.
const BATCH: i64 = 1_000;
const ENDED: &str = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL";

impl House {
    /// With so many sessions of Ada that they are not all ended by one transaction.
    async fn full() -> Self {
        let house = Self::open().await;
        let columns = "user_id, remembered, amr, auth_time, idle_timeout_secs, last_seen_at, \
                       idle_expires_at, expires_at, ip, ip_bytes, user_agent, device, browser, os, \
                       created_at, updated_at";
        let (numbers, id) = if house.server.database.is_postgres() {
            (
                format!("SELECT generate_series(1, {MORE})"),
                "gen_random_uuid()",
            )
        } else {
            let next = format!("SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MORE}");
            (next, "randomblob(16)")
        };
        let sql = format!(
            "WITH RECURSIVE numbers(n) AS ({numbers}) INSERT INTO sessions (id, {columns}) \
             SELECT {id}, {columns} FROM sessions, numbers \
             WHERE user_id = (SELECT id FROM users WHERE email = 'ada@test.example')"
        );
        assert_eq!(house.server.database.execute(&sql).await as i64, MORE);
        house
    }

    /// From now on the database fails whoever changes this column of a session when so many have
    /// ended: PostgreSQL hangs up on them.
    async fn cut(&self, column: &str, ended: i64) {
        let reached = format!("({ENDED}) >= {ended}");
        let sql = if self.server.database.is_postgres() {
            format!(
                "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF {reached} THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; \
                 RETURN NULL; END $$; \
                 CREATE TRIGGER cut BEFORE UPDATE OF {column} ON sessions \
                 FOR EACH STATEMENT EXECUTE FUNCTION cut()"
            )
        } else {
            format!(
                "CREATE TRIGGER cut BEFORE UPDATE OF {column} ON sessions WHEN {reached} \
                 BEGIN SELECT RAISE(ABORT, 'cut'); END"
            )
        };
        self.server.database.execute(&sql).await;
    }

    async fn mend(&self) {
        let sql = if self.server.database.is_postgres() {
            "DROP FUNCTION cut() CASCADE"
        } else {
            "DROP TRIGGER cut"
        };
        self.server.database.execute(sql).await;
    }

    async fn ended(&self) -> i64 {
        self.server.database.count(ENDED).await
    }

    async fn call(&self, method: Method, path: &str) -> Answer {
        let access = Some(self.console.access.as_str());
        self.server.call(method, path, access, None).await
    }

    fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let variables = [("DATABASE_URL", self.server.database.url.as_str())];
        let output = run(self.server.directory.path(), &variables, arguments, "");
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    }
}

/// 503, with what was done and never with the words that nothing was.
fn assert_half_way(answer: &Answer, said: &str) -> Value {
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(answer.code(), "store-unavailable");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    let problem = answer.json();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(said), "{detail}");
    assert!(!detail.contains("Nothing was changed"), "{detail}");
    problem
}

#[tokio::test]
async fn an_end_by_query_that_is_cut_off_says_how_many_have_ended_and_its_receipt() {
    let house = House::full().await;
    house.cut("ended_at", BATCH).await;
    let query = json!({ "query": { "role": "editor" } });
    let problem = assert_half_way(
        &house.end(query.clone()).await,
        "At least 1000 sessions were ended, and stay ended.",
    );
    assert_eq!(problem["ended"], BATCH);
    assert_eq!(house.ended().await, BATCH);
    let receipt = problem["receipt_id"].as_str().unwrap();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("The receipt is {receipt}.")));
    let events = house.audit(receipt, &house.console).await;
    assert!(events.iter().all(|event| event["action"] != "end-where"));
    let of = "action = 'session-ended' AND receipt_id IS NOT NULL";
    let sql = format!("SELECT COUNT(*) FROM audit_events WHERE {of}");
    assert_eq!(house.server.database.count(&sql).await, BATCH);
    // Now none ends before the database fails, and the act is in the audit all the same.
    let problem = assert_half_way(
        &house.end(query.clone()).await,
        "No session is known to have",
    );
    assert_eq!(problem["ended"], 0);
    assert!(problem["receipt_id"].is_string());
    house.mend().await;
    let done = house.end(query).await;
    assert_eq!(done.json()["ended"], MORE + 1 - BATCH, "{}", done.text);
    assert_eq!(house.live().await, [true, false, true]);
}

#[tokio::test]
async fn the_page_and_the_command_say_so_too() {
    let house = House::full().await;
    let mut console = house.server.signed_in_browser(&house.admin).await;
    house.cut("ended_at", BATCH).await;
    let asked = format!("{PAGE}?role=editor");
    let page = console.submit("/account", &asked, &[]).await;
    assert_eq!(page.status, 503, "{}", page.text);
    assert!(
        page.text
            .contains("At least 1000 sessions were ended, and stay ended. The receipt is "),
        "{}",
        page.text
    );
    assert!(!page.text.contains("Nothing was changed"));
    house.mend().await;
    let (code, said) = house.command(&["session", "end-where", "--role", "editor", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(house.ended().await, MORE + 1);

    let house = House::full().await;
    house.cut("ended_at", BATCH).await;
    for (arguments, expected) in [
        (
            &["session", "end-where", "--role", "editor", "--yes"][..],
            "At least 1000 sessions were ended, and stay ended. The receipt is ",
        ),
        (
            &["session", "end-all", "--yes"],
            "The database does not answer.",
        ),
    ] {
        let (code, said) = house.command(arguments);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(house.ended().await, BATCH);
}

#[tokio::test]
async fn an_end_of_everyones_that_is_cut_off_says_how_many_have_ended() {
    let house = House::full().await;
    house.cut("ended_at", BATCH).await;
    let path = "/api/admin/sessions";
    let answer = house.call(Method::DELETE, path).await;
    let problem = assert_half_way(
        &answer,
        "At least 1000 sessions were ended, and stay ended.",
    );
    assert_eq!(problem["ended"], BATCH);
    assert_eq!(problem["receipt_id"], Value::Null);
    house.mend().await;
    let done = house.call(Method::DELETE, path).await;
    assert_eq!(done.json()["ended"], MORE + 2 - BATCH, "{}", done.text);
    assert_eq!(house.live().await, [true, false, false]);
}

#[tokio::test]
async fn a_clean_up_that_is_cut_off_says_what_it_has_done() {
    let mut house = House::full().await;
    house.server.advance(8 * 3_600);
    house.console = house.server.sign_in(&house.admin).await;
    house.cut("ended_at", 100).await;
    let path = "/api/admin/cleanup";
    let answer = house.call(Method::POST, path).await;
    let said =
        "At least 100 sessions were ended, and stay ended. At least 0 old rows were deleted.";
    assert_eq!(assert_half_way(&answer, said)["ended"], 100);
    assert_eq!(house.ended().await, 100);
    house.mend().await;
    let done = house.call(Method::POST, path).await;
    assert_eq!(done.json()["cleaned"], MORE + 3 - 100, "{}", done.text);
}

#[tokio::test]
async fn a_policy_that_was_saved_says_so_although_live_sessions_wait_for_it() {
    let house = House::full().await;
    house.cut("expires_at", 0).await;
    let policy = json!({ "lifetime_secs": 60 });
    let set = async || {
        let access = Some(house.console.access.as_str());
        let path = "/api/admin/policies/role/editor";
        let server = &house.server;
        server
            .call(Method::PUT, path, access, Some(policy.clone()))
            .await
    };
    let problem = assert_half_way(&set().await, "The policy was saved");
    assert_eq!(problem["ended"], Value::Null);
    let kept = "SELECT COUNT(*) FROM session_policies";
    assert_eq!(house.server.database.count(kept).await, 1);
    house.mend().await;
    assert_eq!(set().await.json()["lowered"], MORE + 1);
}
