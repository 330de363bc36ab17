//! What happens in an installation by chance, noted plainly beside it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use portcullis::entropy::new_id;
use portcullis::rules::audit::{Action, AuditEvent, Origin};
use portcullis::rules::end_reason::EndReason;
use portcullis::rules::figures::{Counts, Figures, Member};
use portcullis::rules::id::{SessionId, UserId};
use portcullis::rules::record::Device;
use portcullis::service::Context;
use portcullis::service::end_session::{end, end_everyone};
use portcullis::service::error::Error;
use portcullis::service::organizations::{add_member, create_organization};
use portcullis::service::users::delete_user;
use portcullis::settings::Lifetimes;
use portcullis::store::sessions::{NewImpersonation, NewSession, Which};

use crate::bench::{Bench, StoppedClock};
use crate::support::chance::Chance;

const METHODS: [&str; 3] = ["pwd", "pwd otp", "hwk"];

/// Why somebody ends one session.
const REASONS: [EndReason; 5] = [
    EndReason::SignedOut,
    EndReason::EndedByAdmin,
    EndReason::EndedByUser,
    EndReason::RefreshReuse,
    EndReason::SignedInAgain,
];

#[derive(Clone, Debug)]
struct User {
    id: UserId,
    roles: Vec<&'static str>,
    organization: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Noted {
    id: SessionId,
    user: UserId,
    method: &'static str,
    opened_at: DateTime<Utc>,
    ended: Option<(DateTime<Utc>, EndReason)>,
    impersonated: bool,
}

/// What happened, and who may do more.
pub(super) struct History {
    pub(super) chance: Chance,
    context: Arc<Context>,
    clock: StoppedClock,
    users: Vec<User>,
    gone: Vec<UserId>,
    sessions: Vec<Noted>,
    failed: Vec<DateTime<Utc>>,
    made: usize,
}

impl History {
    pub(super) async fn begin(bench: &Bench, seed: u64) -> Self {
        for (slug, name) in [("acme", "Acme"), ("engines", "Engines")] {
            create_organization(&bench.context, slug, name, Origin::HOST)
                .await
                .unwrap();
        }
        let mut history = Self {
            chance: Chance::new(seed),
            context: bench.context.clone(),
            clock: bench.clock.clone(),
            users: Vec::new(),
            gone: Vec::new(),
            sessions: Vec::new(),
            failed: Vec::new(),
            made: 0,
        };
        for _ in 0..4 {
            history.make_user().await;
        }
        history
    }

    /// Some time passes, and something happens.
    pub(super) async fn go_on(&mut self) {
        let millis = self.chance.below(40 * 60_000);
        self.clock
            .advance(TimeDelta::milliseconds(i64::try_from(millis).unwrap()));
        match self.chance.below(20) {
            0..8 => drop(self.open().await),
            8..13 => {
                let live: Vec<_> = self.live().map(|session| session.id).collect();
                let reason = *self.chance.pick(&REASONS).unwrap();
                if let Some(id) = self.chance.pick(&live) {
                    self.end(*id, reason).await;
                }
            }
            13..16 => self.fail().await,
            16 => drop(self.open_as(true, self.clock.instant()).await),
            17 => {
                let except = self.live().map(|session| session.id).next();
                end_everyone(&self.context, except, Origin::HOST)
                    .await
                    .unwrap();
                let now = self.clock.instant();
                for session in &mut self.sessions {
                    if session.ended.is_none() && Some(session.id) != except {
                        session.ended = Some((now, EndReason::EveryoneOut));
                    }
                }
            }
            18 => self.make_user().await,
            _ => self.delete_a_user().await,
        }
    }

    fn live(&self) -> impl Iterator<Item = &Noted> {
        self.sessions
            .iter()
            .filter(|session| session.ended.is_none() && !session.impersonated)
    }

    /// Sessions that users opened.
    pub(super) fn created(&self) -> usize {
        self.sessions.iter().filter(|one| !one.impersonated).count()
    }

    pub(super) async fn open(&mut self) -> SessionId {
        self.open_as(false, self.clock.instant()).await
    }

