//! Fifty sign-ins at once against a limit of five, for each of the three answers.

use futures_util::future::join_all;
use portcullis::rules::audit::Origin;
use serde_json::json;

use super::Policed;
use crate::support::{Answer, TestUser, Tokens};

/// Sign-ins at once.
const CROWD: u8 = 50;

impl Policed {
    /// Somebody who has signed in from every address of the crowd, and is in no session.
    async fn known_everywhere(&self) -> TestUser {
        let user = self.server.user("ada@test.example", &["editor"]).await;
        for number in 0..CROWD {
            let answer = self.sign_in_from(number, &user).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        let context = &self.server.context;
        let which = portcullis::store::sessions::Which::User(user.id);
        let reason = portcullis::rules::end_reason::EndReason::EndedByAdmin;
        portcullis::service::end_session::end(context, which, reason, Origin::HOST)
            .await
            .unwrap();
        user
    }

    async fn crowd(&self, user: &TestUser) -> Vec<Answer> {
        join_all((0..CROWD).map(|number| self.sign_in_from(number, user))).await
    }
}

fn count(answers: &[Answer], status: u16) -> usize {
    let same = answers.iter().filter(|it| it.status.as_u16() == status);
    same.count()
}

#[tokio::test]
async fn of_fifty_sign_ins_at_once_the_five_last_to_come_are_in_where_the_oldest_ends() {
    let house = Policed::limited("", "end-oldest").await;
    let ada = house.known_everywhere().await;
    house.set("role/editor", json!({ "max_sessions": 5 })).await;
    let answers = house.crowd(&ada).await;
    // Some were put out before they were told that they are in.
    let out = count(&answers, 401);
    assert_eq!(
        count(&answers, 200) + out,
        usize::from(CROWD),
        "{answers:?}"
    );
    assert_eq!(house.live(&ada).await, 5);
    assert_eq!(house.ended_for_want_of_room().await, i64::from(CROWD) - 5);
    let mut admitted = 0;
    for answer in answers.into_iter().filter(|it| it.status == 200) {
        let tokens = Tokens::from(answer.json());
        admitted += usize::from(house.server.verify(&tokens.access).await.status == 200);
    }
    assert_eq!(admitted, 5);
}

#[tokio::test]
async fn of_fifty_sign_ins_at_once_five_are_in_where_the_rest_are_refused() {
    let house = Policed::limited("", "end-oldest").await;
    let ada = house.known_everywhere().await;
    let policy = json!({ "max_sessions": 5, "at_limit": "refuse" });
    house.set("role/editor", policy).await;
    let answers = house.crowd(&ada).await;
    assert_eq!(
        (count(&answers, 200), count(&answers, 409)),
        (5, 45),
        "{answers:?}"
    );
    assert_eq!(
        (house.live(&ada).await, house.ended_for_want_of_room().await),
        (5, 0)
    );
}

#[tokio::test]
async fn of_fifty_sign_ins_at_once_five_are_in_where_the_rest_are_asked_and_choose_at_once() {
    let house = Policed::limited("", "end-oldest").await;
    let ada = house.known_everywhere().await;
    let policy = json!({ "max_sessions": 5, "at_limit": "ask" });
    house.set("role/editor", policy).await;
    let answers = house.crowd(&ada).await;
    assert_eq!(
        (count(&answers, 200), count(&answers, 409)),
        (5, 45),
        "{answers:?}"
    );
    assert_eq!(house.live(&ada).await, 5);
    let problems: Vec<_> = answers.iter().filter(|it| it.status == 409).collect();
    let chosen = join_all(problems.iter().enumerate().map(async |(number, answer)| {
        let problem = answer.json();
        let end = problem["sessions"][number % 5]["id"].clone();
        let number = u8::try_from(number).unwrap();
        house.choose(number, &problem, &end).await
    }))
    .await;
    // Of those who chose the same session one got its place.
    assert_eq!(
        (count(&chosen, 200), count(&chosen, 409)),
        (5, 40),
        "{chosen:?}"
    );
    assert_eq!(
        (house.live(&ada).await, house.ended_for_want_of_room().await),
        (5, 5)
    );
}
