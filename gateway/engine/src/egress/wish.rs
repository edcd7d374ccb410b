//! What a client wants, kept for as long as it goes on, so that it can be decided again.

use super::hello::SeenHello;
use http::Method;
use lychgate_egress::target::{Target, TargetHost};
use lychgate_egress::{Ask, Called, HttpAsk, Spoken};
use lychgate_ir::egress::DnsName;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a client wants.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// As the client called it.
    pub(crate) target: Target,
    pub(crate) shown: Shown,
    /// Drawn once: what is in shadow for a part counts for all of a connection, or for nothing of it.
    draw: u8,
}

/// What is spoken, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    NotYet,
    Tcp,
    Tls(SeenHello),
    Http(SeenRequest),
}

/// A request of HTTP.
#[derive(Clone, Debug)]
pub(crate) struct SeenRequest {
    pub(crate) host: Option<TargetHost>,
    pub(crate) method: Method,
    /// In its one form, without the query.
    pub(crate) path: String,
    /// The TLS that it came in.
    pub(crate) tls: Option<SeenHello>,
}

impl Wish {
    pub(crate) fn new(target: Target, shown: Shown) -> Self {
        Self { target, shown, draw: rand::random_range(0..100) }
    }

    /// The same, now that more is known.
    pub(crate) fn showing(&self, shown: Shown) -> Self {
        Self { target: self.target.clone(), shown, draw: self.draw }
    }

    /// The same, somewhere else.
    pub(crate) fn towards(&self, target: Target) -> Self {
        Self { target, shown: self.shown.clone(), draw: self.draw }
    }

    /// As it is asked at this moment.
    pub(crate) fn ask(&self) -> Ask<'_> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ask {
            called: called(&self.target.host),
            port: self.target.port,
            spoken: self.shown.spoken(),
            unix_seconds: i64::try_from(now).unwrap_or(i64::MAX),
            draw: self.draw,
        }
    }

    /// Whom a certificate has to be for: the name that it goes by, else the address.
    pub(crate) fn server(&self) -> TargetHost {
        self.name().map_or_else(|| self.target.host.clone(), |name| TargetHost::Name(name.clone()))
    }

    /// Which parts of what is in shadow count.
    pub(crate) fn draw(&self) -> u8 {
        self.draw
    }

    /// The name that it goes by.
    pub(crate) fn name(&self) -> Option<&DnsName> {
        match &self.target.host {
            TargetHost::Name(name) => Some(name),
            TargetHost::Address(_) => match &self.shown {
                Shown::NotYet | Shown::Tcp => None,
                Shown::Tls(hello) => hello.name(),
                Shown::Http(SeenRequest { host, tls, method: _, path: _ }) => {
                    let of_tls = tls.as_ref().and_then(SeenHello::name);
                    of_tls.or(match host {
                        Some(TargetHost::Name(name)) => Some(name),
                        Some(TargetHost::Address(_)) | None => None,
                    })
                }
            },
        }
    }
}

impl Shown {
    fn spoken(&self) -> Spoken<'_> {
        match self {
            Self::NotYet => Spoken::NotYet,
            Self::Tcp => Spoken::Tcp,
            Self::Tls(hello) => Spoken::Tls(hello.as_ask()),
            Self::Http(SeenRequest { host, method, path, tls }) => Spoken::Http(HttpAsk {
                host: host.as_ref().map(called),
                method,
                path,
                tls: tls.as_ref().map(SeenHello::as_ask),
            }),
        }
    }
}

fn called(host: &TargetHost) -> Called<'_> {
    match host {
        TargetHost::Name(name) => Called::Name(name),
        TargetHost::Address(address) => Called::Address(*address),
    }
}
