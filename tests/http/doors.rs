//! Every door is tried by every caller, in every way to present a credential. What is expected
//! follows from the door's guard alone; who may pass which guard stands in [`verdict`].

mod callers;
mod table;

use callers::{Caller, Callers, Kind};
use portcullis::http::routes::routes;
use reqwest::Method;
use table::{Body, DOORS, Door};

use crate::support::browser::form;
use crate::support::{Answer, Server, TestUser, Tokens};

/// How the credential is presented, and what is said of where the request comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Bearer,
    Cookie,
    /// The cookie, from a page of ours as the browser says.
    SameOrigin,
    /// The cookie, from another site as the browser says.
    CrossSite,
    /// The cookie from our own page, and the hidden text of the caller's forms.
    OwnForm,
}

/// The code with which this guard refuses this caller; none if it lets them pass.
fn verdict(guard: &str, safe: bool, kind: Kind) -> Option<&'static str> {
    // Whatever the guard: the default is closed to whoever looks on as another.
    let leaves = matches!(guard, "Anyone" | "Leaver" | "PerhapsLeaver");
    let may_act = kind == Kind::Impersonator && guard == "ActingUser";
    if kind.looks_on() && !safe && !leaves && !may_act {
        return Some("forbidden");
    }
    let forbidden = (!kind.is_admin()).then_some("forbidden");
    let stale = kind.is_stale().then_some("step-up-required");
    let without_right = (kind != Kind::Opener).then_some("forbidden");
    match guard {
        "Anyone" | "Perhaps" | "PerhapsLeaver" => None,
        "SignedInUser" | "Leaver" | "ActingUser" | "CookieUser" => kind.refusal(),
        "FreshUser" => kind.refusal().or(stale),
        "Admin" => kind.refusal().or(forbidden),
        "FreshAdmin" => kind.refusal().or(forbidden).or(stale),
        "FreshImpersonator" => kind.refusal().or(without_right),
        other => panic!("who may pass the guard {other}?"),
    }
}

/// The code with which this door refuses this caller on this way.
fn expected(door: &Door, kind: Kind, way: Way) -> Option<&'static str> {
    let cross_site = Some("cross-site");
    let safe = door.method == "GET";
    if is_api(door.path) {
        let own = matches!(way, Way::Bearer | Way::SameOrigin);
        // Before anything else: another site learns nothing of the credential.
        if door.guard == "CookieUser" && way == Way::Bearer {
            return verdict(door.guard, safe, kind).or(Some("forbidden"));
        }
        let let_in = own || safe || kind == Kind::Nobody || door.guard == "Anyone";
        return if let_in {
            verdict(door.guard, safe, kind)
        } else {
            cross_site
        };
    }
    if way == Way::Bearer {
        // Pages know cookies only.
        let nobody = verdict(door.guard, safe, Kind::Nobody);
        return nobody.or(if safe { None } else { cross_site });
    }
    if safe {
        return verdict(door.guard, safe, kind);
    }
    if way == Way::CrossSite {
        return cross_site;
    }
    // A form shown to nobody is bound to a cookie that somebody else's credential has replaced.
    let own_form =
        way == Way::OwnForm && (kind == Kind::Nobody || (kind.is_live() && door.guard != "Anyone"));
    match verdict(door.guard, safe, kind) {
        // Whose form it is comes before the question for the password that would make up for it.
        Some("step-up-required") if !own_form => cross_site,
        verdict => verdict.or(if own_form { None } else { cross_site }),
    }
}

#[tokio::test]
async fn every_door_is_tried_by_every_caller() {
    let server = Server::start().await;
    let mut callers = Callers::gather(&server).await;
    let victim = server.user("victim@test.example", &["editor"]).await;
    let mut tokens = server.sign_in(&victim).await;
    for door in DOORS {
        let safe = door.method == "GET";
        let ways: &[Way] = match (is_api(door.path), safe) {
            (_, true) => &[Way::Bearer, Way::Cookie],
            (true, false) => &[Way::Bearer, Way::Cookie, Way::SameOrigin, Way::CrossSite],
            (false, false) => &[
                Way::Bearer,
                Way::Cookie,
                Way::SameOrigin,
                Way::CrossSite,
                Way::OwnForm,
            ],
        };
        for kind in Kind::ALL {
            for way in ways {
                let case = format!("{} {} by {kind:?} with {way:?}", door.method, door.path);
                let caller = callers.ready(&server, kind).await;
                let code = expected(door, kind, *way);
                let path = path(door, code.is_some() || safe, &victim, &tokens);
                let answer = knock(&server, door, door.method, &path, &caller, *way).await;
                assert!(!answer.status.is_server_error(), "{case}: {}", answer.text);
                match code {
                    Some(code) => refused(&case, door, &answer, code, *way, &caller),
                    None => admitted(&case, door, &answer),
                }
                if safe {
                    let head = knock(&server, door, "HEAD", &path, &caller, *way).await;
                    assert_eq!(head.status, answer.status, "HEAD, {case}");
                }
                if code.is_none() && !safe && server.verify(&tokens.access).await.status != 200 {
                    let everyone = door.path.ends_with("/sessions/end-all")
                        || (door.method == "DELETE" && door.path == "/api/admin/sessions");
                    assert!(everyone, "{case} ended a session it was not asked to end");
                    tokens = server.sign_in(&victim).await;
                }
            }
        }
        let admin = callers.ready(&server, Kind::Admin).await.access;
        let path = format!("/api/admin/users/{}", victim.id);
        let user = server.get(&path, admin.as_deref()).await.json();
        assert_eq!(
            user["roles"],
            serde_json::json!(["editor"]),
            "{} {}",
            door.method,
            door.path
        );
        assert_eq!(user["enabled"], true, "{} {}", door.method, door.path);
        assert_eq!(user["name"], "victim", "{} {}", door.method, door.path);
        assert_eq!(
            server.verify(&tokens.access).await.status,
            200,
            "{} {}",
            door.method,
            door.path
        );
    }
}