    /// Opens one as an act would that began then and is committed now.
    pub(super) async fn open_at(&mut self, at: DateTime<Utc>) {
        self.open_as(false, at).await;
    }

    async fn open_as(&mut self, impersonated: bool, at: DateTime<Utc>) -> SessionId {
        let user = self.chance.pick(&self.users).unwrap().id;
        let method = *self.chance.pick(&METHODS).unwrap();
        let id = SessionId(new_id(at).unwrap());
        let new = NewSession {
            id,
            user_id: user,
            remembered: false,
            lifetimes: Lifetimes {
                idle: TimeDelta::days(300),
                absolute: TimeDelta::days(300),
            },
            amr: method,
            device: Device::default(),
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            place: None,
            impersonation: impersonated.then(|| NewImpersonation {
                impersonator_id: user,
                opened_from: SessionId(new_id(at).unwrap()),
                reason: "to look".to_owned(),
                read_only: true,
            }),
        };
        let act = self.context.store.write(at, move |tx| {
            Box::pin(async move {
                tx.insert_session(new).await?;
                let action = if impersonated {
                    Action::NewDevice
                } else {
                    Action::SignedIn
                };
                let event = AuditEvent::new(Origin::SYSTEM, action)
                    .subject(user)
                    .session(id)
                    .reason(method);
                Ok::<_, Error>(tx.audit(event).await?)
            })
        });
        act.await.unwrap();
        self.sessions.push(Noted {
            id,
            user,
            method,
            opened_at: at,
            ended: None,
            impersonated,
        });
        id
    }

    pub(super) async fn end(&mut self, id: SessionId, reason: EndReason) {
        let which = Which::One(id);
        let ended = end(&self.context, which, reason, Origin::HOST).await;
        assert_eq!(ended.unwrap(), 1);
        let now = self.clock.instant();
        let session = self.sessions.iter_mut().find(|session| session.id == id);
        session.unwrap().ended = Some((now, reason));
    }

    async fn fail(&mut self) {
        let now = self.clock.instant();
        let act = self.context.store.write(now, |tx| {
            Box::pin(async move {
                let event = AuditEvent::new(Origin::SYSTEM, Action::SignInFailed);
                Ok::<_, Error>(tx.audit(event).await?)
            })
        });
        act.await.unwrap();
        self.failed.push(now);
    }

    async fn make_user(&mut self) {
        let roles: &[&str] = [&[][..], &["editor"], &["editor", "auditor"]][self.made % 3];
        let organization = [None, Some("acme"), Some("engines")][self.made / 3 % 3];
        let email = format!("user{}@test.example", self.made);
        let id = crate::bench::make_user(&self.context, &email, roles)
            .await
            .unwrap();
        if let Some(slug) = organization {
            add_member(&self.context, slug, id, Origin::HOST)
                .await
                .unwrap();
        }
        self.made += 1;
        self.users.push(User {
            id,
            roles: roles.to_vec(),
            organization,
        });
    }

    /// Not the last one, nor one whom somebody looks on as: of such a session nothing is left to
    /// tell that it was one.
    async fn delete_a_user(&mut self) {
        let looked_on = |user: &User| {
            let of_user = |session: &&Noted| session.impersonated && session.user == user.id;
            self.sessions.iter().any(|session| of_user(&session))
        };
        let Some(place) = self.users.iter().rposition(|user| !looked_on(user)) else {
            return;
        };
        if self.users.len() == 1 {
            return;
        }
        let user = self.users.remove(place);
        delete_user(&self.context, user.id, Origin::HOST)
            .await
            .unwrap();
        self.gone.push(user.id);
        let now = self.clock.instant();
        for session in &mut self.sessions {
            if session.user == user.id && session.ended.is_none() {
                session.ended = Some((now, EndReason::UserDeleted));
            }
        }
    }

