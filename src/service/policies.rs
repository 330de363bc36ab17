//! Policies of sessions: what holds for a user, changing what a role or organisation asks for, and
//! bringing live sessions within it.
//!
//! A policy that became stricter counts for live sessions too, in batches after its own
//! transaction. It stays marked as not yet applied until a second round, which begins when every
//! act that may still have read the policy of before is over; so neither a crash half-way nor a
//! sign-in at the same moment leaves a session beyond it.

use chrono::TimeDelta;

use crate::entropy;
use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::id::{SessionId, UserId};
use crate::rules::policy::{
    AtLimit, Caps, Effective, Installation, Policy, PolicyDraft, PolicyFault, Scope, caps,
    effective,
};
use crate::rules::record::SessionRecord;
use crate::rules::role::Role;
use crate::rules::span;
use crate::service::Context;
use crate::service::error::Error;
use crate::service::organizations::unknown;
use crate::settings::{AtSessionLimit, Lifetimes, Settings};
use crate::store::limits::Lowered;
use crate::store::policies::{PolicyRecord, Whose};
use crate::store::{StoreError, Transaction};

/// Sessions looked at by one transaction.
const BATCH: u64 = 500;

/// An act that read a policy of before has ended by then: none takes longer than a few seconds.
const SETTLED_AFTER: TimeDelta = TimeDelta::seconds(30);

impl From<PolicyFault> for Error {
    fn from(fault: PolicyFault) -> Self {
        Self::Invalid {
            field: fault.field,
            problem: fault.problem,
        }
    }
}

/// Whose sessions a policy is for, as typed: `role` or `organization`, and which.
pub fn scope(kind: &str, name: &str) -> Result<Scope, Error> {
    match kind {
        "role" => match Role::new(name) {
            Ok(role) => Ok(Scope::Role(role)),
            Err(error) => Err(Error::Invalid {
                field: "role",
                problem: format!("`{name}`: {error}."),
            }),
        },
        "organization" => Ok(Scope::Organization(name.into())),
        _ => Err(Error::Invalid {
            field: "kind",
            problem: format!("`{kind}` is neither `role` nor `organization`."),
        }),
    }
}

/// What the settings of the installation say.
pub fn installation(settings: &Settings) -> Installation {
    let pair = |lifetimes: Lifetimes| (lifetimes.idle, lifetimes.absolute);
    Installation {
        session: pair(settings.session),
        remembered: pair(settings.remembered),
        max_sessions: settings.max_sessions,
        at_limit: match settings.at_session_limit {
            AtSessionLimit::EndOldest => AtLimit::EndOldest,
            AtSessionLimit::Ask => AtLimit::Ask,
            AtSessionLimit::Refuse => AtLimit::Refuse,
        },
    }
}

/// What holds for a user now.
pub async fn effective_of(context: &Context, user_id: UserId) -> Result<Effective, Error> {
    let policies = context.store.policies_of(user_id).await?;
    Ok(effective(&installation(&context.settings), &policies))
}

/// What holds for a user now, inside an act that has locked the user's row.
pub(super) async fn effective_in(
    tx: &mut Transaction,
    installation: &Installation,
    user_id: UserId,
) -> Result<Effective, StoreError> {
    let policies = tx.policies_of(user_id).await?;
    Ok(effective(installation, &policies))
}

/// The limits by which a session with this policy is opened.
pub(super) fn lifetimes(effective: &Effective, remembered: bool) -> Lifetimes {
    let limits = effective.limits(remembered);
    Lifetimes {
        idle: limits.idle.value,
        absolute: limits.lifetime.value,
    }
}

/// One policy.
pub async fn get_policy(context: &Context, scope: &Scope) -> Result<PolicyRecord, Error> {
    let all = context.store.policies().await?;
    let found = all.into_iter().find(|record| record.scope == *scope);
    found.ok_or(Error::NotFound("policy"))
}

/// Makes or changes the policy of a role or organisation, and brings live sessions within it.
/// Returns how many it lowered the limits of.
pub async fn set_policy(
    context: &Context,
    scope: Scope,
    draft: &PolicyDraft,
    origin: Origin,
) -> Result<u64, Error> {
    let policy = draft.check()?;
    let whose = find_whose(context, &scope).await?;
    let now = context.now();
    let id = entropy::new_id(now)?;
    let event = AuditEvent::new(origin, Action::PolicySet)
        .detail(format!("{scope}: {}", in_words(&policy)));
    let kept = whose.clone();
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                if !tx.update_policy(&kept, &policy).await? {
                    tx.insert_policy(id, &kept, &policy).await?;
                }
                Ok::<_, Error>(tx.audit(event).await?)
            })
        })
        .await?;
    let applied = apply(context, &scope, &whose, &policy, origin).await;
    applied.map_err(|error| {
        let done = "The policy was saved, and is being brought to live sessions.";
        error.after(done.to_owned(), None, None)
    })
}

/// Deletes a policy. Live sessions keep the limits they have.
pub async fn delete_policy(context: &Context, scope: Scope, origin: Origin) -> Result<(), Error> {
    let whose = get_policy(context, &scope).await?.whose;
    let event = AuditEvent::new(origin, Action::PolicyDeleted).detail(scope.to_string());
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                if !tx.delete_policy(&whose).await? {
                    return Err(Error::NotFound("policy"));
                }
                Ok(tx.audit(event).await?)
            })
        })
        .await
}

