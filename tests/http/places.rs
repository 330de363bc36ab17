//! Where sessions come from: places by a file of the operator's, and addresses that are dropped
//! after a set time while the places stay.

use std::path::Path;

use portcullis::clock::MovedClock;
use portcullis::rules::audit::Origin;
use portcullis::service::addresses::drop_addresses;
use portcullis::service::cleanup::cleanup;
use portcullis::service::end_session::end_where;
use portcullis::service::session_query::TypedQuery;
use serde_json::{Value, json};

use crate::support::mmdb::Mmdb;
use crate::support::{Answer, Database, PASSWORD, Server, TestUser, Tokens, settings};

const DAY: i64 = 86_400;

/// One file of cities.
fn cities() -> Mmdb {
    Mmdb::new("GeoLite2-City")
        .city("192.0.2.0/24", "Cambridge", "England", "United Kingdom")
        .city("198.51.100.0/24", "", "Tyrol", "Austria")
        .city("2001:db8::/32", "Bergen", "Vestland", "Norway")
        .with(
            "203.0.113.0/25",
            &json!({ "country": { "iso_code": "NO" } }),
        )
        .with("203.0.113.128/25", &json!({ "city": { "names": "odd" } }))
}

async fn start(file: &[u8], variables: &[(&str, &str)]) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("places.mmdb");
    std::fs::write(&path, file).unwrap();
    let database = Database::make(directory.path()).await;
    let mut all = vec![
        ("PORTCULLIS_GEOIP_FILE", path.to_str().unwrap()),
        ("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    all.extend(variables);
    Server::start_in(directory, database, &all, MovedClock::default()).await
}

async fn sign_in_from(server: &Server, user: &TestUser, address: &str) -> Tokens {
    let request = server
        .request(reqwest::Method::POST, "/api/auth/sign-in")
        .header("x-forwarded-for", address)
        .json(&json!({ "email": user.email, "password": PASSWORD }));
    let answer = Answer::read(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    Tokens::from(answer.json())
}

/// The caller's own session, as the list has it.
async fn own(server: &Server, tokens: &Tokens) -> Value {
    let list = server.get("/api/sessions", Some(&tokens.access)).await;
    let sessions = list.json()["sessions"].clone();
    let mut own = sessions.as_array().unwrap().iter();
    own.find(|session| session["id"] == tokens.session_id.as_str())
        .unwrap()
        .clone()
}

#[tokio::test]
async fn the_place_of_a_sign_in_stands_beside_its_address() {
    let server = start(&cities().bytes(), &[]).await;
    let admin = server.admin().await;
    for (address, place) in [
        ("192.0.2.77", json!("Cambridge, United Kingdom")),
        ("198.51.100.1", json!("Tyrol, Austria")),
        ("2001:db8:1::7", json!("Bergen, Norway")),
        ("::ffff:192.0.2.1", json!("Cambridge, United Kingdom")),
        ("203.0.113.5", json!("NO")),
        // A record that cannot be read, and an address that the file does not have.
        ("203.0.113.200", Value::Null),
        ("10.0.0.1", Value::Null),
    ] {
        let tokens = sign_in_from(&server, &admin, address).await;
        let session = own(&server, &tokens).await;
        assert_eq!(session["place"], place, "{address}");
        assert!(session["ip"].is_string(), "{address}");
        // In the administrators' list too.
        let path = format!("/api/admin/sessions?q={}", tokens.session_id);
        let found = server.get(&path, Some(&tokens.access)).await.json();
        assert_eq!(found["sessions"][0]["place"], place, "{address}");
    }
    let mut browser = server.signed_in_browser(&admin).await;
    for page in ["/account/sessions", "/admin/sessions"] {
        let page = browser.get(page).await;
        assert!(
            page.text.contains("Cambridge, United Kingdom"),
            "{}",
            page.text
        );
    }
}

#[tokio::test]
async fn a_file_of_countries_will_do_and_without_a_file_there_are_no_places() {
    let countries = Mmdb::new("DBIP-Country-Lite").with(
        "192.0.2.0/24",
        &json!({ "country": { "names": { "en": "Iceland" } } }),
    );
    let server = start(&countries.bytes(), &[]).await;
    let ada = server.user("ada@test.example", &[]).await;
    let tokens = sign_in_from(&server, &ada, "192.0.2.1").await;
    assert_eq!(own(&server, &tokens).await["place"], "Iceland");

    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let session = own(&server, &server.sign_in(&ada).await).await;
    assert_eq!(
        (&session["place"], &session["ip"]),
        (&Value::Null, &json!("127.0.0.1"))
    );
}

/// Why a server does not start with this file.
async fn refusal(file: &Path) -> String {
    let server = Server::start().await;
    let variables = [("PORTCULLIS_GEOIP_FILE", file.to_str().unwrap())];
    let settings = settings(server.directory.path(), &server.database, &variables);
    let error = portcullis::service::places::Places::read(&settings).unwrap_err();
    error.to_string()
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_with_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.mmdb");
    let text = directory.path().join("text.mmdb");
    std::fs::write(&text, "places").unwrap();
    let networks = directory.path().join("networks.mmdb");
    std::fs::write(&networks, Mmdb::new("GeoLite2-ASN").bytes()).unwrap();
    for (file, expected) in [
        (&missing, "No such file"),
        (&text, "no file of MaxMind's format"),
        (
            &networks,
            "`GeoLite2-ASN`, which has neither cities nor countries",
        ),
    ] {
        let said = refusal(file).await;
        assert!(said.starts_with("PORTCULLIS_GEOIP_FILE: "), "{said}");
        assert!(said.contains(file.to_str().unwrap()), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains('\n'), "{said}");
    }
}

#[tokio::test]
async fn asvs_14_2_7_addresses_are_dropped_after_the_set_time_and_places_stay() {
    let variables = [
        ("PORTCULLIS_ADDRESS_RETENTION_DAYS", "7"),
        ("PORTCULLIS_SESSION_IDLE_SECS", "1296000"),
        ("PORTCULLIS_SESSION_LIFETIME_SECS", "1296000"),
        ("PORTCULLIS_STEP_UP_SECS", "86400"),
    ];
    let server = start(&cities().bytes(), &variables).await;
    let admin = server.admin().await;
    let old = sign_in_from(&server, &admin, "192.0.2.77").await;
    let drop = async || {
        cleanup(&server.context, Origin::SYSTEM).await.unwrap();
    };
    server.advance(7 * DAY - 60);
    let new = sign_in_from(&server, &admin, "198.51.100.1").await;
    drop().await;
    assert_eq!(own(&server, &new).await["ip"], "198.51.100.1");
    let found = async |address: &str| {
        let path = format!("/api/admin/sessions?q={address}");
        let list = server.get(&path, Some(&new.access)).await.json();
        list["total"].as_u64().unwrap()
    };
    let acts = async || {
        let path = "/api/admin/audit?action=sign-in";
        let list = server.get(path, Some(&new.access)).await.json();
        let acts = list["events"].as_array().unwrap().clone();
        acts.iter().map(|act| act["ip"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(found("192.0.2.77").await, 1);
    assert_eq!(acts().await, ["198.51.100.1", "192.0.2.77"]);

    server.advance(61);
    drop().await;
    assert_eq!(found("192.0.2.77").await, 0);
    assert_eq!(acts().await, [json!("198.51.100.1"), Value::Null]);
    let path = format!("/api/admin/sessions?q={}", old.session_id);
    let list = server.get(&path, Some(&new.access)).await.json();
    let session = &list["sessions"][0];
    assert_eq!(session["ip"], Value::Null, "{session}");
    assert_eq!(session["place"], "Cambridge, United Kingdom");
    // It is live still, and nobody was signed out by it.
    assert_eq!(session["ended_at"], Value::Null);
    assert_eq!(own(&server, &new).await["ip"], "198.51.100.1");
    let raw = "SELECT COUNT(*) FROM sessions WHERE ip <> '' OR ip_bytes IS NOT NULL";
    assert_eq!(server.database.count(raw).await, 1);
    let path = "/api/admin/audit?action=addresses-dropped";
    let told = server.get(path, Some(&new.access)).await.json();
    let told = told["events"].as_array().unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["actor"]["kind"], "system");
    // The session, and the sign-in and whatever else was done from there.
    assert_eq!(told[0]["detail"], "of 1 sessions and 1 acts");
    // Repeating it changes nothing and says nothing.
    drop().await;
    let told = server.get(path, Some(&new.access)).await.json();
    assert_eq!(told["events"].as_array().unwrap().len(), 1);
    let mut browser = server.signed_in_browser(&admin).await;
    for page in ["/account/sessions", "/admin/sessions", "/admin/audit"] {
        let page = browser.get(page).await;
        assert!(
            page.text.contains("address no longer kept"),
            "{}",
            page.text
        );
    }
}

/// What an administrator typed to end sessions by is an address too, whoever it was.
#[tokio::test]
async fn asvs_14_2_7_networks_that_sessions_were_ended_by_go_with_the_addresses() {
    let variables = [
        ("PORTCULLIS_ADDRESS_RETENTION_DAYS", "7"),
        ("PORTCULLIS_SESSION_IDLE_SECS", "1296000"),
        ("PORTCULLIS_SESSION_LIFETIME_SECS", "1296000"),
    ];
    let server = start(&cities().bytes(), &variables).await;
    let admin = server.admin().await;
    let end = async |cidr: &str| {
        let console = sign_in_from(&server, &admin, "198.51.100.1").await;
        let query = json!({ "cidr": cidr, "method": "pwd", "user_agent": ", cidr x" });
        let path = "/api/admin/sessions/end";
        let document = json!({ "query": query });
        let answer = server.post(path, Some(&console.access), document).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        // On the host, where no address stands beside it.
        let typed: TypedQuery = serde_json::from_value(query).unwrap();
        let query = typed.resolve(&server.context).await.unwrap();
        end_where(&server.context, query, None, Origin::HOST)
            .await
            .unwrap();
    };
    end("192.0.2.0/24").await;
    server.advance(7 * DAY + 1);
    end("2001:db8::/32").await;
    cleanup(&server.context, Origin::SYSTEM).await.unwrap();
    let console = sign_in_from(&server, &admin, "198.51.100.1").await;
    let mut said = Vec::new();
    for action in ["end-where", "end-where-begun"] {
        let path = format!("/api/admin/audit?action={action}");
        let acts = server.get(&path, Some(&console.access)).await.json();
        let acts = acts["events"].as_array().unwrap().clone();
        said.extend(
            acts.iter()
                .map(|act| act["detail"].as_str().unwrap().to_owned()),
        );
    }
    let rest = "method pwd, user_agent \", cidr x\"";
    for (network, kept) in [("no longer kept", 4), ("2001:db8::/32", 4), ("192.0.2", 0)] {
        let with = said
            .iter()
            .filter(|detail| detail.contains(&format!("query: cidr {network}, {rest}")));
        assert_eq!(with.count(), kept, "{network}: {said:?}");
    }
    let raw = "SELECT COUNT(*) FROM audit_events WHERE detail LIKE '%192.0.2%'";
    assert_eq!(server.database.count(raw).await, 0);
    // Repeating it changes nothing and says nothing.
    let told = "SELECT COUNT(*) FROM audit_events WHERE action = 'addresses-dropped'";
    let before = server.database.count(told).await;
    cleanup(&server.context, Origin::SYSTEM).await.unwrap();
    assert_eq!(server.database.count(told).await, before);
}

#[tokio::test]
async fn without_a_set_time_addresses_are_kept_and_a_batch_is_no_larger_than_asked() {
    let server = start(&cities().bytes(), &[]).await;
    let ada = server.user("ada@test.example", &[]).await;
    for _ in 0..3 {
        sign_in_from(&server, &ada, "192.0.2.77").await;
    }
    server.advance(300 * DAY);
    cleanup(&server.context, Origin::SYSTEM).await.unwrap();
    let kept = async || {
        let sessions = server
            .database
            .count("SELECT COUNT(*) FROM sessions WHERE ip <> ''");
        let acts = server
            .database
            .count("SELECT COUNT(*) FROM audit_events WHERE ip IS NOT NULL");
        (sessions.await, acts.await)
    };
    assert_eq!(kept().await, (3, 3));
    let now = server.context.now();
    assert_eq!(drop_addresses(&server.context, now, 2).await.unwrap(), 4);
    assert_eq!(kept().await, (1, 1));
    assert_eq!(drop_addresses(&server.context, now, 2).await.unwrap(), 2);
    assert_eq!(drop_addresses(&server.context, now, 2).await.unwrap(), 0);
    assert_eq!(kept().await, (0, 0));
}
