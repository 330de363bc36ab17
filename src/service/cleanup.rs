//! Cleaning up: writing down what time has ended, and deleting what is old enough.
//!
//! The schedule, the console's API and the command line call the same act. What is kept for how
//! long stands in `rules/retention.rs`, who does it on the schedule in `service/lease.rs`.

use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::retention::{Kept, Retention};
use crate::service::Context;
use crate::service::addresses::drop_old_addresses;
use crate::service::end_session::end_past_limit;
use crate::service::error::{Error, ended_so_far};
use crate::service::figures;
use crate::service::lease::Lease;
use crate::service::mail::files;
use crate::service::policies::apply_policies;
use crate::service::touches::write_touches;
use crate::settings::Settings;
use crate::store::StoreError;

/// Sessions ended by one transaction, so that none holds its locks for long.
///
/// Each lies somewhere else in the table and in its indexes. On SQLite a transaction of some more
/// would change a thousand pages, and its commit copy them all into the file before anybody else
/// may write; one of these takes as long as one on a small table, and less for each session.
const BATCH: u64 = 50;

/// Rows deleted by one transaction.
const DELETED: u64 = 100;

/// What a clean-up did, or would do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CleanedUp {
    /// Sessions that were past a limit.
    pub ended: u64,
    /// Rows that were old enough, of each kind.
    pub deleted: Vec<(Kept, u64)>,
}

impl CleanedUp {
    /// In words, for the audit; none if there is nothing that anybody could miss.
    fn detail(&self) -> Option<String> {
        let gone: Vec<String> = self
            .deleted
            .iter()
            .filter(|(kept, count)| *count > 0 && kept.is_missed())
            .map(|(kept, count)| format!("{count} {}", kept.words()))
            .collect();
        if self.ended == 0 && gone.is_empty() {
            return None;
        }
        let ended = format!("{} sessions", self.ended);
        Some(if gone.is_empty() {
            ended
        } else {
            format!("{ended}; deleted: {}", gone.join(", "))
        })
    }
}

/// Brings live sessions within policies that are not wholly applied yet, ends sessions past one of
/// their limits, each with that limit as its reason, counts what happened, and deletes what is old
/// enough, client addresses too, in small transactions. Done at once, whichever node does it on the
/// schedule.
///
/// # Errors
/// [`Error::HalfWay`] if the database fails after some of it was done; the next one does the rest.
pub async fn cleanup(context: &Context, origin: Origin) -> Result<CleanedUp, Error> {
    drop_old_mails(context).await;
    clean(context, origin, None).await
}

/// A round of the schedule: [`cleanup`], if this node holds the lease or can take it, and for as
/// long as it does. None if another node has it. Files are each node's own.
pub async fn round(context: &Context) -> Result<Option<CleanedUp>, Error> {
    // Each node for itself, whoever holds the lease.
    if let Err(error) = figures::write_checks(context).await {
        tracing::warn!(%error, "the checks of this node were not counted; the next round does it");
    }
    drop_old_mails(context).await;
    let Some(lease) = Lease::take(context).await? else {
        return Ok(None);
    };
    clean(context, Origin::SYSTEM, Some(&lease)).await.map(Some)
}

async fn clean(
    context: &Context,
    origin: Origin,
    lease: Option<&Lease<'_>>,
) -> Result<CleanedUp, Error> {
    // Or a session in use would count as idle for want of its latest uses.
    write_touches(context).await?;
    apply_policies(context).await?;
    let mut done = CleanedUp::default();
    match clean_all(context, origin, lease, &mut done).await {
        Ok(()) => Ok(done),
        Err(error) => {
            let deleted: u64 = done.deleted.iter().map(|(_, count)| count).sum();
            if done.ended + deleted == 0 {
                return Err(error);
            }
            let ended = ended_so_far(done.ended);
            let words = format!("{ended} At least {deleted} old rows were deleted.");
            Err(error.after(words, Some(done.ended), None))
        }
    }
}

/// Counts in `done` how far it has come.
async fn clean_all(
    context: &Context,
    origin: Origin,
    lease: Option<&Lease<'_>>,
    done: &mut CleanedUp,
) -> Result<(), Error> {
    for reason in [EndReason::AbsoluteLifetime, EndReason::Idle] {
        while may_go_on(lease).await? {
            let act = context.store.write(context.now(), move |tx| {
                Box::pin(async move { end_past_limit(tx, reason, BATCH).await })
            });
            let ended = act.await?;
            done.ended += ended;
            if ended < BATCH {
                break;
            }
        }
    }
    // Before anything goes that is not counted yet. Without figures the rest is cleaned up all the same.
    if let Err(error) = figures::keep(context, lease).await {
        tracing::warn!(%error, "the figures were not counted; the next clean-up does it");
    }
    drop_old_addresses(context).await?;
    for kept in Kept::ALL {
        done.deleted.push((kept, 0));
        while may_go_on(lease).await? {
            let now = context.now();
            let cutoff = kept.cutoff(retention(&context.settings), now);
            let act = context.store.write(now, move |tx| {
                Box::pin(async move { tx.delete_kept(kept, cutoff, DELETED).await })
            });
            let deleted = act.await?;
            if let Some((_, total)) = done.deleted.last_mut() {
                *total += deleted;
            }
            if deleted < DELETED {
                break;
            }
        }
    }
    if let Some(detail) = done.detail() {
        let event = AuditEvent::new(origin, Action::CleanedUp).detail(detail);
        let act = context.store.write(context.now(), move |tx| {
            Box::pin(async move { tx.audit(event).await })
        });
        act.await?;
    }
    Ok(())
}

/// Mails that are files; one that cannot be deleted now is so in a later round.
async fn drop_old_mails(context: &Context) {
    let (directory, now) = (files::directory(&context.settings), context.now());
    let task = tokio::task::spawn_blocking(move || files::delete_old(&directory, now));
    match task.await {
        Ok(Ok(0)) | Err(_) => {}
        Ok(Ok(deleted)) => tracing::info!(deleted, "old mails that are files were deleted"),
        Ok(Err(error)) => tracing::warn!(%error, "old mails that are files were not deleted"),
    }
}

/// Whoever is asked to clean up may; on the schedule only who holds the lease.
pub(super) async fn may_go_on(lease: Option<&Lease<'_>>) -> Result<bool, StoreError> {
    match lease {
        Some(lease) => lease.holds().await,
        None => Ok(true),
    }
}

/// For how long things are kept here.
pub fn retention(settings: &Settings) -> Retention {
    Retention {
        ended_sessions: settings.ended_session_retention,
        audit: settings.audit_retention,
        figures: settings.figures_retention,
    }
}

/// What [`cleanup`] would do now. Changes nothing.
pub async fn dry_run(context: &Context) -> Result<CleanedUp, Error> {
    let now = context.now();
    let mut would = CleanedUp {
        ended: context.store.count_past_limits(now).await?,
        deleted: Vec::new(),
    };
    for kept in Kept::ALL {
        let cutoff = kept.cutoff(retention(&context.settings), now);
        let count = context.store.count_kept(kept, cutoff).await?;
        would.deleted.push((kept, count));
    }
    Ok(would)
}
