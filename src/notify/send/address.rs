//! Which addresses a webhook may be sent to.
//!
//! A target comes from the configuration, but what its name stands for is decided by whoever runs its name server, at
//! the moment of each connection. So the address that is connected to is what is checked, and not the name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Ranges of IPv4 that are not the public internet (IANA IPv4 Special-Purpose Address Registry, RFC 6890), with the
/// word for each.
const SPECIAL_V4: [([u8; 4], u8, &str); 16] = [
    ([0, 0, 0, 0], 8, "unspecified"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "shared by a carrier's customers"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "reserved"),
    ([192, 0, 2, 0], 24, "for documentation"),
    ([192, 31, 196, 0], 24, "reserved"),
    ([192, 88, 99, 0], 24, "a 6to4 relay"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "for benchmarks"),
    ([198, 51, 100, 0], 24, "for documentation"),
    ([203, 0, 113, 0], 24, "for documentation"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved"),
];

/// The same within 2000::/3, the only part of IPv6 that is the public internet (RFC 4291 §2.4).
const SPECIAL_V6: [([u16; 2], u8, &str); 5] = [
    // Teredo, ORCHID and others, with addresses of who knows what inside (RFC 2928).
    ([0x2001, 0], 23, "a tunnel's or reserved"),
    ([0x2001, 0x0db8], 32, "for documentation"),
    ([0x2620, 0x004f], 48, "reserved"),
    ([0x3fff, 0], 20, "for documentation"),
    ([0x3ffe, 0], 16, "reserved"),
];

/// What is special about an address that is not the public internet's; `None` for one that is. An IPv6 address that
/// stands for an IPv4 address is what that one is.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => special_v4(inner),
            None => special_v6(address),
        },
    }
}

/// Whether one of `allowed` has the address, as it is or as the IPv4 address it stands for.
pub(crate) fn is_listed(address: IpAddr, allowed: &[IpNet]) -> bool {
    let inner = match address {
        IpAddr::V6(address) => embedded(address).map(IpAddr::V4),
        IpAddr::V4(_) => None,
    };
    allowed.iter().any(|network| {
        network.contains(&address) || inner.is_some_and(|inner| network.contains(&inner))
    })
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    SPECIAL_V4.iter().find_map(|(network, length, word)| {
        let network = Ipv4Addr::from(*network).to_bits();
        let same = (bits ^ network).leading_zeros() >= u32::from(*length);
        same.then_some(*word)
    })
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let within = |[first, second]: [u16; 2], length: u8| {
        let network = u128::from(first) << 112 | u128::from(second) << 96;
        (bits ^ network).leading_zeros() >= u32::from(length)
    };
    if address.is_loopback() {
        return Some("loopback");
    }
    if address.is_unspecified() {
        return Some("unspecified");
    }
    if within([0xfc00, 0], 7) {
        return Some("private");
    }
    if within([0xfe80, 0], 10) || within([0xfec0, 0], 10) {
        return Some("link-local");
    }
    if within([0xff00, 0], 8) {
        return Some("multicast");
    }
    if !within([0x2000, 0], 3) {
        return Some("reserved");
    }
    SPECIAL_V6
        .iter()
        .find_map(|(network, length, word)| within(*network, *length).then_some(*word))
}

/// The IPv4 address that an IPv6 address leads to: mapped (RFC 4291 §2.5.5.2), translated by NAT64 (RFC 6052 §2.1) or
/// tunnelled by 6to4 (RFC 3056 §2).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) => Some(inner(g, h)),
        (0x64, 0xff9b, 0, 0, 0, 0) => Some(inner(g, h)),
        (0x2002, high, low, ..) => Some(inner(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
