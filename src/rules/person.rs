//! What is told of a user to whoever asks who they are.

use crate::rules::role::Role;

/// Address, name and roles, in one piece of memory: there is one of these for each session that is
/// held.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Person(
    /// Roles in order with spaces between them, a line break, the address, a line break, the name.
    /// No role has a space or a line break in it, so nothing that somebody wrote into an address
    /// or a name is ever taken for a role.
    Box<str>,
);

impl Person {
    /// Of a user with this address, this name, which may be empty, and these roles.
    pub fn new(email: &str, name: &str, roles: impl IntoIterator<Item = Role>) -> Self {
        let mut roles: Vec<Role> = roles.into_iter().collect();
        roles.sort_unstable();
        let roles: Vec<&str> = roles.iter().map(Role::as_str).collect();
        Self(format!("{}\n{email}\n{name}", roles.join(" ")).into())
    }

    /// The address.
    pub fn email(&self) -> &str {
        self.rest().split_once('\n').map_or("", |(email, _)| email)
    }

    /// The name; may be empty.
    pub fn name(&self) -> &str {
        self.rest().split_once('\n').map_or("", |(_, name)| name)
    }

    /// The names of the roles, in order.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles_text().split_ascii_whitespace()
    }

    /// The names of the roles with spaces between them.
    pub fn roles_text(&self) -> &str {
        self.0.split_once('\n').map_or("", |(roles, _)| roles)
    }

    fn rest(&self) -> &str {
        self.0.split_once('\n').map_or("", |(_, rest)| rest)
    }
}

#[cfg(test)]
mod tests {
    use super::Person;
    use crate::rules::role::Role;

    #[test]
    fn each_part_comes_back_and_none_is_taken_for_another() {
        let cases: [(&str, &str, &[&str]); 5] = [
            ("ada@example.org", "Ada Lovelace", &["admin", "editor"]),
            ("ada@example.org", "", &[]),
            ("", "", &[]),
            ("ada@example.org", "Ada\nadmin", &["editor"]),
            ("ada@example.org", "\n\n", &[]),
        ];
        for (email, name, roles) in cases {
            let known = roles.iter().rev().map(|role| Role::new(role).unwrap());
            let person = Person::new(email, name, known);
            assert_eq!((person.email(), person.name()), (email, name));
            assert_eq!(person.roles().collect::<Vec<_>>(), roles);
            assert_eq!(person.roles_text(), roles.join(" "));
        }
        // No form lets such an address in, and from a row written by hand it opens nothing.
        let person = Person::new("ada@example.org\nadmin", "Ada", []);
        assert_eq!(person.roles().count(), 0);
    }
}
