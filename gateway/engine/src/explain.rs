//! What would become of a request, asked without sending one. It walks the very structures that requests walk.

mod filter;
mod rule;
mod words;

use crate::limits::Limits;
use crate::path;
use crate::runtime::{Bind, Compiler, Port, Runtime, Speaks};
use crate::upstream::Pools;
use http::{HeaderMap, Method};
use lychgate_ir::{ListenerFilter, ListenerId, RouteId, Rule, Snapshot};
use lychgate_router::{Explanation, RequestLine, Selected, SelectionExplanation, normalize_host};
use lychgate_telemetry::{Metrics, MetricsError, MetricsLimits};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// A snapshot that can be asked. It opens and dials nothing.
pub struct Explainer(Runtime);

/// A request that nobody sent.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whether it comes over TLS.
    pub tls: bool,
    /// The server name of the handshake; `None` sends none.
    pub server_name: Option<String>,
    /// The authority as a client sends it.
    pub authority: String,
    /// The port that it comes to.
    pub port: u16,
    /// The method.
    pub method: Method,
    /// The path, percent-encoded.
    pub path: String,
    /// The query, without `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
}

/// What becomes of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The socket; `None` if none has this port and protocol.
    pub socket: Option<Bind>,
    /// The sockets that there are.
    pub sockets: Vec<Bind>,
    /// Which listener takes it, and why not the others.
    pub listener: Option<SelectionExplanation>,
    /// What the listener does before a rule is chosen; a service that is asked there may change what the rules see.
    pub listener_filters: Vec<ListenerFilter>,
    /// Which rule answers, and why not the others.
    pub routing: Option<Explanation>,
    /// The rule that answers, with its filters and backends.
    pub rule: Option<Arc<Rule>>,
    /// Why the request is refused with 400 before any listener is asked.
    pub refused: Option<&'static str>,
}

impl Explainer {
    /// Compiles a snapshot for questions.
    ///
    /// # Errors
    /// None that we know of.
    pub fn new(snapshot: &Arc<Snapshot>) -> Result<Self, MetricsError> {
        // Nobody will look at what is counted here.
        let metrics = Metrics::new(MetricsLimits { listeners: 0, rules: 0, backends: 0 })?;
        let (none, pools, limits) = (Runtime::default(), Pools::default(), Limits::default());
        Ok(Self(Compiler::new(snapshot, &none, &metrics, &pools, &limits).compile().0))
    }

    /// What becomes of a request.
    pub fn ask(&self, question: &Question) -> Answer {
        let Question { tls, server_name, authority, port, method, path, query, headers } = question;
        let speaks = if *tls { Speaks::Tls } else { Speaks::Http };
        let mut sockets: Vec<Bind> = self.0.ports.keys().copied().collect();
        sockets.sort_unstable();
        let fits =
            |bind: &&Bind| bind.port == *port && self.0.ports.get(bind).is_some_and(|port| port.speaks == speaks);
        let socket = sockets.iter().find(fits).copied();
        let Some(port) = socket.and_then(|socket| self.0.ports.get(&socket)) else {
            return Answer::nobody(socket, sockets, None);
        };
        let path = match path::normalize(path) {
            Ok(path) => path,
            Err(path::Ambiguous(why)) => {
                return Answer::nobody(socket, sockets, Some(why));
            }
        };
        let host = normalize_host(authority);
        let listener = self.listener(port, *tls, server_name.as_deref(), &host);
        let line = RequestLine { host: &host, method, path: &path, query: query.as_deref(), headers };
        let taken = match &listener.selected {
            Selected::Serve { listener, .. } => port.listeners.iter().find(|(_, state)| state.spec.id == *listener),
            Selected::Misdirected { .. } | Selected::NotFound | Selected::Refused { .. } => None,
        };
        let routing = taken.map(|(_, state)| state.routes.explain(&line));
        let winner = routing.as_ref().and_then(|routing| routing.winner.as_ref()).map(|winner| &winner.rule);
        let rule = taken.zip(winner).and_then(|((_, state), winner)| {
            state.routes.rules().find(|(rule, _)| rule.id == *winner).map(|(rule, _)| rule.clone())
        });
        let listener_filters = taken.map(|(_, state)| state.spec.filters.clone()).unwrap_or_default();
        Answer { socket, sockets, listener: Some(listener), listener_filters, routing, rule, refused: None }
    }

    /// What a rule asks for and does, in sentences; `None` if no listener takes the route, or it has no such rule.
    pub fn describe(&self, route: &RouteId, index: u32) -> Option<String> {
        let snapshot = &self.0.snapshot;
        if let Some(stream) = snapshot.stream_routes.get(route) {
            return (stream.rule.index == index).then(|| rule::stream(stream));
        }
        let rule = snapshot.routes.get(route)?.rules.iter().find(|rule| rule.id.index == index)?;
        Some(rule::matches(&rule.matches) + &rule::sentences(rule))
    }

    /// Where in its route the rule of a name is.
    pub fn rule_named(&self, route: &RouteId, name: &str) -> Option<u32> {
        let is_it = |id: &lychgate_ir::RuleId| (id.name.as_deref() == Some(name)).then_some(id.index);
        let snapshot = &self.0.snapshot;
        match snapshot.stream_routes.get(route) {
            Some(stream) => is_it(&stream.rule),
            None => snapshot.routes.get(route)?.rules.iter().find_map(|rule| is_it(&rule.id)),
        }
    }

    fn listener(&self, port: &Port, tls: bool, server_name: Option<&str>, host: &str) -> SelectionExplanation {
        let id = |state: &Arc<crate::runtime::ListenerState>| -> ListenerId { state.spec.id.clone() };
        if tls {
            port.listeners.explain_https(server_name.map(str::to_ascii_lowercase).as_deref(), host, &id)
        } else {
            port.listeners.explain_http(host, &id)
        }
    }
}

impl Answer {
    /// No listener is asked.
    fn nobody(socket: Option<Bind>, sockets: Vec<Bind>, refused: Option<&'static str>) -> Self {
        Self { socket, sockets, listener: None, listener_filters: Vec::new(), routing: None, rule: None, refused }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { socket, sockets, listener, listener_filters, routing, rule, refused } = self;
        match socket {
            Some(socket) => writeln!(f, "Socket {socket}.")?,
            None => {
                write!(f, "No listener has this port and scheme; there is")?;
                let mut separator = " ";
                for socket in sockets {
                    write!(f, "{separator}{socket}")?;
                    separator = ", ";
                }
                return writeln!(f, "{}.", if sockets.is_empty() { " none" } else { "" });
            }
        }
        if let Some(why) = refused {
            writeln!(f, "It is answered 400: {why}.")?;
        }
        if let Some(listener) = listener {
            writeln!(f, "{}", listener.to_string().trim_end())?;
        }
        for ListenerFilter::ExternalAuth(auth) in listener_filters {
            writeln!(f, "Filter of the listener: {}.", filter::authorization(auth))?;
        }
        if let Some(routing) = routing {
            writeln!(f, "{}", routing.to_string().trim_end())?;
        }
        rule.as_ref().map_or(Ok(()), |rule| f.write_str(&rule::sentences(rule)))
    }
}
