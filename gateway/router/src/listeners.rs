//! Which listener of a port a request belongs to.

mod explain;

pub use explain::{OtherListener, Selected, SelectionExplanation, WhyNot};

use crate::HostMap;
use lychgate_ir::HostPattern;

/// The listeners of one port and protocol, told apart by host name.
///
/// The most specific listener for a host serves it alone: its routes are the only ones, and where none of them matches
/// the request falls through to no other listener (`GatewayHTTPListenerIsolation`).
#[derive(Clone, Debug)]
pub struct Listeners<L> {
    by_host: HostMap<L>,
}

/// What becomes of a request over TLS, see `Listener.hostname` of the Gateway API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection<L> {
    /// The listener that the connection was made to serves it.
    Serve(L),
    /// It belongs to another listener, given here: 421 (RFC 9110 section 15.5.20), so that the client connects anew and
    /// presents what that listener asks for.
    Misdirected(L),
    /// It belongs to no listener: 404.
    NotFound,
}

impl<L: Clone> Listeners<L> {
    /// The listeners of a port, and those whose host name another one before them has.
    pub fn new(listeners: impl IntoIterator<Item = (HostPattern, L)>) -> (Self, Vec<(HostPattern, L)>) {
        let mut by_host = HostMap::default();
        let mut repeated = Vec::new();
        for (hostname, listener) in listeners {
            if by_host.get(&hostname).is_some() {
                repeated.push((hostname, listener));
            } else {
                by_host = by_host.edited([(hostname, Some(listener))]);
            }
        }
        (Self { by_host }, repeated)
    }
}

impl<L> Listeners<L> {
    /// The listener that serves requests to a host in clear text.
    pub fn for_host(&self, host: &str) -> Option<&L> {
        self.by_host.best(host)
    }

    /// The listener that ends TLS for a server name, and its host name to hand to [`Listeners::select`]. Connections
    /// without a server name belong to the listener without a host name.
    pub fn for_server_name(&self, name: Option<&str>) -> Option<(&HostPattern, &L)> {
        self.by_host.candidates(name.unwrap_or_default()).next()
    }

    /// What becomes of a request to a host over a connection to the listener with the host name `current`.
    pub fn select(&self, current: &HostPattern, host: &str) -> Selection<&L> {
        self.select_among(host, |hostname, _| hostname == current)
    }

    /// What becomes of a request to a host over a connection to the listener that `is_current` knows: for those who keep
    /// its id, as another listener may have got its host name since.
    pub fn select_by(&self, host: &str, is_current: impl FnOnce(&L) -> bool) -> Selection<&L> {
        self.select_among(host, |_, listener| is_current(listener))
    }

    /// The current listener serves what it is the most specific for. Whether it matches less specifically than another
    /// one or not at all makes no difference: if another one matches, that is the one. A listener that is gone since the
    /// connection was made serves nothing.
    fn select_among(&self, host: &str, is_current: impl FnOnce(&HostPattern, &L) -> bool) -> Selection<&L> {
        match self.by_host.candidates(host).next() {
            Some((hostname, listener)) if is_current(hostname, listener) => Selection::Serve(listener),
            Some((_, listener)) => Selection::Misdirected(listener),
            None => Selection::NotFound,
        }
    }

    /// All listeners with their host names, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&HostPattern, &L)> {
        self.by_host.iter()
    }
}
