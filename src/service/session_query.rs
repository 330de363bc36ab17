//! Reading which sessions somebody means, with a problem for each field that says nothing sound.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::rules::email::Email;
use crate::rules::id::{SessionId, UserId};
use crate::rules::record::SessionWithUser;
use crate::rules::role::Role;
use crate::rules::session_query::{SessionQuery, method, network};
use crate::service::Context;
use crate::service::error::Error;
use crate::service::touches::write_touches;
use crate::store::session_query::Matching;

/// Shortest "not used for": below it the instants of last use are not exact enough, since they are
/// written every few seconds.
const LEAST_IDLE_SECS: i64 = 60;

/// Longest, ten years.
const MOST_IDLE_SECS: i64 = 315_360_000;

/// Longest text that is looked for in what browsers say of themselves, in characters.
const MAX_CHARS: usize = 200;

/// Which sessions are meant, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedQuery {
    /// Of this user: an identifier or e-mail address.
    pub user: Option<String>,
    /// Of users who have this role.
    pub role: Option<String>,
    /// Opened in this organisation: an identifier or short name.
    pub organization: Option<String>,
    /// Opened from this network.
    pub cidr: Option<String>,
    /// Proven by this method.
    pub method: Option<String>,
    /// Opened before this instant (RFC 3339).
    pub signed_in_before: Option<String>,
    /// Not used for so many seconds.
    pub idle_for: Option<i64>,
    /// Opened by a browser or program that says this of itself.
    pub user_agent: Option<String>,
}

impl TypedQuery {
    /// What it means.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first field that makes no sense, an empty one included: left out
    /// by mistake, it would mean more sessions than were meant. [`Error::Invalid`] if none is given.
    pub async fn resolve(&self, context: &Context) -> Result<SessionQuery, Error> {
        let query = SessionQuery {
            user_id: match &self.user {
                Some(typed) => Some(user(context, typed).await?),
                None => None,
            },
            role: read("role", self.role.as_deref(), |typed| {
                Role::new(typed).map_err(|error| format!("`{typed}` is no role: {error}."))
            })?,
            organization_id: match &self.organization {
                Some(typed) => {
                    let found = context.store.find_organization(typed.trim()).await?;
                    let none = || format!("There is no organisation `{typed}`.");
                    Some(found.ok_or_else(|| invalid("organization", none()))?)
                }
                None => None,
            },
            network: read("cidr", self.cidr.as_deref(), |typed| {
                let none = || {
                    format!("`{typed}` is neither a network, such as 192.0.2.0/24, nor an address.")
                };
                network(typed).ok_or_else(none)
            })?,
            method: read("method", self.method.as_deref(), |typed| {
                let none = || format!("`{typed}` is no method, such as pwd (RFC 8176).");
                method(typed).ok_or_else(none)
            })?,
            signed_in_before: read(
                "signed_in_before",
                self.signed_in_before.as_deref(),
                instant,
            )?,
            idle_for: read("idle_for", self.idle_for, |seconds| {
                if (LEAST_IDLE_SECS..=MOST_IDLE_SECS).contains(&seconds) {
                    return Ok(TimeDelta::seconds(seconds));
                }
                Err(format!(
                    "{seconds} is not a number of seconds from {LEAST_IDLE_SECS} to {MOST_IDLE_SECS}."
                ))
            })?,
            user_agent: read("user_agent", self.user_agent.as_deref(), |typed| {
                let chars = typed.chars().count();
                if chars > MAX_CHARS {
                    return Err(format!(
                        "The text has {chars} characters; at most {MAX_CHARS} are looked for."
                    ));
                }
                if typed.chars().any(char::is_control) {
                    return Err("The text has a character that cannot be printed.".to_owned());
                }
                if typed.trim().is_empty() {
                    return Err("The text of user_agent is empty.".to_owned());
                }
                Ok(typed.trim().to_owned())
            })?,
        };
        if query.is_empty() {
            let problem = "Say which sessions are meant: at least one of user, role, organization, \
                           cidr, method, signed_in_before, idle_for and user_agent.";
            return Err(invalid("query", problem.to_owned()));
        }
        Ok(query)
    }
}

/// What an end by query would do now.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Sessions that match.
    pub sessions: u64,
    /// Users whose they are.
    pub users: u64,
    /// The newest of them.
    pub newest: Vec<SessionWithUser>,
}

/// Counts live sessions that match, but for the one in `except`, and shows the newest. Changes
/// nothing.
pub async fn preview(
    context: &Context,
    query: SessionQuery,
    except: Option<SessionId>,
    shown: u64,
) -> Result<Preview, Error> {
    // Not a change of its own: they are uses that have happened.
    write_touches(context).await?;
    let at = context.now();
    let matching = Matching { query, at, except };
    let (sessions, users) = context.store.count_matching(&matching).await?;
    let newest = match shown {
        0 => Vec::new(),
        some => context.store.newest_matching(&matching, some, at).await?,
    };
    Ok(Preview {
        sessions,
        users,
        newest,
    })
}

async fn user(context: &Context, typed: &str) -> Result<UserId, Error> {
    let now = context.now();
    let found = if let Ok(id) = typed.trim().parse() {
        context.store.find_user(id, now).await?
    } else {
        let neither = || format!("`{typed}` is neither an e-mail address nor a user's id.");
        let email = Email::new(typed).map_err(|_| invalid("user", neither()))?;
        context.store.find_user_by_email(&email, now).await?
    };
    let none = || invalid("user", format!("There is no user `{typed}`."));
    Ok(found.ok_or_else(none)?.id)
}

fn instant(typed: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(typed.trim())
        .map(|at| at.to_utc())
        .map_err(|_| format!("`{typed}` is no instant, such as 2026-11-25T17:00:00Z (RFC 3339)."))
}

fn read<T, V>(
    field: &'static str,
    typed: Option<T>,
    value: impl FnOnce(T) -> Result<V, String>,
) -> Result<Option<V>, Error> {
    typed
        .map(value)
        .transpose()
        .map_err(|problem| invalid(field, problem))
}

fn invalid(field: &'static str, problem: String) -> Error {
    Error::Invalid { field, problem }
}
