//! Addresses of machines. Says whether an address is one a person or a host could have, not where it is.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Private addresses count: they tell an attacker the inside of a network. Loopback, unspecified, broadcast and netmasks are the same everywhere and tell
/// nothing. Four single digits (`1.2.3.4`) are far more often a version or a section number; a rule with the word "IP" beside them need not ask here.
pub(super) fn ipv4(text: &str) -> bool {
    let Ok(address) = text.parse::<Ipv4Addr>() else { return false };
    let [first, ..] = address.octets();
    let versionlike = address.octets().iter().all(|octet| *octet < 10);
    !versionlike && first != 0 && first < 240 && !address.is_loopback()
}

/// Loopback, unspecified and what is too short to be told from a time or a C++ path is left alone.
pub(super) fn ipv6(text: &str) -> bool {
    let Ok(address) = text.parse::<Ipv6Addr>() else { return false };
    let set = address.segments().iter().filter(|segment| **segment != 0).count();
    let digit = text.bytes().any(|b| b.is_ascii_digit());
    !address.is_loopback() && set > 1 && digit && text.len() > 6
}

/// One separator throughout; not all zero, not broadcast.
pub(super) fn mac(text: &str) -> bool {
    let hex: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).map(|b| b.to_ascii_lowercase()).collect();
    let mut separators = text.bytes().filter(|b| !b.is_ascii_hexdigit());
    let first = separators.next();
    let one_kind = separators.all(|b| Some(b) == first);
    hex.len() == 12 && one_kind && !hex.iter().all(|b| *b == b'0') && !hex.iter().all(|b| *b == b'f')
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use crate::detect::validate::Validator::*;

    #[test]
    fn addresses_that_mean_nobody_are_refused() {
        check(&[
            (
                Ipv4,
                &["203.0.113.7", "192.168.1.20", "10.0.0.15", "8.8.8.80"],
                &["127.0.0.1", "0.0.0.0", "255.255.255.0", "1.2.3.4", "256.1.1.1", "1.2.3", "01.02.03.40"],
            ),
            (
                Ipv6,
                &["2001:db8::8a2e:370:7334", "fe80::1ff:fe23:4567:890a"],
                &["::1", "::", "std::string", "12:30:45", "a::b"],
            ),
            (
                Mac,
                &["00:1A:2B:3C:4D:5E", "00-1a-2b-3c-4d-5e", "0012.3456.789A"],
                &["00:00:00:00:00:00", "FF:FF:FF:FF:FF:FF", "10:2F:33-AC-29-C3", "00:1A:2B:3C:4D"],
            ),
        ]);
    }
}
