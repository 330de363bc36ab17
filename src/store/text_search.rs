//! Finding users by a part of their address or name, through an index.
//!
//! `rules/text_part.rs` chooses what the index is asked; here is how each database is asked it.

use entity::users;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Value,
};
use uuid::Uuid;

use crate::rules::email::Email;
use crate::rules::text_part::{SAMPLE, TextPart};
use crate::store::{COUNTED, Store, StoreError, statement};

/// Users who are asked for by their ids.
const FEW: u64 = 1_000;

/// Whom a text means.
pub(super) enum Meant {
    /// The user of whom it is the whole address.
    One(Uuid),
    /// Those who have it in their address or name.
    Part(TextPart),
}

/// Who has a text.
pub(super) enum Named {
    /// These users, and no others.
    These(Vec<Uuid>),
    /// These and more.
    Many(Vec<Uuid>),
}

impl Store {
    /// Whom a text means.
    pub(super) async fn meant(&self, text: &str) -> Result<Meant, StoreError> {
        // Mostly it is an address that was copied from somewhere.
        if let Some(user) = self.user_of_address(text).await? {
            return Ok(Meant::One(user));
        }
        self.text_part(text).await.map(Meant::Part)
    }

    async fn text_part(&self, text: &str) -> Result<TextPart, StoreError> {
        let newest = users::Entity::find()
            .select_only()
            .column(users::Column::Email)
            .column(users::Column::Name)
            .order_by_desc(users::Column::Id)
            .limit(SAMPLE)
            .into_tuple::<(String, String)>();
        let sample = self.read(|db| newest.all(db)).await?;
        let sample: Vec<_> = sample
            .into_iter()
            .map(|(email, name)| (email, name.to_lowercase()))
            .collect();
        Ok(TextPart::new(text, &sample))
    }

    /// Those in whose address or name a text is, or begins if it is short.
    pub(super) async fn named(&self, part: &TextPart) -> Result<Named, StoreError> {
        let mut users = self.users_with(part, FEW + 1).await?;
        if users.len() as u64 > FEW {
            return Ok(Named::Many(users));
        }
        users.sort_unstable();
        Ok(Named::These(users))
    }

    /// How many users have the text, but at most one more than is counted.
    pub(super) async fn count_users_with(&self, part: &TextPart) -> Result<u64, StoreError> {
        Ok(self.users_with(part, COUNTED + 1).await?.len() as u64)
    }

    /// Users who have the text, in no order, at most so many.
    async fn users_with(&self, part: &TextPart, limit: u64) -> Result<Vec<Uuid>, StoreError> {
        let mut sql = Sql::new(self.backend());
        let found = sql.found_by_index(part);
        let text = format!("SELECT users.id AS id FROM {found} LIMIT {limit}");
        let question = statement(self.backend(), text, sql.values);
        let rows = self
            .read(async |db| db.query_all_raw(question).await)
            .await?;
        rows.iter()
            .map(|row| Ok(row.try_get::<Uuid>("", "id")?))
            .collect()
    }

    async fn user_of_address(&self, text: &str) -> Result<Option<Uuid>, StoreError> {
        let Ok(email) = Email::new(text) else {
            return Ok(None);
        };
        let question = users::Entity::find()
            .select_only()
            .column(users::Column::Id)
            .filter(users::Column::Email.eq(email.as_str()))
            .into_tuple::<Uuid>();
        self.read(|db| question.one(db)).await
    }

    /// The row of `users` has the text: for those who pass users in the order of a list.
    pub(super) fn has_text(&self, part: &TextPart) -> Condition {
        let mut sql = Sql::new(self.backend());
        let condition = sql.holds(part);
        Condition::all().add(Expr::cust_with_values(condition, sql.values))
    }

    /// `sessions.user_id` is one of those who have the text.
    pub(super) fn of_users_with(&self, part: &TextPart) -> Condition {
        let mut sql = Sql::new(self.backend());
        let found = sql.found_by_index(part);
        let condition = format!("sessions.user_id IN (SELECT users.id FROM {found})");
        Condition::all().add(Expr::cust_with_values(condition, sql.values))
    }
}

/// A piece of a statement with its values, as either database counts them.
struct Sql {
    backend: DbBackend,
    values: Vec<Value>,
}

impl Sql {
    fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            values: Vec::new(),
        }
    }

    fn is_postgres(&self) -> bool {
        self.backend == DbBackend::Postgres
    }

    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        if self.is_postgres() {
            format!("${}", self.values.len())
        } else {
            "?".to_owned()
        }
    }

    /// What follows FROM to find users by the index. What it finds is looked at whole, since a text
    /// may have the grams in another order.
    fn found_by_index(&mut self, part: &TextPart) -> String {
        if part.is_short() {
            return format!("users WHERE {}", self.holds(part));
        }
        if self.is_postgres() {
            // As one value: the builder of statements takes what is in brackets for a name.
            let grams: Vec<String> = part
                .grams
                .iter()
                .map(|gram| gram.replace('\\', "\\\\").replace('"', "\\\""))
                .map(|gram| format!("\"{gram}\""))
                .collect();
            let grams = self.bind(format!("{{{}}}", grams.join(",")));
            return format!(
                "users WHERE search_grams(users.email || chr(10) || lower(users.name)) \
                 @> CAST({grams} AS text[]) AND {}",
                self.holds(part)
            );
        }
        let grams: Vec<String> = part
            .grams
            .iter()
            .map(|gram| format!("\"{}\"", gram.replace('"', "\"\"")))
            .collect();
        let grams = self.bind(grams.join(" AND "));
        // CROSS keeps the order: whatever it thinks of it, the index comes first.
        format!(
            "user_search CROSS JOIN user_texts ON user_texts.id = user_search.rowid \
             CROSS JOIN users ON users.id = user_texts.user_id \
             WHERE user_search MATCH {grams} AND {}",
            self.holds(part)
        )
    }

    /// The address or the name contains the text, whatever the case; begins with a short one.
    fn holds(&mut self, part: &TextPart) -> String {
        let columns = ["users.email", "lower(users.name)"];
        let each = columns.map(|column| {
            if part.is_short() {
                let order = if self.is_postgres() {
                    " COLLATE \"C\""
                } else {
                    ""
                };
                let from = self.bind(part.text.as_str());
                let below = self.bind(format!("{}{}", part.text, char::MAX));
                format!("({column}{order} >= {from} AND {column}{order} < {below})")
            } else {
                let escaped = part
                    .text
                    .replace('!', "!!")
                    .replace('%', "!%")
                    .replace('_', "!_");
                let pattern = self.bind(format!("%{escaped}%"));
                format!("{column} LIKE {pattern} ESCAPE '!'")
            }
        });
        format!("({})", each.join(" OR "))
    }
}
