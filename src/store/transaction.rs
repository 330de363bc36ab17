//! One act, one transaction, and after its commit what the cache must learn of it.

use std::future::Future;
use std::pin::Pin;

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};

use crate::rules::id::{SessionId, UserId};
use crate::rules::outbox::Consumer;
use crate::rules::session::Ended;
use crate::store::acts::Act;
use crate::store::validity_cache::weakness::Weakness;
use crate::store::{PATIENCE, Store, StoreError};

/// A transaction under way.
#[derive(Debug)]
pub struct Transaction {
    /// When the act happens: every row it writes says the same instant.
    pub now: DateTime<Utc>,
    inner: DatabaseTransaction,
    marks: Vec<Mark>,
    /// What is counted after its commit.
    acts: Vec<Act>,
    /// For whom something is put into the outbox.
    listeners: &'static [Consumer],
    /// For whom the outbox holds something new after it.
    told: Vec<Consumer>,
}

#[derive(Clone, Copy, Debug)]
enum Mark {
    Ended(SessionId, Ended),
    Forget(SessionId),
    ForgetUser(UserId),
    ForgetEveryone,
}

impl Transaction {
    /// After the commit, the next check of each session of this user asks the table, as after a
    /// change of the user's state, roles or organisations.
    pub(super) fn forget_user(&mut self, user_id: UserId) {
        self.marks.push(Mark::ForgetUser(user_id));
    }

    /// As [`Self::forget_user`], for everybody.
    pub(super) fn forget_everyone(&mut self) {
        self.marks.push(Mark::ForgetEveryone);
    }
}

impl Mark {
    fn unsure(self) -> Self {
        match self {
            Self::Ended(id, _) => Self::Forget(id),
            sure @ (Self::Forget(_) | Self::ForgetUser(_) | Self::ForgetEveryone) => sure,
        }
    }
}

/// What a closure given to [`Store::write`] returns.
pub type ActFuture<'t, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 't>>;

impl Transaction {
    pub(super) fn connection(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// After the commit, the cache refuses this session for as long as any token of it may live.
    pub(super) fn mark_ended(&mut self, session_id: SessionId, ended: Ended) {
        self.marks.push(Mark::Ended(session_id, ended));
    }

    /// Those for whom something is put into the outbox.
    pub(super) fn listeners(&self) -> &'static [Consumer] {
        self.listeners
    }

    /// After the commit, whoever tells this consumer looks into the outbox at once.
    pub(super) fn wake_deliverer(&mut self, consumer: Consumer) {
        if !self.told.contains(&consumer) {
            self.told.push(consumer);
        }
    }

    /// After the commit, it is counted.
    pub(super) fn note_act(&mut self, act: Act) {
        self.acts.push(act);
    }

    /// After the commit, the next check of this session asks the table.
    pub(super) fn forget(&mut self, session_id: SessionId) {
        self.marks.push(Mark::Forget(session_id));
    }
}

impl Store {
    /// Does an act whole or not at all, then tells the cache.
    ///
    /// The act runs on a task of its own: a client that hangs up half-way cannot separate the
    /// commit from the marks in the cache.
    pub async fn write<T, E, F>(&self, now: DateTime<Utc>, act: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Transaction) -> ActFuture<'t, T, E> + Send + 'static,
    {
        let store = self.clone();
        let task = tokio::spawn(async move {
            match tokio::time::timeout(PATIENCE, store.act(now, act)).await {
                Ok(Ok((outcome, transaction))) => {
                    store.commit(transaction).await?;
                    Ok(outcome)
                }
                Ok(Err(error)) => Err(error),
                Err(_) => Err(StoreError::Unavailable(None).into()),
            }
        });
        task.await
            .unwrap_or_else(|_| Err(StoreError::Unavailable(None).into()))
    }

    async fn act<T, E, F>(&self, now: DateTime<Utc>, act: F) -> Result<(T, Transaction), E>
    where
        E: From<StoreError>,
        F: for<'t> FnOnce(&'t mut Transaction) -> ActFuture<'t, T, E>,
    {
        // On SQLite a transaction that reads first and writes later could find itself outdated;
        // IMMEDIATE takes its place in the queue of writers at once.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let inner = self
            .inner
            .writer
            .begin_with_options(options)
            .await
            .map_err(StoreError::from)?;
        let mut transaction = Transaction {
            now,
            inner,
            marks: Vec::new(),
            acts: Vec::new(),
            listeners: self.inner.listeners,
            told: Vec::new(),
        };
        let outcome = act(&mut transaction).await?;
        Ok((outcome, transaction))
    }

    async fn commit(&self, transaction: Transaction) -> Result<(), StoreError> {
        let Transaction {
            inner,
            marks,
            acts,
            told,
            ..
        } = transaction;
        let committed = match tokio::time::timeout(PATIENCE, inner.commit()).await {
            Ok(committed) => committed.map_err(StoreError::from),
            Err(_) => Err(StoreError::Unavailable(None)),
        };
        let marks = match &committed {
            Ok(()) => marks,
            // Nobody knows whether it was committed: the table must be asked about each.
            Err(_) => marks.into_iter().map(Mark::unsure).collect(),
        };
        self.apply(marks).await;
        if committed.is_ok() {
            self.acts().count(&acts);
        }
        for consumer in told {
            self.grown(consumer).notify_one();
        }
        committed
    }

    async fn apply(&self, marks: Vec<Mark>) {
        if self.inner.cache.is_weak(Weakness::OwnActs) {
            return;
        }
        // All of them at once: from here on nothing old is believed. A mark may have to wait for the
        // load of a neighbour, and keeps none of the others waiting.
        for mark in &marks {
            match *mark {
                Mark::Ended(id, _) | Mark::Forget(id) => self.inner.cache.forget(id),
                Mark::ForgetUser(id) => self.inner.cache.forget_user(id),
                Mark::ForgetEveryone => self.inner.cache.forget_everyone(),
            }
        }
        for mark in marks {
            if let Mark::Ended(id, ended) = mark {
                self.inner.cache.mark_ended(id, ended).await;
            }
        }
    }
}
