//! A record, asked again.

use crate::seen::protocol;
use http::Method;
use lychgate_audit::{Record, RecordHttp, RecordProtocol, RecordSource};
use lychgate_egress::target::TargetHost;
use lychgate_egress::{Ask, Called, Hello, HttpAsk, Reached, ServerName, Source, Spoken};
use lychgate_ir::egress::{DnsName, Workload};
use std::net::IpAddr;
use std::sync::Arc;

/// What a record says was asked for.
pub(super) struct Asked<'r> {
    record: &'r Record,
    called: TargetHost,
    answer: Vec<IpAddr>,
    server_name: Option<Result<DnsName, ()>>,
    http: Option<(Option<TargetHost>, Method, &'r RecordHttp)>,
}

impl<'r> Asked<'r> {
    /// `None` if it says neither a name nor an address that can be read.
    pub(super) fn of(record: &'r Record) -> Option<Self> {
        let destination = &record.destination;
        let by_name = destination.host.as_deref().filter(|_| !destination.by_address);
        let called = match (by_name, destination.address) {
            (Some(host), _) => TargetHost::parse(host).ok()?,
            (None, Some(address)) => TargetHost::address(address),
            (None, None) => return None,
        };
        let leads_there = destination.host.is_some() && destination.verified != Some(false);
        let http = match (&record.http, protocol(record)) {
            (Some(http), RecordProtocol::Http) => {
                let host = http.host.as_deref().and_then(|host| TargetHost::parse(host).ok());
                Some((host, http.method.parse().ok()?, http))
            }
            (Some(_) | None, _) => None,
        };
        Some(Self {
            record,
            called,
            answer: destination.address.filter(|_| leads_there).into_iter().collect(),
            server_name: record.server_name.as_deref().map(|name| DnsName::parse(name).map_err(drop)),
            http,
        })
    }

    pub(super) fn source(&self) -> Source {
        let RecordSource { identity, namespace, service_account, address: _, labels } = &self.record.source;
        if identity.is_none() && namespace.is_none() {
            return Source::Unknown;
        }
        let text = |text: &Option<String>| text.as_deref().map(Into::into);
        Source::Workload(Arc::new(Workload {
            identity: text(identity),
            namespace: text(namespace),
            service_account: text(service_account),
            labels: labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
        }))
    }

    pub(super) fn ask(&self) -> Ask<'_> {
        Ask {
            called: called(&self.called),
            port: self.record.destination.port,
            spoken: self.spoken(),
            unix_seconds: self.record.time.unix_millis().div_euclid(1000),
            draw: 0,
        }
    }

    /// Where it led; `None` if nobody found out, or it went to a proxy that did.
    pub(super) fn reached(&self) -> Option<Reached<'_>> {
        let address = self.record.destination.address?;
        Some(Reached { address, answer: &self.answer })
    }

    pub(super) fn is_spoken(&self) -> bool {
        !matches!(self.spoken(), Spoken::NotYet)
    }

    pub(super) fn is_dns(&self) -> bool {
        protocol(self.record) == RecordProtocol::Dns
    }

    fn spoken(&self) -> Spoken<'_> {
        match (protocol(self.record), &self.http) {
            (RecordProtocol::Dns, _) => Spoken::Dns,
            (RecordProtocol::Tls, _) => Spoken::Tls(self.hello()),
            (RecordProtocol::Http, Some((host, method, http))) => Spoken::Http(HttpAsk {
                host: host.as_ref().map(called),
                method,
                path: &http.path,
                tls: http.over_tls.then(|| self.hello()),
            }),
            _ if self.record.protocol.is_none() && self.record.server_name.is_none() => Spoken::NotYet,
            (RecordProtocol::Tcp, _) | (RecordProtocol::Http, None) => Spoken::Tcp,
        }
    }

    fn hello(&self) -> Hello<'_> {
        let server_name = match &self.server_name {
            None => ServerName::Missing,
            Some(Err(())) => ServerName::Unreadable,
            Some(Ok(name)) => ServerName::Name(name),
        };
        Hello { server_name, encrypted: self.record.encrypted_hello }
    }
}

fn called(host: &TargetHost) -> Called<'_> {
    match host {
        TargetHost::Name(name) => Called::Name(name),
        TargetHost::Address(address) => Called::Address(*address),
    }
}
