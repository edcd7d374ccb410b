//! Host names of routes against those of listeners.

use lychgate_ir::HostPattern;

/// The host names of a route, as patterns. What is none matches nothing: admission refuses it, and so no host is lost.
pub(super) fn parse(texts: &[String]) -> Vec<HostPattern> {
    texts.iter().filter(|text| !text.is_empty()).filter_map(|text| HostPattern::parse(text).ok()).collect()
}

/// Those of a route's host names that a listener serves, as the route writes them; `[Any]` if it writes none, and
/// nothing if the two have no host in common.
pub(super) fn served(listener: &HostPattern, named: bool, route: &[HostPattern]) -> Vec<HostPattern> {
    if !named {
        return vec![HostPattern::Any];
    }
    let mut served: Vec<HostPattern> = Vec::new();
    for host in route {
        if listener.intersect(host).is_some() && !served.contains(host) {
            served.push(host.clone());
        }
    }
    served.shrink_to_fit();
    served
}
