//! Addresses and ranges of addresses, separated by commas.

use ipnet::IpNet;
use std::net::IpAddr;

/// Sorted, each once. A range has to be written as what it is, because `192.0.2.1/8` is more likely a slip than a wish
/// to believe sixteen million addresses.
pub(super) fn read(text: &str) -> Result<Vec<IpNet>, String> {
    let mut nets = text.split(',').map(|item| one(item.trim())).collect::<Result<Vec<_>, _>>()?;
    nets.sort_unstable();
    nets.dedup();
    Ok(nets)
}

fn one(item: &str) -> Result<IpNet, String> {
    let net = item.parse::<IpNet>().or_else(|_| item.parse::<IpAddr>().map(IpNet::from));
    let net = net.map_err(|_| {
        format!(
            "`{item}` is no address and no range of addresses; write such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32"
        )
    })?;
    if net != net.trunc() {
        return Err(format!("`{item}` is an address within a range; write {} or {}", net.trunc(), net.addr()));
    }
    match net.addr() {
        // Clients of IPv4 are always known by their own address, so nobody would ever be in it.
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            Err(format!("`{item}` is IPv4 written as IPv6; write it as IPv4"))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Ok(net),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ranges_are_read() {
        let read = |text| read(text).map(|nets| nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        assert_eq!(read("192.0.2.1").unwrap(), "192.0.2.1/32");
        assert_eq!(read(" 2001:db8::/32,10.0.0.0/8 , 10.0.0.0/8").unwrap(), "10.0.0.0/8 2001:db8::/32");
        assert_eq!(read("0.0.0.0/0, ::/0").unwrap(), "0.0.0.0/0 ::/0");
        for (text, says) in [
            ("", "`` is no address"),
            ("10.0.0.0/8,", "`` is no address"),
            ("all", "`all` is no address"),
            ("10.0.0.0/33", "`10.0.0.0/33` is no address"),
            ("10.0.0.1 10.0.0.2", "is no address"),
            ("10.0.0.1/8", "write 10.0.0.0/8 or 10.0.0.1"),
            ("::ffff:10.0.0.1", "write it as IPv4"),
            ("::ffff:10.0.0.0/104", "write it as IPv4"),
        ] {
            assert!(read(text).unwrap_err().contains(says), "{text}: {:?}", read(text));
        }
    }
}
