//! The line of the access log.

use super::Record;
use crate::egress::wish::{SeenRequest, Shown};
use lychgate_telemetry::{AccessEntry, Direction, Reason, Timing};
use std::net::SocketAddr;

impl Record {
    pub(super) fn entry(&self, failed: Option<&(Reason, String)>) -> Box<AccessEntry> {
        let request = self.wish.as_ref().and_then(|wish| match &wish.shown {
            Shown::Http(request) => Some(request),
            Shown::NotYet | Shown::Tcp | Shown::Tls(_) => None,
        });
        let scheme = match self.wish.as_ref().map(|wish| &wish.shown) {
            Some(Shown::Http(SeenRequest { tls: Some(_), .. })) => "https",
            Some(Shown::Http(_)) => "http",
            Some(Shown::Tls(_)) => "tls",
            Some(Shown::Tcp | Shown::NotYet) | None => "tcp",
        };
        let port = self.wish.as_ref().map_or(0, |wish| wish.target.port);
        Box::new(AccessEntry {
            time: self.time,
            request_id: self.id.clone(),
            client: self.origin.client,
            method: request.map(|request| request.method.to_string()),
            scheme,
            host: self.wish.as_ref().map(|wish| wish.target.to_string()),
            path: request.map(|request| request.path.clone()),
            protocol: self.protocol,
            status: self.status,
            reason: failed.map(|(reason, _)| *reason),
            detail: failed.map(|(_, detail)| detail.clone()),
            listener: Some(self.origin.listener.to_string()),
            rule: self.decision.as_ref().and_then(|decision| decision.because.rule()).map(ToString::to_string),
            backend: None,
            endpoint: self.address.map(|address| SocketAddr::new(address, port)),
            attempts: u32::from(self.connected.is_some()),
            received: self.tally.bytes(Direction::Up),
            sent: self.tally.bytes(Direction::Down),
            user_agent: None,
            trace: None,
            timing: Timing {
                tls: None,
                queue: None,
                connect: self.connected,
                first_byte: None,
                total: self.started.elapsed(),
            },
        })
    }
}
