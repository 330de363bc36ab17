//! Opening a session for somebody who has proven who they are: room for it first, then its row,
//! then its tokens.
//!
//! How many sessions a user may have is counted in the table, in the transaction that opens the new
//! one and holds the user's row; so of any number of sign-ins at once no more get in than may.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::familiar::{COMPARED, Seen, is_familiar};
use crate::rules::id::{SessionId, UserId};
use crate::rules::policy::{AtLimit, Effective, Installation};
use crate::rules::record::{Device, SessionRecord};
use crate::rules::session::Stored;
use crate::rules::user_agent;
use crate::service::Context;
use crate::service::end_session::end_sessions;
use crate::service::error::{Error, Refusal};
use crate::service::policies::{effective_in, installation, lifetimes};
use crate::service::sign_in::{SignedIn, Visitor};
use crate::service::tokens::{IssuedTokens, issue_access_token, new_refresh_token, token_hash};
use crate::settings::Secret;
use crate::store::sessions::{NewSession, Which};
use crate::store::verification_tokens::Purpose;
use crate::store::{StoreError, Transaction};

/// How long somebody may think about which session to end.
const CHOICE_LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// Longest token of a choice that is looked up, in bytes; ours have 43.
const MAX_BYTES: usize = 64;

/// Somebody has as many sessions as are allowed, and the new one was not opened.
#[derive(Clone, Debug)]
pub struct NoRoom {
    /// Most sessions at once.
    pub most: u32,
    /// By which sessions, and with which token, room can be made; none where that is not offered.
    pub choice: Option<Choice>,
}

/// The sessions of which one must end, and what to go on with.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Stands for the proof of identity that was given, once.
    pub token: Secret,
    /// Worth nothing from then on.
    pub expires_at: DateTime<Utc>,
    /// The live sessions, newest first.
    pub sessions: Vec<SessionRecord>,
}

impl std::fmt::Display for NoRoom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let most = self.most;
        let sessions = if most == 1 {
            "session is"
        } else {
            "sessions are"
        };
        write!(
            f,
            "At most {most} {sessions} allowed at once, and there is no room for one more. "
        )?;
        f.write_str(match self.choice {
            Some(_) => "Choose one to end, to go on.",
            None => "Sign out on another device, then try again.",
        })
    }
}

/// Going on with a sign-in after a choice.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The token of the choice.
    pub token: Secret,
    /// The session to end.
    pub end: SessionId,
    /// Stay signed in?
    pub remember: bool,
    /// The session this very browser was in, which the new one replaces.
    pub replaces: Option<SessionId>,
}

/// Ends the chosen session and opens the new one.
///
/// # Errors
/// [`Error::DeadChoice`] if the token is unknown, used or expired, the password was changed or all
/// the user's sessions were ended since, or the account disabled; [`Error::NoRoom`] if still more must end, with the same token.
pub async fn go_on(
    context: &Context,
    chosen: Chosen,
    visitor: &Visitor,
) -> Result<SignedIn, Error> {
    if chosen.token.reveal().len() > MAX_BYTES {
        return Err(Error::DeadChoice);
    }
    let hash = token_hash(chosen.token.reveal());
    let purpose = Purpose::SessionChoice;
    let found = context
        .store
        .find_verification_token(purpose, &hash, context.now())
        .await?;
    let user_id = found.flatten().ok_or(Error::DeadChoice)?;
    let replaces = chosen.replaces;
    let mut opening =
        Opening::new(context, user_id, "pwd", chosen.remember, replaces, visitor).await?;
    (opening.choice, opening.choice_is_kept) = (chosen.token, true);
    let (mut act, end) = (opening.clone(), chosen.end);
    let opened = context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let user = tx.lock_user(user_id).await?.filter(|user| user.enabled);
                let user = user.ok_or(Error::DeadChoice)?;
                // Before any session, as whoever ends all of a user's takes them.
                let token = tx.hold_verification_token(purpose, &hash).await?;
                let token = token.ok_or(Error::DeadChoice)?;
                // It stands for a password that is no longer the user's.
                if user
                    .password_changed_at
                    .is_some_and(|at| at > token.created_at)
                {
                    return Err(Error::DeadChoice);
                }
                act.choice_expires_at = token.expires_at;
                let which = Which::OneOf(user_id, end);
                end_sessions(tx, which, EndReason::SessionLimit, act.origin).await?;
                let no_room = act.open(tx).await?;
                if no_room.is_none() {
                    tx.consume_verification_token(purpose, &hash).await?;
                }
                Ok(no_room)
            })
        })
        .await?;
    match opened {
        None => opening.finish(context).await,
        Some(no_room) => Err(Error::NoRoom(Box::new(no_room))),
    }
}

/// A session about to be opened.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    session_id: SessionId,
    user_id: UserId,
    /// Has the user signed in from such a device and network before?
    is_familiar: bool,
    place: Option<String>,
    device: Device,
    amr: &'static str,
    remember: bool,
    replaces: Option<SessionId>,
    ip: IpAddr,
    refresh: Secret,
    refresh_id: uuid::Uuid,
    choice: Secret,
    choice_id: uuid::Uuid,
    choice_expires_at: DateTime<Utc>,
    choice_is_kept: bool,
    origin: Origin,
    installation: Installation,
}

