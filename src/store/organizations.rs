//! Organisations and who is a member of them.

use std::collections::HashMap;

use entity::{organizations, user_organizations};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::rules::id::{OrganizationId, UserId};
use crate::rules::record::OrganizationRecord;
use crate::store::{Store, StoreError, Transaction};

impl Store {
    /// Every organisation, by its short name, and how many members it has.
    pub async fn organizations(&self) -> Result<Vec<(OrganizationRecord, u64)>, StoreError> {
        let all = organizations::Entity::find().order_by_asc(organizations::Column::Slug);
        let members = user_organizations::Entity::find()
            .select_only()
            .column(user_organizations::Column::OrganizationId)
            .column_as(user_organizations::Column::UserId.count(), "members")
            .group_by(user_organizations::Column::OrganizationId)
            .into_tuple::<(Uuid, i64)>();
        let all = self.read(|db| all.all(db)).await?;
        let members = self.read(|db| members.all(db)).await?;
        let members: HashMap<Uuid, i64> = members.into_iter().collect();
        Ok(all
            .into_iter()
            .map(|row| {
                let count = members.get(&row.id).copied().unwrap_or_default();
                let record = OrganizationRecord {
                    id: OrganizationId(row.id),
                    slug: row.slug,
                    name: row.name,
                };
                (record, u64::try_from(count).unwrap_or_default())
            })
            .collect())
    }
}

impl Transaction {
    /// Makes an organisation.
    pub async fn insert_organization(
        &mut self,
        id: OrganizationId,
        slug: &str,
        name: &str,
    ) -> Result<(), StoreError> {
        let row = organizations::ActiveModel {
            id: Set(id.0),
            slug: Set(slug.to_owned()),
            name: Set(name.to_owned()),
            created_at: Set(self.now),
            updated_at: Set(self.now),
        };
        organizations::Entity::insert(row)
            .exec_without_returning(self.connection())
            .await?;
        Ok(())
    }

    /// The organisation with this short name.
    pub async fn find_organization(
        &mut self,
        slug: &str,
    ) -> Result<Option<OrganizationId>, StoreError> {
        let row = organizations::Entity::find()
            .filter(organizations::Column::Slug.eq(slug))
            .one(self.connection())
            .await?;
        Ok(row.map(|row| OrganizationId(row.id)))
    }

    /// Makes a user a member of an organisation.
    pub async fn insert_membership(
        &mut self,
        user_id: UserId,
        organization_id: OrganizationId,
    ) -> Result<(), StoreError> {
        let row = user_organizations::ActiveModel {
            user_id: Set(user_id.0),
            organization_id: Set(organization_id.0),
            created_at: Set(self.now),
        };
        user_organizations::Entity::insert(row)
            .exec_without_returning(self.connection())
            .await?;
        self.forget_user(user_id);
        Ok(())
    }

    /// Takes a membership away. False if the user had none.
    pub async fn delete_membership(
        &mut self,
        user_id: UserId,
        organization_id: OrganizationId,
    ) -> Result<bool, StoreError> {
        let key = (user_id.0, organization_id.0);
        let deleted = user_organizations::Entity::delete_by_id(key)
            .exec(self.connection())
            .await?;
        self.forget_user(user_id);
        Ok(deleted.rows_affected == 1)
    }
}
