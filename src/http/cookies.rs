//! The two cookies: the access token, and the refresh token that renews it. Before sign-in the
//! first holds a random text instead, to which the forms of that browser are bound. While an
//! administrator looks on as another user, a third keeps the refresh token of their own session.

use actix_web::HttpMessage;
use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{COOKIE, HeaderValue};
use chrono::{DateTime, Utc};

use crate::service::sign_in::SignedIn;

/// What marks the random text of a browser that is not signed in.
const BEFORE_SIGN_IN: &str = "pre.";

/// Longest such text that is believed, in bytes.
const BEFORE_SIGN_IN_MAX: usize = 64;

/// Names and attributes of the cookies of this installation.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    /// Over https the names carry `__Host-`, so that no other host can set them.
    pub https: bool,
}

/// `Set-Cookie` headers that the answer to a request will carry.
#[derive(Debug, Default)]
pub struct SetCookies(Vec<HeaderValue>);

impl SetCookies {
    /// The value that a cookie will have.
    fn value(&self, name: &str) -> Option<String> {
        let cookies = self.0.iter().filter_map(|header| header.to_str().ok());
        let pairs = cookies.filter_map(|text| text.split(';').next()?.split_once('='));
        pairs
            .filter(|(key, value)| *key == name && !value.is_empty())
            .map(|(_, value)| value.to_owned())
            .last()
    }
}

impl Cookies {
    /// Name of the cookie with the access token.
    pub fn access_name(self) -> &'static str {
        if self.https {
            "__Host-portcullis"
        } else {
            "portcullis"
        }
    }

    /// Name of the cookie with the refresh token.
    pub fn refresh_name(self) -> &'static str {
        if self.https {
            "__Host-portcullis_refresh"
        } else {
            "portcullis_refresh"
        }
    }

    /// Name of the cookie with the refresh token of an administrator's own session.
    pub fn own_name(self) -> &'static str {
        if self.https {
            "__Host-portcullis_own"
        } else {
            "portcullis_own"
        }
    }

    /// The access token in the cookies.
    pub fn access_token(self, request: &HttpRequest) -> Option<&str> {
        find(request, self.access_name()).filter(|value| !value.starts_with(BEFORE_SIGN_IN))
    }

    /// The refresh token in the cookies.
    pub fn refresh_token(self, request: &HttpRequest) -> Option<&str> {
        find(request, self.refresh_name())
    }

    /// The refresh token of the administrator's own session, while they look on as another user.
    pub fn own_refresh_token(self, request: &HttpRequest) -> Option<&str> {
        find(request, self.own_name())
    }

    /// The random text of a browser that is not signed in.
    pub fn before_sign_in(self, request: &HttpRequest) -> Option<&str> {
        find(request, self.access_name())
            .filter(|value| value.starts_with(BEFORE_SIGN_IN) && value.len() <= BEFORE_SIGN_IN_MAX)
    }

    /// Gives a browser that is not signed in a random text.
    pub fn set_before_sign_in(self, request: &HttpRequest, random: &str) -> String {
        let value = format!("{BEFORE_SIGN_IN}{random}");
        self.set(request, self.access_name(), &value, None);
        value
    }

    /// Gives the browser the tokens of its session. Without "stay signed in" they go when the
    /// browser is closed.
    pub fn set_session(self, request: &HttpRequest, signed_in: &SignedIn, now: DateTime<Utc>) {
        let facts = &signed_in.facts;
        let until = facts.remembered.then(|| facts.expires_at.at() - now);
        let max_age = until.map(|delta| Duration::seconds(delta.num_seconds()));
        let tokens = &signed_in.tokens;
        self.set(
            request,
            self.access_name(),
            tokens.access.text.reveal(),
            max_age,
        );
        self.set(
            request,
            self.refresh_name(),
            tokens.refresh.reveal(),
            max_age,
        );
    }

    /// Lays the refresh token of the session aside, until the browser is closed at the longest.
    pub fn keep_own(self, request: &HttpRequest) {
        let name = self.refresh_name();
        // This very request may have renewed it.
        let renewed = request
            .extensions()
            .get::<SetCookies>()
            .and_then(|cookies| cookies.value(name));
        if let Some(token) = renewed.or_else(|| self.refresh_token(request).map(str::to_owned)) {
            self.set(request, self.own_name(), &token, None);
        }
    }

    /// Takes up again what was laid aside, in the place of a session that has ended. False if there
    /// is nothing.
    pub fn take_up_own(self, request: &HttpRequest) -> bool {
        let Some(token) = self.own_refresh_token(request) else {
            return false;
        };
        self.clear(request);
        self.set(request, self.refresh_name(), token, None);
        true
    }

    /// Takes the cookies away.
    pub fn clear(self, request: &HttpRequest) {
        if self.own_refresh_token(request).is_some() {
            self.set(request, self.own_name(), "", Some(Duration::ZERO));
        }
        for name in [self.access_name(), self.refresh_name()] {
            self.set(request, name, "", Some(Duration::ZERO));
        }
    }

    /// Has the browser anything to take away?
    pub fn any(self, request: &HttpRequest) -> bool {
        self.access_token(request).is_some() || self.refresh_token(request).is_some()
    }

    fn set(self, request: &HttpRequest, name: &str, value: &str, max_age: Option<Duration>) {
        let mut cookie = Cookie::build(name, value)
            .path("/")
            .http_only(true)
            .secure(self.https)
            .same_site(SameSite::Lax)
            .finish();
        cookie.set_max_age(max_age);
        if let Ok(header) = HeaderValue::from_str(&cookie.to_string()) {
            let mut extensions = request.extensions_mut();
            let mut gathered = extensions.remove::<SetCookies>().unwrap_or_default();
            // One header a name (RFC 6265 §4.1.1): the last word counts.
            let prefix = format!("{name}=");
            gathered
                .0
                .retain(|earlier| !earlier.as_bytes().starts_with(prefix.as_bytes()));
            gathered.0.push(header);
            extensions.insert(gathered);
        }
    }
}

