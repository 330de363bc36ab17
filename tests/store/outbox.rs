//! The outbox: written with its act or not at all, delivered by one process at a time and at least
//! once, tried again, given up.

use std::sync::Arc;
use std::sync::Mutex;

use chrono::TimeDelta;
use portcullis::rules::audit::{Action, AuditEvent, Origin};
use portcullis::rules::id::UserId;
use portcullis::rules::outbox::{Consumer, Delivery, DeliveryStatus, LEASE, MAX_ATTEMPTS};
use portcullis::service::Context;
use portcullis::service::change_password::set_password;
use portcullis::service::error::Error;
use portcullis::service::outbox::{
    Deliverer, Delivering, NotDelivered, deliver_due, discard, retry,
};
use portcullis::settings::Secret;
use portcullis::store::outbox::Tried;

use crate::bench::Bench;

on_both! {
    an_act_and_its_delivery_are_written_together_or_not_at_all
    each_is_delivered_by_one_of_several_processes
    what_a_process_left_when_it_died_is_delivered_by_another
    what_fails_is_tried_again_then_given_up_and_may_be_revived
    what_was_delivered_is_deleted_in_small_steps
    what_never_comes_to_an_end_is_given_up
}

/// Notes what it delivers; fails while it is told to.
#[derive(Default)]
struct Fake {
    delivered: Mutex<Vec<uuid::Uuid>>,
    fails: Mutex<Option<NotDelivered>>,
}

impl Deliverer for Fake {
    fn consumer(&self) -> Consumer {
        Consumer::Mail
    }

    fn deliver<'d>(&'d self, _: &'d Context, delivery: &'d Delivery) -> Delivering<'d> {
        let fails = self.fails.lock().unwrap().clone();
        Box::pin(async move {
            // Somebody else may come in between.
            tokio::task::yield_now().await;
            match fails {
                Some(failure) => Err(failure),
                None => {
                    self.delivered.lock().unwrap().push(delivery.event_id);
                    Ok(())
                }
            }
        })
    }
}

impl Fake {
    fn new() -> (Arc<Self>, Arc<dyn Deliverer>) {
        let fake = Arc::new(Self::default());
        (Arc::clone(&fake), fake)
    }

    fn count(&self) -> usize {
        self.delivered.lock().unwrap().len()
    }
}

async fn change(bench: &Bench, user: UserId) {
    let password = Secret::new("another long and quiet password".to_owned());
    set_password(&bench.context, user, &password, Origin::HOST)
        .await
        .unwrap();
}

async fn rows(bench: &Bench) -> i64 {
    bench.database.count("SELECT COUNT(*) FROM outbox").await
}

async fn claim(bench: &Bench) -> Vec<Delivery> {
    let claimed = bench.store().write(bench.now(), |tx| {
        Box::pin(
            async move { Ok::<_, Error>(tx.claim_deliveries(Consumer::Mail, LEASE, 16).await?) },
        )
    });
    claimed.await.unwrap()
}

async fn note(bench: &Bench, delivery: &Delivery, tried: Tried) -> bool {
    let delivery = delivery.clone();
    let noted = bench.store().write(bench.now(), move |tx| {
        Box::pin(async move { Ok::<_, Error>(tx.note_attempt(&delivery, tried).await?) })
    });
    noted.await.unwrap()
}

async fn an_act_and_its_delivery_are_written_together_or_not_at_all(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    assert_eq!(rows(&bench).await, 0, "nobody is told of a new user");
    change(&bench, ada).await;
    assert_eq!(rows(&bench).await, 1);
    let same = "SELECT COUNT(*) FROM outbox o JOIN audit_events a ON a.id = o.event_id \
                AND a.action = o.action AND a.subject_id = o.subject_id AND a.at = o.at";
    assert_eq!(bench.database.count(same).await, 1);
    let failed = bench.store().write(bench.now(), move |tx| {
        Box::pin(async move {
            let event = AuditEvent::new(Origin::HOST, Action::PasswordChanged).subject(ada);
            tx.audit(event).await?;
            Err::<(), _>(Error::Internal("a test"))
        })
    });
    assert!(failed.await.is_err());
    assert_eq!(rows(&bench).await, 1);
}

