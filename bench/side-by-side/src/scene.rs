//! What a proxy is asked to do. How it is told to is its own matter: [`crate::peers`].

/// What a proxy is asked to do, at one port in the clear and at one with TLS (HTTP/1.1 and HTTP/2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scene {
    /// Every request goes to one backend.
    Plain,
    /// The same, and each request leaves a line in a log.
    Logged,
    /// Many routes to one backend; no other request is answered.
    Routes(Routes),
    /// gRPC to one backend, HTTP/2 in the clear both ways.
    Grpc,
    /// Connections to one backend, unread: at the port in the clear all of them, at the one with TLS those that ask for the
    /// name of our certificate, which the backend shows.
    Passed,
    /// Connections to one backend over TLS, unread. Who can be asked for one is asked by CONNECT, at the port in the clear, and
    /// decides whether it may be; the others have it at the port with TLS, as they have what is passed.
    Tunnelled,
    /// As plain, and something is done to each request.
    Filtered(Filtered),
    /// As plain, with so many endpoints behind the backend.
    Endpoints(u16),
    /// WebSockets, with an echo behind them.
    WebSocket,
    /// Datagrams at the port in the clear, with an echo behind them.
    Datagrams,
    /// As plain, and the context of a trace is read from each request, or made, and written for the backend.
    Traced,
    /// So many routes, by path, and one more that changes while they are served: [`changed`] is where it then is.
    Changing(u32),
}

impl Scene {
    /// What is done to each request, if anything is.
    pub(crate) fn filtered(self) -> Option<Filtered> {
        match self {
            Self::Filtered(filtered) => Some(filtered),
            Self::Plain
            | Self::Logged
            | Self::Routes(_)
            | Self::Grpc
            | Self::Passed
            | Self::Tunnelled
            | Self::Endpoints(_)
            | Self::WebSocket
            | Self::Datagrams
            | Self::Traced
            | Self::Changing(_) => None,
        }
    }

    /// How many routes there are beside one that changes, if one does.
    pub(crate) fn changing(self) -> Option<u32> {
        match self {
            Self::Changing(count) => Some(count),
            Self::Plain
            | Self::Logged
            | Self::Routes(_)
            | Self::Grpc
            | Self::Passed
            | Self::Tunnelled
            | Self::Filtered(_)
            | Self::Endpoints(_)
            | Self::WebSocket
            | Self::Datagrams
            | Self::Traced => None,
        }
    }
}

/// The path of the route that changes, by the number of its change.
pub(crate) fn changed(version: u32) -> String {
    format!("/changed-{version}/")
}

/// What is done to each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filtered {
    /// Two headers are set, one is added and one removed, both ways.
    Headers,
    /// The host and the beginning of the path become others.
    Rewrite,
    /// Answers tell scripts of other origins what they may.
    Cors,
    /// A client goes to the endpoint where it was before.
    Session,
    /// The whole takes a second at most, and what fails may be tried again; nothing fails.
    Retry,
    /// One of two endpoints answers 503, and its requests are tried again with the other.
    Retried,
    /// A copy goes to the same backend.
    Mirror,
}

/// So many routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Routes {
    pub(crate) by: By,
    pub(crate) count: u32,
}

/// What tells routes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum By {
    /// Route 7 has all below `/r7`.
    Path,
    /// Route 7 is the host `h7.example.com`.
    Host,
    /// Route 7 wants `x-route: r7`.
    Header,
    /// Route 7 wants a path like `/r7/[0-9]+`.
    Regex,
}
