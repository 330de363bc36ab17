//! Live sessions by what is known of them: found, counted, and as a condition of an end.
//!
//! Live means here that nobody has written down an end, as for every end: by the table alone a
//! session that is in use elsewhere may seem past its idle timeout.

use chrono::{DateTime, Utc};
use entity::{organizations, sessions, user_roles};
use ipnet::IpNet;
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::rules::id::{OrganizationId, SessionId};
use crate::rules::record::SessionWithUser;
use crate::rules::session_query::SessionQuery;
use crate::rules::slug::Slug;
use crate::store::{Store, StoreError};

/// Live sessions that match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Matching {
    /// What must hold of each.
    pub query: SessionQuery,
    /// The instant from which "not used for so long" is reckoned back.
    pub at: DateTime<Utc>,
    /// Not this one.
    pub except: Option<SessionId>,
}

impl Matching {
    /// All but that they are live.
    pub(super) fn condition(&self) -> Condition {
        use sessions::Column::{
            Amr, CreatedAt, Id, IpBytes, LastSeenAt, OrganizationId as Organization, UserAgent,
            UserId as Owner,
        };
        let SessionQuery {
            user_id,
            role,
            organization_id,
            network,
            method,
            signed_in_before,
            idle_for,
            user_agent,
        } = &self.query;
        let with_role = role.as_ref().map(|role| {
            let users = user_roles::Entity::find()
                .select_only()
                .column(user_roles::Column::UserId)
                .filter(user_roles::Column::Role.eq(role.as_str()));
            Owner.in_subquery(users.into_query())
        });
        let in_network = network.map(|net| {
            let (first, last) = bounds(net);
            IpBytes.gte(first).and(IpBytes.lte(last))
        });
        let by_method = method.as_deref().map(|method| {
            // One of several words.
            let word = |pattern: String| Amr.like(LikeExpr::new(pattern).escape('\\'));
            let method = escaped(method);
            Condition::any()
                .add(word(method.clone()))
                .add(word(format!("{method} %")))
                .add(word(format!("% {method}")))
                .add(word(format!("% {method} %")))
        });
        let says = user_agent.as_deref().map(|text| {
            let contains = |text: &str| LikeExpr::new(format!("%{}%", escaped(text))).escape('\\');
            // SQLite folds the case of ASCII letters alone.
            let folded = Expr::expr(Func::lower(Expr::col(UserAgent)));
            Condition::any()
                .add(UserAgent.like(contains(text)))
                .add(folded.like(contains(&text.to_lowercase())))
        });
        Condition::all()
            .add_option(user_id.map(|user| Owner.eq(user.0)))
            .add_option(with_role)
            .add_option(organization_id.map(|id| Organization.eq(id.0)))
            .add_option(in_network)
            .add_option(by_method)
            .add_option(signed_in_before.map(|before| CreatedAt.lt(before)))
            .add_option(idle_for.map(|idle| LastSeenAt.lte(self.at - idle)))
            .add_option(says)
            .add_option(self.except.map(|id| Id.ne(id.0)))
    }

    fn live(&self) -> Select<sessions::Entity> {
        sessions::Entity::find()
            .filter(sessions::Column::EndedAt.is_null())
            .filter(self.condition())
    }
}

impl Store {
    /// How many sessions match, and of how many users.
    pub async fn count_matching(&self, matching: &Matching) -> Result<(u64, u64), StoreError> {
        let question = matching
            .live()
            .select_only()
            .column_as(sessions::Column::Id.count(), "sessions")
            .column_as(
                Expr::col(sessions::Column::UserId).count_distinct(),
                "users",
            )
            .into_tuple::<(i64, i64)>();
        let counted = self.read(|db| question.one(db)).await?;
        let (sessions, users) = counted.unwrap_or_default();
        let number = |count| u64::try_from(count).unwrap_or_default();
        Ok((number(sessions), number(users)))
    }

    /// The newest sessions that match.
    pub async fn newest_matching(
        &self,
        matching: &Matching,
        limit: u64,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionWithUser>, StoreError> {
        let question = matching
            .live()
            .order_by_desc(sessions::Column::Id)
            .limit(limit);
        self.with_users(question, now).await
    }

    /// Sessions that match, in the order of their ids, from after `after` on.
    pub async fn some_matching(
        &self,
        matching: &Matching,
        after: Option<SessionId>,
        limit: u64,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut question = matching
            .live()
            .select_only()
            .column(sessions::Column::Id)
            .order_by_asc(sessions::Column::Id)
            .limit(limit);
        if let Some(after) = after {
            question = question.filter(sessions::Column::Id.gt(after.0));
        }
        let question = question.into_tuple::<Uuid>();
        let ids = self.read(|db| question.all(db)).await?;
        Ok(ids.into_iter().map(SessionId).collect())
    }

    /// The organisation with this short name or identifier.
    pub async fn find_organization(
        &self,
        named: &str,
    ) -> Result<Option<OrganizationId>, StoreError> {
        use organizations::Column::{Id, Slug as ShortName};
        let by = match (Uuid::parse_str(named), Slug::new(named)) {
            (Ok(id), _) => Id.eq(id),
            (Err(_), Ok(slug)) => ShortName.eq(slug.as_str()),
            // No text for the database: it would not take every one.
            (Err(_), Err(_)) => return Ok(None),
        };
        let question = organizations::Entity::find()
            .select_only()
            .column(Id)
            .filter(by)
            .into_tuple::<Uuid>();
        let found = self.read(|db| question.one(db)).await?;
        Ok(found.map(OrganizationId))
    }
}

/// The first and the last address of a network, in the order of `rules::client_address::in_order`.
fn bounds(network: IpNet) -> (Vec<u8>, Vec<u8>) {
    match network {
        IpNet::V4(net) => {
            let key = |address: std::net::Ipv4Addr| [&[4], address.octets().as_slice()].concat();
            (key(net.network()), key(net.broadcast()))
        }
        IpNet::V6(net) => {
            let key = |address: std::net::Ipv6Addr| [&[6], address.octets().as_slice()].concat();
            (key(net.network()), key(net.broadcast()))
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}