async fn each_is_delivered_by_one_of_several_processes(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    for _ in 0..40 {
        change(&bench, ada).await;
    }
    let (fake, deliverer) = Fake::new();
    let beside = bench.beside().await;
    let (one, other) = tokio::join!(
        deliver_due(&bench.context, &deliverer),
        deliver_due(&beside, &deliverer)
    );
    assert_eq!(one.unwrap() + other.unwrap(), 40);
    assert_eq!(fake.count(), 40);
    let mut ids = fake.delivered.lock().unwrap().clone();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40, "one was delivered twice");
    assert_eq!(deliver_due(&beside, &deliverer).await.unwrap(), 0);
}

async fn what_a_process_left_when_it_died_is_delivered_by_another(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    change(&bench, ada).await;
    // It claims, and is never heard of again.
    let claimed = claim(&bench).await;
    assert_eq!(claimed.len(), 1);
    let (fake, deliverer) = Fake::new();
    let beside = bench.beside().await;
    bench.clock.advance(LEASE - TimeDelta::seconds(1));
    assert_eq!(deliver_due(&beside, &deliverer).await.unwrap(), 0);
    bench.clock.advance(TimeDelta::seconds(1));
    // A third has it when the first comes back after all, whose word does not count any more.
    let again = claim(&bench).await;
    assert_eq!((again.len(), again[0].attempts), (1, 2));
    assert!(!note(&bench, &claimed[0], Tried::Delivered).await);
    bench.clock.advance(LEASE);
    assert_eq!(deliver_due(&beside, &deliverer).await.unwrap(), 1);
    assert_eq!(fake.count(), 1);
    assert!(!note(&bench, &again[0], Tried::Delivered).await);
}

async fn what_fails_is_tried_again_then_given_up_and_may_be_revived(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    change(&bench, ada).await;
    let (fake, deliverer) = Fake::new();
    let later = NotDelivered::Later("no answer".to_owned());
    *fake.fails.lock().unwrap() = Some(later);
    let store = bench.store();
    let list = async |status| store.list_deliveries(status, None, 10).await.unwrap().rows;
    let mut waits = Vec::new();
    for attempt in 1..=MAX_ATTEMPTS {
        assert_eq!(deliver_due(&bench.context, &deliverer).await.unwrap(), 1);
        // Not before its time.
        assert_eq!(deliver_due(&bench.context, &deliverer).await.unwrap(), 0);
        let Some(row) = list(DeliveryStatus::Waiting).await.into_iter().next() else {
            assert_eq!(attempt, MAX_ATTEMPTS);
            break;
        };
        assert_eq!(row.last_error.as_deref(), Some("no answer"));
        let wait = row.due_at - bench.now();
        waits.push(wait.num_seconds());
        bench.clock.advance(wait);
    }
    assert_eq!(waits.len(), MAX_ATTEMPTS as usize - 1);
    assert_eq!(waits[..3], [10, 20, 40]);
    assert_eq!(waits.last(), Some(&3600));
    let dead = list(DeliveryStatus::Dead).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(
        store.count_deliveries(DeliveryStatus::Dead).await.unwrap(),
        1
    );
    bench.clock.advance(TimeDelta::days(30));
    assert_eq!(deliver_due(&bench.context, &deliverer).await.unwrap(), 0);

    retry(&bench.context, dead[0].id, Origin::HOST)
        .await
        .unwrap();
    // Refused for good: not tried twice.
    let never = NotDelivered::Never("refused".to_owned());
    *fake.fails.lock().unwrap() = Some(never);
    assert_eq!(deliver_due(&bench.context, &deliverer).await.unwrap(), 1);
    let dead = list(DeliveryStatus::Dead).await;
    assert_eq!(dead[0].last_error.as_deref(), Some("refused"));
    assert_eq!(dead[0].attempts, 1);
    retry(&bench.context, dead[0].id, Origin::HOST)
        .await
        .unwrap();
    *fake.fails.lock().unwrap() = None;
    assert_eq!(deliver_due(&bench.context, &deliverer).await.unwrap(), 1);
    assert_eq!(fake.count(), 1);
    // What is delivered is neither revived nor dropped.
    for done in [
        retry(&bench.context, dead[0].id, Origin::HOST).await,
        discard(&bench.context, dead[0].id, Origin::HOST).await,
    ] {
        assert!(matches!(done, Err(Error::NotFound(_))), "{done:?}");
    }

    change(&bench, ada).await;
    let never = NotDelivered::Never("refused".to_owned());
    *fake.fails.lock().unwrap() = Some(never);
    assert_eq!(deliver_due(&bench.context, &deliverer).await.unwrap(), 1);
    let dead = list(DeliveryStatus::Dead).await;
    discard(&bench.context, dead[0].id, Origin::HOST)
        .await
        .unwrap();
    assert_eq!(list(DeliveryStatus::Dead).await, []);
    let audited = "SELECT COUNT(*) FROM audit_events WHERE action IN ('delivery-retried', 'delivery-dropped')";
    assert_eq!(bench.database.count(audited).await, 3);
}

