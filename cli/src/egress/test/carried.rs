//! Whether what a rule allows can be carried as the rule says. What cannot does not leave, whatever is allowed.

use lychgate_egress::{Because, Decision};
use lychgate_ir::Refusal;
use lychgate_ir::egress::{
    EgressCredential, EgressHandling, EgressInspection, EgressTls, UpstreamProxy, UpstreamProxyLogin,
};

/// Why nobody could look into TLS, if so.
pub(super) fn cannot_look_into_tls(inspection: Option<&EgressInspection>) -> Option<String> {
    match inspection {
        None => Some("the Gateway has no authority to look into TLS; see spec.egress.inspection".to_owned()),
        Some(EgressInspection { authority, exclude: _ }) => authority.as_ref().err().map(text),
    }
}

/// Why the rule that decided cannot be done as written, if so. `is_http` says whether requests are read.
pub(super) fn cannot_be_done(decision: &Decision, is_http: bool) -> Option<String> {
    let handling = match &decision.because {
        Because::Rule { handling, rule: _, level: _, reason: _ } => handling,
        Because::Uncertain { rule: _, miss: _ } | Because::NoRule | Because::NotEnforced => return None,
    };
    let EgressHandling { tls, credential, via, leave_from: _, limits: _ } = &**handling;
    let of_tls = match tls {
        EgressTls::Pass => None,
        EgressTls::Originate(spec) => spec.as_ref().err(),
        EgressTls::Inspect(spec) => spec.as_ref().err().filter(|_| is_http),
    };
    let of_credential = credential.as_ref().filter(|_| is_http).and_then(|credential| {
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

fn text(refusal: &Refusal) -> String {
    format!("{}: {}", refusal.reason, refusal.message)
}
