//! What an egress Gateway has besides listeners and routes: `spec.egress` of its GatewayParameters.

use super::policy::mode_of;
use super::rule::network;
use super::{handling, text};
use crate::certificate::authority_problem;
use crate::gateway::parameters;
use crate::reference_grant::Referrer;
use crate::status::condition::{Problem, sentences};
use crate::status::reason;
use crate::world::{BadRef, World};
use ipnet::IpNet;
use lychgate_api::gateway::Gateway;
use lychgate_api::lychgate::{
    self, AllowedPolicies, DeploymentParameters, EgressDefault, EgressDnsParameters, EgressLogins, EgressParameters,
    EgressResolver, EgressUser, GatewayParameters, LocalSecretKeyReference, PoliciesFrom, PolicyNamespaces,
    ResolverProtocol,
};
use lychgate_api::{Kind, LYCHGATE_GROUP};
use lychgate_ir::egress::{
    DnsProtocol, DnsUpstream, EgressDns, EgressGateway, EgressHost, EgressInspection, EgressLogin, EgressMode,
    EgressPolicyId, TrustDomains,
};
use lychgate_ir::{Refusal, RefusalReason, Secret};
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What was read of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    default: EgressMode,
    cluster: Vec<IpNet>,
    policies: PolicyNamespaces,
    logins: BTreeMap<Arc<str>, EgressLogin>,
    trust_domains: TrustDomains,
    dns: EgressDns,
    inspection: Option<EgressInspection>,
    /// Passwords that it uses.
    pub(super) secrets: Vec<Arc<Secret>>,
    /// References that lead nowhere.
    pub(crate) unresolved: Option<Problem>,
}

/// One setting, and the namespace of the object that it is written in.
type Written<'a, T> = Option<(&'a str, &'a T)>;

/// Reads them. What cannot be read refuses the Gateway: a guess would let out what was not meant to leave.
pub(crate) fn read(world: &World<'_>, gateway: &Gateway) -> Result<Settings, Problem> {
    // That references lead nowhere is told elsewhere.
    let own = parameters::of_gateway(world.objects, gateway).ok().flatten();
    let class = parameters::class_of_gateway(world.objects, gateway);
    let mut reader = Reader { world, bad: Vec::new(), unresolved: Vec::new(), secrets: Vec::new() };
    let settings = Settings {
        default: pick(own, class, |egress| egress.default.as_ref())
            .map_or(EgressMode::Enforce, |(_, EgressDefault { mode, percent })| mode_of(*mode, Some(*percent))),
        cluster: pick(own, class, |egress| egress.cluster_networks.as_ref())
            .map_or_else(Vec::new, |(_, networks)| reader.networks(networks)),
        policies: pick(own, class, |egress| egress.policies.as_ref())
            .and_then(|(_, AllowedPolicies { namespaces })| namespaces.clone())
            .unwrap_or_default(),
        logins: reader.logins(pick(own, class, |egress| egress.logins.as_ref())),
        trust_domains: pick(own, class, |egress| egress.trust_domains.as_ref())
            .map_or_else(TrustDomains::default, |(_, domains)| reader.trust_domains(domains)),
        dns: pick(own, class, |egress| egress.dns.as_ref()).map_or_else(EgressDns::default, |(_, dns)| reader.dns(dns)),
        inspection: reader.inspection(pick(own, class, |egress| egress.inspection.as_ref())),
        secrets: Vec::new(),
        unresolved: None,
    };
    let Reader { world: _, bad, unresolved, secrets } = reader;
    if !bad.is_empty() {
        return Err(Problem::new(reason::INVALID_PARAMETERS, sentences(&bad)));
    }
    Ok(Settings { secrets, unresolved: super::rule::unresolved(&unresolved), ..settings })
}

/// The Gateway's own setting, or that of its class.
fn pick<'a, T>(
    own: Option<&'a GatewayParameters>,
    class: Option<&'a GatewayParameters>,
    field: impl Fn(&'a EgressParameters) -> Option<&'a T>,
) -> Written<'a, T> {
    let of = |from: &'a GatewayParameters| Some((from.metadata.namespace.as_str(), field(&from.spec.egress)?));
    own.and_then(of).or_else(|| class.and_then(of))
}

fn referrer(namespace: &str) -> Referrer<'_> {
    Referrer { group: LYCHGATE_GROUP, kind: Kind::GatewayParameters.as_str(), namespace }
}

