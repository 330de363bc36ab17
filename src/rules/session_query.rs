//! Which live sessions an administrator means: what is known of them, all of which must hold.

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use ipnet::{IpNet, Ipv4Net};

use crate::rules::id::{OrganizationId, UserId};
use crate::rules::role::Role;

/// What must hold of a session. Nothing at all would be everybody's, which is another act.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SessionQuery {
    /// It is this user's.
    pub user_id: Option<UserId>,
    /// Its user has this role now.
    pub role: Option<Role>,
    /// It was opened in this organisation.
    pub organization_id: Option<OrganizationId>,
    /// It was opened from an address of this network.
    pub network: Option<IpNet>,
    /// This is one of the methods of its latest proof (RFC 8176).
    pub method: Option<String>,
    /// It was opened before this instant.
    pub signed_in_before: Option<DateTime<Utc>>,
    /// It was not used for so long.
    pub idle_for: Option<TimeDelta>,
    /// What the browser or program said of itself contains this text, whatever the case.
    pub user_agent: Option<String>,
}

impl SessionQuery {
    /// Says it nothing?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each criterion that is given, by the name under which it is asked for.
    pub fn criteria(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("user", self.user_id.map(|id| id.to_string())),
            ("role", self.role.as_ref().map(Role::to_string)),
            (
                "organization",
                self.organization_id.map(|id| id.to_string()),
            ),
            ("cidr", self.network.map(|net| net.to_string())),
            ("method", self.method.clone()),
            (
                "signed_in_before",
                self.signed_in_before
                    .map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            ),
            (
                "idle_for",
                self.idle_for
                    .map(|span| format!("{} seconds", span.num_seconds())),
            ),
            (
                "user_agent",
                self.user_agent.as_ref().map(|text| format!("{text:?}")),
            ),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

impl std::fmt::Display for SessionQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, (name, value)) in self.criteria().into_iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {value}")?;
        }
        Ok(())
    }
}

/// What stands in the place of a network whose time is over.
pub const NOT_KEPT: &str = "no longer kept";

/// Words of the audit that hold a query, without the network it asks for; none if it asks for none.
pub fn without_network(said: &str) -> Option<String> {
    // What comes before it in a query holds neither colons nor commas.
    let marks = [": cidr ", ", cidr "];
    let found = marks
        .iter()
        .filter_map(|mark| Some(said.find(mark)? + mark.len()));
    let (before, rest) = said.split_at(found.min()?);
    let typed = rest.split(',').next()?;
    network(typed)?;
    let after = &rest[typed.len()..];
    Some(format!("{before}{NOT_KEPT}{after}"))
}

/// A network or one address, as typed: bits behind the prefix do not count, and an IPv4 network is
/// one however it is written (RFC 4291 §2.5.5.2).
pub fn network(typed: &str) -> Option<IpNet> {
    let typed = typed.trim();
    let address = || typed.parse::<IpAddr>().ok().map(IpNet::from);
    let net = typed.parse::<IpNet>().ok().or_else(address)?.trunc();
    let IpNet::V6(v6) = net else {
        return Some(net);
    };
    let mapped = v6.network().to_ipv4_mapped();
    let Some((v4, bits)) = mapped.zip(v6.prefix_len().checked_sub(96)) else {
        return Some(net);
    };
    Ipv4Net::new(v4, bits).ok().map(IpNet::V4)
}

/// A method's name, as typed.
pub fn method(typed: &str) -> Option<String> {
    let name = typed.trim().to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    ((1..=32).contains(&name.len()) && name.chars().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::{SessionQuery, method, network, without_network};
    use crate::rules::role::Role;

    #[test]
    fn networks_are_read_however_they_are_written() {
        for (typed, expected) in [
            ("192.0.2.0/24", Some("192.0.2.0/24")),
            (" 192.0.2.77/24 ", Some("192.0.2.0/24")),
            ("192.0.2.77", Some("192.0.2.77/32")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("2001:DB8::1", Some("2001:db8::1/128")),
            ("::ffff:192.0.2.0/120", Some("192.0.2.0/24")),
            ("::ffff:192.0.2.7", Some("192.0.2.7/32")),
            ("::/0", Some("::/0")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("192.0.2.0/33", None),
            ("192.0.2", None),
            ("example.org", None),
            ("", None),
        ] {
            let read = network(typed).map(|net| net.to_string());
            assert_eq!(read.as_deref(), expected, "{typed:?}");
        }
    }

    #[test]
    fn a_network_is_taken_out_of_what_was_said_and_nothing_else_is() {
        let query = SessionQuery {
            role: Role::new("cidr").ok(),
            network: network("192.0.2.0/24"),
            user_agent: Some("x, cidr 192.0.2.0/24".to_owned()),
            ..SessionQuery::default()
        };
        let said = format!("3 sessions of 2 users; query: {query}");
        let without = "3 sessions of 2 users; query: role cidr, cidr no longer kept, \
                       user_agent \"x, cidr 192.0.2.0/24\"";
        assert_eq!(without_network(&said).as_deref(), Some(without));
        for (said, expected) in [
            (
                "query: cidr 192.0.2.7/32",
                Some("query: cidr no longer kept"),
            ),
            (
                "query: cidr 2001:db8::/32, method pwd",
                Some("query: cidr no longer kept, method pwd"),
            ),
            ("query: cidr no longer kept", None),
            ("query: role cidr", None),
            ("3 sessions", None),
        ] {
            assert_eq!(without_network(said).as_deref(), expected, "{said}");
        }
    }

    #[test]
    fn methods_are_single_words() {
        for (typed, expected) in [
            ("pwd", Some("pwd")),
            (" OTP ", Some("otp")),
            ("", None),
            ("pwd otp", None),
            ("p%", None),
        ] {
            assert_eq!(method(typed).as_deref(), expected, "{typed:?}");
        }
    }

    #[test]
    fn a_query_says_what_it_asks_for() {
        assert!(SessionQuery::default().is_empty());
        let query = SessionQuery {
            role: Some(Role::admin()),
            network: network("192.0.2.0/24"),
            signed_in_before: Some(DateTime::UNIX_EPOCH),
            idle_for: Some(TimeDelta::minutes(5)),
            user_agent: Some("a \"b\"".to_owned()),
            ..SessionQuery::default()
        };
        assert!(!query.is_empty());
        assert_eq!(
            query.to_string(),
            "role admin, cidr 192.0.2.0/24, signed_in_before 1970-01-01T00:00:00Z, \
             idle_for 300 seconds, user_agent \"a \\\"b\\\"\""
        );
    }
}
