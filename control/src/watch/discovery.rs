//! Which kinds the API server serves, and in which version: asked when the process starts, again as long as something is
//! missing, and whenever a watcher finds its kind gone.

use crate::observe::Metrics;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Error};
use lychgate_api::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How often to ask while kinds are missing, or served in an older version than the one that we know best.
const SOON: Duration = Duration::from_secs(5);
/// How often to ask when nothing is missing: a newer version may have come.
const LATER: Duration = Duration::from_secs(60);
/// So many answers in a row have to deny a kind that was there. A server that starts may not know all of its kinds yet.
const DENIALS: u32 = 6;

/// How a kind is served.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// Its names.
    pub resource: ApiResource,
    /// Whether this is the version that our types are shaped after.
    pub newest: bool,
}

/// What is known of every kind. One that is not in here was not asked for yet, or there was no answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovered {
    kinds: BTreeMap<Kind, Option<Served>>,
}

/// Which kinds one version of a group has, with their plurals; None where the server said nothing.
type Answers = BTreeMap<(&'static str, &'static str), Option<BTreeMap<String, String>>>;

impl Discovered {
    /// How a kind is served; `Some(None)` where nobody serves it.
    #[must_use]
    pub fn get(&self, kind: Kind) -> Option<Option<&Served>> {
        self.kinds.get(&kind).map(Option::as_ref)
    }

    /// The names under which a kind is served, if it is.
    #[must_use]
    pub fn resource(&self, kind: Kind) -> Option<&ApiResource> {
        self.get(kind).flatten().map(|served| &served.resource)
    }

    fn is_whole(&self) -> bool {
        Kind::ALL.iter().all(|kind| self.get(*kind).flatten().is_some_and(|served| served.newest))
    }

    /// What is known after these answers. A kind that was there and is denied stays until it was denied often enough.
    fn after(&self, answers: &Answers, denials: &mut BTreeMap<Kind, u32>) -> Self {
        let mut next = self.clone();
        for kind in Kind::ALL.iter().copied() {
            match look_up(kind, answers) {
                Some(Some(served)) => {
                    denials.remove(&kind);
                    next.kinds.insert(kind, Some(served));
                }
                Some(None) => {
                    let denied = denials.entry(kind).or_default();
                    *denied = denied.saturating_add(1);
                    let is_known = next.kinds.get(&kind).is_some_and(Option::is_some);
                    if !is_known || *denied >= DENIALS {
                        next.kinds.insert(kind, None);
                    }
                }
                None => {}
            }
        }
        next
    }
}

/// Looks a kind up, the newest version first. None if a version that the server said nothing about might have it.
fn look_up(kind: Kind, answers: &Answers) -> Option<Option<Served>> {
    for (at, version) in kind.versions().iter().copied().enumerate() {
        match answers.get(&(kind.group(), version)) {
            Some(Some(kinds)) => {
                if let Some(plural) = kinds.get(kind.as_str()) {
                    let names = GroupVersionKind::gvk(kind.group(), version, kind.as_str());
                    let resource = ApiResource::from_gvk_with_plural(&names, plural);
                    return Some(Some(Served { resource, newest: at == 0 }));
                }
            }
            Some(None) | None => return None,
        }
    }
    Some(None)
}

/// Asks for every version of every group that we know. Kinds of the core are always there.
async fn ask(client: &Client) -> Answers {
    let versions: BTreeSet<(&'static str, &'static str)> =
        Kind::ALL.iter().flat_map(|kind| kind.versions().iter().map(|version| (kind.group(), *version))).collect();
    let mut answers = Answers::new();
    for (group, version) in versions {
        let answer = match group {
            "" => client.list_core_api_resources(version).await,
            _ => client.list_api_group_resources(&format!("{group}/{version}")).await,
        };
        let answer = match answer {
            Ok(list) => {
                Some(list.resources.into_iter().map(|one| (one.kind, one.name)).filter(is_whole_kind).collect())
            }
            Err(Error::Api(status)) if status.code == 404 => Some(BTreeMap::new()),
            Err(error) => {
                tracing::warn!(group, version, %error, "the API server does not say what it serves; asking again");
                None
            }
        };
        answers.insert((group, version), answer);
    }
    answers
}

/// Subresources have the kind of what they belong to.
fn is_whole_kind((_, plural): &(String, String)) -> bool {
    !plural.contains('/')
}

