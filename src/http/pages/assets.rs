//! The stylesheet and the icon, out of the binary.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};

use crate::http::guards::Anyone;
use crate::http::problem::{Code, Problem};
use crate::http::views::{ICON, ICON_PATH, STYLESHEET, stylesheet_path};

/// `GET /static/{file}`: these two files and nothing else.
pub async fn file(_by: Anyone, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = request.path();
    let (body, kind, cache) = if path == stylesheet_path() {
        // Its name changes with its content.
        (
            STYLESHEET,
            "text/css; charset=utf-8",
            "public, max-age=31536000, immutable",
        )
    } else if path == ICON_PATH {
        (ICON, "image/svg+xml", "public, max-age=3600")
    } else {
        return Err(Problem::new(
            Code::NotFound,
            "There is nothing at this address.",
        ));
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CACHE_CONTROL, cache))
        .body(body))
}
