//! What every request is given: made once, outside the workers.

use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, web};

use crate::http::cookies::Cookies;
use crate::http::views::{RenderError, Renderer};
use crate::rules::client_address::client_address;
use crate::service::Context;
use crate::service::sign_in::Visitor;

/// Shared by all workers.
pub struct State {
    /// What acts are given.
    pub context: Arc<Context>,
    /// The templates, parsed.
    pub renderer: Renderer,
    /// The cookies of this installation.
    pub cookies: Cookies,
}

impl State {
    /// Parses the templates.
    pub fn new(context: Arc<Context>) -> Result<Self, RenderError> {
        let cookies = Cookies {
            https: context.settings.https,
        };
        Ok(Self {
            renderer: Renderer::load()?,
            cookies,
            context,
        })
    }

    /// The state of this request's server.
    pub fn of(request: &HttpRequest) -> &Self {
        // Every application is built by `server::configure`, which puts it there.
        match request.app_data::<web::Data<Self>>() {
            Some(state) => state,
            None => unreachable!("no state in this application"),
        }
    }

    /// Who is at the other end.
    pub fn visitor(&self, request: &HttpRequest) -> Visitor {
        let headers = request.headers();
        let text = |name| {
            headers
                .get_all(name)
                .filter_map(|value: &HeaderValue| value.to_str().ok())
        };
        let peer = request
            .peer_addr()
            .map_or(std::net::IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
        let trusted = &self.context.settings.trusted_proxies;
        Visitor {
            ip: client_address(peer, trusted, text("x-forwarded-for"), text("forwarded")),
            user_agent: header_text(headers, actix_web::http::header::USER_AGENT)
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

/// A header that was sent once, as text.
pub fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name);
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}
