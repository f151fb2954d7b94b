//! Which addresses may be contacted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// An ordinary address of the Internet.
    Public,
    /// This machine.
    Loopback,
    /// A network of the operator's own: reached only where the operator allows the host.
    Private,
    /// Never contacted, whatever is allowed: cloud metadata and other link-local services, multicast, reserved ranges.
    Never,
}

/// What a host may resolve to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allow {
    /// Public addresses only.
    Public,
    /// This machine only: a loopback host, where those are allowed.
    Loopback,
    /// Also private addresses and this machine: a host on the operator's list.
    Private,
}

impl Allow {
    /// Whether an address of this class may be contacted.
    pub(crate) const fn admits(self, class: Class) -> bool {
        matches!(
            (self, class),
            (Self::Public, Class::Public)
                | (Self::Loopback, Class::Loopback)
                | (Self::Private, Class::Public | Class::Private | Class::Loopback)
        )
    }
}

/// IPv4 ranges that are not public (IANA special-purpose registry).
const V4: [(Ipv4Addr, u32, Class); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, Class::Never),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Class::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Class::Private),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Class::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Class::Never),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Class::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Class::Never),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Class::Never),
    (Ipv4Addr::new(192, 31, 196, 0), 24, Class::Never),
    (Ipv4Addr::new(192, 52, 193, 0), 24, Class::Never),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Class::Never),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Class::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Class::Never),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Class::Never),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Class::Never),
    (Ipv4Addr::new(224, 0, 0, 0), 3, Class::Never),
];

/// IPv6 ranges that are not public and do not embed an IPv4 address.
const V6: [(Ipv6Addr, u32, Class); 10] = [
    (Ipv6Addr::LOCALHOST, 128, Class::Loopback),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, Class::Never),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, Class::Never),
    // Teredo and the other protocol assignments.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Class::Never),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Class::Never),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Class::Never),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Class::Private),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Class::Never),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Class::Private),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Class::Never),
];

/// The class of an address. Addresses that lead to an IPv4 address (mapped, compatible, NAT64, 6to4) have that one's.
pub(crate) fn class(ip: IpAddr) -> Class {
    match ip {
        IpAddr::V4(ip) => class_v4(ip),
        IpAddr::V6(ip) => class_v6(ip),
    }
}

fn class_v4(ip: Ipv4Addr) -> Class {
    let bits = u32::from(ip);
    V4.iter()
        .find(|(net, length, _)| (bits ^ u32::from(*net)) >> (32 - length) == 0)
        .map_or(Class::Public, |(_, _, class)| *class)
}

fn class_v6(ip: Ipv6Addr) -> Class {
    let bits = u128::from(ip);
    if let Some((_, _, class)) =
        V6.iter().find(|(net, length, _)| (bits ^ u128::from(*net)) >> (128 - length) == 0)
    {
        return *class;
    }
    let s = ip.segments();
    let v4 = |high: u16, low: u16| class_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(high, low),
        // IPv4-translated (RFC 2765) and IPv4-compatible (RFC 4291): not used any more, so not contacted when they
        // hide something, but classified by what they hide.
        [0, 0, 0, 0, 0xffff, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        // Outside 2000::/3 nothing is assigned for the Internet.
        [first, ..] if first & 0xe000 != 0x2000 => Class::Never,
        _ => Class::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Class {
        class(text.parse().unwrap())
    }

    #[test]
    fn every_way_to_this_machine_or_network_is_seen() {
        for private in
            ["10.1.2.3", "172.31.255.255", "192.168.0.1", "100.100.0.1", "fd00::1", "::ffff:10.0.0.1"]
        {
            assert_eq!(of(private), Class::Private, "{private}");
        }
        for loopback in
            ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1"]
        {
            assert_eq!(of(loopback), Class::Loopback, "{loopback}");
        }
        for never in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "0.0.0.0",
            "::",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "198.19.0.1",
            "4000::1",
        ] {
            assert_eq!(of(never), Class::Never, "{never}");
        }
        for public in ["140.82.121.6", "172.32.0.1", "11.0.0.1", "2606:50c0:8000::153", "::ffff:8.8.8.8"] {
            assert_eq!(of(public), Class::Public, "{public}");
        }
    }

    #[test]
    fn nothing_admits_what_is_never_contacted() {
        for allow in [Allow::Public, Allow::Loopback, Allow::Private] {
            assert!(!allow.admits(Class::Never));
        }
        assert!(!Allow::Public.admits(Class::Private));
        assert!(!Allow::Public.admits(Class::Loopback));
        assert!(!Allow::Loopback.admits(Class::Private));
        assert!(!Allow::Loopback.admits(Class::Public));
    }
}
