//! Why requests and connections are refused or fail.
//!
//! The table here is the source: clients are told the word, logs and metrics have it, `lychgate blame` explains it, and
//! `docs/errors.md` is held to it by a test.

use std::fmt;

/// Who has to do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Whoever sent the request.
    Client,
    /// The backend.
    Upstream,
    /// Whoever wrote the config.
    Config,
    /// This program.
    Gateway,
}

impl Blame {
    /// As it is written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "backend",
            Self::Config => "configuration",
            Self::Gateway => "us",
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident: $word:literal, $status:expr, $blame:ident, $meaning:literal, $hint:literal;)+) => {
        /// A reason. Its word is stable: people search for it, and alerts count it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// All of them, in the order of the book.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// What there is to know of it.
            pub fn about(self) -> AboutReason {
                match self {
                    $(Self::$name => AboutReason {
                        word: $word, status: $status, blame: Blame::$blame, meaning: $meaning, hint: $hint,
                    },)+
                }
            }
        }
    };
}

/// What there is to know of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AboutReason {
    /// What it is called.
    pub word: &'static str,
    /// The status that clients get with it; `None` where there is no response that could tell.
    pub status: Option<u16>,
    /// Who is to blame.
    pub blame: Blame,
    /// What it means.
    pub meaning: &'static str,
    /// What to try.
    pub hint: &'static str,
}

