//! What people call their devices.

use entity::sessions;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use crate::rules::id::{SessionId, UserId};
use crate::store::{StoreError, Transaction};

impl Transaction {
    /// Gives a session of this user another name, or takes its name away. False if it has that name
    /// already, or is not this user's.
    pub async fn name_session(
        &mut self,
        user_id: UserId,
        session_id: SessionId,
        name: Option<&str>,
    ) -> Result<bool, StoreError> {
        use sessions::Column::{Id, Name, UpdatedAt, UserId as Owner};
        let differs = match name {
            Some(name) => Condition::any().add(Name.ne(name)).add(Name.is_null()),
            None => Condition::all().add(Name.is_not_null()),
        };
        let named = sessions::Entity::update_many()
            .col_expr(Name, Expr::value(name.map(str::to_owned)))
            .col_expr(UpdatedAt, Expr::value(self.now))
            .filter(Id.eq(session_id.0))
            .filter(Owner.eq(user_id.0))
            .filter(differs)
            .exec(self.connection())
            .await?;
        Ok(named.rows_affected == 1)
    }
}