impl Opening {
    pub(super) async fn new(
        context: &Context,
        user_id: UserId,
        amr: &'static str,
        remember: bool,
        replaces: Option<SessionId>,
        visitor: &Visitor,
    ) -> Result<Self, Error> {
        let now = context.now();
        let before = context.store.seen_sign_ins(user_id, COMPARED).await?;
        let device = user_agent::device(&visitor.user_agent);
        Ok(Self {
            session_id: SessionId(entropy::new_id(now)?),
            user_id,
            is_familiar: is_familiar(&Seen::now(visitor.ip, &device), &before),
            place: context.places.find(visitor.ip),
            device,
            amr,
            remember,
            replaces,
            ip: visitor.ip,
            refresh: new_refresh_token()?,
            refresh_id: entropy::new_id(now)?,
            choice: Secret::new(entropy::random_token()?),
            choice_id: entropy::new_id(now)?,
            choice_expires_at: now + CHOICE_LIFETIME,
            choice_is_kept: false,
            origin: Origin {
                actor: Actor::User(user_id),
                ip: Some(visitor.ip),
            },
            installation: installation(&context.settings),
        })
    }

    /// Opens it, inside an act that has locked the user's row and knows who it is. Where there is no
    /// room, nothing is opened, and what was found is the answer.
    pub(super) async fn open(&self, tx: &mut Transaction) -> Result<Option<NoRoom>, Error> {
        let effective = effective_in(tx, &self.installation, self.user_id).await?;
        if let Some(no_room) = self.make_room(tx, &effective).await? {
            let event = AuditEvent::new(self.origin, Action::SignInFailed)
                .subject(self.user_id)
                .reason(EndReason::SessionLimit.code());
            tx.audit(event).await?;
            return Ok(Some(no_room));
        }
        let (session_id, user_id) = (self.session_id, self.user_id);
        tx.insert_session(NewSession {
            id: session_id,
            user_id,
            remembered: self.remember,
            lifetimes: lifetimes(&effective, self.remember),
            amr: self.amr,
            device: self.device.clone(),
            ip: self.ip,
            place: self.place.clone(),
            impersonation: None,
        })
        .await?;
        let hash = token_hash(self.refresh.reveal());
        tx.insert_refresh_token(self.refresh_id, session_id, &hash)
            .await?;
        if let Some(previous) = self.replaces {
            let which = Which::One(previous);
            end_sessions(tx, which, EndReason::SignedInAgain, self.origin).await?;
        }
        let event = AuditEvent::new(self.origin, Action::SignedIn)
            .subject(user_id)
            .session(session_id)
            .reason(self.amr);
        tx.audit(event).await?;
        if !self.is_familiar {
            let event = AuditEvent::new(self.origin, Action::NewDevice)
                .subject(user_id)
                .session(session_id);
            tx.audit(event).await?;
        }
        Ok(None)
    }

    async fn make_room(
        &self,
        tx: &mut Transaction,
        effective: &Effective,
    ) -> Result<Option<NoRoom>, StoreError> {
        let Some(most) = effective.max_sessions.as_ref().map(|limit| limit.value) else {
            return Ok(None);
        };
        let mut live = tx.live_sessions_of(self.user_id).await?;
        // What this browser was in makes room itself.
        live.retain(|session| Some(session.id) != self.replaces);
        let too_many = (live.len() + 1).saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
        if too_many == 0 {
            return Ok(None);
        }
        match effective.at_limit.value {
            AtLimit::EndOldest => {
                for session in live.iter().rev().take(too_many) {
                    let which = Which::One(session.id);
                    end_sessions(tx, which, EndReason::SessionLimit, self.origin).await?;
                }
                Ok(None)
            }
            AtLimit::Refuse => Ok(Some(NoRoom { most, choice: None })),
            AtLimit::Ask => {
                if !self.choice_is_kept {
                    let hash = token_hash(self.choice.reveal());
                    tx.add_verification_token(
                        self.choice_id,
                        Purpose::SessionChoice,
                        self.user_id,
                        &hash,
                        self.choice_expires_at,
                    )
                    .await?;
                }
                let choice = Choice {
                    token: self.choice.clone(),
                    expires_at: self.choice_expires_at,
                    sessions: live,
                };
                Ok(Some(NoRoom {
                    most,
                    choice: Some(choice),
                }))
            }
        }
    }

    /// After the act: the tokens.
    pub(super) async fn finish(self, context: &Context) -> Result<SignedIn, Error> {
        let (session_id, user_id, now) = (self.session_id, self.user_id, context.now());
        let cached = context
            .store
            .session_facts(session_id, user_id, now)
            .await?;
        let facts = match cached.stored() {
            Stored::Open(facts) => facts,
            // Somebody has ended it meanwhile, which says nothing against address and password.
            Stored::Ended(ended) if ended.reason != EndReason::UserDisabled => {
                let end = Some((ended.at, ended.reason));
                return Err(Refusal::SessionEnded { session_id, end }.into());
            }
            Stored::Ended(_) | Stored::SessionGone | Stored::UserGone => {
                return Err(Error::InvalidCredentials);
            }
        };
        let access = issue_access_token(context, facts, now)?;
        Ok(SignedIn {
            facts: Arc::clone(facts),
            tokens: IssuedTokens {
                access,
                refresh: self.refresh,
            },
        })
    }
}
