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
    pub(crate) id: RuleId,
    pub(crate) metrics: Arc<RuleMetrics>,
    pub(crate) chain: Chain,
    /// Services that are asked, in the order of their filters.
    pub(crate) auth: Vec<Arc<AuthState>>,
    pub(crate) mirrors: Vec<MirrorState>,
    pub(crate) forward: Result<ForwardState, Refusal>,
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
    pub(crate) mirrors: Vec<MirrorState>,
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
    pub(crate) fn compile(rule: &Rule, cells: &Cells, metrics: &Metrics) -> Self {
        let Rule { id, matches: _, filters, forward } = rule;
        Self {
            id: id.clone(),
            metrics: metrics.rule(id),
            chain: Chain::compile(filters),
            auth: services(filters, cells),
            mirrors: mirrors(filters, cells),
            forward: forward.as_ref().map(|forward| ForwardState::compile(forward, cells)).map_err(Clone::clone),
        }
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

fn mirrors(filters: &[Filter], cells: &Cells) -> Vec<MirrorState> {
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

fn services(filters: &[Filter], cells: &Cells) -> Vec<Arc<AuthState>> {
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
