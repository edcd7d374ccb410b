//! Who wants what: all that a decision is made of.

use http::Method;
use lychgate_ir::egress::{DnsName, Workload};
use std::net::IpAddr;
use std::sync::Arc;

/// Who asks, as far as it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody can say.
    Unknown,
    /// Something that has a name.
    Workload(Arc<Workload>),
}

/// What is asked for, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// What the client called it.
    pub called: Called<'a>,
    /// The port there.
    pub port: u16,
    /// What is spoken.
    pub spoken: Spoken<'a>,
    /// Now, in seconds since 1970-01-01T00:00:00Z.
    pub unix_seconds: i64,
    /// Drawn evenly from 0 to 99: which policies in shadow count.
    pub draw: u8,
}

/// What a client called its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called<'a> {
    /// By name: a proxy that it asked resolves it.
    Name(&'a DnsName),
    /// By address: in so many words, or because the connection was caught on its way there.
    Address(IpAddr),
}

/// What is spoken on the connection.
#[derive(Clone, Copy, Debug)]
pub enum Spoken<'a> {
    /// Nothing yet.
    NotYet,
    /// Neither TLS nor HTTP, or nothing by which to tell.
    Tcp,
    /// TLS that is passed on as it is.
    Tls(Hello<'a>),
    /// A request of HTTP, in the clear or inside TLS that is looked into.
    Http(HttpAsk<'a>),
    /// A question to DNS for the address of the name.
    Dns,
}

/// What a ClientHello shows.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The server that it names (RFC 6066 section 3).
    pub server_name: ServerName<'a>,
    /// Whether it has a ClientHello inside that only the server can read (ECH, RFC 9849). Those that are sent for no purpose
    /// but to make it usual look the same.
    pub encrypted: bool,
}

/// The server that a ClientHello names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerName<'a> {
    /// None.
    Missing,
    /// Something that is no name of DNS.
    Unreadable,
    /// A name.
    Name(&'a DnsName),
}

/// What a request of HTTP shows.
#[derive(Clone, Copy, Debug)]
pub struct HttpAsk<'a> {
    /// Its Host or `:authority`, without the port; `None` if it has none, or one that names nothing.
    pub host: Option<Called<'a>>,
    /// Its method.
    pub method: &'a Method,
    /// Its path, in the one form that the gate knows, without the query.
    pub path: &'a str,
    /// The TLS that it came in, if any.
    pub tls: Option<Hello<'a>>,
}

/// Where it leads.
#[derive(Clone, Copy, Debug)]
pub struct Reached<'a> {
    /// The address that will be dialled.
    pub address: IpAddr,
    /// What DNS answered for the name. Empty if there was none to ask for.
    pub answer: &'a [IpAddr],
}

impl<'a> Ask<'a> {
    /// The name that it goes by: what the client called it, else what it says in TLS, else in HTTP.
    pub fn name(&self) -> Option<&'a DnsName> {
        match self.called {
            Called::Name(name) => Some(name),
            Called::Address(_) => self.names().next(),
        }
    }

    /// Every name that it mentions, with repetitions.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a DnsName> + use<'a> {
        let of_hello = |hello: Hello<'a>| match hello.server_name {
            ServerName::Name(name) => Some(name),
            ServerName::Missing | ServerName::Unreadable => None,
        };
        let of_called = |called: Called<'a>| match called {
            Called::Name(name) => Some(name),
            Called::Address(_) => None,
        };
        let (tls, http) = match self.spoken {
            Spoken::NotYet | Spoken::Tcp | Spoken::Dns => (None, None),
            Spoken::Tls(hello) => (of_hello(hello), None),
            Spoken::Http(HttpAsk { host, tls, method: _, path: _ }) => {
                (tls.and_then(of_hello), host.and_then(of_called))
            }
        };
        [of_called(self.called), tls, http].into_iter().flatten()
    }

    /// The TLS that it speaks.
    pub(crate) fn hello(&self) -> Option<Hello<'a>> {
        match self.spoken {
            Spoken::NotYet | Spoken::Tcp | Spoken::Dns => None,
            Spoken::Tls(hello) => Some(hello),
            Spoken::Http(http) => http.tls,
        }
    }
}