#[test]
fn the_table_of_the_server_is_the_one_that_is_tried() {
    let real: Vec<_> = routes()
        .iter()
        .map(|r| format!("{} {} {}", r.method, r.path, r.guard))
        .collect();
    let tried: Vec<_> = DOORS
        .iter()
        .map(|d| format!("{} {} {}", d.method, d.path, d.guard))
        .collect();
    assert_eq!(real, tried);
}

fn is_api(path: &str) -> bool {
    ["/api/", "/.well-known/", "/health/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// The victim's, where nothing must come of it; else one that does not exist.
fn path(door: &Door, real: bool, victim: &TestUser, tokens: &Tokens) -> String {
    let nothing = "00000000-0000-7000-8000-000000000000";
    let (id, sid) = if real {
        (victim.id.to_string(), tokens.session_id.as_str())
    } else {
        (nothing.to_owned(), nothing)
    };
    let path = door
        .path
        .replace("{id}", &id)
        .replace("{sid}", sid)
        .replace("{kind}", "role")
        .replace("{name}", "nobodys")
        .replace("{file}", "portcullis.svg");
    if door.method == "DELETE" && path == "/api/sessions" {
        path + "?others=true"
    } else {
        path
    }
}

async fn knock(
    server: &Server,
    door: &Door,
    method: &str,
    path: &str,
    caller: &Caller,
    way: Way,
) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = server.request(method, path);
    if let Some(access) = &caller.access {
        request = if way == Way::Bearer {
            request.bearer_auth(access)
        } else {
            request.header("cookie", format!("portcullis={access}"))
        };
    } else if let Some(cookie) = &caller.before_sign_in
        && way == Way::OwnForm
    {
        request = request.header("cookie", format!("portcullis={cookie}"));
    }
    request = match way {
        Way::SameOrigin | Way::OwnForm => request.header("sec-fetch-site", "same-origin"),
        Way::CrossSite => request.header("sec-fetch-site", "cross-site"),
        Way::Bearer | Way::Cookie => request,
    };
    request = match door.body {
        Body::Nothing => request,
        Body::Json(text) => request
            .header("content-type", "application/json")
            .body(text),
        Body::Form(fields) => {
            let mut fields = fields.to_vec();
            if let (Way::OwnForm, Some(token)) = (way, &caller.form_token) {
                fields.push(("csrf_token", token));
            }
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form(&fields))
        }
    };
    Answer::read(request.send().await.unwrap()).await
}

fn refused(case: &str, door: &Door, answer: &Answer, code: &str, way: Way, caller: &Caller) {
    let sign_in = !matches!(code, "forbidden" | "step-up-required" | "cross-site");
    if is_api(door.path) {
        assert_eq!(
            answer.status,
            if sign_in { 401 } else { 403 },
            "{case}: {}",
            answer.text
        );
        assert_eq!(answer.code(), code, "{case}");
        let challenge = answer.header("www-authenticate");
        let challenged = sign_in || code == "step-up-required";
        assert_eq!(
            challenge.starts_with("Bearer"),
            challenged,
            "{case}: {challenge}"
        );
        assert_eq!(
            answer.json()["reason"].is_string(),
            reason_is_told(code),
            "{case}"
        );
    } else if sign_in {
        assert_eq!(answer.status, 303, "{case}: {}", answer.text);
        assert!(
            answer.location().starts_with("/sign-in?next=%2F"),
            "{case}: {}",
            answer.location()
        );
    } else if code == "step-up-required" {
        assert_eq!(answer.status, 403, "{case}: {}", answer.text);
        let asks = answer.text.contains("name=\"step_up_password\"");
        assert!(asks, "{case}: {}", answer.text);
    } else {
        assert_eq!(answer.status, 403, "{case}: {}", answer.text);
        let title = match code {
            "forbidden" => "You are not allowed to do this",
            _ => "This request did not come from our own page",
        };
        assert!(answer.text.contains(title), "{case}: {}", answer.text);
    }
    // A dead cookie is taken away; one that only lacks a right stays, and so does, on the API, one
    // beside which a good refresh token may lie.
    let ended = matches!(code, "session-ended" | "user-gone" | "user-disabled");
    let dead = if is_api(door.path) { ended } else { sign_in };
    let cleared = dead && way != Way::Bearer && caller.access.is_some();
    let mut gone: Vec<_> = answer
        .set_cookies()
        .iter()
        .filter(|cookie| cookie.contains("Max-Age=0"))
        .filter_map(|cookie| cookie.split('=').next().map(str::to_owned))
        .collect();
    gone.sort();
    let both: &[&str] = &["portcullis", "portcullis_refresh"];
    assert_eq!(gone, if cleared { both } else { &[] }, "{case}");
}

fn reason_is_told(code: &str) -> bool {
    matches!(code, "session-ended" | "user-disabled")
}

fn admitted(case: &str, door: &Door, answer: &Answer) {
    let status = answer.status.as_u16();
    assert!(
        door.admitted.contains(&status),
        "{case}: {status} {}",
        answer.text
    );
    for refusal in ["/sign-in?next", "/step-up?next"] {
        assert!(
            !answer.location().starts_with(refusal),
            "{case}: {}",
            answer.location()
        );
    }
}