struct Reader<'w, 'a> {
    world: &'w World<'a>,
    bad: Vec<String>,
    unresolved: Vec<(&'static str, String)>,
    secrets: Vec<Arc<Secret>>,
}

impl Reader<'_, '_> {
    fn networks(&mut self, networks: &[String]) -> Vec<IpNet> {
        let mut read = Vec::with_capacity(networks.len());
        for (index, text) in networks.iter().enumerate() {
            match network(text) {
                Ok(network) => read.push(network),
                Err(problem) => self.bad.push(format!("spec.egress.clusterNetworks[{index}]: {problem}")),
            }
        }
        read
    }

    /// A user whose password is not there is nobody's name.
    fn logins(&mut self, logins: Written<'_, EgressLogins>) -> BTreeMap<Arc<str>, EgressLogin> {
        let Some((own, EgressLogins { users })) = logins else { return BTreeMap::new() };
        let mut read = BTreeMap::new();
        for (index, EgressUser { name, namespace, service_account, password_ref }) in users.iter().enumerate() {
            let path = format!("spec.egress.logins.users[{index}]");
            if read.contains_key(name.as_str()) {
                self.bad.push(format!("{path}.name: there is a user `{name}` already"));
                continue;
            }
            match text(self.world, referrer(own), password_ref) {
                Ok(secret) => {
                    let login = EgressLogin {
                        password: secret.id.clone(),
                        namespace: namespace.as_str().into(),
                        service_account: service_account.as_str().into(),
                    };
                    self.secrets.push(secret);
                    read.insert(name.as_str().into(), login);
                }
                Err(error) => self.lost(&format!("{path}.passwordRef"), error),
            }
        }
        read
    }

    fn trust_domains(&mut self, domains: &[String]) -> TrustDomains {
        for (index, domain) in domains.iter().enumerate() {
            // As SPIFFE has it: no scheme, no path, nothing that could be read in two ways.
            let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
            if domain.is_empty() || domain.len() > 255 || !domain.bytes().all(fits) {
                self.bad.push(format!(
                    "spec.egress.trustDomains[{index}]: `{domain}` is no trust domain; write `cluster.local`, without spiffe://"
                ));
            }
        }
        TrustDomains(domains.iter().map(|domain| domain.as_str().into()).collect())
    }

    fn dns(&mut self, wanted: &EgressDnsParameters) -> EgressDns {
        let EgressDnsParameters { upstreams, min_ttl, max_ttl } = wanted;
        let ttl = |ttl: &Option<lychgate_api::meta::Duration>| ttl.map_or(Duration::ZERO, Duration::from);
        let (min_ttl, max_ttl) = (ttl(min_ttl), ttl(max_ttl));
        if !max_ttl.is_zero() && max_ttl < min_ttl {
            self.bad.push("spec.egress.dns: minTtl is longer than maxTtl".to_owned());
        }
        let mut read = Vec::with_capacity(upstreams.len());
        for (index, upstream) in upstreams.iter().enumerate() {
            match resolver(upstream) {
                Ok(upstream) => read.push(upstream),
                Err(problem) => self.bad.push(format!("spec.egress.dns.upstreams[{index}]: {problem}")),
            }
        }
        EgressDns { upstreams: read, min_ttl, max_ttl }
    }

    /// Whatever signs for others has to be an authority, and a host that cannot be read could be looked into unmeant.
    fn inspection(&mut self, wanted: Written<'_, lychgate::EgressInspection>) -> Option<EgressInspection> {
        let (own, lychgate::EgressInspection { certificate_ref, exclude }) = wanted?;
        let reference = handling::whole_secret(certificate_ref);
        let found = self.world.certificate(referrer(own), &reference).and_then(|found| {
            authority_problem(&found).map_or(Ok(found.id.clone()), |problem| Err(BadRef::Broken(problem)))
        });
        let authority = found.map_err(|error| {
            let path = "spec.egress.inspection.certificateRef";
            let message = format!("{path}: {}", error.clone().into_message());
            self.lost(path, error);
            Refusal::internal(RefusalReason::InvalidPolicy, message)
        });
        let mut hosts = Vec::with_capacity(exclude.len());
        for (index, text) in exclude.iter().enumerate() {
            match EgressHost::parse(text) {
                Ok(host) => hosts.push(host),
                Err(no) => self.bad.push(format!("spec.egress.inspection.exclude[{index}]: {no}")),
            }
        }
        Some(EgressInspection { authority, exclude: hosts })
    }