/// The headers gathered for the answer to this request.
pub fn take(request: &HttpRequest) -> Vec<HeaderValue> {
    let gathered = request.extensions_mut().remove::<SetCookies>();
    gathered.map(|gathered| gathered.0).unwrap_or_default()
}

/// The value of a cookie that was sent once. Sent twice, somebody else may have set one of them:
/// then neither counts.
fn find<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let mut found = None;
    for header in request.headers().get_all(COOKIE) {
        let Ok(text) = header.to_str() else { continue };
        for pair in text.split(';') {
            let Some((key, value)) = pair.trim_start().split_once('=') else {
                continue;
            };
            if key == name {
                if found.is_some() {
                    return None;
                }
                found = Some(value.trim_end());
            }
        }
    }
    found.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::{Cookies, take};

    #[test]
    fn a_cookie_that_was_sent_twice_does_not_count() {
        let cookies = Cookies { https: true };
        let cases = [
            ("__Host-portcullis=a", Some("a")),
            ("x=y; __Host-portcullis=a; z=", Some("a")),
            ("__Host-portcullis=a; __Host-portcullis=b", None),
            ("__host-portcullis=a", None),
            ("portcullis=a", None),
            ("=__Host-portcullis=a", None),
            ("__Host-portcullis=", None),
            ("__Host-portcullis=pre.abc", None),
        ];
        for (header, expected) in cases {
            let request = TestRequest::default()
                .insert_header(("cookie", header))
                .to_http_request();
            assert_eq!(cookies.access_token(&request), expected, "{header}");
        }
    }

    #[test]
    fn one_header_a_name_and_every_attribute() {
        let request = TestRequest::default().to_http_request();
        let cookies = Cookies { https: true };
        cookies.set_before_sign_in(&request, "abc");
        cookies.clear(&request);
        let headers = take(&request);
        assert_eq!(headers.len(), 2);
        for header in headers {
            let text = header.to_str().unwrap_or_default().to_owned();
            for part in [
                "__Host-",
                "HttpOnly",
                "Secure",
                "SameSite=Lax",
                "Path=/",
                "Max-Age=0",
            ] {
                assert!(text.contains(part), "{text} lacks {part}");
            }
            assert!(!text.contains("Domain"));
        }
    }
}
