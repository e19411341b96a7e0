//! Who a request comes from, behind proxies that may say so.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// Who the client is: the peer, or behind proxies that we trust the last address that they did not add themselves.
pub(super) fn address(peer: IpAddr, trusted: &[IpNet], headers: &HeaderMap) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let mut client = peer;
    for value in headers.get_all("x-forwarded-for").iter().rev() {
        for hop in value.to_str().unwrap_or_default().rsplit(',') {
            // What is no address was not written by a proxy that we trust.
            let Some(hop) = hop_address(hop.trim()) else {
                return client;
            };
            client = hop.to_canonical();
            if !is_trusted(client, trusted) {
                return client;
            }
        }
    }
    client
}

/// An address as proxies write it: bare, in brackets, or with the port that it came from. Taken for none, it would leave the
/// proxy's own in the place of everybody who comes through it.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let inner = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let bare = inner.unwrap_or(hop).parse().ok();
    bare.or_else(|| hop.parse().ok().map(|hop: SocketAddr| hop.ip()))
}

/// Whether an address is a proxy's that we trust.
pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|net| net.contains(&address))
}
