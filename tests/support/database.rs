//! A database of a test's own, and a hand to change it with.

use std::path::Path;

use sea_orm::{ConnectionTrait, Database as Connection, DatabaseConnection, Statement};

/// A database of a test's own.
pub struct Database {
    pub url: String,
}

impl Database {
    /// An SQLite file in the directory; with `TEST_DATABASE=postgres` one in PostgreSQL.
    pub async fn make(directory: &Path) -> Self {
        if variable("TEST_DATABASE").as_deref() == Some("postgres") {
            return Self::make_postgres().await;
        }
        Self::make_sqlite(directory)
    }

    /// An SQLite file in the directory.
    pub fn make_sqlite(directory: &Path) -> Self {
        let path = directory.join("portcullis.sqlite");
        Self {
            url: format!("sqlite://{}", path.display()),
        }
    }

    /// A database in PostgreSQL.
    pub async fn make_postgres() -> Self {
        let server = variable("TEST_POSTGRES_URL")
            .expect("TEST_POSTGRES_URL is not set: run bin/test, which starts PostgreSQL");
        let name = format!("t{}", uuid::Uuid::from_bytes(random()).simple());
        let admin = Connection::connect(format!("{server}/postgres"))
            .await
            .unwrap();
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        admin.close().await.unwrap();
        Self {
            url: format!("{server}/{name}"),
        }
    }

    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// Runs a statement by hand, as somebody with `psql` or `sqlite3` would.
    pub async fn execute(&self, sql: &str) -> u64 {
        let connection = self.connect().await;
        let done = connection
            .execute_unprepared(sql)
            .await
            .unwrap()
            .rows_affected();
        connection.close().await.unwrap();
        done
    }

    /// One number.
    pub async fn count(&self, sql: &str) -> i64 {
        let connection = self.connect().await;
        let backend = connection.get_database_backend();
        let row = connection
            .query_one_raw(Statement::from_string(backend, sql))
            .await
            .unwrap()
            .unwrap();
        let count = row.try_get_by_index::<i64>(0).unwrap();
        connection.close().await.unwrap();
        count
    }

    /// A connection of its own.
    pub async fn connect(&self) -> DatabaseConnection {
        let mut options = sea_orm::ConnectOptions::new(&self.url);
        options.max_connections(1).sqlx_logging(false);
        Connection::connect(options).await.unwrap()
    }
}

fn random() -> [u8; 16] {
    portcullis::entropy::random_bytes().unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "which database to test with is no setting of the product"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
