//! Every door of the server, in one table.

use actix_web::http::Method;
use actix_web::{Handler, HttpRequest, Responder, guard, web};

use crate::http::api;
use crate::http::guards::{Guarded, recognise};
use crate::http::pages;
use crate::http::problem::{Code, Problem};
use crate::http::request_log::Pattern;

/// One door: a method on a path, who may pass, and what is done.
pub struct Route {
    /// The method; GET answers HEAD too.
    pub method: Method,
    /// The path, with `{names}` where it varies.
    pub path: &'static str,
    /// The guard in the handler's signature.
    pub guard: &'static str,
    mount: Box<dyn Fn() -> actix_web::Route>,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({})", self.method, self.path, self.guard)
    }
}

/// The parameters of a handler, of which the first is a guard.
pub trait BeginsWithGuard {
    /// The guard's name.
    const GUARD: &'static str;
}

macro_rules! begins_with_guard {
    ($($rest:ident)*) => {
        impl<G: Guarded, $($rest),*> BeginsWithGuard for (G, $($rest,)*) {
            const GUARD: &'static str = G::GUARD;
        }
    };
}

begins_with_guard!();
begins_with_guard!(A);
begins_with_guard!(A B);

fn route<H, A>(method: Method, path: &'static str, handler: H) -> Route
where
    H: Handler<A>,
    A: actix_web::FromRequest + BeginsWithGuard + 'static,
    H::Output: Responder + 'static,
{
    let by_method = method.clone();
    let mount = move || {
        let route = web::route().to(handler.clone());
        if by_method == Method::GET {
            route.guard(guard::Any(guard::Get()).or(guard::Head()))
        } else {
            route.method(by_method.clone())
        }
    };
    Route {
        method,
        path,
        guard: A::GUARD,
        mount: Box::new(mount),
    }
}

/// The table.
pub fn routes() -> Vec<Route> {
    let get = Method::GET;
    let post = Method::POST;
    let put = Method::PUT;
    let patch = Method::PATCH;
    let delete = Method::DELETE;
    macro_rules! table {
        ($($method:ident $path:literal $handler:path;)*) => {
            vec![$(route($method.clone(), $path, $handler),)*]
        };
    }
    table![
        // First, since it is asked most.
        get    "/api/auth/verify"                     api::auth::verify;
        get    "/api/auth/session"                    api::auth::session;
        get    "/api/auth/token"                      api::auth::token;
        post   "/api/auth/sign-in"                    api::auth::sign_in;
        post   "/api/auth/sign-in/choice"             api::auth::choose;
        post   "/api/auth/refresh"                    api::auth::refresh;
        post   "/api/auth/step-up"                    api::auth::step_up;
        post   "/api/auth/sign-out"                   api::auth::sign_out;
        post   "/api/auth/clear-session"              api::auth::clear_session;
        get    "/api/sessions"                        api::sessions::list;
        delete "/api/sessions"                        api::sessions::end_others;
        post   "/api/sessions/ensure"                 api::sessions::ensure;
        patch  "/api/sessions/{sid}"                  api::sessions::update;
        delete "/api/sessions/{sid}"                  api::sessions::end;
        get    "/api/admin/sessions"                  api::admin::sessions;
        delete "/api/admin/sessions"                  api::admin::end_everyone;
        post   "/api/admin/sessions/end"              api::admin::end_where;
        delete "/api/admin/sessions/{sid}"            api::admin::end_session;
        get    "/api/admin/users"                     api::admin_users::list;
        post   "/api/admin/users"                     api::admin_users::create;
        get    "/api/admin/users/{id}"                api::admin_users::show;
        patch  "/api/admin/users/{id}"                api::admin_users::update;
        delete "/api/admin/users/{id}"                api::admin_users::delete;
        delete "/api/admin/users/{id}/sessions"       api::admin::end_sessions_of;
        post   "/api/admin/users/{id}/invitation"     api::admin_users::invite;
        post   "/api/admin/users/{id}/impersonate"    api::admin_users::impersonate;
        get    "/api/admin/policies"                  api::admin_policies::list;
        get    "/api/admin/policies/{kind}/{name}"    api::admin_policies::show;
        put    "/api/admin/policies/{kind}/{name}"    api::admin_policies::set;
        delete "/api/admin/policies/{kind}/{name}"    api::admin_policies::delete;
        get    "/api/admin/stats"                     api::admin_stats::stats;
        post   "/api/admin/cleanup"                   api::admin::cleanup;
        get    "/api/admin/audit"                     api::admin::audit;
        get    "/api/admin/outbox"                    api::admin_outbox::list;
        post   "/api/admin/outbox/{id}/retry"         api::admin_outbox::retry;
        delete "/api/admin/outbox/{id}"               api::admin_outbox::discard;
        get    "/.well-known/jwks.json"               api::well_known::jwks;
        get    "/.well-known/oauth-authorization-server" api::well_known::metadata;
        get    "/health/live"                         api::well_known::live;
        get    "/health/ready"                        api::well_known::ready;
        get    "/"                                    pages::sign_in::home;
        get    "/sign-in"                             pages::sign_in::show;
        post   "/sign-in"                             pages::sign_in::submit;
        post   "/sign-in/choice"                      pages::sign_in::choose;
        post   "/sign-out"                            pages::sign_in::sign_out;
        get    "/set-up"                              pages::set_up::show;
        post   "/set-up"                              pages::set_up::submit;
        get    "/invitation"                          pages::invitation::show;
        post   "/invitation"                          pages::invitation::submit;
        get    "/reset-password"                      pages::reset_password::show;
        post   "/reset-password"                      pages::reset_password::ask;
        get    "/new-password"                        pages::reset_password::show_new;
        post   "/new-password"                        pages::reset_password::choose;
        get    "/not-me"                              pages::not_me::show;
        post   "/not-me"                              pages::not_me::submit;
        get    "/confirm-email"                       pages::change_email::show_confirm;
        post   "/confirm-email"                       pages::change_email::confirm;
        get    "/verify-email"                        pages::verify_email::show;
        post   "/verify-email"                        pages::verify_email::submit;
        get    "/step-up"                             pages::step_up::show;
        post   "/step-up"                             pages::step_up::submit;
        get    "/account"                             pages::account::show;
        get    "/account/sessions"                    pages::account::sessions;
        post   "/account/sessions/end-others"         pages::account::end_others;
        post   "/account/sessions/{sid}/end"          pages::account::end;
        post   "/account/sessions/{sid}/name"         pages::account::name;
        get    "/account/security"                    pages::account::security;
        post   "/account/security"                    pages::account::change_password;
        get    "/account/email"                       pages::change_email::show;
        post   "/account/email"                       pages::change_email::ask;
        post   "/account/email/verify"                pages::verify_email::ask;
        get    "/admin"                               pages::overview::overview;
        get    "/admin/audit"                         pages::admin::audit;
        get    "/admin/sessions"                      pages::admin_sessions::list;
        get    "/admin/sessions/end-all"              pages::admin_sessions::confirm_end_everyone;
        post   "/admin/sessions/end-all"              pages::admin_sessions::end_everyone;
        get    "/admin/sessions/end-where"            pages::admin_end_where::show;
        post   "/admin/sessions/end-where"            pages::admin_end_where::submit;
        post   "/admin/sessions/{sid}/end"            pages::admin_sessions::end;
        get    "/admin/users"                         pages::admin_users::list;
        post   "/admin/users"                         pages::admin_users::create;
        get    "/admin/users/new"                     pages::admin_users::new;
        get    "/admin/users/{id}"                    pages::admin_users::show;
        post   "/admin/users/{id}"                    pages::admin_users::update;
        post   "/admin/users/{id}/disable"            pages::admin_users::disable;
        post   "/admin/users/{id}/enable"             pages::admin_users::enable;
        post   "/admin/users/{id}/end-sessions"       pages::admin_users::end_sessions;
        post   "/admin/users/{id}/invitation"         pages::admin_users::invite;
        post   "/admin/users/{id}/impersonate"        pages::impersonate::start;
        get    "/admin/users/{id}/delete"             pages::admin_users::confirm_delete;
        post   "/admin/users/{id}/delete"             pages::admin_users::delete;
        get    "/admin/outbox"                        pages::admin_outbox::list;
        post   "/admin/outbox/{id}/retry"             pages::admin_outbox::retry;
        post   "/admin/outbox/{id}/drop"              pages::admin_outbox::discard;
        post   "/impersonation/stop"                  pages::impersonate::stop;
        get    "/admin/policies"                      pages::admin_policies::list;
        post   "/admin/policies"                      pages::admin_policies::save;
        get    "/admin/policies/new"                  pages::admin_policies::new;
        get    "/admin/policies/{kind}/{name}"        pages::admin_policies::show;
        post   "/admin/policies/{kind}/{name}/delete" pages::admin_policies::delete;
        get    "/static/{file}"                       pages::assets::file;
    ]
}

/// Puts the table into an application.
pub fn configure(config: &mut web::ServiceConfig) {
    let routes = routes();
    let mut paths: Vec<&'static str> = Vec::new();
    for route in &routes {
        if !paths.contains(&route.path) {
            paths.push(route.path);
        }
    }
    for path in paths {
        let mut resource = web::resource(path).app_data(Pattern(path));
        let mut allow = Vec::new();
        for route in routes.iter().filter(|route| route.path == path) {
            resource = resource.route((route.mount)());
            allow.push(route.method.as_str());
            if route.method == Method::GET {
                allow.push("HEAD");
            }
        }
        let allow = allow.join(", ");
        config.service(
            resource.default_service(web::to(move |request: HttpRequest| {
                let allow = allow.clone();
                async move {
                    recognise(&request).await;
                    let detail = format!("The methods here are {allow}.");
                    let problem = Problem::new(Code::MethodNotAllowed, detail);
                    Err::<String, _>(Problem {
                        allow: Some(allow.into()),
                        ..problem
                    })
                }
            })),
        );
    }
    config.default_service(web::to(async |request: HttpRequest| {
        recognise(&request).await;
        Err::<String, _>(Problem::new(
            Code::NotFound,
            "There is nothing at this address.",
        ))
    }));
}
