//! What is typed about a user, checked field by field.

use crate::rules::role::Role;
use crate::service::error::Error;

/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 200;

pub(super) fn valid_name(typed: &str) -> Result<String, Error> {
    let name = typed.trim();
    if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        let problem = format!("A name has at most {MAX_NAME_CHARS} characters, all printable.");
        return Err(Error::Invalid {
            field: "name",
            problem,
        });
    }
    Ok(name.to_owned())
}

pub(super) fn valid_roles(typed: Vec<String>) -> Result<Vec<Role>, Error> {
    let roles = typed.iter().map(|role| valid_role(role));
    roles.collect()
}

pub(super) fn valid_role(typed: &str) -> Result<Role, Error> {
    Role::new(typed.trim()).map_err(|error| Error::Invalid {
        field: "roles",
        problem: format!("`{typed}`: {error}"),
    })
}
