//! What is kept, and for how long.
//!
//! Every table that grows by itself has its place here: `docs/retention.md` lists the same, and a
//! test holds the two together.

use chrono::{DateTime, TimeDelta, Utc};

use crate::rules::throttle::FORGOTTEN_AFTER;

/// Rows that are deleted when they are old enough.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// Sessions that have ended, since their end; their refresh tokens go with them.
    EndedSessions,
    /// Refresh tokens that were rotated, since then.
    RotatedRefreshTokens,
    /// One-time links, since they stopped being good.
    OneTimeLinks,
    /// What was done, since then.
    AuditEvents,
    /// Counts of failed attempts, since the latest.
    Throttles,
    /// What others were told, since then.
    Deliveries,
    /// What happened in each hour, since its end.
    HourlyFigures,
    /// What could not be delivered, since it was last to be tried: given up, or left by whoever is not
    /// told any more.
    Undelivered,
}

/// How long each is kept, where an operator sets it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// Ended sessions.
    pub ended_sessions: TimeDelta,
    /// Audit events.
    pub audit: TimeDelta,
    /// Hourly figures.
    pub figures: TimeDelta,
}

/// A rotated token that comes back ends its session as stolen; after this long it is only refused.
const ROTATED: TimeDelta = TimeDelta::days(7);

/// So long it can be looked up that something was delivered.
const DELIVERIES: TimeDelta = TimeDelta::days(7);

/// So long somebody may still decide what becomes of it.
const UNDELIVERED: TimeDelta = TimeDelta::days(30);

/// So long a dead link is still known as one that was good.
const ONE_TIME_LINKS: TimeDelta = TimeDelta::days(7);

impl Kept {
    /// Everything, in the order in which it is deleted: rotated tokens, of which a session may have
    /// thousands, before the sessions that would take them along.
    pub const ALL: [Self; 8] = [
        Self::RotatedRefreshTokens,
        Self::EndedSessions,
        Self::OneTimeLinks,
        Self::AuditEvents,
        Self::Throttles,
        Self::Deliveries,
        Self::HourlyFigures,
        Self::Undelivered,
    ];

    /// Its name in answers.
    pub fn code(self) -> &'static str {
        match self {
            Self::EndedSessions => "ended_sessions",
            Self::RotatedRefreshTokens => "rotated_refresh_tokens",
            Self::OneTimeLinks => "one_time_links",
            Self::AuditEvents => "audit_events",
            Self::Throttles => "throttles",
            Self::Deliveries => "deliveries",
            Self::HourlyFigures => "hourly_figures",
            Self::Undelivered => "undelivered",
        }
    }

    /// What the rows are, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::EndedSessions => "ended sessions",
            Self::RotatedRefreshTokens => "rotated refresh tokens",
            Self::OneTimeLinks => "one-time links",
            Self::AuditEvents => "audit events",
            Self::Throttles => "counts of failed attempts",
            Self::Deliveries => "deliveries",
            Self::HourlyFigures => "hourly figures",
            Self::Undelivered => "deliveries that failed",
        }
    }

    /// Could anybody look for a row that is gone? Then the audit says that it was deleted.
    pub fn is_missed(self) -> bool {
        match self {
            Self::EndedSessions | Self::AuditEvents | Self::Undelivered => true,
            Self::RotatedRefreshTokens
            | Self::OneTimeLinks
            | Self::Throttles
            | Self::Deliveries
            | Self::HourlyFigures => false,
        }
    }

    /// The table.
    pub fn table(self) -> &'static str {
        match self {
            Self::EndedSessions => "sessions",
            Self::RotatedRefreshTokens => "refresh_tokens",
            Self::OneTimeLinks => "verification_tokens",
            Self::AuditEvents => "audit_events",
            Self::Throttles => "throttles",
            Self::Deliveries | Self::Undelivered => "outbox",
            Self::HourlyFigures => "hourly_figures",
        }
    }

    /// The setting that says for how long, if one does.
    pub fn setting(self) -> Option<&'static str> {
        match self {
            Self::EndedSessions => Some("PORTCULLIS_ENDED_SESSION_RETENTION_DAYS"),
            Self::AuditEvents => Some("PORTCULLIS_AUDIT_RETENTION_DAYS"),
            Self::HourlyFigures => Some("PORTCULLIS_FIGURES_RETENTION_DAYS"),
            Self::RotatedRefreshTokens
            | Self::OneTimeLinks
            | Self::Throttles
            | Self::Deliveries
            | Self::Undelivered => None,
        }
    }

    /// For how long it is kept.
    pub fn period(self, retention: Retention) -> TimeDelta {
        match self {
            Self::EndedSessions => retention.ended_sessions,
            Self::RotatedRefreshTokens => ROTATED,
            Self::OneTimeLinks => ONE_TIME_LINKS,
            Self::AuditEvents => retention.audit,
            Self::Throttles => FORGOTTEN_AFTER,
            Self::Deliveries => DELIVERIES,
            Self::HourlyFigures => retention.figures,
            Self::Undelivered => UNDELIVERED,
        }
    }

    /// What began to count at or before this instant is old enough at `now`.
    pub fn cutoff(self, retention: Retention, now: DateTime<Utc>) -> DateTime<Utc> {
        now - self.period(retention)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{Kept, Retention};

    /// The defaults.
    const RETENTION: Retention = Retention {
        ended_sessions: TimeDelta::days(30),
        audit: TimeDelta::days(365),
        figures: TimeDelta::days(400),
    };

    #[test]
    fn the_document_lists_what_is_kept_and_for_how_long() {
        let document = include_str!("../../docs/retention.md");
        let listed: Vec<[String; 3]> = document
            .lines()
            .filter_map(|line| {
                let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                let table = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
                let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
                Some([
                    table.to_owned(),
                    cell(3).to_owned(),
                    cell(4).trim_matches('`').to_owned(),
                ])
            })
            .collect();
        let mut expected: Vec<[String; 3]> = Kept::ALL
            .iter()
            .map(|kept| {
                let hours = kept.period(RETENTION).num_hours();
                let period = if hours > 24 {
                    format!("{} days", hours / 24)
                } else {
                    format!("{hours} hours")
                };
                [
                    kept.table().to_owned(),
                    period,
                    kept.setting().unwrap_or("–").to_owned(),
                ]
            })
            .collect();
        // Trimmed by each node, by the transactions that wrote it: see `store/change_list/trim.rs`.
        expected.push(["session_changes", "10 minutes", "–"].map(str::to_owned));
        assert_eq!(listed, expected);
    }
}
