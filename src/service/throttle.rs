//! Counting failed attempts, before they are made.
//!
//! An attempt is counted as failed when it begins and taken back when it succeeds. So guesses made
//! at the same moment cannot all pass before the first is counted.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::rules::client_address::throttled_network;
use crate::rules::email::Email;
use crate::rules::throttle::{Counter, FORGOTTEN_AFTER};
use crate::service::Context;
use crate::service::error::Error;
use crate::store::throttles::Throttle;
use crate::store::{StoreError, Transaction};

/// An attempt that was counted.
#[derive(Clone, Debug)]
pub struct Attempt(Vec<Counted>);

#[derive(Clone, Debug)]
struct Counted {
    counter: Counter,
    key: String,
    before: Throttle,
    mine: DateTime<Utc>,
}

/// What an attempt counts for.
#[derive(Clone, Debug)]
pub struct Target(Vec<(Counter, String)>);

impl Target {
    /// An account, from an address.
    pub fn account(context: &Context, email: &str, ip: IpAddr, address_is_known: bool) -> Self {
        let network = throttled_network(ip);
        if address_is_known {
            return Self::owner(context, email, ip);
        }
        Self(vec![
            (Counter::Address, key(context, "address", &network)),
            (Counter::Account, key(context, "account", email)),
        ])
    }

    /// An account, from an address its owner has used or within its own live session: counted
    /// apart, so that no failure of anybody else stands in the owner's way.
    pub fn owner(context: &Context, email: &str, ip: IpAddr) -> Self {
        let text = format!("{email} from {}", throttled_network(ip));
        let key = key(context, "account", &text);
        Self(vec![(Counter::AccountFromKnownAddress, key)])
    }

    /// A refresh token nobody issued, from an address.
    pub fn refresh(context: &Context, ip: IpAddr) -> Self {
        let network = throttled_network(ip);
        Self(vec![(
            Counter::RefreshFromAddress,
            key(context, "refresh", &network),
        )])
    }

    /// A mail to an account, asked for from an address by somebody who is not signed in.
    pub fn mail(context: &Context, email: &str, ip: IpAddr) -> Self {
        let network = throttled_network(ip);
        Self(vec![
            (
                Counter::MailFromAddress,
                key(context, "mail from", &network),
            ),
            (Counter::MailToAccount, key(context, "mail to", email)),
        ])
    }

    /// A guess at the set-up code, from an address.
    pub fn address(context: &Context, ip: IpAddr) -> Self {
        let network = throttled_network(ip);
        Self(vec![(Counter::Address, key(context, "address", &network))])
    }
}

/// Whether this user has signed in from this address before.
pub async fn address_is_known(
    context: &Context,
    user: Option<crate::rules::id::UserId>,
    ip: IpAddr,
) -> Result<bool, StoreError> {
    // For an unknown user the same question is asked of nobody, so that it takes as long.
    let user = user.unwrap_or(crate::rules::id::UserId(uuid::Uuid::nil()));
    context
        .store
        .has_signed_in_from(user, &ip.to_string())
        .await
}

/// Counts an attempt, or refuses it because of those before it.
pub async fn begin(context: &Context, target: Target) -> Result<Attempt, Error> {
    let now = context.now();
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                let mut counted = Vec::new();
                let mut wait = TimeDelta::zero();
                for (counter, key) in target.0 {
                    let mut before = tx.lock_throttle(&key).await?;
                    if now >= before.updated_at + FORGOTTEN_AFTER {
                        before.failures = 0;
                    }
                    // Never longer than the failures themselves cost: a clock that was set back
                    // would otherwise lock out those who made none.
                    let owed = (before.blocked_until - now).min(counter.delay(before.failures));
                    wait = wait.max(owed);
                    let mine = now + counter.delay(before.failures.saturating_add(1));
                    counted.push(Counted {
                        counter,
                        key,
                        before,
                        mine,
                    });
                }
                if wait > TimeDelta::zero() {
                    let retry_after_secs = u64::try_from(wait.num_seconds()).unwrap_or(0) + 1;
                    return Err(Error::Throttled { retry_after_secs });
                }
                for Counted {
                    key, before, mine, ..
                } in &counted
                {
                    let failures = before.failures.saturating_add(1);
                    let after = Throttle {
                        failures,
                        blocked_until: *mine,
                        updated_at: now,
                    };
                    tx.update_throttle(key, after).await?;
                }
                Ok(Attempt(counted))
            })
        })
        .await
}

impl Attempt {
    /// The attempt succeeded: inside the act that it admits to. The account's count ends; the
    /// address's only loses this attempt, so that a guesser with an account of their own gains
    /// nothing by signing in to it now and then.
    pub async fn succeed(self, tx: &mut Transaction) -> Result<(), StoreError> {
        self.undo(tx, |counter| {
            matches!(counter, Counter::Account | Counter::AccountFromKnownAddress)
        })
        .await
    }

    /// The attempt was never looked at: it counts neither way.
    pub async fn take_back(self, tx: &mut Transaction) -> Result<(), StoreError> {
        self.undo(tx, |_| false).await
    }

    async fn undo(
        self,
        tx: &mut Transaction,
        clears: impl Fn(Counter) -> bool,
    ) -> Result<(), StoreError> {
        for counted in self.0 {
            let current = tx.lock_throttle(&counted.key).await?;
            let untouched = current.blocked_until == counted.mine;
            let failures = if clears(counted.counter) {
                0
            } else {
                current.failures.saturating_sub(1)
            };
            let blocked_until = if failures == 0 || untouched {
                counted.before.blocked_until
            } else {
                current.blocked_until
            };
            // An attempt that succeeded does not make older failures younger.
            let updated_at = if untouched {
                counted.before.updated_at
            } else {
                current.updated_at
            };
            let after = Throttle {
                failures,
                blocked_until,
                updated_at,
            };
            tx.update_throttle(&counted.key, after).await?;
        }
        Ok(())
    }
}

/// What is counted is named by a keyed hash: the table holds no address and no e-mail address.
fn key(context: &Context, kind: &str, text: &str) -> String {
    use base64::Engine;
    let label = format!("throttle by {kind}");
    let bytes = context.keys().derive(&label, text.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// The account that a typed address stands for; one that is no address at all counts as typed.
pub fn account_name(typed: &str) -> String {
    match Email::new(typed) {
        Ok(email) => email.as_str().to_owned(),
        Err(_) => typed.chars().take(254).collect(),
    }
}
