//! How each act is done: as the server does it, and timed without what only the benchmark needs.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use portcullis::entropy::{new_id, random_token};
use portcullis::rules::audit::{Action, Actor, AuditEvent, Origin};
use portcullis::rules::email::Email;
use portcullis::rules::end_reason::EndReason;
use portcullis::rules::id::SessionId;
use portcullis::rules::record::{Device, SessionSearch};
use portcullis::service::end_session::{end, end_past_limit};
use portcullis::service::error::Error;
use portcullis::service::refresh::refresh;
use portcullis::service::sign_in::Visitor;
use portcullis::service::throttle::{self, Target};
use portcullis::service::tokens::token_hash;
use portcullis::settings::Secret;
use portcullis::store::sessions::{NewSession, Which};
use uuid::Uuid;

use crate::acts::{Act, BATCH, By, PAGE, timed};
use crate::rows::Rows;
use crate::scene::Scene;

/// All that [`portcullis::service::sign_in`] asks of the database, in its order.
pub(crate) async fn sign_in(scene: &mut Scene) -> Duration {
    let user = scene.user();
    let user_id = scene.rows.user_id(user);
    let email = Rows::email(user);
    let ip = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + u32::try_from(user).unwrap()));
    let context = &scene.context;
    let began = Instant::now();
    let credentials = context
        .store
        .find_credentials(&Email::new(&email).unwrap())
        .await;
    assert_eq!(credentials.unwrap().unwrap().user_id, user_id);
    let known = throttle::address_is_known(context, Some(user_id), ip)
        .await
        .unwrap();
    let target = Target::account(context, &email, ip, known);
    let attempt = throttle::begin(context, target).await.unwrap();
    let now = context.now();
    let id = SessionId(new_id(now).unwrap());
    let new = NewSession {
        id,
        user_id,
        remembered: true,
        lifetimes: context.settings.lifetimes(true),
        amr: "pwd",
        device: Device::default(),
        ip,
        place: None,
        impersonation: None,
    };
    let (refresh_id, hash) = (new_id(now).unwrap(), token_hash(&random_token().unwrap()));
    let origin = Origin {
        actor: Actor::User(user_id),
        ip: Some(ip),
    };
    let opened: Result<(), Error> = context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                tx.lock_user(user_id).await?;
                attempt.succeed(tx).await?;
                tx.insert_session(new).await?;
                tx.insert_refresh_token(refresh_id, id, &hash).await?;
                let event = AuditEvent::new(origin, Action::SignedIn)
                    .subject(user_id)
                    .session(id);
                Ok(tx.audit(event).await?)
            })
        })
        .await;
    opened.unwrap();
    context.store.session_facts(id, user_id, now).await.unwrap();
    began.elapsed()
}

pub(crate) async fn check(scene: &mut Scene) -> Duration {
    let session = scene.session();
    let user_id = scene.rows.user_id(scene.rows.owner(session));
    let (session_id, store) = (scene.rows.session_id(session), &scene.context.store);
    timed(store.fresh_session_facts(session_id, user_id, scene.context.now())).await
}

pub(crate) async fn renew(scene: &mut Scene) -> Duration {
    let session = scene.live_session();
    let token = random_token().unwrap();
    let hash: String = token_hash(&token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let id = scene.rows.session_id(session).0;
    let (postgres, plain) = (scene.database.is_postgres(), id.simple());
    let sql = if postgres {
        format!("UPDATE refresh_tokens SET token_hash = '\\x{hash}' WHERE session_id = '{id}'")
    } else {
        format!("UPDATE refresh_tokens SET token_hash = x'{hash}' WHERE session_id = x'{plain}'")
    };
    assert_eq!(scene.database.execute(&sql).await, 1);
    recall(scene, session).await;
    let visitor = Visitor {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: String::new(),
    };
    let began = Instant::now();
    refresh(&scene.context, &Secret::new(token), &visitor)
        .await
        .unwrap();
    began.elapsed()
}

pub(crate) async fn end_one(scene: &mut Scene) -> Duration {
    let session = scene.live_session();
    recall(scene, session).await;
    let which = Which::One(scene.rows.session_id(session));
    let reason = EndReason::EndedByAdmin;
    let began = Instant::now();
    let ended = end(&scene.context, which, reason, Origin::SYSTEM)
        .await
        .unwrap();
    assert_eq!(ended, 1);
    began.elapsed()
}

/// Has a session and its user in memory, as those who are there now are.
async fn recall(scene: &Scene, session: u64) {
    let (store, now) = (&scene.context.store, scene.context.now());
    let user_id = scene.rows.user_id(scene.rows.owner(session));
    let session_id = scene.rows.session_id(session);
    store.find_session(session_id, now).await.unwrap();
    store.live_sessions_of(user_id, now).await.unwrap();
    store
        .fresh_session_facts(session_id, user_id, now)
        .await
        .unwrap();
}

pub(crate) async fn my_sessions(scene: &mut Scene) -> Duration {
    let user = scene.user();
    let user_id = scene.rows.user_id(user);
    let (store, now) = (&scene.context.store, scene.context.now());
    let since = now - TimeDelta::days(30);
    let began = Instant::now();
    store.live_sessions_of(user_id, now).await.unwrap();
    store
        .ended_sessions_of(user_id, since, 20, now)
        .await
        .unwrap();
    began.elapsed()
}

pub(crate) async fn search(scene: &mut Scene, by: By, deep: bool) -> Duration {
    let search = by.search(scene);
    let now = scene.context.now();
    let cursor = if deep {
        hundredth_page(scene, by, &search).await
    } else {
        None
    };
    timed(
        scene
            .context
            .store
            .search_sessions(&search, cursor, PAGE, now),
    )
    .await
}

async fn hundredth_page(scene: &mut Scene, by: By, search: &SessionSearch) -> Option<Uuid> {
    let act = Act::Search { by, deep: true };
    if let Some((_, cursor)) = scene.cursors.iter().find(|(known, _)| *known == act) {
        return *cursor;
    }
    let store = &scene.context.store;
    let before = store
        .search_sessions(search, None, 99 * PAGE, scene.context.now())
        .await;
    let cursor = before.unwrap().next_cursor;
    assert!(cursor.is_some(), "there is no hundredth page");
    scene.cursors.push((act, cursor));
    cursor
}

pub(crate) async fn clean_up(scene: &mut Scene) -> Duration {
    // Sessions that nobody used for long, in place of those that came to it by themselves.
    let postgres = scene.database.is_postgres();
    let ids: Vec<String> = (0..BATCH)
        .map(|_| {
            let session = scene.live_session();
            scene.rows.session_id(session).0
        })
        .map(|id| {
            if postgres {
                format!("'{id}'")
            } else {
                format!("x'{}'", id.simple())
            }
        })
        .collect();
    let past = scene.rows.now - TimeDelta::days(1);
    let past = past.to_rfc3339();
    let sql = format!(
        "UPDATE sessions SET idle_expires_at = '{past}' WHERE id IN ({})",
        ids.join(", ")
    );
    scene.database.execute(&sql).await;
    let now = scene.context.now();
    let began = Instant::now();
    let ended: Result<u64, Error> = scene
        .context
        .store
        .write(now, |tx| {
            Box::pin(async move { Ok(end_past_limit(tx, EndReason::Idle, BATCH).await?) })
        })
        .await;
    assert_eq!(ended.unwrap(), BATCH);
    began.elapsed()
}