    /// What happened from one instant up to another, counted plainly.
    fn counts(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Counts {
        let mut counts = Counts::default();
        let within = |at: DateTime<Utc>| from <= at && at < to;
        for session in self.sessions.iter().filter(|one| !one.impersonated) {
            counts.created += u64::from(within(session.opened_at));
            if let Some((at, reason)) = session.ended.filter(|(at, _)| within(*at)) {
                let by_reason = &mut counts.ended_by_reason;
                *by_reason.entry(reason.code().to_owned()).or_default() += 1;
                let secs = at.timestamp() - session.opened_at.timestamp();
                let secs = u64::try_from(secs).unwrap();
                counts.sum_secs += secs;
                counts.longest_secs = counts.longest_secs.max(secs);
            }
        }
        let failed = self.failed.iter().filter(|at| within(**at));
        counts.sign_in_failed = failed.count() as u64;
        counts
    }

    /// Live, created and ended of each member, those of whom nothing happened left out.
    fn members<'a>(
        &'a self,
        from: DateTime<Utc>,
        of: impl Fn(&'a User, &'a Noted) -> Vec<&'a str>,
    ) -> BTreeMap<&'a str, (u64, u64, u64)> {
        let mut members: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
        for session in self.sessions.iter().filter(|one| !one.impersonated) {
            let user = self.users.iter().find(|user| user.id == session.user);
            for name in of(user.unwrap(), session) {
                let entry = members.entry(name).or_default();
                entry.0 += u64::from(session.ended.is_none());
                entry.1 += u64::from(session.opened_at >= from);
                entry.2 += u64::from(session.ended.is_some_and(|(at, _)| at >= from));
            }
        }
        members.retain(|_, numbers| *numbers != (0, 0, 0));
        members
    }
}

/// The figures say what a plain count says.
pub(super) async fn assert_told(history: &History, figures: &Figures) {
    let now = history.clock.instant();
    assert_eq!(figures.as_of, now);
    let mut totals = Counts::default();
    for bucket in &figures.buckets {
        let expected = history.counts(bucket.from, bucket.to);
        totals.add(&expected);
        assert_eq!(
            bucket.counts, expected,
            "{} of {:?}",
            bucket.from, figures.range
        );
    }
    assert_eq!(figures.totals, totals);
    let day = history.counts(now - TimeDelta::hours(24), now + TimeDelta::days(1));
    assert_eq!(figures.last_24h, day);
    assert_eq!(
        figures.now.live_sessions.count,
        history.live().count() as u64
    );
    assert_eq!(figures.now.users.count, history.users.len() as u64);
    let mut signed_in: Vec<_> = history.live().map(|session| session.user.0).collect();
    signed_in.sort();
    signed_in.dedup();
    assert_eq!(figures.now.signed_in_users.count, signed_in.len() as u64);
    let sum = |members: &[Member]| {
        let all = members.iter();
        all.fold((0, 0, 0), |sum, one| {
            (sum.0 + one.live, sum.1 + one.created, sum.2 + one.ended)
        })
    };
    let expected = (
        figures.now.live_sessions.count,
        totals.created,
        totals.ended(),
    );
    assert_eq!(sum(&figures.by_method), expected);
    assert_eq!(sum(&figures.by_organization), expected);
    // Of deleted users nobody knows more.
    if !history.gone.is_empty() {
        return;
    }
    let from = figures.buckets[0].from;
    let by = |members: &[Member]| {
        let all = members.iter();
        let all = all.map(|one| (one.label.clone(), (one.live, one.created, one.ended)));
        all.collect::<BTreeMap<_, _>>()
    };
    let owned = |members: BTreeMap<&str, (u64, u64, u64)>| {
        let all = members.into_iter();
        all.map(|(name, numbers)| (name.to_owned(), numbers))
            .collect::<BTreeMap<_, _>>()
    };
    let names = [("acme", "Acme"), ("engines", "Engines")];
    let organization = |user: &User| {
        let slug = user.organization.unwrap_or_default();
        let name = names.iter().find(|(other, _)| *other == slug);
        name.map_or("none", |(_, name)| *name)
    };
    let expected = history.members(from, |user, _| vec![organization(user)]);
    assert_eq!(by(&figures.by_organization), owned(expected));
    let expected = history.members(from, |_, session| vec![session.method]);
    assert_eq!(by(&figures.by_method), owned(expected));
    let expected = history.members(from, |user, _| match user.roles.as_slice() {
        [] => vec!["none"],
        roles => roles.to_vec(),
    });
    assert_eq!(by(&figures.by_role), owned(expected));
}
