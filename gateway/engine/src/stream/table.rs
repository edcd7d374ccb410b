//! Which stream route a connection belongs to.

use crate::runtime::Weighted;
use crate::upstream::BackendCell;
use lychgate_ir::{
    BackendId, HostPattern, ListenerId, Refusal, RefusalReason, RuleId, StreamBackend, StreamRoute, Target,
};
use lychgate_router::HostMap;
use lychgate_telemetry::{Metrics, StreamMetrics};
use std::collections::HashMap;
use std::sync::Arc;

/// The stream routes of a listener, by server name. For TCP and UDP there is one, for every name.
#[derive(Default)]
pub(crate) struct StreamTable(HostMap<Arc<StreamState>>);

/// The rule of a stream route, ready to run.
pub(crate) struct StreamState {
    pub(crate) id: RuleId,
    pub(crate) metrics: Arc<StreamMetrics>,
    pub(crate) forward: Result<Weighted<Result<Arc<BackendCell>, Refusal>>, Refusal>,
}

impl StreamTable {
    /// The routes of a listener. Where two have one host name, the older wins, then the first by name (as in HTTPRoute).
    pub(crate) fn build<'r>(
        listener: &ListenerId,
        routes: impl IntoIterator<Item = &'r Arc<StreamRoute>>,
        cells: &HashMap<BackendId, Arc<BackendCell>>,
        metrics: &Metrics,
    ) -> Self {
        let mut routes: Vec<&Arc<StreamRoute>> = routes.into_iter().collect();
        routes.sort_by(|a, b| {
            let age = |route: &StreamRoute| (route.created.is_none(), route.created);
            age(a).cmp(&age(b)).then_with(|| a.id.name.cmp_as_text(&b.id.name)).then_with(|| a.id.kind.cmp(&b.id.kind))
        });
        let mut taken: HashMap<HostPattern, Arc<StreamState>> = HashMap::new();
        for route in routes {
            let state = Arc::new(StreamState::compile(route, cells, metrics));
            for attachment in route.attachments.iter().filter(|attachment| attachment.listener == *listener) {
                for hostname in &attachment.hostnames {
                    taken.entry(hostname.clone()).or_insert_with(|| state.clone());
                }
            }
        }
        Self(taken.into_iter().collect())
    }

    /// The route for a server name, or for a connection without one.
    pub(crate) fn find(&self, server_name: Option<&str>) -> Option<&Arc<StreamState>> {
        self.0.best(server_name.unwrap_or_default())
    }
}

impl StreamState {
    fn compile(route: &StreamRoute, cells: &HashMap<BackendId, Arc<BackendCell>>, metrics: &Metrics) -> Self {
        let StreamRoute { id: _, created: _, attachments: _, rule, forward } = route;
        let target = |StreamBackend { weight, target }: &StreamBackend| {
            let cell = match target {
                Target::Backend(id) => cells.get(id).cloned().ok_or_else(|| {
                    Refusal::internal(RefusalReason::BackendNotFound, format!("{id} is not in the snapshot"))
                }),
                Target::Broken(refusal) => Err(refusal.clone()),
            };
            (*weight, cell)
        };
        let forward = forward.as_ref().map(|backends| Weighted::new(backends.iter().map(target)));
        Self { id: rule.clone(), metrics: metrics.stream_rule(rule), forward: forward.map_err(Clone::clone) }
    }

    /// The backend of one connection.
    pub(crate) fn backend(&self) -> Result<Arc<BackendCell>, Refusal> {
        let weighted = self.forward.as_ref().map_err(Clone::clone)?;
        weighted.choose().cloned().unwrap_or_else(|| {
            Err(Refusal::internal(RefusalReason::NoBackend, "every backend of the rule has weight 0"))
        })
    }
}
