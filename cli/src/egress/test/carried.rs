//! Whether what a rule allows can be carried as the rule says. What cannot does not leave, whatever is allowed.

use http::Method;
use lychgate_egress::{Because, Decision, Spoken};
use lychgate_ir::Refusal;
use lychgate_ir::egress::{
    EgressCredential, EgressHandling, EgressInspection, EgressTls, OriginTls, UpstreamProxy, UpstreamProxyLogin,
};
use std::net::IpAddr;

/// How a rule goes on with TLS that it looks into, or why it cannot.
pub(super) type Look = Result<OriginTls, Refusal>;

/// Why nobody could look into TLS as the rule asks that does, if so.
pub(super) fn cannot_look_into_tls(look: &Look, inspection: Option<&EgressInspection>) -> Option<String> {
    match (look, inspection) {
        (Err(refusal), _) => Some(text(refusal)),
        (Ok(_), None) => Some("the Gateway has no authority to look into TLS; see spec.egress.inspection".to_owned()),
        (Ok(_), Some(EgressInspection { authority, exclude: _ })) => authority.as_ref().err().map(text),
    }
}

/// Why the rule that decided about this cannot be done as written, if so.
pub(super) fn cannot_be_done(decision: &Decision, spoken: &Spoken<'_>, to: IpAddr) -> Option<String> {
    let handling = match &decision.because {
        Because::Rule { handling, rule: _, level: _, reason: _ } => handling,
        Because::Uncertain { rule: _, miss: _ } | Because::NoRule | Because::NotEnforced => return None,
    };
    let EgressHandling { tls, credential, via, leave_from, limits: _ } = &**handling;
    let request = match spoken {
        Spoken::Http(request) => Some(request),
        Spoken::NotYet | Spoken::Tcp | Spoken::Tls(_) => None,
        // The gate answers itself.
        Spoken::Dns => return None,
    };
    let of_tls = match tls {
        EgressTls::Pass => None,
        EgressTls::Originate(_) if matches!(spoken, Spoken::Tls(_)) => {
            return Some("the gate itself speaks TLS with this destination".to_owned());
        }
        EgressTls::Originate(spec) => spec.as_ref().err(),
        // In the clear there is nothing to look into.
        EgressTls::Inspect(spec) => {
            spec.as_ref().err().filter(|_| request.is_some_and(|request| request.tls.is_some()))
        }
    };
    // A proxy beyond may be reached by the other family.
    let has_family = leave_from.iter().any(|network| network.addr().is_ipv4() == to.is_ipv4());
    if via.is_none() && !leave_from.is_empty() && !has_family {
        return Some(format!("none of its source addresses is of the family of {to}"));
    }
    let credential = credential.as_ref().zip(request);
    if credential.is_some_and(|(_, request)| *request.method == Method::TRACE) {
        return Some("TRACE would return the credential that the gate adds".to_owned());
    }
    let of_credential = credential.and_then(|(credential, _)| {
        let EgressCredential { header: _, prefix: _, secret } = credential;
        secret.as_ref().err()
    });
    let of_proxy = via.as_ref().and_then(|proxy| {
        let UpstreamProxy { protocol: _, host: _, port: _, login } = proxy;
        match login {
            Some(Err(refusal)) => Some(refusal),
            Some(Ok(UpstreamProxyLogin { user: _, password: _ })) | None => None,
        }
    });
    of_tls.or(of_credential).or(of_proxy).map(text)
}

/// Where what was decided about leaves from: the networks that its rule names, if it does. Which of their addresses it is
/// depends on the replica.
pub(super) fn leaves_from(decision: &Decision) -> Vec<String> {
    match &decision.because {
        Because::Rule { handling, rule: _, level: _, reason: _ } => {
            handling.leave_from.iter().map(ToString::to_string).collect()
        }
        Because::Uncertain { rule: _, miss: _ } | Because::NoRule | Because::NotEnforced => Vec::new(),
    }
}

fn text(refusal: &Refusal) -> String {
    format!("{}: {}", refusal.reason, refusal.message)
}
