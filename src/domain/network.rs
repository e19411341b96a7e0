//! Networks, as files, commands and the admin API write them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Reads an address with a prefix length, or one address alone; bits behind the prefix are dropped.
///
/// An IPv4 network that is written as IPv6 (RFC 4291 §2.5.5.2, `::ffff:10.0.0.0/104`) is the IPv4 network: addresses of
/// clients are compared in that form.
pub fn network(text: &str) -> Option<IpNet> {
    let alone = || text.parse().ok().map(|address: IpAddr| address.into());
    let network: IpNet = text.parse().ok().or_else(alone)?;
    Some(mapped(&network).unwrap_or(network).trunc())
}

fn mapped(network: &IpNet) -> Option<IpNet> {
    let IpNet::V6(network) = network else {
        return None;
    };
    let address = network.addr().to_ipv4_mapped()?;
    let prefix = network.prefix_len().checked_sub(96)?;
    Ipv4Net::new(address, prefix).ok().map(IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn one_network_has_one_form() {
        for (text, read) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            // All of IPv6, or more than IPv4 has.
            ("::/0", "::/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
        ] {
            let network = network(text).map(|network| network.to_string());
            assert_eq!(network.as_deref(), Some(read), "{text}");
        }
        for wrong in ["", "10.0.0.0/33", "::ffff:10.0.0.0/129", "10.0.0", "host/8"] {
            assert_eq!(network(wrong), None, "{wrong}");
        }
    }
}