/// Asks for ever.
pub(super) async fn keep_up(
    client: Client,
    found: watch::Sender<Arc<Discovered>>,
    doubt: Arc<Notify>,
    metrics: Arc<Metrics>,
) {
    let mut denials = BTreeMap::new();
    loop {
        let answers = ask(&client).await;
        let known = found.borrow().clone();
        let next = known.after(&answers, &mut denials);
        tell(&known, &next, &metrics);
        let doubtful = denials.iter().any(|(kind, _)| next.resource(*kind).is_some());
        let wait = if next.is_whole() && !doubtful { LATER } else { SOON };
        if next != *known {
            found.send_replace(Arc::new(next));
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // Whoever doubts shall not make us ask all the time.
            () = doubt.notified() => tokio::time::sleep(SOON / 10).await,
        }
    }
}

fn tell(known: &Discovered, next: &Discovered, metrics: &Metrics) {
    for kind in Kind::ALL.iter().copied() {
        let (before, now) = (known.get(kind), next.get(kind));
        metrics.kind_served(kind, now.map(|served| served.map(|served| served.newest)));
        if before == now {
            continue;
        }
        let newest = kind.versions().first().copied().unwrap_or_default();
        match now {
            Some(Some(Served { resource, newest: true })) => {
                tracing::debug!(%kind, version = resource.version, "served");
            }
            Some(Some(Served { resource, newest: false })) => tracing::warn!(
                %kind,
                version = resource.version,
                "the cluster serves this kind in an old version only; fields of {newest} cannot be set; update its CRD"
            ),
            Some(None) => tracing::warn!(
                %kind,
                group = kind.group(),
                "the cluster does not serve this kind in a version that is known here ({}); install or update its CRD",
                kind.versions().join(", ")
            ),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// All versions of all groups, each empty but for those named.
    fn answers(served: &[(&str, &str, &str, &str)]) -> Answers {
        let mut all = Answers::new();
        for kind in Kind::ALL {
            for version in kind.versions() {
                all.insert((kind.group(), version), Some(BTreeMap::new()));
            }
        }
        for (group, version, kind, plural) in served {
            let found = all.iter_mut().find(|((a, b), _)| a == group && b == version).unwrap();
            found.1.as_mut().unwrap().insert((*kind).to_owned(), (*plural).to_owned());
        }
        all
    }

    const GROUP: &str = "gateway.networking.k8s.io";

    #[test]
    fn the_newest_version_that_is_served_is_taken() {
        let known = Discovered::default();
        let old = known.after(&answers(&[(GROUP, "v1alpha2", "TLSRoute", "tlsroutes")]), &mut BTreeMap::new());
        let served = old.get(Kind::TlsRoute).unwrap().unwrap();
        assert_eq!((served.resource.version.as_str(), served.newest), ("v1alpha2", false));
        assert_eq!(old.get(Kind::UdpRoute), Some(None));
        let both = answers(&[(GROUP, "v1alpha2", "TLSRoute", "tlsroutes"), (GROUP, "v1", "TLSRoute", "tlsroutes")]);
        let new = old.after(&both, &mut BTreeMap::new());
        assert!(new.get(Kind::TlsRoute).unwrap().unwrap().newest);
    }

    #[test]
    fn no_answer_is_no_denial() {
        let there = answers(&[(GROUP, "v1", "Gateway", "gateways")]);
        let known = Discovered::default().after(&there, &mut BTreeMap::new());
        let silence: Answers = there.keys().map(|version| (*version, None)).collect();
        let mut denials = BTreeMap::new();
        let mut after = known.clone();
        for _ in 0..2 * DENIALS {
            after = after.after(&silence, &mut denials);
        }
        assert_eq!(after, known);
        // Nor is silence about a newer version a yes to an older one.
        let mut partly = answers(&[(GROUP, "v1beta1", "Gateway", "gateways")]);
        partly.insert((GROUP, "v1"), None);
        assert_eq!(Discovered::default().after(&partly, &mut denials).get(Kind::Gateway), None);
    }

    #[test]
    fn what_was_there_goes_only_after_many_denials() {
        let there = answers(&[(GROUP, "v1", "Gateway", "gateways")]);
        let known = Discovered::default().after(&there, &mut BTreeMap::new());
        let (mut denials, mut after) = (BTreeMap::new(), known);
        for _ in 1..DENIALS {
            after = after.after(&answers(&[]), &mut denials);
            assert!(after.resource(Kind::Gateway).is_some());
        }
        let back = after.after(&there, &mut denials);
        assert!(back.resource(Kind::Gateway).is_some() && !denials.contains_key(&Kind::Gateway));
        for _ in 0..DENIALS {
            after = after.after(&answers(&[]), &mut denials);
        }
        assert_eq!(after.get(Kind::Gateway), Some(None));
    }
}
