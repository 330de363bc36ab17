//! Access tokens: ASVS V9 and RFC 8725, with tokens made by hand and signed with the server's own
//! key where a signature is not what is tried.

mod audience;
mod claims;
mod forge;
mod form;
mod header;
mod keys;
mod kinds;
mod signature;

use crate::support::Server;

/// Refused with 401 and this code.
async fn assert_refused(server: &Server, token: &str, code: &str, what: &str) {
    let answer = server.verify(token).await;
    assert_eq!(answer.status, 401, "{what}: {}", answer.text);
    assert_eq!(answer.code(), code, "{what}");
    assert!(
        answer.header("www-authenticate").starts_with("Bearer "),
        "{what}"
    );
    // The cookie is no back door.
    let cookie = format!("portcullis={token}");
    let request = server
        .request(reqwest::Method::GET, "/api/auth/session")
        .header("cookie", cookie);
    let status = request.send().await.unwrap().status();
    assert_eq!(status, 401, "{what}, in the cookie");
}
