//! Compiled rules.

use super::Weighted;
use crate::upstream::BackendCell;
use lychgate_filters::Chain;
use lychgate_ir::filter::ExternalAuth;
use lychgate_ir::{
    BackendId, Filter, Forward, Refusal, RefusalReason, Retry, Rule, RuleId, SessionPersistence, Target, Timeouts,
    WeightedBackend,
};
use lychgate_telemetry::{Metrics, RuleMetrics};
use std::collections::HashMap;
use std::sync::Arc;

/// A rule, ready to run.
pub(crate) struct RuleState {
    rule: Arc<Rule>,
    pub(crate) metrics: Arc<RuleMetrics>,
    pub(crate) chain: Chain,
    /// Services that are asked, in the order of their filters.
    pub(crate) auth: Box<[Arc<AuthState>]>,
    pub(crate) mirrors: Box<[MirrorState]>,
    pub(crate) forward: Result<Arc<ForwardState>, Refusal>,
}

/// Where a rule forwards to.
#[derive(Debug)]
pub(crate) struct ForwardState {
    destinations: Weighted<Arc<Destination>>,
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: Option<Retry>,
    pub(crate) persistence: Option<SessionPersistence>,
}

/// One backendRef of a rule.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) target: Result<Arc<BackendCell>, Refusal>,
    pub(crate) chain: Chain,
    pub(crate) mirrors: Box<[MirrorState]>,
}

/// A mirror of a rule or backendRef.
#[derive(Clone, Debug)]
pub(crate) struct MirrorState {
    pub(crate) target: Arc<BackendCell>,
    pub(crate) share: lychgate_ir::filter::Fraction,
}

/// An authorization service that a rule or a listener asks.
#[derive(Debug)]
pub(crate) struct AuthState {
    pub(crate) spec: ExternalAuth,
    pub(crate) service: Result<Arc<BackendCell>, Refusal>,
}

pub(super) type Cells = HashMap<BackendId, Arc<BackendCell>>;

impl RuleState {
    /// What it is called everywhere.
    pub(crate) fn id(&self) -> &RuleId {
        &self.rule.id
    }
}

/// Makes rules ready to run: each of a compilation once, whichever listeners have it, and where they forward to once for all
/// that have it alike.
pub(super) struct Rules<'c> {
    cells: &'c Cells,
    metrics: &'c Metrics,
    /// By address: what is made lives on as long as its rule, which is in the snapshot.
    made: HashMap<usize, Arc<RuleState>>,
    forwards: HashMap<usize, Arc<ForwardState>>,
}

impl<'c> Rules<'c> {
    pub(super) fn new(cells: &'c Cells, metrics: &'c Metrics) -> Self {
        Self { cells, metrics, made: HashMap::new(), forwards: HashMap::new() }
    }

    pub(super) fn make(&mut self, rule: &Arc<Rule>) -> Arc<RuleState> {
        let address = Arc::as_ptr(rule).addr();
        if let Some(made) = self.made.get(&address) {
            return made.clone();
        }
        let Rule { id, matches: _, filters, forward } = &**rule;
        let made = Arc::new(RuleState {
            rule: rule.clone(),
            metrics: self.metrics.rule(id),
            chain: Chain::compile(filters),
            auth: services(filters, self.cells),
            mirrors: mirrors(filters, self.cells),
            forward: forward.as_ref().map(|forward| self.forward(forward)).map_err(Clone::clone),
        });
        self.made.insert(address, made.clone());
        made
    }

    fn forward(&mut self, forward: &Arc<Forward>) -> Arc<ForwardState> {
        let make = || Arc::new(ForwardState::compile(forward, self.cells));
        self.forwards.entry(Arc::as_ptr(forward).addr()).or_insert_with(make).clone()
    }
}

impl AuthState {
    pub(super) fn compile(spec: &ExternalAuth, cells: &Cells) -> Arc<Self> {
        Arc::new(Self { spec: spec.clone(), service: cell(&spec.target, cells) })
    }
}

