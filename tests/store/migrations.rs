//! Migrations lead up and down and up again to the same tables, and these are the tables that the
//! entities describe.

use std::collections::{BTreeMap, BTreeSet};

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, IdenStatic, Iterable, Statement,
};

use crate::bench::Bench;

on_both! {
    up_down_and_up_again_makes_the_same_tables
    each_step_down_undoes_exactly_its_step_up
    the_tables_are_what_the_entities_say
    what_belongs_to_a_user_goes_with_the_user
    addresses_that_were_there_before_are_found_by_network
}

/// The table in which the migrations note how far they are.
const OWN: &str = "seaql_migrations";

/// All there is in the database, as lines of text.
async fn schema(db: &DatabaseConnection) -> Vec<String> {
    let sql = if db.get_database_backend() == sea_orm::DbBackend::Sqlite {
        "SELECT type || ' ' || name || ' on ' || tbl_name || ': ' || COALESCE(sql, '') AS line \
         FROM sqlite_master WHERE tbl_name NOT IN ('seaql_migrations', 'sqlite_sequence') \
         ORDER BY line"
    } else {
        "SELECT line FROM ( \
          SELECT 'column ' || table_name || '.' || column_name || ' ' \
           || row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position) || ' ' || data_type \
           || ' ' || is_nullable || ' ' || COALESCE(column_default, '') AS line \
           FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'seaql_migrations' \
          UNION ALL SELECT 'index ' || indexdef FROM pg_indexes \
           WHERE schemaname = 'public' AND tablename <> 'seaql_migrations' \
          UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) \
           FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
           AND conrelid::regclass::text <> 'seaql_migrations' \
          UNION ALL SELECT 'type ' || typname FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace \
           WHERE nspname = 'public' AND typtype IN ('e', 'd') \
          UNION ALL SELECT 'function ' || pg_get_functiondef(p.oid) FROM pg_proc p \
           WHERE pronamespace = 'public'::regnamespace \
          UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal \
          UNION ALL SELECT 'relation ' || relkind::text || ' ' || relname FROM pg_class c \
           JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public' \
           AND relname NOT LIKE 'seaql_migrations%') AS all_there_is ORDER BY line"
    };
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .unwrap();
    rows.iter()
        .map(|row| row.try_get("", "line").unwrap())
        .collect()
}

async fn up_down_and_up_again_makes_the_same_tables(bench: Bench) {
    bench.user("ada@test.example", &["admin"]).await;
    bench.session("ada@test.example").await;
    let db = bench.store().schema_connection();
    let before = schema(db).await;
    assert!(before.len() > 40, "{before:#?}");
    Migrator::down(db, None).await.unwrap();
    assert_eq!(schema(db).await, [""; 0]);
    Migrator::up(db, None).await.unwrap();
    assert_eq!(schema(db).await, before);
    assert_eq!(bench.database.count("SELECT COUNT(*) FROM users").await, 0);
    // Up once more is no change.
    Migrator::up(db, None).await.unwrap();
    assert_eq!(schema(db).await, before);
}

async fn each_step_down_undoes_exactly_its_step_up(bench: Bench) {
    let db = bench.store().schema_connection();
    Migrator::down(db, None).await.unwrap();
    for step in 1..=Migrator::migrations().len() {
        let before = schema(db).await;
        Migrator::up(db, Some(1)).await.unwrap();
        let after = schema(db).await;
        assert_ne!(after, before, "step {step} does nothing");
        Migrator::down(db, Some(1)).await.unwrap();
        assert_eq!(schema(db).await, before, "step {step}");
        Migrator::up(db, Some(1)).await.unwrap();
        assert_eq!(schema(db).await, after, "step {step}");
    }
}

/// For each column of a table whether it may be NULL.
type Columns = BTreeMap<String, bool>;

async fn columns(db: &DatabaseConnection, table: &str) -> Columns {
    let sql = if db.get_database_backend() == sea_orm::DbBackend::Sqlite {
        format!("SELECT name, \"notnull\" = 0 AS nullable FROM pragma_table_info('{table}')")
    } else {
        format!(
            "SELECT column_name::text AS name, is_nullable = 'YES' AS nullable \
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"
        )
    };
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            (
                row.try_get("", "name").unwrap(),
                row.try_get("", "nullable").unwrap(),
            )
        })
        .collect()
}

async fn assert_entity<E: EntityTrait>(
    db: &DatabaseConnection,
    entity: E,
    known: &mut BTreeSet<String>,
) {
    let table = entity.table_name().to_owned();
    E::find()
        .all(db)
        .await
        .unwrap_or_else(|error| panic!("{table}: {error}"));
    let said: Columns = E::Column::iter()
        .map(|column| (column.as_str().to_owned(), column.def().is_null()))
        .collect();
    assert_eq!(columns(db, &table).await, said, "{table}");
    known.insert(table);
}

