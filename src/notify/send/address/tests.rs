use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{embedded, is_listed, special};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn what_is_not_the_public_internet_has_a_word() {
    let cases = [
        ("127.0.0.1", "loopback"),
        ("127.255.0.9", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "shared by a carrier's customers"),
        ("100.127.255.255", "shared by a carrier's customers"),
        ("169.254.169.254", "link-local"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("198.19.0.1", "for benchmarks"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::7f00:1", "reserved"),
        ("fd00::1", "private"),
        ("fc00::1", "private"),
        ("fe80::1", "link-local"),
        ("fec0::1", "link-local"),
        ("ff02::1", "multicast"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "link-local"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b:1::808:808", "reserved"),
        ("2002:7f00:1::1", "loopback"),
        ("2002:a9fe:a9fe::", "link-local"),
        ("2001::1", "a tunnel's or reserved"),
        ("2001:db8::1", "for documentation"),
        ("100::1", "reserved"),
        ("5f00::1", "reserved"),
    ];
    for (address, word) in cases {
        assert_eq!(special(ip(address)), Some(word), "{address}");
    }
}

#[test]
fn the_public_internet_has_none() {
    for address in [
        "8.8.8.8",
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001:800::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ] {
        assert_eq!(special(ip(address)), None, "{address}");
    }
}

#[test]
fn a_listed_network_counts_in_every_form_of_the_address() {
    let allowed: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
    for address in [
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "64:ff9b::10.1.2.3",
        "fd12::1",
    ] {
        assert!(is_listed(ip(address), &allowed), "{address}");
    }
    for address in ["11.0.0.1", "::ffff:11.0.0.1", "127.0.0.1", "fc00::1"] {
        assert!(!is_listed(ip(address), &allowed), "{address}");
    }
}

/// All three ways of an IPv4 address into an IPv6 address.
fn inside(address: Ipv4Addr, way: u8) -> Ipv6Addr {
    let [a, b, c, d] = address.octets().map(u16::from);
    let (high, low) = (a << 8 | b, c << 8 | d);
    match way {
        0 => address.to_ipv6_mapped(),
        1 => Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        _ => Ipv6Addr::new(0x2002, high, low, 1, 2, 3, 4, 5),
    }
}

/// Any address, and often one near the ranges that matter.
fn v4() -> impl Strategy<Value = Ipv4Addr> {
    let near = (
        proptest::sample::select(vec![0_u8, 10, 100, 127, 169, 172, 192, 198, 203, 224, 255]),
        any::<[u8; 3]>(),
    );
    prop_oneof![
        any::<u32>().prop_map(Ipv4Addr::from),
        near.prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d)),
    ]
}

proptest! {
    #[test]
    fn what_the_standard_library_calls_special_is(address in v4()) {
        let [a, b, ..] = address.octets();
        let known = address.is_loopback()
            || address.is_private()
            || address.is_link_local()
            || address.is_unspecified()
            || address.is_broadcast()
            || address.is_multicast()
            || address.is_documentation()
            || (a == 100 && (64..128).contains(&b))
            || a == 0
            || a >= 240;
        if known {
            prop_assert!(special(address.into()).is_some());
        }
    }

    #[test]
    fn an_address_is_what_it_leads_to(address in v4(), way in 0_u8..3) {
        let hidden = inside(address, way);
        prop_assert_eq!(embedded(hidden), Some(address));
        prop_assert_eq!(special(hidden.into()), special(address.into()));
    }

    #[test]
    fn outside_of_the_public_part_of_ipv6_everything_is_special(bits in any::<u128>()) {
        let address = Ipv6Addr::from(bits);
        let public = address.segments()[0] >> 13 == 1;
        if !public && embedded(address).is_none() {
            prop_assert!(special(address.into()).is_some());
        }
        if address.is_unicast_link_local() || address.is_unique_local() || address.is_multicast() {
            prop_assert!(special(address.into()).is_some());
        }
    }
}
