//! A form with too old a proof of identity asks for the password and goes on with one submit.

mod words;

use reqwest::Method;

use crate::support::browser::form_token;
use crate::support::{Answer, Browser, PASSWORD, Server, TestUser};

const EVERYONE: &str = "/admin/sessions/end-all";

/// An administrator in a browser whose proof is too old, and somebody else.
struct Late {
    server: Server,
    console: Browser,
    ada: TestUser,
}

impl Late {
    async fn begin() -> Self {
        let server = Server::start().await;
        let ada = server.user("ada@test.example", &[]).await;
        let roles = ["admin", "impersonator"];
        let admin = server.user("admin@test.example", &roles).await;
        let console = server.signed_in_browser(&admin).await;
        server.advance(600);
        Self {
            server,
            console,
            ada,
        }
    }

    async fn audited(&self, action: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM audit_events WHERE action = '{action}'");
        self.server.database.count(&sql).await
    }

    async fn ended(&self) -> i64 {
        let sql = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL";
        self.server.database.count(sql).await
    }
}

/// The form of a page that asks for the password: where it is sent, and all that it sends.
#[derive(Debug)]
struct Asked {
    action: String,
    fields: Vec<(String, String)>,
}

impl Asked {
    fn read(html: &str) -> Self {
        let (_, rest) = html.split_once("<form class=\"card stack\"").unwrap();
        let form = rest.split("</form>").next().unwrap();
        let value = |text: &str, name: &str| {
            let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap();
            unescaped(rest.split('"').next().unwrap())
        };
        let hidden = form.split("<input type=\"hidden\"").skip(1);
        let hidden: Vec<_> = hidden
            .map(|input| (value(input, "name"), value(input, "value")))
            .collect();
        assert!(form.contains("type=\"password\""), "{form}");
        assert!(form.contains("name=\"step_up_password\""), "{form}");
        Self {
            action: value(form, "action"),
            fields: hidden,
        }
    }

    /// Presses the page's only button.
    async fn confirm(&self, browser: &mut Browser, password: &str) -> Answer {
        let mut fields: Vec<(&str, &str)> = self
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.push(("step_up_password", password));
        let request = browser
            .request(Method::POST, &self.action)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(crate::support::browser::form(&fields));
        browser.send(request).await
    }
}

fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for (entity, plain) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#x2F;", "/"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, plain);
    }
    text
}

fn assert_asks(answer: &Answer, words: &str) -> Asked {
    assert_eq!(answer.status, 403, "{}", answer.text);
    let words =
        format!("To <strong class=\"breakable\">{words}</strong>, enter your password once");
    let said = unescaped(&answer.text);
    assert!(said.contains(&words), "{words}: {said}");
    Asked::read(&answer.text)
}

#[tokio::test]
async fn asvs_7_5_3_a_dangerous_form_asks_for_the_password_and_goes_on_with_one_submit() {
    let late = Late::begin().await;
    let other = late.server.sign_in(&late.ada).await;
    let mut console = late.console.clone();
    let answer = console.submit(EVERYONE, EVERYONE, &[]).await;
    let asked = assert_asks(&answer, "end everyone's sessions");
    assert_eq!(asked.action, EVERYONE);
    assert_eq!(late.ended().await, 0);

    let wrong = asked.confirm(&mut console, "not this one, surely").await;
    assert_eq!(wrong.status, 401, "{}", wrong.text);
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
    let words = "The password is wrong. Nothing was done.";
    assert!(wrong.text.contains(words), "{}", wrong.text);
    assert_eq!(
        Asked::read(&wrong.text).fields,
        asked.fields,
        "nothing is lost"
    );
    assert_eq!(
        (late.ended().await, late.audited("step-up-failed").await),
        (0, 1)
    );

    let before = console.cookies.clone();
    let answer = asked.confirm(&mut console, PASSWORD).await;
    assert_eq!(
        (answer.status.as_u16(), answer.location()),
        (303, "/admin/sessions?done=everyone-out"),
        "{}",
        answer.text
    );
    assert_eq!(late.audited("step-up").await, 1);
    assert_eq!(late.audited("everyone-out").await, 1);
    let refused = late.server.verify(&other.access).await;
    assert_eq!(refused.json()["reason"], "everyone-out");
    // The act's own answer carries the new tokens, and the older ones are refused at once.
    for name in ["portcullis", "portcullis_refresh"] {
        assert_ne!(console.cookies[name], before[name]);
    }
    let old = late.server.verify(&before["portcullis"]).await;
    assert_eq!(old.code(), "invalid-token");
    let old = late.server.refresh(&before["portcullis_refresh"]).await;
    assert_eq!(old.code(), "invalid-token");
    let page = console.get("/admin/sessions").await;
    assert_eq!((page.status.as_u16(), page.set_cookies().len()), (200, 0));
    // The proof holds for the next ten minutes, and no refresh prolongs it.
    late.server.advance(599);
    let answer = console.submit(EVERYONE, EVERYONE, &[]).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    late.server.advance(1);
    let answer = console.submit(EVERYONE, EVERYONE, &[]).await;
    assert_asks(&answer, "end everyone's sessions");
}

