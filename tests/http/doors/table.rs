//! Every door, as the contract has it: who may pass, what to send so that nothing breaks, and what
//! an admitted caller is answered.

/// A door.
pub(super) struct Door {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) guard: &'static str,
    pub(super) body: Body,
    /// What somebody who was let in is answered.
    pub(super) admitted: &'static [u16],
}

/// What is sent along.
#[derive(Clone, Copy)]
pub(super) enum Body {
    Nothing,
    Json(&'static str),
    Form(&'static [(&'static str, &'static str)]),
}

const fn door(
    method: &'static str,
    path: &'static str,
    guard: &'static str,
    body: Body,
    admitted: &'static [u16],
) -> Door {
    Door {
        method,
        path,
        guard,
        body,
        admitted,
    }
}

/// Too long to be anybody's password, so that nobody's attempts are counted.
const LONG: &str = "0123456789012345678901234567890123456789012345678901234567890123456789\
    0123456789012345678901234567890123456789012345678901234567890123456789\
    0123456789012345678901234567890123456789012345678901234567890123456789\
    0123456789012345678901234567890123456789012345678901234567890123456789";

const SIGN_IN: Body = Body::Form(&[("email", "nobody@test.example"), ("password", LONG)]);
const SET_UP: Body = Body::Form(&[
    ("code", "wrong"),
    ("email", "thief@test.example"),
    ("name", ""),
    ("password", "a password for thieves"),
    ("password_again", "a password for thieves"),
]);
const INVITATION: Body = Body::Form(&[
    ("token", "wrong"),
    ("password", "a password for thieves"),
    ("password_again", "a password for thieves"),
]);
const LINK: Body = Body::Form(&[("token", "wrong")]);
const STEP_UP: Body = Body::Form(&[
    ("password", "a long and quiet password"),
    ("next", "/account"),
]);
const PASSWORD: Body = Body::Form(&[
    ("current_password", "a long and quiet password"),
    ("new_password", "one long new password"),
    ("new_password_again", "another long password"),
]);
const NEW_USER: Body = Body::Form(&[("email", "no address")]);
const USER: Body = Body::Form(&[("name", "Renamed"), ("roles", "admin")]);
const LOOK_ON: Body = Body::Form(&[("reason", "to see whether it works")]);
const POLICY: Body = Body::Form(&[("kind", "role"), ("name", "nobodys"), ("idle", "0")]);
const CHOICE: Body = Body::Form(&[
    ("choice_token", "wrong"),
    ("end", "00000000-0000-7000-8000-000000000000"),
]);
const NO_FIELDS: Body = Body::Form(&[]);

/// The doors of the server, in the order of its own table.
#[rustfmt::skip]
pub(super) const DOORS: &[Door] = &[
    door("GET",    "/api/auth/verify",                "SignedInUser", Body::Nothing, &[200]),
    door("GET",    "/api/auth/session",               "SignedInUser", Body::Nothing, &[200]),
    door("GET",    "/api/auth/token",                 "CookieUser", Body::Nothing, &[200]),
    door("POST",   "/api/auth/sign-in",               "Anyone", Body::Json(r#"{"email":"a@test.example","password":5}"#), &[400]),
    door("POST",   "/api/auth/sign-in/choice",        "Anyone", Body::Json(r#"{"choice_token":"wrong","end_session":"00000000-0000-7000-8000-000000000000"}"#), &[401]),
    door("POST",   "/api/auth/refresh",               "Anyone", Body::Json(r#"{"refresh_token":5}"#), &[400]),
    door("POST",   "/api/auth/step-up",               "SignedInUser", Body::Json(r#"{"password":"a long and quiet password"}"#), &[200]),
    door("POST",   "/api/auth/sign-out",              "Leaver", Body::Nothing, &[204]),
    door("POST",   "/api/auth/clear-session",         "PerhapsLeaver", Body::Nothing, &[200]),
    door("GET",    "/api/sessions",                   "SignedInUser", Body::Nothing, &[200]),
    door("DELETE", "/api/sessions",                   "FreshUser", Body::Nothing, &[200]),
    door("POST",   "/api/sessions/ensure",            "ActingUser", Body::Nothing, &[200]),
    door("PATCH",  "/api/sessions/{sid}",             "SignedInUser", Body::Json(r#"{"name":"Mine"}"#), &[404]),
    door("DELETE", "/api/sessions/{sid}",             "FreshUser", Body::Nothing, &[404]),
    door("GET",    "/api/admin/sessions",             "Admin", Body::Nothing, &[200]),
    door("DELETE", "/api/admin/sessions",             "FreshAdmin", Body::Nothing, &[200]),
    door("POST",   "/api/admin/sessions/end",         "FreshAdmin", Body::Json(r#"{"query":{"method":"none"}}"#), &[200]),
    door("DELETE", "/api/admin/sessions/{sid}",       "Admin", Body::Nothing, &[404]),
    door("GET",    "/api/admin/users",                "Admin", Body::Nothing, &[200]),
    door("POST",   "/api/admin/users",                "FreshAdmin", Body::Json(r#"{"email":"no address"}"#), &[422]),
    door("GET",    "/api/admin/users/{id}",           "Admin", Body::Nothing, &[200]),
    door("PATCH",  "/api/admin/users/{id}",           "FreshAdmin", Body::Json(r#"{"roles":["admin"],"enabled":false}"#), &[404]),
    door("DELETE", "/api/admin/users/{id}",           "FreshAdmin", Body::Nothing, &[404]),
    door("DELETE", "/api/admin/users/{id}/sessions",  "Admin", Body::Nothing, &[404]),
    door("POST",   "/api/admin/users/{id}/invitation", "FreshAdmin", Body::Nothing, &[404]),
    door("POST",   "/api/admin/users/{id}/impersonate", "FreshImpersonator", Body::Json(r#"{"reason":"too short"}"#), &[422]),
    door("GET",    "/api/admin/policies",             "Admin", Body::Nothing, &[200]),
    door("GET",    "/api/admin/policies/{kind}/{name}", "Admin", Body::Nothing, &[404]),
    door("PUT",    "/api/admin/policies/{kind}/{name}", "FreshAdmin", Body::Json(r#"{"idle_secs":0}"#), &[422]),
    door("DELETE", "/api/admin/policies/{kind}/{name}", "FreshAdmin", Body::Nothing, &[404]),
    door("GET",    "/api/admin/stats",                "Admin", Body::Nothing, &[200]),
    door("POST",   "/api/admin/cleanup",              "Admin", Body::Nothing, &[200]),
    door("GET",    "/api/admin/audit",                "Admin", Body::Nothing, &[200]),
    door("GET",    "/api/admin/outbox",               "Admin", Body::Nothing, &[200]),
    door("POST",   "/api/admin/outbox/{id}/retry",    "Admin", Body::Nothing, &[404]),
    door("DELETE", "/api/admin/outbox/{id}",          "Admin", Body::Nothing, &[404]),
    door("GET",    "/.well-known/jwks.json",          "Anyone", Body::Nothing, &[200]),
    door("GET",    "/.well-known/oauth-authorization-server", "Anyone", Body::Nothing, &[200]),
    door("GET",    "/health/live",                    "Anyone", Body::Nothing, &[200]),
    door("GET",    "/health/ready",                   "Anyone", Body::Nothing, &[200]),
    door("GET",    "/",                               "Perhaps", Body::Nothing, &[303]),
    door("GET",    "/sign-in",                        "Perhaps", Body::Nothing, &[200, 303]),
    door("POST",   "/sign-in",                        "Perhaps", SIGN_IN, &[422]),
    door("POST",   "/sign-in/choice",                 "Perhaps", CHOICE, &[401]),
    door("POST",   "/sign-out",                       "Leaver", NO_FIELDS, &[303]),
    door("GET",    "/set-up",                         "Perhaps", Body::Nothing, &[303]),
    door("POST",   "/set-up",                         "Perhaps", SET_UP, &[409]),
    door("GET",    "/invitation",                     "Perhaps", Body::Nothing, &[404]),
    door("POST",   "/invitation",                     "Perhaps", INVITATION, &[404]),
    door("GET",    "/reset-password",                 "Perhaps", Body::Nothing, &[200]),
    door("POST",   "/reset-password",                 "Perhaps", NEW_USER, &[422]),
    door("GET",    "/new-password",                   "Perhaps", Body::Nothing, &[404]),
    door("POST",   "/new-password",                   "Perhaps", INVITATION, &[404]),
    door("GET",    "/not-me",                         "Perhaps", Body::Nothing, &[404]),
    door("POST",   "/not-me",                         "Perhaps", LINK, &[404]),
    door("GET",    "/confirm-email",                  "Perhaps", Body::Nothing, &[404]),
    door("POST",   "/confirm-email",                  "Perhaps", LINK, &[404]),
    door("GET",    "/verify-email",                   "Perhaps", Body::Nothing, &[404]),
    door("POST",   "/verify-email",                   "Perhaps", LINK, &[404]),
    door("GET",    "/step-up",                        "SignedInUser", Body::Nothing, &[200]),
    door("POST",   "/step-up",                        "SignedInUser", STEP_UP, &[303]),
    door("GET",    "/account",                        "SignedInUser", Body::Nothing, &[200]),
    door("GET",    "/account/sessions",               "SignedInUser", Body::Nothing, &[200]),
    door("POST",   "/account/sessions/end-others",    "FreshUser", NO_FIELDS, &[303]),
    door("POST",   "/account/sessions/{sid}/end",     "FreshUser", NO_FIELDS, &[404]),
    door("POST",   "/account/sessions/{sid}/name",    "SignedInUser", Body::Form(&[("name", "Mine")]), &[404]),
    door("GET",    "/account/security",               "SignedInUser", Body::Nothing, &[200]),
    door("POST",   "/account/security",               "SignedInUser", PASSWORD, &[422]),
    door("GET",    "/account/email",                  "SignedInUser", Body::Nothing, &[200]),
    door("POST",   "/account/email",                  "FreshUser", NEW_USER, &[422]),
    // One address may ask for no more than a few mails.
    door("POST",   "/account/email/verify",           "SignedInUser", NO_FIELDS, &[303, 429]),
    door("GET",    "/admin",                          "Admin", Body::Nothing, &[200]),
    door("GET",    "/admin/audit",                    "Admin", Body::Nothing, &[200]),
    door("GET",    "/admin/sessions",                 "Admin", Body::Nothing, &[200]),
    door("GET",    "/admin/sessions/end-all",         "Admin", Body::Nothing, &[200]),
    door("POST",   "/admin/sessions/end-all",         "FreshAdmin", NO_FIELDS, &[303]),
    door("GET",    "/admin/sessions/end-where",       "Admin", Body::Nothing, &[200]),
    door("POST",   "/admin/sessions/end-where",       "FreshAdmin", NO_FIELDS, &[422]),
    door("POST",   "/admin/sessions/{sid}/end",       "Admin", Body::Form(&[("back", "")]), &[404]),
    door("GET",    "/admin/users",                    "Admin", Body::Nothing, &[200]),
    door("POST",   "/admin/users",                    "FreshAdmin", NEW_USER, &[422]),
    door("GET",    "/admin/users/new",                "Admin", Body::Nothing, &[200]),
    door("GET",    "/admin/users/{id}",               "Admin", Body::Nothing, &[200]),
    door("POST",   "/admin/users/{id}",               "FreshAdmin", USER, &[404]),
    door("POST",   "/admin/users/{id}/disable",       "FreshAdmin", NO_FIELDS, &[404]),
    door("POST",   "/admin/users/{id}/enable",        "FreshAdmin", NO_FIELDS, &[404]),
    door("POST",   "/admin/users/{id}/end-sessions",  "Admin", NO_FIELDS, &[404]),
    door("POST",   "/admin/users/{id}/invitation",    "FreshAdmin", NO_FIELDS, &[404]),
    door("POST",   "/admin/users/{id}/impersonate",   "FreshImpersonator", LOOK_ON, &[404]),
    door("GET",    "/admin/users/{id}/delete",        "Admin", Body::Nothing, &[200]),
    door("POST",   "/admin/users/{id}/delete",        "FreshAdmin", NO_FIELDS, &[404]),
    door("GET",    "/admin/outbox",                   "Admin", Body::Nothing, &[200]),
    door("POST",   "/admin/outbox/{id}/retry",        "Admin", NO_FIELDS, &[404]),
    door("POST",   "/admin/outbox/{id}/drop",         "Admin", NO_FIELDS, &[404]),
    door("POST",   "/impersonation/stop",             "Leaver", NO_FIELDS, &[303, 409]),
    door("GET",    "/admin/policies",                 "Admin", Body::Nothing, &[200]),
    door("POST",   "/admin/policies",                 "FreshAdmin", POLICY, &[422]),
    door("GET",    "/admin/policies/new",             "Admin", Body::Nothing, &[200]),
    door("GET",    "/admin/policies/{kind}/{name}",   "Admin", Body::Nothing, &[404]),
    door("POST",   "/admin/policies/{kind}/{name}/delete", "FreshAdmin", NO_FIELDS, &[404]),
    door("GET",    "/static/{file}",                  "Anyone", Body::Nothing, &[200]),
];
