//! Figures as programs read them: the API and the command line say the same.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::rules::figures::{Bucket, Counts, Figures, Level, Member};

/// Figures of the whole installation, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct FiguresDocument {
    users: u64,
    disabled_users: u64,
    live_sessions: u64,
    signed_in_users: u64,
    sign_ins_24h: u64,
    failed_sign_ins_24h: u64,
    ended_24h: BTreeMap<String, u64>,
    range: &'static str,
    as_of: DateTime<Utc>,
    levels_as_of: LevelsAsOf,
    totals: CountsDocument,
    over_time: Vec<BucketDocument>,
    peak: Option<PeakDocument>,
    duration: DurationDocument,
    refresh_reuse: u64,
    checked: CheckedDocument,
    by_organization: Vec<MemberDocument>,
    by_role: Vec<MemberDocument>,
    by_method: Vec<MemberDocument>,
}

/// When how much there is was counted: now, or when it was last measured.
#[derive(Clone, Debug, Serialize)]
struct LevelsAsOf {
    users: DateTime<Utc>,
    disabled_users: DateTime<Utc>,
    live_sessions: DateTime<Utc>,
    signed_in_users: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize)]
struct CountsDocument {
    created: u64,
    ended: u64,
    ended_by_reason: BTreeMap<String, u64>,
    sign_in_failed: u64,
}

#[derive(Clone, Debug, Serialize)]
struct BucketDocument {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    #[serde(flatten)]
    counts: CountsDocument,
    refresh_reuse: u64,
    duration: DurationDocument,
    checked: CheckedDocument,
    live: Option<u64>,
    peak: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
struct PeakDocument {
    live_sessions: u64,
    at: DateTime<Utc>,
}

/// Of sessions that ended; null if none did.
#[derive(Clone, Debug, Serialize)]
struct DurationDocument {
    average_secs: Option<u64>,
    longest_secs: Option<u64>,
}

/// Access tokens checked by all nodes, and the part of them, from 0 to 1, that needed no database.
#[derive(Clone, Debug, Serialize)]
struct CheckedDocument {
    checks: u64,
    loads: u64,
    hit_rate: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
struct MemberDocument {
    member: Option<String>,
    label: String,
    live: u64,
    created: u64,
    ended: u64,
}

impl From<&Figures> for FiguresDocument {
    fn from(figures: &Figures) -> Self {
        let now = &figures.now;
        let members = |members: &[Member]| members.iter().map(MemberDocument::from).collect();
        Self {
            users: now.users.count,
            disabled_users: now.disabled_users.count,
            live_sessions: now.live_sessions.count,
            signed_in_users: now.signed_in_users.count,
            sign_ins_24h: figures.last_24h.created,
            failed_sign_ins_24h: figures.last_24h.sign_in_failed,
            ended_24h: figures.last_24h.ended_by_reason.clone(),
            range: figures.range.code(),
            as_of: figures.as_of,
            levels_as_of: LevelsAsOf {
                users: now.users.at,
                disabled_users: now.disabled_users.at,
                live_sessions: now.live_sessions.at,
                signed_in_users: now.signed_in_users.at,
            },
            totals: CountsDocument::from(&figures.totals),
            over_time: figures.buckets.iter().map(BucketDocument::from).collect(),
            peak: figures.peak.map(PeakDocument::from),
            duration: DurationDocument::from(&figures.totals),
            refresh_reuse: figures.totals.refresh_reuse(),
            checked: CheckedDocument::from(&figures.totals),
            by_organization: members(&figures.by_organization),
            by_role: members(&figures.by_role),
            by_method: members(&figures.by_method),
        }
    }
}

impl From<&Counts> for CountsDocument {
    fn from(counts: &Counts) -> Self {
        Self {
            created: counts.created,
            ended: counts.ended(),
            ended_by_reason: counts.ended_by_reason.clone(),
            sign_in_failed: counts.sign_in_failed,
        }
    }
}

impl From<&Counts> for DurationDocument {
    fn from(counts: &Counts) -> Self {
        Self {
            average_secs: counts.average_secs(),
            longest_secs: counts.longest(),
        }
    }
}

impl From<&Counts> for CheckedDocument {
    fn from(counts: &Counts) -> Self {
        let part = counts.hit_rate().and_then(|part| u32::try_from(part).ok());
        Self {
            checks: counts.checks,
            loads: counts.loads,
            hit_rate: part.map(|part| f64::from(part) / 10_000.0),
        }
    }
}

impl From<&Bucket> for BucketDocument {
    fn from(bucket: &Bucket) -> Self {
        Self {
            from: bucket.from,
            to: bucket.to,
            counts: CountsDocument::from(&bucket.counts),
            refresh_reuse: bucket.counts.refresh_reuse(),
            duration: DurationDocument::from(&bucket.counts),
            checked: CheckedDocument::from(&bucket.counts),
            live: bucket.live,
            peak: bucket.peak,
        }
    }
}

impl From<Level> for PeakDocument {
    fn from(level: Level) -> Self {
        Self {
            live_sessions: level.count,
            at: level.at,
        }
    }
}

impl From<&Member> for MemberDocument {
    fn from(member: &Member) -> Self {
        Self {
            member: Some(member.member.clone()).filter(|member| !member.is_empty()),
            label: member.label.clone(),
            live: member.live,
            created: member.created,
            ended: member.ended,
        }
    }
}