#[tokio::test]
async fn what_was_typed_waits_as_text_and_arrives_as_it_was() {
    let mut late = Late::begin().await;
    let path = format!("/admin/users/{}", late.ada.id);
    let name = "\"><script>alert(1)</script> & 'O\u{2019}Ada' &amp; +%20=\u{e9}";
    let fields = [("name", name), ("roles", "editor, admin")];
    let answer = late.console.submit(&path, &path, &fields).await;
    assert!(!answer.text.contains("<script"), "{}", answer.text);
    let words = "change the name and roles of ada@test.example";
    let asked = assert_asks(&answer, words);
    let carried: Vec<_> = asked.fields.iter().skip(1).collect();
    let expected = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(carried, expected.iter().collect::<Vec<_>>());
    assert!(answer.text.contains(&format!("href=\"{path}\">Cancel</a>")));
    let wrong = asked
        .confirm(&mut late.console, "not this one, surely")
        .await;
    assert!(!wrong.text.contains("<script"), "{}", wrong.text);
    let again = Asked::read(&wrong.text);
    let answer = again.confirm(&mut late.console, PASSWORD).await;
    assert_eq!(
        answer.location(),
        format!("{path}?done=saved"),
        "{}",
        answer.text
    );
    let access = &late.console.cookies["portcullis"];
    let user = late.server.get(&format!("/api{path}"), Some(access)).await;
    assert_eq!(user.json()["name"], name);
    assert_eq!(user.json()["roles"], serde_json::json!(["admin", "editor"]));
}

#[tokio::test]
async fn nobody_goes_on_by_a_form_that_is_not_the_callers_own() {
    let mut late = Late::begin().await;
    let drawn = late.console.get(EVERYONE).await;
    let own = form_token(&drawn.text);
    let mut ada = late.server.signed_in_browser(&late.ada).await;
    let foreign = form_token(&ada.get("/account").await.text);
    for token in ["", "x", &foreign] {
        for proof in [&[][..], &[("step_up_password", PASSWORD)]] {
            let answer = late.console.post(EVERYONE, token, proof).await;
            assert_eq!(answer.status, 403);
            assert!(answer.text.contains("did not come from our own page"));
        }
    }
    let body = format!("csrf_token={own}&step_up_password={PASSWORD}").replace(' ', "+");
    let request = late
        .console
        .request(Method::POST, EVERYONE)
        .header("sec-fetch-site", "cross-site")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    let answer = late.console.send(request).await;
    assert_eq!(answer.status, 403);
    // A right that one lacks is not to be had by any proof.
    late.server.advance(600);
    let answer = ada.submit("/account", EVERYONE, &[]).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("Only administrators may do this."));
    let token = form_token(&ada.get("/account").await.text);
    let proof = [("step_up_password", PASSWORD)];
    let answer = ada.post(EVERYONE, &token, &proof).await;
    assert!(answer.text.contains("Only administrators may do this."));
    // Nobody was asked for a password, and nothing was done.
    assert_eq!(late.audited("step-up").await, 0);
    assert_eq!(late.ended().await, 0);
    // What could not be read after the password was given is refused before it is asked for.
    let odd = [("surprise", "1")];
    let answer = late.console.post(EVERYONE, &own, &odd).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[tokio::test]