reasons! {
    /// It cannot be read in one way only.
    BadRequest: "bad_request", Some(400), Client,
        "no Host or more than one, a Host or path that cannot be read in one way, an upgrade that the backend cannot speak",
        "correct the request";
    /// It ended in the middle.
    BrokenRequest: "broken_request", Some(400), Client,
        "the request broke off, or its client went away before the response began, or its framing is wrong",
        "send it again";
    /// Its body can be read in two ways.
    BadFraming: "bad_framing", Some(400), Client,
        "where the body ends can be read in two ways (RFC 9112 section 6)",
        "correct the client; it may be an attack";
    /// An authorization service says no.
    AuthDenied: "auth_denied", Some(403), Client,
        "the authorization service of a filter (ExternalAuth) does not let the request pass; the client gets the status, headers and body that the service has chosen, 403 if it has chosen none",
        "what the service asks for; its log";
    /// Policies do not let it leave.
    EgressDenied: "egress_denied", Some(403), Client,
        "the policies of the egress Gateway do not let it leave; the client is told why, and a tunnel that is refused after it was opened is closed, with an alert (access_denied) if it speaks TLS",
        "an EgressPolicy that allows it; `lychgate egress test`";
    /// Nobody serves the host there.
    NoListener: "no_listener", Some(404), Client,
        "no listener of this port has the host",
        "`lychgate explain`";
    /// The listener has no rule for it.
    NoRoute: "no_route", Some(404), Client,
        "no rule of the listener matches; for connections: no route of the listener has the server name, or it has none at all",
        "`lychgate explain`";
    /// Nobody says who asks.
    EgressLogin: "egress_login", Some(407), Client,
        "the egress Gateway does not know who asks: no user name and password, or wrong ones",
        "a user name and a password that the Gateway knows, in the URL of the proxy";
    /// The client took too long.
    SlowRequest: "slow_request", Some(408), Client,
        "the client did not send the next piece of its request in time",
        "send it again";
    /// The head came too slowly.
    SlowHead: "slow_head", Some(408), Client,
        "the head of the request was not there in time",
        "send it again; many of them are an attack";
    /// The response is not taken.
    SlowReader: "slow_reader", Some(408), Client,
        "the client did not take the next piece of the response in time; it was broken off",
        "send it again; many of them are an attack";
    /// RFC 9110 section 15.5.14.
    BodyTooLarge: "body_too_large", Some(413), Client,
        "the body is longer than the limit",
        "a smaller one, or `--max-request-body`";
    /// RFC 9110 section 15.5.15.
    TargetTooLong: "target_too_long", Some(414), Client,
        "the target is longer than the limit",
        "a shorter one, or `--max-target`";
    /// RFC 9110 section 15.5.20.
    Misdirected: "misdirected", Some(421), Client,
        "the host belongs to another listener than the one that TLS was agreed with",
        "a new connection; browsers do that by themselves";
    /// The connection was made under other settings.
    ClientCertificate: "client_certificate", Some(421), Client,
        "the listener asks for other client certificates than when the connection was made",
        "a new connection";
    /// As much has left as may.
    EgressLimit: "egress_limit", Some(429), Client,
        "a limit of the rule that lets it leave is reached: connections, requests, or bytes of the day (what runs by it is ended)",
        "later again, or `limits` of the rule";
    /// RFC 6585 section 5.
    HeadTooLarge: "head_too_large", Some(431), Client,
        "the head has more bytes or fields than the limit",
        "fewer cookies, or `--max-request-head`, `--max-request-fields`";
    /// Broken config answers for itself.
    RefusedByConfig: "refused_by_config", Some(500), Config,
        "the rule or backend is broken: a reference that leads nowhere or is not permitted, a filter that this version does not have",
        "`lychgate check`, `/status`";
    /// An authorization service says neither yes nor no.
    AuthFailed: "auth_failed", Some(500), Upstream,
        "the authorization service of a filter (ExternalAuth) cannot be reached or verified, did not answer in time, failed, or said what cannot be understood; or there is no room for the body that it wants to see (503). Nothing passes that it did not let pass",
        "the service's health and log, the BackendTLSPolicy";
    /// Nothing can be chosen.
    NoBackend: "no_backend", Some(500), Config,
        "every backend of the rule has weight 0",
        "give one a weight";
    /// A filter came too late.
    FilterReply: "filter_reply", Some(500), Config,
        "a filter of a backendRef answered at a moment when only forwarding is left",
        "`/status`";
    /// A bug.
    Internal: "internal", Some(500), Gateway,
        "something that cannot happen did",
        "please report it with the log line";
    /// RFC 9110 section 15.6.2.
    NoTunnel: "no_tunnel", Some(501), Client,
        "CONNECT, which carries nothing here but WebSocket over HTTP/2",
        "WebSocket, or a TCPRoute";
    /// The backend did not do its part.
    UpstreamError: "upstream_error", Some(502), Upstream,
        "the backend refused the connection, broke it off, or spoke something else than HTTP; or it switched protocols and nobody had asked",
        "the backend's log";
    /// The backend is not believed.
    UpstreamTls: "upstream_tls", Some(502), Upstream,
        "the backend's certificate failed verification, or the handshake failed",
        "the BackendTLSPolicy, the backend's certificate";
    /// Nobody says where the name leads.
    EgressUnresolved: "egress_unresolved", Some(502), Upstream,
        "the name of a destination does not exist or has no address; 504 if DNS did not answer",
        "the name; `dns.upstreams` of the egress Gateway";
    /// It could not be recorded.
    EgressUnrecorded: "egress_unrecorded", Some(503), Gateway,
        "the audit log is required and cannot be written, so nothing leaves",
        "the disk of `--audit-dir`, the log of the gateway";
    /// It has to leave from an address that is elsewhere.
    EgressSourceAddress: "egress_source_address", Some(503), Config,
        "the replica has none of the addresses that the rule lets it leave from (`sourceAddresses`), or none of the destination's family; it leaves from no other",
        "the addresses of the pod or host, `sourceAddresses` of the rule; the log says at the start which rules want what is not there";
    /// Nothing to connect to.
    NoEndpoint: "no_endpoint", Some(503), Upstream,
        "the backend has no endpoint that takes requests, or its name cannot be resolved",
        "EndpointSlices, DNS";
    /// The backend did not answer the call.
    ConnectTimeout: "connect_timeout", Some(504), Upstream,
        "no connection within the limit",
        "the backend's health, NetworkPolicies";
    /// The rule's patience has ended.
    Timeout: "timeout", Some(504), Upstream,
        "`timeouts.request` or `timeouts.backendRequest` has passed",
        "the backend, or the rule's timeouts";
    /// RFC 9110 section 15.6.6.
    HttpVersion: "http_version", Some(505), Client,
        "neither HTTP/1.0 nor HTTP/1.1",
        "another client";
    /// RFC 5842 section 7.2.
    AuthLoop: "auth_loop", Some(508), Config,
        "a question to an authorization service came back to a filter that asks one, and would be asked about without end",
        "a listener or rule without the filter for the service, or a Service that leads to it directly";
    /// There was nobody left to answer.
    Aborted: "aborted", None, Client,
        "nobody was left to answer: a stream was reset, the client went away before the end of its TLS handshake, or the connection was cut at the end of draining",
        "the client's own timeout, and how long the request had taken";
    /// Nobody serves the server name.
    ServerName: "server_name", None, Client,
        "no listener of the port has the server name of the TLS handshake, or the listener's TLS settings are broken",
        "the client's server name (`openssl s_client -servername`), the listener's hostname and certificates, `/status`";
    /// No agreement on TLS.
    TlsHandshake: "tls_handshake", None, Client,
        "the TLS handshake failed: no version or cipher in common, a client certificate that is missing or not valid, or something else than TLS",
        "the detail says what TLS said";
    /// TLS took too long.
    SlowHandshake: "slow_handshake", None, Client,
        "the TLS handshake was not finished within the limit",
        "the client, or the network before it";
    /// Nobody said anything.
    Idle: "idle", None, Client,
        "nothing was said on a connection of a TLSRoute or TCPRoute for longer than the limit",
        "keep-alive in the protocol that is carried";
    /// Who is to be looked into does not want it.
    EgressInspection: "egress_inspection", None, Client,
        "the client did not take the certificate that the Gateway's own authority signed for TLS that a rule looks into: it pins, or does not know the authority",
        "the authority among those that the workload believes, or `exclude` of `spec.egress.inspection`";
    /// It was not on its way anywhere.
    EgressNotRedirected: "egress_not_redirected", None, Client,
        "a connection to a Transparent listener was not redirected to it from somewhere else, so that it leads nowhere",
        "the rules that redirect (nftables), or a listener of protocol Proxy for who knows that it talks to one";
    /// Nobody asked.
    NoRequest: "no_request", None, Client,
        "no request came on a connection in time",
        "nothing, if clients open connections before they need them; many of them are an attack";
    /// Nobody knows whose connection it is.
    ProxyProtocol: "proxy_protocol", None, Client,
        "a connection of a trusted proxy does not begin with a whole header of the PROXY protocol",
        "the proxy's own settings, or which sources are trusted";
    /// No room for all.
    TooManyConnections: "too_many_connections", None, Client,
        "the socket has as many connections as it may; the new one was closed at once",
        "who has so many, and `--max-connections`";
    /// No room for one.
    TooManyConnectionsOfSource: "too_many_connections_of_source", None, Client,
        "the client, or its network of IPv6, has as many connections as it may; the new one was closed at once",
        "what the client does with them, and `--max-connections-per-source`";
    /// CVE-2023-44487.
    Http2Resets: "http2_resets", None, Client,
        "a client of HTTP/2 reset more streams than any client needs",
        "the address in the log; it is an attack, or a client that is broken";
    /// CVE-2024-27316.
    Http2Continuations: "http2_continuations", None, Client,
        "a client of HTTP/2 sent one head in more pieces than any client needs",
        "the address in the log; it is an attack, or a client that is broken";
    /// CVE-2019-9512.
    Http2Pings: "http2_pings", None, Client,
        "a client of HTTP/2 sent more PING frames than any client needs",
        "the address in the log; it is an attack, or a client that is broken";
    /// CVE-2019-9515.
    Http2Settings: "http2_settings", None, Client,
        "a client of HTTP/2 sent more SETTINGS frames than any client needs",
        "the address in the log; it is an attack, or a client that is broken";
    /// CVE-2019-9518.
    Http2EmptyFrames: "http2_empty_frames", None, Client,
        "a client of HTTP/2 sent more frames with nothing in them than any client needs",
        "the address in the log; it is an attack, or a client that is broken";
    /// CVE-2019-9511.
    Http2WindowUpdates: "http2_window_updates", None, Client,
        "a client of HTTP/2 sent more WINDOW_UPDATE frames than what it got calls for",
        "the address in the log; it is an attack, or a client that is broken";
    /// CVE-2019-9513.
    Http2OtherFrames: "http2_other_frames", None, Client,
        "a client of HTTP/2 sent more PRIORITY or unknown frames than any client needs",
        "the address in the log; it is an attack, or a client that is broken";
    /// No room.
    TooManyFlows: "too_many_flows", None, Client,
        "a datagram of a client that has no flow yet was dropped, because the socket has as many flows as the limit allows; counted only",
        "who sends so many";
}

impl Reason {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        self.about().word
    }

    /// Who is to blame.
    pub fn blame(self) -> Blame {
        self.about().blame
    }

    /// The reason of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == word)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_different_and_lead_back() {
        let words: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::of(reason.as_str()), Some(*reason));
            let word = reason.as_str();
            assert!(
                word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{word}"
            );
        }
        assert_eq!(Reason::of("nothing"), None);
    }
}
