//! A sign-in that waits for a choice of a session to end, and all of the user's sessions being ended
//! at the same moment: whichever comes first, nobody is in afterwards.

use futures_util::future::join;
use portcullis::rules::audit::Origin;
use portcullis::rules::end_reason::EndReason;
use portcullis::rules::policy::{PolicyDraft, Scope};
use portcullis::rules::role::Role;
use portcullis::service::end_session::{end, end_everyone};
use portcullis::service::error::Error;
use portcullis::service::open_session::{Chosen, go_on};
use portcullis::service::policies::set_policy;
use portcullis::store::sessions::Which;
use sea_orm::ConnectionTrait;

use crate::bench::{Bench, sign_in_at, visitor};
use crate::support::PASSWORD;

on_both! {
    who_chooses_while_all_sessions_are_ended_is_out
    who_chooses_while_everyones_sessions_are_ended_is_out
}

const EMAIL: &str = "ada@test.example";

async fn who_chooses_while_all_sessions_are_ended_is_out(bench: Bench) {
    whichever_comes_first(bench, false).await;
}

async fn who_chooses_while_everyones_sessions_are_ended_is_out(bench: Bench) {
    whichever_comes_first(bench, true).await;
}

async fn whichever_comes_first(bench: Bench, everyone: bool) {
    let ada = bench.user(EMAIL, &["editor"]).await;
    let draft = PolicyDraft {
        max_sessions: Some(1),
        at_limit: Some("ask".to_owned()),
        ..PolicyDraft::default()
    };
    let scope = Scope::Role(Role::new("editor").unwrap());
    set_policy(&bench.context, scope, &draft, Origin::HOST)
        .await
        .unwrap();
    for _ in 0..3 {
        let first = bench.session(EMAIL).await;
        let Err(Error::NoRoom(no_room)) = sign_in_at(&bench.context, EMAIL, PASSWORD).await else {
            panic!("there was room");
        };
        let chosen = Chosen {
            token: no_room.choice.unwrap().token,
            end: first,
            remember: false,
            replaces: None,
        };
        let visitor = visitor();
        // Whoever chooses has read that the choice is good, and waits for the session to end.
        let hand = bench.database.connect().await;
        let held = bench.literal(first.0);
        let statements = if bench.database.is_postgres() {
            [
                "BEGIN".to_owned(),
                format!("SELECT id FROM sessions WHERE id = {held} FOR UPDATE"),
            ]
        } else {
            ["BEGIN IMMEDIATE".to_owned(), "SELECT 1".to_owned()]
        };
        for sql in statements {
            hand.execute_unprepared(&sql).await.unwrap();
        }
        let chooses = go_on(&bench.context, chosen, &visitor);
        let ends = async {
            waiting(&bench, 1).await;
            let end = async {
                if everyone {
                    return end_everyone(&bench.context, None, Origin::HOST).await;
                }
                let reason = EndReason::EndedByAdmin;
                end(&bench.context, Which::User(ada), reason, Origin::HOST).await
            };
            let release = async {
                waiting(&bench, 2).await;
                hand.execute_unprepared("COMMIT").await.unwrap();
            };
            join(end, release).await.0
        };
        let (_, ended) = join(chooses, ends).await;
        assert_ne!(ended.unwrap(), 0);
        assert_eq!(bench.open_sessions(ada).await, 0);
    }
}

/// Comes back when so many wait for what another holds; SQLite does not tell.
async fn waiting(bench: &Bench, many: i64) {
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while bench.database.is_postgres() && bench.database.count(waiting).await < many {}
}