async fn guessing_on_the_way_is_slowed_down_and_loses_nothing() {
    let mut late = Late::begin().await;
    let path = format!("/admin/users/{}", late.ada.id);
    let fields = [("name", "Countess"), ("roles", "")];
    let answer = late.console.submit(&path, &path, &fields).await;
    let asked = Asked::read(&answer.text);
    let mut statuses = Vec::new();
    let mut last = answer;
    for _ in 0..8 {
        last = asked
            .confirm(&mut late.console, "a wrong guess, that is")
            .await;
        statuses.push(last.status.as_u16());
        if last.status == 429 {
            break;
        }
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert!(statuses.len() > 4, "{statuses:?}");
    let seconds: i64 = last.header("retry-after").parse().unwrap();
    let again = Asked::read(&last.text);
    assert_eq!(again.fields, asked.fields);
    late.server.advance(seconds);
    let answer = again.confirm(&mut late.console, PASSWORD).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
}

#[tokio::test]
async fn a_proof_given_meanwhile_in_another_tab_is_enough() {
    let mut late = Late::begin().await;
    let answer = late.console.submit(EVERYONE, EVERYONE, &[]).await;
    let asked = Asked::read(&answer.text);
    let proof = [("password", PASSWORD), ("next", "/account")];
    let answer = late.console.submit("/step-up", "/step-up", &proof).await;
    assert_eq!(answer.status, 303);
    let answer = asked.confirm(&mut late.console, "not looked at").await;
    assert_eq!(answer.location(), "/admin/sessions?done=everyone-out");
    assert_eq!(late.audited("step-up-failed").await, 0);
}

#[tokio::test]
async fn cookies_that_expire_on_the_way_are_renewed_on_the_way() {
    let mut late = Late::begin().await;
    let token = form_token(&late.console.get(EVERYONE).await.text);
    late.server.advance(301);
    let answer = late.console.post(EVERYONE, &token, &[]).await;
    assert_eq!(answer.set_cookies().len(), 2, "renewed");
    let asked = assert_asks(&answer, "end everyone's sessions");
    late.server.advance(301);
    let answer = asked.confirm(&mut late.console, PASSWORD).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert_eq!(answer.set_cookies().len(), 2, "each once");
    let page = late.console.get("/admin").await;
    assert_eq!((page.status.as_u16(), page.set_cookies().len()), (200, 0));
}

/// What another tab had sent before the answer to the proof came does not take the new cookies away.
#[tokio::test]
async fn a_proof_in_one_tab_signs_no_other_tab_out() {
    let mut late = Late::begin().await;
    assert_eq!(late.console.get("/account").await.status, 200);
    let mut other = late.console.clone();
    let answer = late.console.submit(EVERYONE, EVERYONE, &[]).await;
    let asked = Asked::read(&answer.text);
    assert_eq!(asked.confirm(&mut late.console, PASSWORD).await.status, 303);
    let answer = other.get("/account/sessions").await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let to = answer.location();
    assert!(
        to.starts_with("/sign-in?next=%2Faccount%2Fsessions"),
        "{to}"
    );
    assert_eq!(answer.set_cookies(), [""; 0]);
    // With the cookies of the tab that gave the proof, this leads straight on.
    let answer = late.console.get(to).await;
    assert_eq!(answer.location(), "/account/sessions");
}

#[tokio::test]
async fn the_api_says_how_to_go_on() {
    let server = Server::start_with(&[("PORTCULLIS_STEP_UP_SECS", "120")]).await;
    let ada = server.user("ada@test.example", &[]).await;
    let access = server.sign_in(&ada).await.access;
    server.advance(120);
    let path = "/api/sessions?others=true";
    let answer = server.delete(path, Some(&access)).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.code(), "step-up-required");
    let document = answer.json();
    assert_eq!(document["max_age"], 120);
    let detail = document["detail"].as_str().unwrap();
    for part in ["POST /api/auth/step-up", "120 seconds"] {
        assert!(detail.contains(part), "{detail}");
    }
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer error=\"insufficient_user_authentication\", max_age=\"120\""
    );
    // A document of the API brings no password along.
    let proof = serde_json::json!({ "step_up_password": PASSWORD });
    let answer = server.call(Method::DELETE, path, Some(&access), Some(proof));
    assert_eq!(answer.await.code(), "step-up-required");
}