async fn the_tables_are_what_the_entities_say(bench: Bench) {
    bench.user("ada@test.example", &["admin"]).await;
    bench.session("ada@test.example").await;
    let db = bench.store().schema_connection();
    // The change list has no entity: it is written by triggers alone, and each database orders its
    // rows in a way of its own.
    let mut known = BTreeSet::from([OWN.to_owned(), "session_changes".to_owned()]);
    if !bench.database.is_postgres() {
        // Nor has what SQLite searches texts by, which it keeps in tables.
        let of_search = ["user_texts", "user_search"].map(str::to_owned);
        let within = ["data", "idx", "docsize", "config"].map(|name| format!("user_search_{name}"));
        known.extend(of_search.into_iter().chain(within));
    }
    macro_rules! all {
        ($($table:ident)*) => { $(assert_entity(db, entity::$table::Entity, &mut known).await;)* };
    }
    all! {
        accounts audit_events hourly_figures leases organizations outbox refresh_tokens sealed_keys
        session_policies sessions throttles
        user_organizations user_roles users verification_tokens
    }
    let sql = if bench.database.is_postgres() {
        "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'sqlite_sequence'"
    };
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .unwrap();
    let tables: BTreeSet<String> = rows
        .iter()
        .map(|row| row.try_get("", "name").unwrap())
        .collect();
    assert_eq!(
        tables, known,
        "a table without an entity, or the other way round"
    );
}

async fn what_belongs_to_a_user_goes_with_the_user(bench: Bench) {
    let database = &bench.database;
    let ada = bench.user("ada@test.example", &["admin", "editor"]).await;
    bench.user("ben@test.example", &["admin"]).await;
    for email in ["ada@test.example", "ben@test.example"] {
        bench.session(email).await;
    }
    let [id, owner, when] = [
        bench.literal(crate::bench::id()),
        bench.literal(ada.0),
        "'2026-01-01T00:00:00Z'".to_owned(),
    ];
    for sql in [
        format!("INSERT INTO organizations VALUES ({id}, 'castle', 'Castle', {when}, {when})"),
        format!("INSERT INTO user_organizations VALUES ({owner}, {id}, {when})"),
        format!("INSERT INTO accounts VALUES ({id}, {owner}, 'somewhere', 'ada', {when}, {when})"),
        format!(
            "INSERT INTO verification_tokens VALUES ({id}, {owner}, 'invitation', 'hash', {when}, NULL, {when}, NULL, NULL)"
        ),
        format!("UPDATE sessions SET organization_id = {id} WHERE user_id = {owner}"),
    ] {
        assert_eq!(database.execute(&sql).await, 1, "{sql}");
    }
    assert_eq!(
        database
            .execute(&format!("DELETE FROM users WHERE id = {owner}"))
            .await,
        1
    );
    // Ben's stay.
    for (table, left) in [
        ("users", 1),
        ("user_roles", 1),
        ("sessions", 1),
        ("refresh_tokens", 1),
        ("user_organizations", 0),
        ("accounts", 0),
        ("verification_tokens", 0),
        ("organizations", 1),
    ] {
        assert_eq!(
            database
                .count(&format!("SELECT COUNT(*) FROM {table}"))
                .await,
            left,
            "{table}"
        );
    }
    // What was done outlives who did it.
    let about = format!("SELECT COUNT(*) FROM audit_events WHERE subject_id = {owner}");
    assert_ne!(database.count(&about).await, 0);
    // An organisation that goes leaves the sessions that were opened in it.
    database
        .execute(&format!("UPDATE sessions SET organization_id = {id}"))
        .await;
    database.execute("DELETE FROM organizations").await;
    let kept = "SELECT COUNT(*) FROM sessions WHERE organization_id IS NULL";
    assert_eq!(database.count(kept).await, 1);
}

async fn addresses_that_were_there_before_are_found_by_network(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let addresses = [
        ("192.0.2.7", "04C0000207"),
        ("2001:db8::1", "0620010DB8000000000000000000000001"),
        ("::ffff:192.0.2.8", "04C0000208"),
        ("", ""),
        ("nowhere", ""),
    ];
    let db = bench.store().schema_connection();
    for (address, _) in addresses {
        let session = bench.literal(bench.session("ada@test.example").await.0);
        let sql = format!("UPDATE sessions SET ip = '{address}' WHERE id = {session}");
        assert_eq!(bench.database.execute(&sql).await, 1);
    }
    let steps = Migrator::migrations();
    let back = steps
        .iter()
        .rev()
        .position(|step| step.name() == "m20261125_7_places_and_addresses")
        .unwrap();
    let back = u32::try_from(back + 1).unwrap();
    Migrator::down(db, Some(back)).await.unwrap();
    Migrator::up(db, None).await.unwrap();
    let hex = if bench.database.is_postgres() {
        "upper(encode(ip_bytes, 'hex'))"
    } else {
        "hex(ip_bytes)"
    };
    for (address, bytes) in addresses {
        let sql = format!(
            "SELECT COUNT(*) FROM sessions WHERE ip = '{address}' AND COALESCE({hex}, '') = '{bytes}'"
        );
        assert_eq!(bench.database.count(&sql).await, 1, "{address}");
    }
}
