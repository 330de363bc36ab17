//! Client addresses that are kept no longer.

use chrono::{DateTime, Utc};
use entity::{audit_events, refresh_tokens, sessions};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use uuid::Uuid;

use crate::rules::audit::Action;
use crate::store::{StoreError, Transaction};

/// Rows changed by one transaction are no more than this in each table: within what both databases
/// take as parameters.
const MOST: u64 = 1000;

impl Transaction {
    /// Deletes the addresses of sessions opened before this instant, of the oldest first and of at
    /// most `limit`. Returns of how many.
    pub async fn drop_session_addresses(
        &mut self,
        before: DateTime<Utc>,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let some = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(sessions::Column::CreatedAt.lt(before))
            .filter(sessions::Column::Ip.ne(""))
            .order_by_asc(sessions::Column::CreatedAt)
            .limit(limit.min(MOST))
            .into_query();
        // In the order in which whoever ends several takes them, so that neither waits for ever.
        let ids = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(sessions::Column::Id.in_subquery(some))
            .order_by_asc(sessions::Column::Id)
            .lock_exclusive()
            .into_tuple::<Uuid>()
            .all(self.connection())
            .await?;
        let dropped = sessions::Entity::update_many()
            .col_expr(sessions::Column::Ip, Expr::value(""))
            .col_expr(sessions::Column::IpBytes, Expr::value(None::<Vec<u8>>))
            .col_expr(sessions::Column::UpdatedAt, Expr::value(self.now))
            .filter(sessions::Column::Id.is_in(ids))
            .filter(sessions::Column::Ip.ne(""))
            .exec(self.connection())
            .await?;
        Ok(dropped.rows_affected)
    }

    /// As [`Self::drop_session_addresses`], of sessions renewed before this instant and not since:
    /// where the latest renewal came from.
    pub async fn drop_renewal_addresses(
        &mut self,
        before: DateTime<Utc>,
        limit: u64,
    ) -> Result<u64, StoreError> {
        use refresh_tokens::Column;
        let some = refresh_tokens::Entity::find()
            .select_only()
            .column(Column::SessionId)
            .filter(Column::GivenAt.lt(before))
            .filter(Column::GivenIp.is_not_null())
            .order_by_asc(Column::GivenAt)
            .limit(limit.min(MOST))
            .into_query();
        // Whoever changes a token holds its session's row.
        let ids = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(sessions::Column::Id.in_subquery(some))
            .order_by_asc(sessions::Column::Id)
            .lock_exclusive()
            .into_tuple::<Uuid>()
            .all(self.connection())
            .await?;
        let dropped = refresh_tokens::Entity::update_many()
            .col_expr(Column::GivenIp, Expr::value(None::<String>))
            .filter(Column::SessionId.is_in(ids))
            .filter(Column::GivenAt.lt(before))
            .filter(Column::GivenIp.is_not_null())
            .exec(self.connection())
            .await?;
        Ok(dropped.rows_affected)
    }

    /// As [`Self::drop_session_addresses`], of acts in the audit.
    pub async fn drop_audit_addresses(
        &mut self,
        before: DateTime<Utc>,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let some = audit_events::Entity::find()
            .select_only()
            .column(audit_events::Column::Id)
            .filter(audit_events::Column::At.lt(before))
            .filter(audit_events::Column::Ip.is_not_null())
            .order_by_asc(audit_events::Column::At)
            .limit(limit.min(MOST))
            .into_query();
        let dropped = audit_events::Entity::update_many()
            .col_expr(audit_events::Column::Ip, Expr::value(None::<String>))
            // Only these name an address in their words.
            .col_expr(
                audit_events::Column::Detail,
                Expr::case(
                    audit_events::Column::Action.eq(Action::RefreshReused.code()),
                    Expr::value(None::<String>),
                )
                .finally(Expr::col(audit_events::Column::Detail))
                .into(),
            )
            .filter(audit_events::Column::Id.in_subquery(some))
            .filter(audit_events::Column::Ip.is_not_null())
            .exec(self.connection())
            .await?;
        Ok(dropped.rows_affected)
    }
}