async fn what_never_comes_to_an_end_is_given_up(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    change(&bench, ada).await;
    for _ in 0..MAX_ATTEMPTS {
        assert_eq!(claim(&bench).await.len(), 1);
        bench.clock.advance(LEASE);
    }
    let (fake, deliverer) = Fake::new();
    assert_eq!(deliver_due(&bench.context, &deliverer).await.unwrap(), 1);
    assert_eq!(fake.count(), 0);
    let dead = bench.store().count_deliveries(DeliveryStatus::Dead).await;
    assert_eq!(dead.unwrap(), 1);
}

async fn what_was_delivered_is_deleted_in_small_steps(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    for _ in 0..5 {
        change(&bench, ada).await;
    }
    let (_, deliverer) = Fake::new();
    deliver_due(&bench.context, &deliverer).await.unwrap();
    bench.clock.advance(TimeDelta::hours(1));
    // This one still waits, and that one is new.
    change(&bench, ada).await;
    let before = bench.now();
    let delete = async |limit| {
        let deleted = bench.store().write(bench.now(), move |tx| {
            Box::pin(
                async move { Ok::<_, Error>(tx.delete_delivered_before(before, limit).await?) },
            )
        });
        deleted.await.unwrap()
    };
    assert_eq!(delete(3).await, 3);
    assert_eq!(delete(3).await, 2);
    assert_eq!(delete(3).await, 0);
    assert_eq!(rows(&bench).await, 1);
}

#[tokio::test]
async fn whoever_looks_for_work_passes_over_what_is_done() {
    use sea_orm::{ConnectionTrait, Statement};
    let bench = Bench::sqlite().await;
    let db = bench.database.connect().await;
    let waiting = "delivered_at IS NULL AND dead_at IS NULL";
    for (question, index) in [
        (format!("SELECT id FROM outbox WHERE consumer = 'mail' AND {waiting} AND due_at <= 'now' ORDER BY due_at LIMIT 16"), "ix_outbox_waiting"),
        ("SELECT * FROM outbox WHERE dead_at IS NOT NULL AND id < x'00' ORDER BY id DESC LIMIT 51".to_owned(), "ix_outbox_dead"),
        ("SELECT id FROM outbox WHERE delivered_at < 'then' ORDER BY delivered_at LIMIT 500".to_owned(), "ix_outbox_delivered"),
        ("SELECT id FROM outbox WHERE delivered_at IS NULL AND due_at <= 'then' ORDER BY due_at LIMIT 100".to_owned(), "ix_outbox_undelivered"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN {question}");
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        let plan: Vec<String> = rows.unwrap().iter().map(|row| row.try_get("", "detail").unwrap()).collect();
        assert!(plan[0].contains(index), "{question}: {plan:?}");
    }
}
