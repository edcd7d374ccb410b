//! Which secrets and certificates a Gateway uses.

use lychgate_ir::egress::{
    EgressCredential, EgressGateway, EgressHandling, EgressInspection, EgressLogin, EgressPolicy, EgressTls, OriginTls,
    UpstreamProxy, UpstreamProxyLogin,
};
use lychgate_ir::{CertificateId, ClientIdentity, Listener, Refusal, SecretId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a Gateway refers to.
#[derive(Default)]
pub(super) struct Used {
    pub(super) secrets: BTreeSet<SecretId>,
    pub(super) certificates: BTreeSet<CertificateId>,
}

impl Used {
    /// What a Gateway, its policies and its listeners refer to.
    pub(super) fn by<'a>(
        spec: &EgressGateway,
        policies: impl Iterator<Item = &'a Arc<EgressPolicy>>,
        listeners: impl Iterator<Item = &'a Arc<Listener>>,
    ) -> Self {
        let mut used = Self::default();
        let EgressGateway { default: _, cluster: _, policies: _, logins, trust_domains: _, dns: _, inspection } = spec;
        for EgressLogin { password, namespace: _, service_account: _ } in logins.values() {
            used.secrets.insert(password.clone());
        }
        if let Some(EgressInspection { authority: Ok(authority), exclude: _ }) = inspection {
            used.certificates.insert(authority.clone());
        }
        // What the Gateway presents to destinations.
        used.certificates.extend(listeners.filter_map(|listener| listener.upstream_identity.clone()));
        for rule in policies.flat_map(|policy| &policy.rules) {
            used.handling(&rule.handling);
        }
        used
    }

    fn handling(&mut self, handling: &EgressHandling) {
        let EgressHandling { tls, credential, via, leave_from: _, limits: _ } = handling;
        match tls {
            EgressTls::Pass => {}
            EgressTls::Originate(origin) | EgressTls::Inspect(origin) => self.origin(origin),
        }
        if let Some(EgressCredential { header: _, prefix: _, secret: Ok(secret) }) = credential {
            self.secrets.insert(secret.clone());
        }
        if let Some(UpstreamProxy { protocol: _, host: _, port: _, login: Some(Ok(login)) }) = via {
            let UpstreamProxyLogin { user, password } = login;
            self.secrets.extend([user.clone(), password.clone()]);
        }
    }

    fn origin(&mut self, origin: &Result<OriginTls, Refusal>) {
        let Ok(OriginTls { min_version: _, roots: _, pins: _, identity }) = origin else { return };
        match identity {
            ClientIdentity::None | ClientIdentity::Gateway => {}
            ClientIdentity::Certificate(id) => drop(self.certificates.insert(id.clone())),
        }
    }
}
