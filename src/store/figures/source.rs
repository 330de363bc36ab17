//! Where it is looked up what happened in a span of time, and how: each by an index.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::Value;

use crate::rules::audit::Action;
use crate::rules::end_reason::EndReason;
use crate::rules::figures::Kind;
use crate::store::figures::first_id_at;

/// Between the instant that a new session's id begins with and that of its audit event lies less.
const SIGN_IN: TimeDelta = TimeDelta::minutes(5);

/// From an instant up to another, without it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// From here on.
    pub from: DateTime<Utc>,
    /// Up to here.
    pub to: DateTime<Utc>,
}

/// Where it is looked up what happened in a span.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Created,
    Ended,
    /// Opened in the span, and live at the instant.
    Live(DateTime<Utc>),
    /// Audit events of sessions that were opened, by the sessions' own time.
    Openings,
    /// Audit events of sessions that ended.
    Ends,
    /// Audit events of sign-ins that were refused.
    Failures,
}

impl Source {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Created | Self::Openings => Kind::Created,
            Self::Ended | Self::Ends => Kind::Ended,
            Self::Live(_) => Kind::Live,
            Self::Failures => Kind::SignInFailed,
        }
    }

    /// The rows of what happened, for a FROM.
    pub(super) fn rows(self) -> &'static str {
        match self {
            Self::Created => {
                "sessions AS s WHERE s.impersonator_id IS NULL AND s.id >= $1 AND s.id < $2"
            }
            Self::Ended => {
                "sessions AS s WHERE s.impersonator_id IS NULL \
                 AND s.ended_at >= $1 AND s.ended_at < $2"
            }
            Self::Live(_) => {
                "sessions AS s WHERE s.impersonator_id IS NULL AND s.id >= $1 AND s.id < $2 \
                 AND s.ended_at IS NULL AND s.idle_expires_at > $3 AND s.expires_at > $3"
            }
            Self::Openings => {
                "audit_events AS e WHERE e.action = $1 AND e.id >= $2 AND e.id < $3 \
                 AND e.session_id >= $4 AND e.session_id < $5"
            }
            Self::Ends => {
                "audit_events AS e WHERE e.action = $1 AND e.id >= $2 AND e.id < $3 \
                 AND e.session_id IS NOT NULL AND e.reason <> $4 AND e.reason <> $5"
            }
            Self::Failures => "audit_events AS e WHERE e.action = $1 AND e.id >= $2 AND e.id < $3",
        }
    }

    /// The values of the parameters in [`Self::rows`].
    pub(super) fn values(self, span: Span) -> Vec<Value> {
        let ids = |to| -> [Value; 2] { [first_id_at(span.from).into(), first_id_at(to).into()] };
        let events = |action: Action, to| -> Vec<Value> {
            std::iter::once(action.code().into())
                .chain(ids(to))
                .collect()
        };
        match self {
            Self::Created => ids(span.to).into(),
            Self::Ended => vec![span.from.into(), span.to.into()],
            Self::Live(at) => {
                let mut values: Vec<Value> = ids(span.to).into();
                values.push(at.into());
                values
            }
            Self::Openings => {
                let mut values = events(Action::SignedIn, span.to + SIGN_IN);
                values.extend(ids(span.to));
                values
            }
            Self::Ends => {
                let of_others = [EndReason::ImpersonationStopped, EndReason::ImpersonatorGone];
                let mut values = events(Action::SessionEnded, span.to);
                values.extend(of_others.map(|reason| Value::from(reason.code())));
                values
            }
            Self::Failures => events(Action::SignInFailed, span.to),
        }
    }
}

/// None for a span that cannot be halved: identifiers tell milliseconds.
pub(super) fn halves(span: Span) -> Option<[Span; 2]> {
    let half = (span.to - span.from).num_milliseconds() / 2;
    let middle = span.from + TimeDelta::milliseconds(half);
    (half > 0).then_some([
        Span {
            from: span.from,
            to: middle,
        },
        Span {
            from: middle,
            to: span.to,
        },
    ])
}
