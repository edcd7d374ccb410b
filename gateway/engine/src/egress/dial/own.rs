//! The addresses that this host has.

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR (rtnetlink(7)).
const ADDRESSES_CHANGE: u32 = 0x10 | 0x100;
/// Reports that are read at a time. Where there are more, there is news in any case.
const REPORTS: usize = 1024;

/// The addresses of this host. They are not looked for before somebody wants to know, and again when the kernel has told of a
/// change.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    addresses: Arc<[IpAddr]>,
    /// Where the kernel reports changes.
    reports: OwnedFd,
}

impl Own {
    /// Those of this moment, without those of a link alone.
    pub(crate) fn addresses(&self) -> io::Result<Arc<[IpAddr]>> {
        // Nothing in there is half done, whoever panics.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reports = match known.take() {
            Some(Known { addresses, reports }) if !has_changed(&reports) => {
                *known = Some(Known { addresses: addresses.clone(), reports });
                return Ok(addresses);
            }
            Some(Known { addresses: _, reports }) => reports,
            None => subscribe()?,
        };
        // What changes from here on is reported.
        let addresses: Arc<[IpAddr]> = if_addrs::get_if_addrs()?.iter().map(if_addrs::Interface::ip).collect();
        *known = Some(Known { addresses: addresses.clone(), reports });
        Ok(addresses)
    }
}

fn subscribe() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, ADDRESSES_CHANGE))?;
    Ok(socket)
}

/// Whether anything was reported. What it says does not matter: the whole list is read again.
fn has_changed(reports: &OwnedFd) -> bool {
    let mut has_changed = false;
    for _ in 0..REPORTS {
        match recv(reports, &mut [0_u8; 1], RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN) => return has_changed,
            Err(Errno::INTR) => {}
            // Also reports that were lost because nobody had read those before.
            Ok(_) | Err(_) => has_changed = true,
        }
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_host_has_a_loopback_and_the_list_is_kept() {
        let own = Own::default();
        let first = own.addresses().unwrap();
        assert!(first.contains(&Ipv4Addr::LOCALHOST.into()), "{first:?}");
        let reports = subscribe().unwrap();
        let second = own.addresses().unwrap();
        // Addresses of the machine may have changed meanwhile; then it was told.
        assert!(Arc::ptr_eq(&first, &second) || has_changed(&reports));
    }
}
