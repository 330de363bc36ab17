//! Roles: short names that other services can match on.

/// The role that opens the console.
pub const ADMIN: &str = "admin";

/// The right to open a session as another user. It counts beside [`ADMIN`] alone: neither does
/// without the other.
pub const IMPERSONATOR: &str = "impersonator";

/// A role's name, known to be well formed: 1 to 32 of `a-z`, `0-9`, `-`, `_`, `.`, `:`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Role(Box<str>);

/// Not a role's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a role is 1 to 32 characters of a-z, 0-9, '-', '_', '.' and ':'")]
pub struct RoleError;

impl Role {
    /// Takes a well-formed name.
    pub fn new(name: &str) -> Result<Self, RoleError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.:".contains(c);
        if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
            return Err(RoleError);
        }
        Ok(Self(name.into()))
    }

    /// The role that opens the console.
    pub fn admin() -> Self {
        Self(ADMIN.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Is one of these the role with this name?
pub fn has(roles: &[Role], name: &str) -> bool {
    roles.iter().any(|role| role.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::{Role, RoleError};

    #[test]
    fn only_short_plain_names_are_roles() {
        let cases = [
            ("admin", true),
            ("billing:read", true),
            ("", false),
            ("Admin", false),
            ("a b", false),
            ("a,b", false),
            ("a\r\nX-Evil: 1", false),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (name, good) in cases {
            let expected = good.then_some(name).ok_or(RoleError);
            let made = Role::new(name);
            assert_eq!(made.as_ref().map(Role::as_str), expected.as_ref().copied());
        }
    }
}
