//! Where a connection may go. Whom strangers name must not be somebody in this machine's own
//! network, who trusts it: a record, and so a URL, is what anybody can sign.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll, ready},
    vec,
};

use http::Uri;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

/// Which addresses are connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All: the operator or the user named the target.
    Anywhere,
    /// Those of the public internet: somebody else named it.
    Public,
}

impl Reach {
    /// Whether the host of a URL is an address that is out of reach. A name is looked at when it is
    /// resolved, so that it cannot mean another address by then.
    pub(crate) fn refuses(self, url: &Uri) -> bool {
        let host = url.host().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        let address = literal.parse::<IpAddr>();
        self == Self::Public && address.is_ok_and(|address| !is_public(address))
    }
}

/// The error of a target that is out of reach.
pub(crate) fn out_of_reach() -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        "not an address of the public internet",
    )
}

/// The system's resolver, whose answers are limited to what is in reach.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    system: GaiResolver,
    reach: Reach,
}

impl Resolver {
    pub(super) fn new(reach: Reach) -> Self {
        let system = GaiResolver::new();
        Self { system, reach }
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(ready!(self.system.poll_ready(cx)))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (found, reach) = (self.system.call(name), self.reach);
        Box::pin(async move {
            let mut found: Vec<SocketAddr> = found.await?.collect();
            if reach == Reach::Public {
                found.retain(|address| is_public(address.ip()));
                if found.is_empty() {
                    return Err(out_of_reach());
                }
            }
            Ok(found.into_iter())
        })
    }
}

/// Whether an address is of the public internet, as the registries of special addresses (RFC 6890)
/// say; whatever carries an IPv4 address inside is what that is.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, private, loopback, multicast and reserved with broadcast.
        (0 | 10 | 127 | 224..=255, ..) => true,
        // Shared by a provider's customers (RFC 6598).
        (100, 64..=127, _) => true,
        // Link-local, among it what clouds tell their machines.
        (169, 254, _) => true,
        (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, 6to4 relays, documentation, benchmarks.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113) => true,
        (198, 18 | 19, _) => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let inner = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // Mapped (RFC 4291) and translated (RFC 6052) addresses.
        (0, 0) => (c, d, e, f) == (0, 0, 0, 0xffff) && inner(g, h),
        (0x64, 0xff9b) => (c, d, e, f) == (0, 0, 0, 0) && inner(g, h),
        // 6to4 (RFC 3056).
        (0x2002, high) => inner(high, c),
        // Teredo and other protocols' blocks; documentation.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, 0..=0xfff) => false,
        // What is allocated: neither local, nor multicast, nor reserved.
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_out_of_reach_in_whatever_form() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "223.255.255.1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_literal_in_a_url_is_looked_at_before_anything_is_sent() {
        let url = |text: &str| text.parse::<Uri>().unwrap();
        for text in ["http://127.0.0.1:1/post", "https://[::ffff:127.0.0.1]/post"] {
            assert!(Reach::Public.refuses(&url(text)), "{text}");
            assert!(!Reach::Anywhere.refuses(&url(text)), "{text}");
        }
        // A name is for the resolver.
        assert!(!Reach::Public.refuses(&url("http://localhost/post")));
    }

    #[tokio::test]
    async fn a_name_for_a_private_address_does_not_resolve() {
        // The second is one that only the system takes for an address.
        for name in ["localhost", "127.1"] {
            let name: Name = name.parse().unwrap();
            let anywhere = Resolver::new(Reach::Anywhere).call(name.clone()).await;
            assert!(anywhere.unwrap().next().is_some());
            let error = Resolver::new(Reach::Public).call(name).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        }
    }
}
