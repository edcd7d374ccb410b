//! A request, a chain, and what came of it.

use http::header::{HeaderName, HeaderValue};
use http::{Request, Response, request, response};
use lychgate_filters::{Chain, ChainState, Reply, RequestHead, RequestView, Scheme, Verdict};
use lychgate_ir::filter::{Filter, HeaderModifier};
use lychgate_ir::{MatchedPath, Refusal};

/// A client's request and the listener that it came to.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) host: Option<String>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) scheme: Scheme,
    pub(crate) port: u16,
    pub(crate) matched: MatchedPath,
}

/// What a chain made of it.
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) head: request::Parts,
    pub(crate) matched: MatchedPath,
    pub(crate) state: ChainState,
}

impl Asked {
    /// `GET` over HTTP on port 80, matched by a prefix rule.
    pub(crate) fn get(target: &str, prefix: &str) -> Self {
        Self {
            method: "GET",
            target: target.into(),
            host: Some("client.example".into()),
            headers: Vec::new(),
            scheme: Scheme::Http,
            port: 80,
            matched: MatchedPath::Prefix(prefix.trim_end_matches('/').len()),
        }
    }

    pub(crate) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub(crate) fn host(self, host: &str) -> Self {
        Self { host: Some(host.into()), ..self }
    }

    pub(crate) fn without_host(self) -> Self {
        Self { host: None, ..self }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn on(self, scheme: Scheme, port: u16) -> Self {
        Self { scheme, port, ..self }
    }

    pub(crate) fn matched(self, matched: MatchedPath) -> Self {
        Self { matched, ..self }
    }

    pub(crate) fn parts(&self) -> request::Parts {
        let mut request = Request::builder().method(self.method).uri(self.target.as_str());
        if let Some(host) = &self.host {
            request = request.header("host", host);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    pub(crate) fn through(&self, chain: &Chain) -> Outcome {
        let mut head = self.parts();
        let mut state = ChainState::default();
        let mut view =
            RequestView { head: &mut head, scheme: self.scheme, listener_port: self.port, matched: self.matched };
        let verdict = chain.request(&mut view, &mut state);
        let matched = view.matched;
        Outcome { verdict, head, matched, state }
    }

    /// Through a chain of these filters alone.
    pub(crate) fn via(&self, filters: impl IntoIterator<Item = Filter>) -> Outcome {
        self.through(&chain(filters))
    }
}

impl Outcome {
    /// The head that goes on.
    pub(crate) fn forwarded(self) -> request::Parts {
        assert_eq!(self.verdict, Verdict::Continue);
        self.head
    }

    pub(crate) fn reply(&self) -> &Reply {
        match &self.verdict {
            Verdict::Reply(reply) => reply,
            Verdict::Continue | Verdict::Refuse(_) | Verdict::Ask(_) => panic!("no reply but {:?}", self.verdict),
        }
    }

    pub(crate) fn refusal(&self) -> &Refusal {
        match &self.verdict {
            Verdict::Refuse(refusal) => refusal,
            Verdict::Continue | Verdict::Reply(_) | Verdict::Ask(_) => panic!("no refusal but {:?}", self.verdict),
        }
    }

    /// Status and `Location` of a redirect.
    pub(crate) fn location(&self) -> (u16, &str) {
        let Reply { status, headers } = self.reply();
        let location = headers.iter().find(|(name, _)| name == "location");
        (status.as_u16(), location.expect("a location").1.to_str().unwrap())
    }
}

pub(crate) fn chain(filters: impl IntoIterator<Item = Filter>) -> Chain {
    Chain::compile(&filters.into_iter().collect::<Vec<_>>())
}

/// A response with these headers.
pub(crate) fn response(status: u16, headers: &[(&str, &str)]) -> response::Parts {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(()).unwrap().into_parts().0
}

/// The response as the client gets it.
pub(crate) fn returned(chain: &Chain, outcome: &Outcome, headers: &[(&str, &str)]) -> response::Parts {
    let mut head = response(200, headers);
    chain.response(&mut head, &outcome.state);
    head
}

/// A reply as the client gets it.
pub(crate) fn sent(chain: &Chain, outcome: &Outcome) -> response::Parts {
    let Reply { status, headers } = outcome.reply();
    let mut head = response(status.as_u16(), &[]);
    for (name, value) in headers {
        head.headers.append(name, value.clone());
    }
    chain.response(&mut head, &outcome.state);
    head
}

/// All values of a name, joined as in one line.
pub(crate) fn joined(headers: &http::HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

pub(crate) fn modifier(set: &[(&str, &str)], add: &[(&str, &str)], remove: &[&str]) -> HeaderModifier {
    let pairs = |pairs: &[(&str, &str)]| {
        let pair = |(name, value): &(&str, &str)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap());
        pairs.iter().map(pair).collect()
    };
    HeaderModifier {
        set: pairs(set),
        add: pairs(add),
        remove: remove.iter().map(|name| name.parse::<HeaderName>().unwrap()).collect(),
    }
}

/// The target of a request that goes on.
pub(crate) fn target(head: &request::Parts) -> &str {
    head.uri.path_and_query().map_or("", |target| target.as_str())
}

/// The authority of a request that goes on.
pub(crate) fn host(head: &request::Parts) -> Option<&str> {
    RequestHead::host(head)
}