    fn lost(&mut self, path: &str, error: BadRef) {
        self.unresolved.push(lost(path, error));
    }
}

fn lost(path: &str, error: BadRef) -> (&'static str, String) {
    let reason = match error {
        BadRef::NotPermitted(_) => reason::REF_NOT_PERMITTED,
        BadRef::Kind(_) | BadRef::Broken(_) => reason::INVALID_SECRET_REF,
    };
    (reason, format!("{path} of its GatewayParameters: {}", error.into_message()))
}

/// What signs the audit log. The data plane's pods have it from the Secret itself; here is told what they would wait for in vain.
pub(crate) fn audit_key(
    world: &World<'_>,
    namespace: &str,
    deployment: &DeploymentParameters,
) -> Result<Option<Problem>, Problem> {
    const PATH: &str = "spec.deployment.auditKeyRef";
    let Some(LocalSecretKeyReference { name, key }) = &deployment.audit_key_ref else { return Ok(None) };
    if !deployment.keeps_audit_log() {
        let message = format!(
            "{PATH}: there is no audit log to sign; add --audit-dir=/var/lib/lychgate/NAME to spec.deployment.args"
        );
        return Err(Problem::new(reason::INVALID_PARAMETERS, message));
    }
    let key = match world.secret_text(referrer(namespace), None, name, key) {
        Ok(Secret { id, text }) if !is_ed25519(text.expose()) => Err(BadRef::Broken(format!(
            "{id} is no Ed25519 key, PKCS #8 in PEM; make one with openssl genpkey -algorithm ed25519"
        ))),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    Ok(key.err().map(|error| {
        let (reason, message) = lost(PATH, error);
        Problem::new(reason, message)
    }))
}

/// Whether pods could sign with it.
fn is_ed25519(pem: &str) -> bool {
    PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).is_ok_and(|key| any_eddsa_type(&key).is_ok())
}

fn resolver(wanted: &EgressResolver) -> Result<DnsUpstream, String> {
    let EgressResolver { protocol, address, port, name } = wanted;
    let address = address.parse().map_err(|_| format!("address: `{address}` is no IP address"))?;
    let (protocol, usual) = match protocol {
        ResolverProtocol::Udp => (DnsProtocol::Udp, 53),
        ResolverProtocol::Tls => (DnsProtocol::Tls, 853),
        ResolverProtocol::Https => (DnsProtocol::Https, 443),
    };
    let name = match (protocol, name) {
        (DnsProtocol::Udp, None) => None,
        (DnsProtocol::Tls | DnsProtocol::Https, Some(name)) => Some(name.as_str().into()),
        (DnsProtocol::Udp, Some(_)) => return Err("name: there is no certificate with UDP; remove it".to_owned()),
        (DnsProtocol::Tls | DnsProtocol::Https, None) => {
            return Err("name: write the name that its certificate has".to_owned());
        }
    };
    Ok(DnsUpstream { protocol, address, port: port.unwrap_or(usual), name })
}

impl Settings {
    /// For the snapshot.
    pub(super) fn emit<'p>(&self, policies: impl Iterator<Item = &'p EgressPolicyId>) -> EgressGateway {
        let Self { default, cluster, policies: _, logins, trust_domains, dns, inspection, secrets: _, unresolved: _ } =
            self;
        EgressGateway {
            default: *default,
            cluster: cluster.clone(),
            policies: policies.cloned().collect(),
            logins: logins.clone(),
            trust_domains: trust_domains.clone(),
            dns: dns.clone(),
            inspection: inspection.clone(),
        }
    }

    /// Whether policies of a namespace hold for a Gateway in namespace `own`.
    pub(super) fn takes_policies_of(&self, world: &World<'_>, own: &str, namespace: &str) -> bool {
        let PolicyNamespaces { from, selector } = &self.policies;
        match from {
            PoliciesFrom::All => true,
            PoliciesFrom::Same => own == namespace,
            PoliciesFrom::Selector => {
                selector.as_ref().is_some_and(|selector| selector.matches(&world.namespace_labels(namespace)))
            }
        }
    }

    /// Whether TLS can be looked into.
    pub(super) fn can_inspect(&self) -> bool {
        self.inspection.as_ref().is_some_and(|inspection| inspection.authority.is_ok())
    }
}