/// Goes on with policies that may not yet hold for every live session. Returns how many sessions
/// had their limits lowered.
pub async fn apply_policies(context: &Context) -> Result<u64, Error> {
    let mut total = 0;
    let pending = context.store.policies().await?;
    for record in pending.into_iter().filter(|it| it.applied_at.is_none()) {
        let (scope, whose, policy) = (&record.scope, &record.whose, &record.policy);
        total += apply(context, scope, whose, policy, Origin::SYSTEM).await?;
        let now = context.now();
        if now >= record.updated_at + SETTLED_AFTER {
            context
                .store
                .write(now, move |tx| {
                    Box::pin(async move { tx.mark_policy_applied(&record).await })
                })
                .await?;
        }
    }
    Ok(total)
}

/// After a user has come under a policy: the user's live sessions are brought within it, inside the
/// same act.
pub(super) async fn keep_within_policies(
    tx: &mut Transaction,
    user_id: UserId,
    origin: Origin,
) -> Result<(), Error> {
    let policies = tx.policies_of(user_id).await?;
    let mut lowered = 0;
    for remembered in [false, true] {
        let caps = caps(&policies, remembered);
        let mut after = None;
        while !caps.is_empty() {
            let whose = Whose::User(user_id);
            let step = tx.lower_limits(&whose, remembered, caps, after, BATCH);
            let Lowered { sessions, next } = step.await?;
            lowered += sessions;
            after = next;
            if next.is_none() {
                break;
            }
        }
    }
    if lowered > 0 {
        let event = AuditEvent::new(origin, Action::LimitsLowered).subject(user_id);
        tx.audit(event.detail(format!("{lowered} sessions")))
            .await?;
    }
    Ok(())
}

/// Do a user's sessions end when a role or membership is taken away? To be asked before it is.
pub(super) async fn ends_on_role_change(
    tx: &mut Transaction,
    user_id: UserId,
) -> Result<bool, StoreError> {
    let policies = tx.policies_of(user_id).await?;
    Ok(policies.iter().any(|(_, policy)| policy.end_on_role_change))
}

/// Who set the limits of a session: the policy that says just this now; none where the session has
/// stricter ones than it would get today.
pub fn set_by(effective: &Effective, session: &SessionRecord) -> [Option<String>; 2] {
    let limits = effective.limits(session.remembered);
    let lifetime = session.expires_at - session.created_at;
    [
        (limits.idle.value, session.idle_timeout, &limits.idle.set_by),
        (limits.lifetime.value, lifetime, &limits.lifetime.set_by),
    ]
    .map(|(now, has, by)| (now == has).then(|| by.to_string()))
}

async fn find_whose(context: &Context, scope: &Scope) -> Result<Whose, Error> {
    match scope {
        Scope::Role(role) => {
            // A policy for a misspelt role would hold for nobody, and nobody would notice.
            if !context.store.is_role_known(role).await? {
                return Err(Error::Invalid {
                    field: "role",
                    problem: format!("Nobody has the role `{role}`."),
                });
            }
            Ok(Whose::Role(role.clone()))
        }
        Scope::Organization(slug) => {
            let all = context.store.organizations().await?;
            let found = all.iter().find(|(it, _)| *it.slug == **slug);
            found
                .map(|(it, _)| Whose::Organization(it.id))
                .ok_or_else(|| unknown(slug))
        }
    }
}

async fn apply(
    context: &Context,
    scope: &Scope,
    whose: &Whose,
    policy: &Policy,
    origin: Origin,
) -> Result<u64, Error> {
    let alone = [(scope.clone(), *policy)];
    let mut total = 0;
    for remembered in [false, true] {
        let caps = caps(&alone, remembered);
        let mut after = None;
        while !caps.is_empty() {
            let step = lower(context, scope, whose, remembered, caps, after, origin);
            let Lowered { sessions, next } = step.await?;
            total += sessions;
            after = next;
            if next.is_none() {
                break;
            }
        }
    }
    Ok(total)
}

async fn lower(
    context: &Context,
    scope: &Scope,
    whose: &Whose,
    remembered: bool,
    caps: Caps,
    after: Option<SessionId>,
    origin: Origin,
) -> Result<Lowered, StoreError> {
    let (scope, whose) = (scope.clone(), whose.clone());
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let lowered = tx
                    .lower_limits(&whose, remembered, caps, after, BATCH)
                    .await?;
                if lowered.sessions > 0 {
                    let event = AuditEvent::new(origin, Action::LimitsLowered)
                        .detail(format!("{scope}: {} sessions", lowered.sessions));
                    tx.audit(event).await?;
                }
                Ok(lowered)
            })
        })
        .await
}

/// What a policy asks for, for the audit.
fn in_words(policy: &Policy) -> String {
    let time = |name: &str, span: Option<TimeDelta>| {
        span.map(|span| format!("{name} {}", span::words(span.num_seconds().unsigned_abs())))
    };
    let parts = [
        time("idle", policy.idle),
        time("at most", policy.lifetime),
        time("remembered, idle", policy.remembered_idle),
        time("remembered, at most", policy.remembered_lifetime),
        policy.max_sessions.map(|most| format!("sessions {most}")),
        policy.at_limit.map(|at_limit| at_limit.words().to_owned()),
        policy
            .end_on_role_change
            .then(|| "sessions end when a role is taken away".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}
