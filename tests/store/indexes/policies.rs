//! What SQLite reads for the policies of a user, and to bring live sessions within one.

use portcullis::rules::id::UserId;

use super::plan;
use crate::bench::Bench;
use crate::support::Database;

/// As many roles and organisations as there are sessions by ten, each of one user and with a policy.
pub(super) async fn fill(database: &Database) {
    for sql in [
        "INSERT INTO user_roles (user_id, role, created_at) \
         SELECT u.id, 'role-' || row_number() OVER (), now() FROM users u, generate_series(1, 10)",
        "INSERT INTO organizations (id, slug, name, created_at, updated_at) \
         SELECT gen_random_uuid(), 'org-' || n, 'Org ' || n, now(), now() FROM generate_series(1, 4000) n",
        "INSERT INTO user_organizations (user_id, organization_id, created_at) \
         SELECT u.id, o.id, now() \
         FROM (SELECT id, row_number() OVER () AS number FROM organizations) o \
         JOIN (SELECT id, row_number() OVER () AS number FROM users) u \
          ON u.number = (o.number - 1) / 10 + 1",
        "INSERT INTO session_policies (id, role, organization_id, idle_secs, end_on_role_change, created_at, updated_at) \
         SELECT gen_random_uuid(), role, NULL::uuid, 60, false, now(), now() FROM user_roles \
         UNION ALL SELECT gen_random_uuid(), NULL, id, 60, false, now(), now() FROM organizations",
    ] {
        assert_ne!(database.execute(sql).await, 0, "{sql}");
    }
}

/// Asked at every sign-in, and for every user whose roles or organisations change.
#[tokio::test]
async fn sqlite_reads_no_table_whole_for_policies() {
    let bench = Bench::sqlite().await;
    let db = bench.database.connect().await;
    let ada = bench.literal(UserId(uuid::Uuid::nil()).0);
    let lowered = |whose: &str| {
        format!(
            "SELECT * FROM sessions s WHERE s.ended_at IS NULL AND s.remembered = 0 \
             AND {whose} AND s.id > {ada} ORDER BY s.id LIMIT 500"
        )
    };
    let by_role = "s.user_id IN (SELECT user_id FROM user_roles WHERE role = 'x')";
    let by_organization = format!(
        "s.user_id IN (SELECT user_id FROM user_organizations WHERE organization_id = {ada})"
    );
    for (question, parts) in [
        (
            format!(
                "SELECT p.*, o.slug FROM user_roles r JOIN session_policies p ON p.role = r.role \
                 AND r.user_id = {ada} LEFT JOIN organizations o ON o.id = p.organization_id \
                 UNION ALL SELECT p.*, o.slug FROM user_organizations m \
                 JOIN session_policies p ON p.organization_id = m.organization_id \
                 AND m.user_id = {ada} LEFT JOIN organizations o ON o.id = p.organization_id"
            ),
            &[
                "SEARCH r USING",
                "SEARCH p USING INDEX ux_session_policies_role",
                "SEARCH m USING",
                "SEARCH p USING INDEX ux_session_policies_organization_id",
                "SEARCH o USING",
            ][..],
        ),
        (
            "SELECT * FROM user_roles WHERE role = 'x' LIMIT 1".to_owned(),
            &["ix_user_roles_role"],
        ),
        (
            "UPDATE session_policies SET idle_secs = 1 WHERE role = 'x'".to_owned(),
            &["ux_session_policies_role"],
        ),
        (
            format!("DELETE FROM session_policies WHERE organization_id = {ada}"),
            &["ux_session_policies_organization_id"],
        ),
        (
            lowered(&format!("s.user_id = {ada}")),
            &["SEARCH s USING INDEX ix_sessions_live_user"],
        ),
        (
            lowered(by_role),
            &["ix_sessions_live", "ix_user_roles_role"],
        ),
        (
            lowered(&by_organization),
            &["ix_sessions_live", "ix_user_organizations_organization_id"],
        ),
        (
            format!(
                "UPDATE sessions SET idle_timeout_secs = low.secs FROM (SELECT column1 AS id, \
                 column2 AS secs FROM (VALUES ({ada}, 7)) AS rows) AS low \
                 WHERE sessions.id = low.id AND ended_at IS NULL"
            ),
            &["SEARCH sessions USING"],
        ),
    ] {
        let plan = plan(&db, &question).await;
        for part in parts {
            assert!(plan.contains(part), "{part}: {question}: {plan}");
        }
        for table in [
            "s",
            "r",
            "p",
            "m",
            "o",
            "user_roles",
            "sessions",
            "session_policies",
        ] {
            let whole = format!("SCAN {table}");
            let reads = plan.split("; ").any(|line| line == whole);
            assert!(!reads, "{question}: {plan}");
        }
    }
}
