//! How long "who is this?" takes: from a token's text to the principal, with everything warm and
//! 100,000 live sessions asked about in random order.
//!
//! The tokens of each batch are copied into a small buffer first, as a request has just brought
//! them; what is asked about (100,000 sessions and tokens) is far larger than the processor's
//! caches and stays as cold as it is in production.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "a benchmark that cannot go on should stop"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use migration::{Migrator, MigratorTrait};
use portcullis::clock::{Clock, SystemClock};
use portcullis::rules::audit::Origin;
use portcullis::rules::id::{SessionId, UserId};
use portcullis::rules::record::Device;
use portcullis::rules::session::Stored;
use portcullis::service::Context;
use portcullis::service::authenticate::{Authentication, authenticate};
use portcullis::service::tokens::issue_access_token;
use portcullis::service::users::{NewUser, create_user};
use portcullis::settings::Settings;
use portcullis::store::sessions::NewSession;
use portcullis::store::{Store, StoreError};

const SESSIONS: usize = 100_000;
const BATCH: usize = 32;

struct Warm {
    context: Context,
    tokens: Vec<String>,
    _directory: tempfile::TempDir,
}

async fn warm() -> Warm {
    let directory = tempfile::tempdir().unwrap();
    let variables = [
        ("PORTCULLIS_DATA_DIR", directory.path().to_str().unwrap()),
        ("PORTCULLIS_ACCESS_TOKEN_SECS", "3600"),
        ("PORTCULLIS_CACHE_TTL_SECS", "3600"),
    ];
    let own = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::read(own).unwrap();
    let store = Store::open(&settings).await.unwrap();
    Migrator::up(store.schema_connection(), None).await.unwrap();
    let context = Context::start(settings, store, Arc::new(SystemClock))
        .await
        .unwrap();
    // As if the change list were read all the time.
    context.store.cache().confirm(Duration::MAX);
    let new = NewUser {
        email: "ada@example.org".to_owned(),
        name: "Ada".to_owned(),
        roles: vec!["admin".to_owned(), "editor".to_owned()],
    };
    let (user, _) = create_user(&context, new, Origin::HOST).await.unwrap();
    let ids = insert_sessions(&context, user.id).await;
    let now = SystemClock.now();
    let mut tokens = Vec::with_capacity(SESSIONS);
    for id in ids {
        let cached = context.store.session_facts(id, user.id, now).await.unwrap();
        let Stored::Open(facts) = cached.stored() else {
            panic!("not live")
        };
        let token = issue_access_token(&context, facts, now).unwrap();
        let token = token.text.reveal().to_owned();
        check(&context, &token).await;
        tokens.push(token);
    }
    Warm {
        context,
        tokens,
        _directory: directory,
    }
}

async fn insert_sessions(context: &Context, user_id: UserId) -> Vec<SessionId> {
    let now = SystemClock.now();
    let lifetimes = context.settings.lifetimes(true);
    let mut ids = Vec::new();
    for _ in 0..SESSIONS / 2000 {
        let some: Vec<SessionId> = (0..2000)
            .map(|_| SessionId(portcullis::entropy::new_id(now).unwrap()))
            .collect();
        ids.extend_from_slice(&some);
        let inserted: Result<(), StoreError> = context
            .store
            .write(now, move |tx| {
                Box::pin(async move {
                    for id in some {
                        let new = NewSession {
                            id,
                            user_id,
                            remembered: true,
                            lifetimes,
                            amr: "pwd",
                            device: Device::default(),
                            ip: [192, 0, 2, 1].into(),
                            place: None,
                            impersonation: None,
                        };
                        tx.insert_session(new).await?;
                    }
                    Ok(())
                })
            })
            .await;
        inserted.unwrap();
    }
    ids
}

async fn check(context: &Context, token: &str) {
    match authenticate(context, token).await.unwrap() {
        Authentication::SignedIn(principal) => drop(std::hint::black_box(principal)),
        Authentication::NotPresented | Authentication::Refused(_) => panic!("refused"),
    }
}

fn bench(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let warm = runtime.block_on(warm());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % SESSIONS as u64).unwrap()
    };
    criterion.bench_function(
        "authenticate: warm, 100,000 sessions, random order",
        |bencher| {
            bencher.iter_custom(|checks| {
                let mut elapsed = Duration::ZERO;
                let mut left = usize::try_from(checks).unwrap();
                while left > 0 {
                    let size = left.min(BATCH);
                    let batch: Vec<String> =
                        (0..size).map(|_| warm.tokens[next()].clone()).collect();
                    elapsed += runtime.block_on(async {
                        let began = Instant::now();
                        for token in &batch {
                            check(&warm.context, token).await;
                        }
                        began.elapsed()
                    });
                    left -= size;
                }
                elapsed
            });
        },
    );
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(10));
    targets = bench
}
criterion_main!(benches);
