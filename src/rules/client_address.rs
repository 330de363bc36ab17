//! Which address a request comes from, believing only configured proxies (ASVS 4.1.3).

use std::net::IpAddr;

use ipnet::IpNet;

/// The client's address: the peer's, or, where the peer is a trusted proxy, the last address in the
/// chain of hops that is not itself a trusted proxy.
///
/// `forwarded_for` holds the values of `X-Forwarded-For`, `forwarded` those of `Forwarded`
/// (RFC 7239), each in the order received. A proxy writes one of the two and passes the other on
/// as the client sent it; so where both are there and disagree, neither is believed.
pub fn client_address<'a>(
    peer: IpAddr,
    trusted: &[IpNet],
    forwarded_for: impl Iterator<Item = &'a str>,
    forwarded: impl Iterator<Item = &'a str>,
) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let plain: Vec<&str> = forwarded_for.flat_map(|value| value.split(',')).collect();
    let standard: Vec<&str> = forwarded
        .flat_map(|value| value.split(','))
        .map(for_parameter)
        .collect();
    match (plain.is_empty(), standard.is_empty()) {
        (true, true) => peer,
        (false, true) => last_untrusted(peer, trusted, &plain),
        (true, false) => last_untrusted(peer, trusted, &standard),
        (false, false) => {
            let one = last_untrusted(peer, trusted, &plain);
            let other = last_untrusted(peer, trusted, &standard);
            if one == other { one } else { peer }
        }
    }
}

/// Is this a configured proxy?
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// What failed attempts are counted by: an IPv4 address, or the /64 of an IPv6 address, since one
/// host commands all of those.
pub fn throttled_network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            format!(
                "{:x}:{:x}:{:x}:{:x}::/64",
                segments[0], segments[1], segments[2], segments[3]
            )
        }
    }
}

/// An address so that those of one network follow one another: its kind, then its bytes. Networks
/// of one kind hold no address of the other.
pub fn in_order(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(v4) => [&[4], v4.octets().as_slice()].concat(),
        IpAddr::V6(v6) => [&[6], v6.octets().as_slice()].concat(),
    }
}

fn last_untrusted(peer: IpAddr, trusted: &[IpNet], hops: &[&str]) -> IpAddr {
    let mut client = peer;
    for hop in hops.iter().rev() {
        let Some(address) = parse(hop) else { break };
        client = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client
}

fn for_parameter(element: &str) -> &str {
    element
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("for"))
        .map_or("", |(_, value)| value.trim().trim_matches('"'))
}

/// Reads `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:80`.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    if let Ok(address) = hop.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(socket) = hop.parse::<std::net::SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    let bracketed = hop.strip_prefix('[')?.strip_suffix(']')?;
    bracketed.parse::<IpAddr>().ok().map(|a| a.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use ipnet::IpNet;

    use super::{client_address, in_order, throttled_network};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]))
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "::1/128"]
            .iter()
            .filter_map(|n| n.parse().ok())
            .collect();
        let cases: &[(&str, &[&str], &[&str], &str)] = &[
            ("192.0.2.1", &["198.51.100.9"], &[], "192.0.2.1"),
            ("10.0.0.1", &[], &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.9"], &[], "198.51.100.9"),
            (
                "10.0.0.1",
                &["1.1.1.1, 198.51.100.9, 10.0.0.7"],
                &[],
                "198.51.100.9",
            ),
            (
                "10.0.0.1",
                &["1.1.1.1", "198.51.100.9:4711"],
                &[],
                "198.51.100.9",
            ),
            ("10.0.0.1", &["10.9.9.9"], &[], "10.9.9.9"),
            ("10.0.0.1", &["1.1.1.1, garbage"], &[], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1, garbage, 10.0.0.2"], &[], "10.0.0.2"),
            ("::ffff:10.0.0.1", &["198.51.100.9"], &[], "198.51.100.9"),
            ("::1", &["[2001:db8::7]:99"], &[], "2001:db8::7"),
            (
                "10.0.0.1",
                &[],
                &["for=1.1.1.1, for=\"[2001:db8::7]:1\";proto=https"],
                "2001:db8::7",
            ),
            ("10.0.0.1", &[], &["by=1.1.1.1"], "10.0.0.1"),
            (
                "10.0.0.1",
                &["198.51.100.9"],
                &["for=198.51.100.9"],
                "198.51.100.9",
            ),
            (
                "10.0.0.1",
                &["198.51.100.9"],
                &["for=203.0.113.5"],
                "10.0.0.1",
            ),
        ];
        for (peer, plain, standard, expected) in cases {
            let found = client_address(
                ip(peer),
                &trusted,
                plain.iter().copied(),
                standard.iter().copied(),
            );
            assert_eq!(found, ip(expected), "{peer} {plain:?} {standard:?}");
        }
    }

    #[test]
    fn ipv6_is_throttled_by_its_network() {
        assert_eq!(throttled_network(ip("192.0.2.1")), "192.0.2.1");
        assert_eq!(throttled_network(ip("::ffff:192.0.2.1")), "192.0.2.1");
        assert_eq!(
            throttled_network(ip("2001:db8:1:2:3::4")),
            "2001:db8:1:2::/64"
        );
    }

    #[test]
    fn addresses_of_a_network_follow_one_another() {
        let sorted = [
            "0.0.0.0",
            "192.0.2.0",
            "192.0.2.255",
            "192.0.3.0",
            "255.255.255.255",
            "::",
            "2001:db8::",
            "2001:db8:0:ffff::1",
            "2001:db8:1::",
            "ffff::",
        ];
        let keys: Vec<_> = sorted
            .iter()
            .filter_map(|text| text.parse::<IpAddr>().ok())
            .map(in_order)
            .collect();
        assert_eq!(keys.len(), sorted.len());
        assert!(keys.is_sorted());
        // An IPv4 address is one, however it is written.
        let written = |text: &str| text.parse::<IpAddr>().map(in_order).ok();
        assert_eq!(written("::ffff:192.0.2.7"), written("192.0.2.7"));
    }
}