impl ForwardState {
    fn compile(forward: &Forward, cells: &Cells) -> Self {
        let Forward { backends, timeouts, retry, persistence } = forward;
        Self {
            destinations: Weighted::new(
                backends.iter().map(|backend| (backend.weight, Arc::new(Destination::compile(backend, cells)))),
            ),
            timeouts: *timeouts,
            retry: retry.clone(),
            persistence: persistence.clone(),
        }
    }

    /// A destination by weight; `None` if no weight is left to choose by.
    pub(crate) fn choose(&self) -> Option<&Arc<Destination>> {
        self.destinations.choose()
    }

    /// The destinations that a session may belong to.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &Arc<Destination>> {
        self.destinations.possible()
    }
}

impl Destination {
    fn compile(backend: &WeightedBackend, cells: &Cells) -> Self {
        let WeightedBackend { weight: _, target, filters } = backend;
        Self { target: cell(target, cells), chain: Chain::compile(filters), mirrors: mirrors(filters, cells) }
    }
}

fn cell(target: &Target, cells: &Cells) -> Result<Arc<BackendCell>, Refusal> {
    match target {
        // A snapshot is closed, so this cell is there; if a bug made it otherwise, the rule fails closed.
        Target::Backend(id) => cells
            .get(id)
            .cloned()
            .ok_or_else(|| Refusal::internal(RefusalReason::BackendNotFound, format!("{id} is not in the snapshot"))),
        Target::Broken(refusal) => Err(refusal.clone()),
    }
}

fn mirrors(filters: &[Filter], cells: &Cells) -> Box<[MirrorState]> {
    filters
        .iter()
        .filter_map(|filter| match filter {
            // A mirror without target mirrors nothing: its status says so, and the request is not at fault.
            Filter::Mirror(mirror) => {
                cell(&mirror.target, cells).ok().map(|target| MirrorState { target, share: mirror.share })
            }
            Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Redirect(_)
            | Filter::Rewrite(_)
            | Filter::Cors(_)
            | Filter::ExternalAuth(_)
            | Filter::Broken(_) => None,
        })
        .collect()
}

fn services(filters: &[Filter], cells: &Cells) -> Box<[Arc<AuthState>]> {
    filters
        .iter()
        .filter_map(|filter| match filter {
            Filter::ExternalAuth(auth) => Some(AuthState::compile(auth, cells)),
            Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Redirect(_)
            | Filter::Rewrite(_)
            | Filter::Mirror(_)
            | Filter::Cors(_)
            | Filter::Broken(_) => None,
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use lychgate_telemetry::MetricsLimits;

    #[test]
    fn a_rule_is_made_once_and_shares_where_it_goes() {
        let forward =
            Arc::new(Forward { backends: vec![], timeouts: Timeouts::default(), retry: None, persistence: None });
        let rule = |text: &str, forward: &Arc<Forward>| {
            Arc::new(Rule { id: text.parse().unwrap(), matches: vec![], filters: vec![], forward: Ok(forward.clone()) })
        };
        let (one, two) = (rule("HTTPRoute/ns/r#0@1", &forward), rule("HTTPRoute/ns/r#1@1", &forward));
        let other = rule("HTTPRoute/ns/r#2@1", &Arc::new(Forward::clone(&forward)));
        let (cells, metrics) = (Cells::new(), Metrics::new(MetricsLimits::default()).unwrap());
        let mut rules = Rules::new(&cells, &metrics);
        let [made, again, two, other] = [&one, &one, &two, &other].map(|rule| rules.make(rule));
        assert!(Arc::ptr_eq(&made, &again) && !Arc::ptr_eq(&made, &two));
        let goes = |rule: &RuleState| rule.forward.clone().unwrap();
        assert!(Arc::ptr_eq(&goes(&made), &goes(&two)) && !Arc::ptr_eq(&goes(&made), &goes(&other)));
        assert_eq!(made.id(), &one.id);
    }
}
