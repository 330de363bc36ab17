//! What a client was told is held against what is there.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::client::{Client, Made, Unanswered, known};
use crate::support::{Answer, Database};

impl Client {
    /// What was acknowledged is there; what was not answered was done whole or not at all.
    pub(super) async fn compare(&mut self, database: &Database) {
        let unanswered = self.unanswered.take();
        let ids: Vec<String> = self.sessions.keys().cloned().collect();
        for id in ids {
            let ended = self.sessions[&id].ended;
            let unsure = unanswered == Some(Unanswered::End(id.clone()));
            self.compare_session(&id, ended, unsure).await;
        }
        let own = format!("/api/admin/users/{}", self.user_id);
        let name = self.ask(&own).await.json()["name"].clone();
        let renamed = |typed: &str| unanswered == Some(Unanswered::Rename(typed.to_owned()));
        assert!(
            name == self.name.as_str() || renamed(name.as_str().unwrap()),
            "{name} and not {}",
            self.name
        );
        name.as_str().unwrap().clone_into(&mut self.name);
        for (id, made) in self.made.clone() {
            let answer = self.ask(&format!("/api/admin/users/{id}")).await;
            let found = match answer.status {
                StatusCode::NOT_FOUND => Made::Deleted,
                _ if answer.json()["enabled"] == true => Made::Enabled,
                _ => Made::Disabled,
            };
            let unsure = [
                (Unanswered::Disable(id.clone()), Made::Disabled),
                (Unanswered::Delete(id.clone()), Made::Deleted),
            ];
            let unsure = unsure
                .iter()
                .any(|(act, to)| unanswered.as_ref() == Some(act) && found == *to);
            assert!(found == made || unsure, "{id} is {found:?}, not {made:?}");
            self.made.insert(id, found);
        }
        // A row and its audit row come together, whatever was acknowledged.
        let rows = |table: &str, condition: &str| {
            format!("SELECT COUNT(*) FROM {table} WHERE {condition}")
        };
        let user = format!("(SELECT id FROM users WHERE email = '{}')", self.email);
        let opened = database
            .count(&rows("sessions", &format!("user_id = {user}")))
            .await;
        let signed_in = format!("action = 'sign-in' AND subject_id = {user}");
        assert_eq!(
            database.count(&rows("audit_events", &signed_in)).await,
            opened
        );
        let more = opened - i64::try_from(self.sessions.len()).unwrap();
        let lost = i64::from(unanswered == Some(Unanswered::SignIn));
        assert!(
            (0..=lost).contains(&more),
            "{more} more sessions than known"
        );
        let ended = format!("user_id = {user} AND ended_at IS NOT NULL");
        let noted = format!("action = 'session-ended' AND subject_id = {user}");
        assert_eq!(
            database.count(&rows("audit_events", &noted)).await,
            database.count(&rows("sessions", &ended)).await
        );
        if let Some(Unanswered::Create(email)) = &unanswered {
            // With its audit row and its invitation, or not at all.
            let user = format!("(SELECT id FROM users WHERE email = '{email}')");
            let one = |table: &str, column: &str| rows(table, &format!("{column} = {user}"));
            let there = database
                .count(&rows("users", &format!("email = '{email}'")))
                .await;
            let invited = database.count(&one("verification_tokens", "user_id")).await;
            assert_eq!(invited, there);
        }
        if more > 0 {
            // Nobody has its tokens; those who count sessions next time must not miss it.
            let id = format!("/api/admin/users/{}/sessions", self.user_id);
            let admin = Some(self.admin.as_str());
            let answer = self.call(Method::DELETE, &id, admin, None).await;
            assert_eq!(answer.ok().unwrap().status, 200);
            self.sessions.clear();
            database
                .execute(&format!(
                    "DELETE FROM audit_events WHERE subject_id = {user}"
                ))
                .await;
            database
                .execute(&format!("DELETE FROM sessions WHERE user_id = {user}"))
                .await;
        }
    }

    pub(super) async fn compare_session(
        &mut self,
        id: &str,
        ended: Option<&'static str>,
        unsure: bool,
    ) {
        let before = self.sessions[id].clone();
        let access = Some(before.access.as_str());
        let verified = self.call(Method::GET, "/api/auth/verify", access, None);
        let verified = verified.await.ok().unwrap();
        if let Some(reason) = ended {
            assert_eq!(verified.code(), "session-ended", "{id}");
            assert_eq!(verified.json()["reason"], reason, "{id}");
            return;
        }
        if unsure && verified.status == 401 {
            let reason = verified.json()["reason"].as_str().unwrap().to_owned();
            let reasons = ["signed-out", "ended-by-admin"];
            let reason = reasons.into_iter().find(|known| *known == reason);
            self.sessions.get_mut(id).unwrap().ended = Some(reason.unwrap());
            return;
        }
        assert_eq!(verified.status, 200, "{id}: {}", verified.text);
        // Also where the answer to its last refresh was lost.
        let document = json!({ "refresh_token": before.refresh });
        let renewed = self.call(Method::POST, "/api/auth/refresh", None, Some(document));
        let renewed = renewed.await.ok().unwrap();
        assert_eq!(renewed.status, 200, "{id}: {}", renewed.text);
        self.sessions.insert(id.to_owned(), known(&renewed.json()));
    }

    pub(super) async fn ask(&self, path: &str) -> Answer {
        let admin = Some(self.admin.as_str());
        self.call(Method::GET, path, admin, None)
            .await
            .ok()
            .unwrap()
    }
}
