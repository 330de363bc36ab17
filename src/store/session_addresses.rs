//! Client addresses that are kept no longer.

use chrono::{DateTime, Utc};
use entity::{audit_events, refresh_tokens, sessions};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use uuid::Uuid;

use crate::rules::audit::Action;
use crate::rules::session_query::{NOT_KEPT, without_network};
use crate::store::figures::first_id_at;
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
        let queries = self.drop_asked_networks(before, limit).await?;
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
            // These name an address in their words, and queries do: see below.
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
        Ok(queries + dropped.rows_affected)
    }

    /// The networks by which sessions were ended go with the addresses of these acts, of which those
    /// of the command line have none. They are few.
    async fn drop_asked_networks(
        &mut self,
        before: DateTime<Utc>,
        limit: u64,
    ) -> Result<u64, StoreError> {
        use audit_events::Column;
        let actions = [Action::EndWhereBegun, Action::EndWhere].map(Action::code);
        let names_one = Condition::any()
            .add(Column::Detail.like("%: cidr %"))
            .add(Column::Detail.like("%, cidr %"));
        let found = audit_events::Entity::find()
            .select_only()
            .column(Column::Id)
            .column(Column::Detail)
            .filter(Column::Action.is_in(actions))
            .filter(Column::Id.lt(first_id_at(before)))
            .filter(Column::At.lt(before))
            .filter(names_one)
            .filter(Column::Detail.not_like(format!("%cidr {NOT_KEPT}%")))
            .order_by_asc(Column::Id)
            .limit(limit.min(MOST))
            .into_tuple::<(Uuid, String)>()
            .all(self.connection())
            .await?;
        let without = |(id, said): (Uuid, String)| Some((id, without_network(&said)?, said));
        let some = found.into_iter().filter_map(without);
        let mut dropped = 0;
        for (id, without, said) in some.take(usize::try_from(limit).unwrap_or(usize::MAX)) {
            let updated = audit_events::Entity::update_many()
                .col_expr(Column::Ip, Expr::value(None::<String>))
                .col_expr(Column::Detail, Expr::value(without))
                .filter(Column::Id.eq(id))
                .filter(Column::Detail.eq(said))
                .exec(self.connection())
                .await?;
            dropped += updated.rows_affected;
        }
        Ok(dropped)
    }
}
