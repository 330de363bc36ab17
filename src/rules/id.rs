//! Identifiers that cannot be mistaken for one another.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What was typed is no identifier.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an id looks like 018f4e5a-0000-7000-8000-000000000000")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError)
            }
        }
    };
}

id! {
    /// Names a user; never given to another (OIDC `sub`).
    UserId
}
id! {
    /// Names a session. A name, not a secret: what admits is the signed token that carries it.
    SessionId
}
id! {
    /// Names an organisation (tenant).
    OrganizationId
}
