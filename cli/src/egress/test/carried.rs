//! Whether what a rule allows can be carried as the rule says. What cannot does not leave, whatever is allowed; and what depends
//! on more than policies leaves if that is so.

use http::Method;
use lychgate_egress::carried::{CREDENTIAL_WOULD_RETURN, TLS_IS_THE_GATES};
use lychgate_egress::{Because, Decision, Spoken};
use lychgate_ir::Refusal;
use lychgate_ir::egress::{
    EgressCredential, EgressHandling, EgressInspection, EgressMode, EgressTls, OriginTls, UpstreamProxy,
    UpstreamProxyLogin, UpstreamProxyProtocol,
};
use std::net::IpAddr;
use std::sync::Arc;

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

/// Why the rule that decided about this cannot be done as written, if so. Without an address, a proxy beyond finds it.
pub(super) fn cannot_be_done(decision: &Decision, spoken: &Spoken<'_>, to: Option<IpAddr>) -> Option<String> {
    let EgressHandling { tls, credential, via, leave_from, limits: _ } = &**handling(decision)?;
    let request = match spoken {
        Spoken::Http(request) => Some(request),
        Spoken::NotYet | Spoken::Tcp | Spoken::Tls(_) => None,
        // The gate answers itself.
        Spoken::Dns => return None,
    };
    let of_tls = match tls {
        EgressTls::Pass => None,
        EgressTls::Originate(_) if matches!(spoken, Spoken::Tls(_)) => {
            return Some(TLS_IS_THE_GATES.to_owned());
        }
        EgressTls::Originate(spec) => spec.as_ref().err(),
        // In the clear there is nothing to look into.
        EgressTls::Inspect(spec) => {
            spec.as_ref().err().filter(|_| request.is_some_and(|request| request.tls.is_some()))
        }
    };
    // A proxy beyond may be reached by the other family.
    if let (None, Some(to), false) = (via, to, leave_from.is_empty())
        && !leave_from.iter().any(|network| network.addr().is_ipv4() == to.is_ipv4())
    {
        return Some(format!("none of its source addresses is of the family of {to}"));
    }
    let credential = credential.as_ref().zip(request);
    if credential.is_some_and(|(_, request)| *request.method == Method::TRACE) {
        return Some(CREDENTIAL_WOULD_RETURN.to_owned());
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

/// The proxy beyond by which a rule has something leave.
pub(super) fn beyond(decision: &Decision) -> Option<&UpstreamProxy> {
    handling(decision)?.via.as_ref()
}

/// What has to be besides, which nobody can tell from here.
pub(super) fn conditions_of(decision: &Decision, spoken: &Spoken<'_>, to: Option<IpAddr>) -> Vec<String> {
    // The gate answers itself.
    let handling = handling(decision).filter(|_| !matches!(spoken, Spoken::Dns));
    let Some(handling) = handling else { return Vec::new() };
    let EgressHandling { tls: _, credential: _, via, leave_from: _, limits } = &**handling;
    let mut conditions = Vec::new();
    if let Some(UpstreamProxy { protocol, host, port, login: _ }) = via {
        let speaks = match protocol {
            UpstreamProxyProtocol::Http => "CONNECT",
            UpstreamProxyProtocol::Socks5 => "SOCKS5",
        };
        let dials = match to {
            Some(address) => format!("dials {address}"),
            None => "finds the address and dials it".to_owned(),
        };
        conditions.push(format!("the proxy {host}:{port} ({speaks}) {dials}"));
    }
    if limits.as_ref().is_some_and(|limits| limits.mode == EgressMode::Enforce) {
        conditions.push("the limits of the rule leave room".to_owned());
    }
    conditions
}

/// How the rule that decided has it carried.
pub(super) fn handling(decision: &Decision) -> Option<&Arc<EgressHandling>> {
    match &decision.because {
        Because::Rule { handling, rule: _, level: _, reason: _ } => Some(handling),
        Because::Uncertain { rule: _, miss: _ } | Because::NoRule | Because::NotEnforced => None,
    }
}

fn text(refusal: &Refusal) -> String {
    format!("{}: {}", refusal.reason, refusal.message)
}
