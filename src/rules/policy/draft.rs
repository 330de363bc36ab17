//! A policy as it is asked for, and what of it makes no sense.

use chrono::TimeDelta;

use crate::rules::policy::{AtLimit, Policy};

/// Shortest limit a policy may set, in seconds. Uses are noted every few seconds only, so a shorter
/// idle timeout would end sessions that are in use.
pub const MIN_SECS: i64 = 60;

/// Longest limit a policy may set, in seconds: a year.
pub const MAX_SECS: i64 = 31_536_000;

/// Most sessions that a policy may allow.
pub const MAX_SESSIONS: i64 = 1000;

/// A policy as it was asked for: seconds, numbers and codes, not looked at yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PolicyDraft {
    /// See [`Policy::idle`]; seconds.
    pub idle_secs: Option<i64>,
    /// See [`Policy::lifetime`]; seconds.
    pub lifetime_secs: Option<i64>,
    /// See [`Policy::remembered_idle`]; seconds.
    pub remembered_idle_secs: Option<i64>,
    /// See [`Policy::remembered_lifetime`]; seconds.
    pub remembered_lifetime_secs: Option<i64>,
    /// See [`Policy::max_sessions`].
    pub max_sessions: Option<i64>,
    /// See [`Policy::at_limit`]; its code.
    pub at_limit: Option<String>,
    /// See [`Policy::end_on_role_change`].
    pub end_on_role_change: bool,
}

/// A field of a policy that makes no sense.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{problem}")]
pub struct PolicyFault {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl PolicyDraft {
    /// The policy, if every field of it makes sense.
    pub fn check(&self) -> Result<Policy, PolicyFault> {
        let policy = Policy {
            idle: seconds("idle_secs", self.idle_secs)?,
            lifetime: seconds("lifetime_secs", self.lifetime_secs)?,
            remembered_idle: seconds("remembered_idle_secs", self.remembered_idle_secs)?,
            remembered_lifetime: seconds(
                "remembered_lifetime_secs",
                self.remembered_lifetime_secs,
            )?,
            max_sessions: self
                .max_sessions
                .map(|count| {
                    within("max_sessions", count, 1, MAX_SESSIONS)?;
                    Ok(u32::try_from(count).unwrap_or(u32::MAX))
                })
                .transpose()?,
            at_limit: self
                .at_limit
                .as_deref()
                .map(|code| {
                    AtLimit::from_code(code).ok_or_else(|| PolicyFault {
                        field: "at_limit",
                        problem: format!(
                            "at_limit: `{code}` is none of `end-oldest`, `ask` and `refuse`."
                        ),
                    })
                })
                .transpose()?,
            end_on_role_change: self.end_on_role_change,
        };
        for (field, other, idle, lifetime) in [
            ("idle_secs", "lifetime_secs", policy.idle, policy.lifetime),
            (
                "remembered_idle_secs",
                "remembered_lifetime_secs",
                policy.remembered_idle,
                policy.remembered_lifetime,
            ),
        ] {
            if let (Some(idle), Some(lifetime)) = (idle, lifetime)
                && idle > lifetime
            {
                let problem = format!(
                    "{field}: {} seconds is longer than {other} with {} seconds.",
                    idle.num_seconds(),
                    lifetime.num_seconds()
                );
                return Err(PolicyFault { field, problem });
            }
        }
        if policy == Policy::default() {
            let problem = "A policy sets at least one of its values.".to_owned();
            return Err(PolicyFault {
                field: "idle_secs",
                problem,
            });
        }
        Ok(policy)
    }
}

fn seconds(field: &'static str, secs: Option<i64>) -> Result<Option<TimeDelta>, PolicyFault> {
    let Some(secs) = secs else { return Ok(None) };
    within(field, secs, MIN_SECS, MAX_SECS)?;
    Ok(TimeDelta::try_seconds(secs))
}

fn within(field: &'static str, value: i64, min: i64, max: i64) -> Result<(), PolicyFault> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let problem = format!("{field}: {value} is not a whole number from {min} to {max}.");
    Err(PolicyFault { field, problem })
}
