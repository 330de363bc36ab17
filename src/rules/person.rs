//! What is told of a user to whoever asks who they are.

use crate::rules::role::Role;

/// What is no longer than this lies in place; it is as much as makes a whole number of words.
const SHORT: usize = 70;

/// Address, name and roles. There is one of these for each session that is held, so mostly it is
/// one piece of memory with the rest of its facts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Person(
    /// Roles in order with spaces between them, a line break, the address, a line break, the name.
    /// No role has a space or a line break in it, so nothing that somebody wrote into an address
    /// or a name is ever taken for a role.
    Text,
);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Text {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

impl Text {
    fn new(text: String) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short { length, bytes }
            }
            (None, _) | (_, Err(_)) => Self::Long(text.into()),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Short { length, bytes } => bytes
                .get(..usize::from(*length))
                .and_then(|text| std::str::from_utf8(text).ok())
                .unwrap_or_default(),
            Self::Long(text) => text,
        }
    }
}

impl Person {
    /// Of a user with this address, this name, which may be empty, and these roles.
    pub fn new(email: &str, name: &str, roles: impl IntoIterator<Item = Role>) -> Self {
        let mut roles: Vec<Role> = roles.into_iter().collect();
        roles.sort_unstable();
        let roles: Vec<&str> = roles.iter().map(Role::as_str).collect();
        Self(Text::new(format!("{}\n{email}\n{name}", roles.join(" "))))
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
        let text = self.0.as_str();
        text.split_once('\n').map_or("", |(roles, _)| roles)
    }

    fn rest(&self) -> &str {
        let text = self.0.as_str();
        text.split_once('\n').map_or("", |(_, rest)| rest)
    }
}

#[cfg(test)]
mod tests {
    use super::{Person, SHORT};
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
            let known = roles.iter().rev().filter_map(|role| Role::new(role).ok());
            let person = Person::new(email, name, known);
            assert_eq!((person.email(), person.name()), (email, name));
            assert_eq!(person.roles().collect::<Vec<_>>(), roles);
            assert_eq!(person.roles_text(), roles.join(" "));
        }
        // As long as fits in place, and a byte longer; the name's letters take two bytes each.
        for length in SHORT - 4..SHORT + 4 {
            let email = "a".repeat(length - 32);
            let name = "é".repeat(15);
            let person = Person::new(&email, &name, []);
            assert_eq!((person.email(), person.name()), (&*email, &*name));
        }
        assert_eq!(size_of::<Person>(), 72);
        // No form lets such an address in, and from a row written by hand it opens nothing.
        let person = Person::new("ada@example.org\nadmin", "Ada", []);
        assert_eq!(person.roles().count(), 0);
    }
}
