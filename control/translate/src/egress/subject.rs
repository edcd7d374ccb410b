//! Whom a policy is about.

use crate::status::condition::{Problem, sentences};
use crate::status::reason;
use lychgate_api::lychgate::{EgressPolicySubject, Marker};
use lychgate_ir::ObjectName;
use lychgate_ir::egress::EgressSubject;

/// Subjects of a policy in namespace `own`; all of that where none are written. Only `is_owner` may speak of others.
pub(super) fn read(own: &str, is_owner: bool, subjects: &[EgressPolicySubject]) -> Result<Vec<EgressSubject>, Problem> {
    if subjects.is_empty() {
        return Ok(vec![EgressSubject::Namespace(own.into())]);
    }
    let mut read = Vec::with_capacity(subjects.len());
    let mut bad = Vec::new();
    let mut reason = reason::INVALID;
    for (index, subject) in subjects.iter().enumerate() {
        match one(own, subject) {
            Ok(subject) if is_owner || is_within(own, &subject) => read.push(subject),
            Ok(_) => {
                reason = reason::NOT_ALLOWED;
                bad.push(format!(
                    "spec.subjects[{index}] is about others than namespace {own}; only a policy in the namespace of its \
                     Gateways may be"
                ));
            }
            Err(problem) => bad.push(format!("spec.subjects[{index}]: {problem}")),
        }
    }
    if bad.is_empty() { Ok(read) } else { Err(Problem::new(reason, sentences(&bad))) }
}

fn one(own: &str, subject: &EgressPolicySubject) -> Result<EgressSubject, &'static str> {
    let EgressPolicySubject { service_account, selector, namespace, identity, everyone, unknown } = subject;
    let mut all = Vec::new();
    all.extend(service_account.as_deref().map(|name| EgressSubject::ServiceAccount(ObjectName::new(own, name))));
    all.extend(selector.as_ref().map(|selector| EgressSubject::Labels {
        namespace: own.into(),
        labels: selector.match_labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
    }));
    all.extend(namespace.as_deref().map(|name| EgressSubject::Namespace(name.into())));
    all.extend(identity.as_deref().map(|id| EgressSubject::Identity(id.into())));
    all.extend(everyone.map(|Marker {}| EgressSubject::Everyone));
    all.extend(unknown.map(|Marker {}| EgressSubject::Unknown));
    match (all.pop(), all.is_empty()) {
        (Some(EgressSubject::Identity(id)), true) if !id.starts_with("spiffe://") => {
            Err("identity is no SPIFFE ID; write spiffe://DOMAIN/PATH")
        }
        (Some(subject), true) => Ok(subject),
        (_, _) => Err("write exactly one of serviceAccount, selector, namespace, identity, everyone and unknown"),
    }
}

/// Whether it is about workloads of the namespace alone. A SPIFFE ID names its namespace as `/ns/NAMESPACE/sa/NAME`.
fn is_within(own: &str, subject: &EgressSubject) -> bool {
    match subject {
        EgressSubject::Everyone | EgressSubject::Unknown => false,
        EgressSubject::Namespace(namespace) | EgressSubject::Labels { namespace, labels: _ } => &**namespace == own,
        EgressSubject::ServiceAccount(account) => &*account.namespace == own,
        EgressSubject::Identity(id) => {
            let path = id.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/')).map(|(_, path)| path);
            let mut parts = path.unwrap_or_default().split('/');
            (parts.next(), parts.next(), parts.next()) == (Some("ns"), Some(own), Some("sa"))
        }
    }
}
