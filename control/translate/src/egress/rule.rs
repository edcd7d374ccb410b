//! What a rule fits. What cannot be read fails closed, and is told.

use super::handling;
use crate::reference_grant::Referrer;
use crate::status::condition::{Problem, sentences};
use crate::status::reason;
use crate::world::World;
use http::Method;
use ipnet::IpNet;
use lychgate_api::lychgate::{
    EgressException, EgressHttp, EgressPathMatch, EgressPathType, EgressPolicyRule, EgressProtocolType,
    EgressRuleAction, EgressRuleProtocol, EgressTo, EgressWeekday, EgressWindow,
};
use lychgate_ir::egress::{
    Destination, EgressAction, EgressExceptions, EgressHandling, EgressHost, EgressPath, EgressProtocol, EgressRule,
    HttpRule, PortRange, TimeWindow, UtcOffset, Weekday, Weekdays,
};
use lychgate_ir::{CertificateId, Secret};
use std::net::IpAddr;
use std::sync::Arc;

/// Reads the rules of one policy, and keeps what it finds on the way.
pub(super) struct Reader<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) from: Referrer<'w>,
    /// What cannot be read.
    pub(super) problems: Vec<String>,
    /// References that lead nowhere, with their reason.
    pub(super) unresolved: Vec<(&'static str, String)>,
    /// Whether a reference was followed.
    pub(super) refers: bool,
    pub(super) secrets: Vec<Arc<Secret>>,
    pub(super) certificates: Vec<CertificateId>,
    /// Whether a rule looks into TLS.
    pub(super) inspects: bool,
}

impl<'w, 'a> Reader<'w, 'a> {
    pub(super) fn new(world: &'w World<'a>, from: Referrer<'w>) -> Self {
        let (problems, unresolved, secrets, certificates) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { world, from, problems, unresolved, refers: false, secrets, certificates, inspects: false }
    }

    /// One rule. It keeps its place among the others, whatever is wrong with it.
    pub(super) fn rule(&mut self, index: usize, rule: &EgressPolicyRule) -> EgressRule {
        let EgressPolicyRule {
            name,
            action,
            to,
            ports,
            protocols,
            windows,
            exceptions,
            reason,
            tls,
            credential,
            via,
            source_addresses,
            limits,
        } = rule;
        let path = format!("spec.rules[{index}]");
        let known = self.problems.len();
        // What a denial does not say is denied whatever it is: the empty list.
        let destination = to.as_ref().map_or(Some(Destination::Any), |to| self.destination(&path, to));
        let ports = self.list(&path, "ports", ports, |text| port_range(text)).unwrap_or_default();
        let protocols = self.list(&path, "protocols", protocols, protocol).unwrap_or_default();
        let windows = self.list(&path, "windows", windows, window).unwrap_or_default();
        let handling = match action {
            EgressRuleAction::Deny => EgressHandling::default(),
            EgressRuleAction::Allow => {
                let wanted = handling::Wanted { tls, credential, via, source_addresses, limits };
                handling::read(self, &path, &wanted)
            }
        };
        let is_about_dns = |protocol: &EgressProtocol| matches!(protocol, EgressProtocol::Dns);
        if handling.limits.is_some() && !protocols.is_empty() && protocols.iter().all(is_about_dns) {
            self.problems.push(format!("{path}.limits: questions to DNS are not counted; remove them"));
        }
        let is_broken = self.problems.len() > known;
        let (action, destination) = match action {
            EgressRuleAction::Deny => (EgressAction::Deny, destination.unwrap_or(Destination::Any)),
            // No address at all.
            EgressRuleAction::Allow if is_broken => (EgressAction::Allow, Destination::Addresses(Vec::new())),
            EgressRuleAction::Allow => {
                (EgressAction::Allow, destination.unwrap_or_else(|| Destination::Addresses(Vec::new())))
            }
        };
        EgressRule {
            name: name.as_deref().map(Arc::from),
            action,
            destination,
            ports,
            protocols,
            windows,
            exceptions: exceptions_of(exceptions),
            reason: reason.as_deref().map(Arc::from),
            handling: Arc::new(handling),
        }
    }

    fn destination(&mut self, path: &str, to: &EgressTo) -> Option<Destination> {
        let EgressTo { hosts, within, networks } = to;
        let path = format!("{path}.to");
        match (hosts.is_empty(), networks.is_empty()) {
            (false, true) => {
                let hosts =
                    self.list(&path, "hosts", hosts, |text| EgressHost::parse(text).map_err(|no| no.to_string()));
                let within = self.list(&path, "within", within, |text| network(text));
                Some(Destination::Hosts { hosts: hosts?, within: within.unwrap_or_default() })
            }
            (true, false) => self.list(&path, "networks", networks, |text| network(text)).map(Destination::Addresses),
            (_, _) => {
                self.problems.push(format!("{path}: write hosts or networks"));
                None
            }
        }
    }

    /// Nothing if one of them cannot be read.
    fn list<T, U>(
        &mut self,
        path: &str,
        field: &str,
        wanted: &[T],
        read: impl Fn(&T) -> Result<U, String>,
    ) -> Option<Vec<U>> {
        let mut all = Vec::with_capacity(wanted.len());
        let known = self.problems.len();
        for (index, wanted) in wanted.iter().enumerate() {
            match read(wanted) {
                Ok(one) => all.push(one),
                Err(problem) => self.problems.push(format!("{path}.{field}[{index}]: {problem}")),
            }
        }
        (self.problems.len() == known).then_some(all)
    }
}

/// What is said of rules that cannot be read.
pub(super) fn problem(problems: &[String]) -> Option<Problem> {
    (!problems.is_empty()).then(|| {
        let told = sentences(problems);
        Problem::new(reason::INVALID, format!("rules that cannot be read fail closed: {told}"))
    })
}

/// What is said of references that lead nowhere: the reason of the first.
pub(super) fn unresolved(found: &[(&'static str, String)]) -> Option<Problem> {
    let (reason, _) = found.first()?;
    let messages: Vec<&str> = found.iter().map(|(_, message)| message.as_str()).collect();
    Some(Problem::new(reason, sentences(&messages)))
}

/// A network, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let alone = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(alone);
    let network = network.ok_or_else(|| format!("`{text}` is no network; write one such as 203.0.113.0/24"))?;
    Ok(network.trunc())
}

fn port_range(text: &str) -> Result<PortRange, String> {
    let number = |text: &str| text.parse::<u16>().ok();
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = number(first).zip(number(last)).and_then(|(first, last)| PortRange::new(first, last));
    range.ok_or_else(|| format!("`{text}` is no port; write 443 or 8000-8100"))
}

fn protocol(wanted: &EgressRuleProtocol) -> Result<EgressProtocol, String> {
    let EgressRuleProtocol { r#type, http } = wanted;
    Ok(match (r#type, http) {
        (EgressProtocolType::Http, http) => {
            EgressProtocol::Http(http.as_ref().map_or(Ok(HttpRule::default()), requests)?)
        }
        (_, Some(_)) => return Err("http is for type HTTP".to_owned()),
        (EgressProtocolType::Tls, None) => EgressProtocol::Tls,
        (EgressProtocolType::Tcp, None) => EgressProtocol::Tcp,
        (EgressProtocolType::Dns, None) => EgressProtocol::Dns,
    })
}

fn requests(wanted: &EgressHttp) -> Result<HttpRule, String> {
    let EgressHttp { methods, paths } = wanted;
    let methods = methods.iter().map(|text| {
        // `get` is another method than `GET`, and nobody means it.
        let is_method = !text.bytes().any(|byte| byte.is_ascii_lowercase());
        let method = Method::from_bytes(text.as_bytes()).ok().filter(|_| is_method);
        method.ok_or_else(|| format!("http.methods: `{text}` is no method; write one such as GET"))
    });
    let paths = paths.iter().map(|EgressPathMatch { r#type, value }| {
        if let Some(problem) = path_problem(value) {
            return Err(format!("http.paths: `{value}` is no path: {problem}"));
        }
        Ok(match r#type {
            EgressPathType::Exact => EgressPath::Exact(value.as_str().into()),
            EgressPathType::PathPrefix => EgressPath::Prefix(value.trim_end_matches('/').into()),
        })
    });
    Ok(HttpRule { methods: methods.collect::<Result<_, _>>()?, paths: paths.collect::<Result<_, _>>()? })
}

/// Why no request arrives with this path, if so: it would be allowed nothing, and denied nothing.
fn path_problem(path: &str) -> Option<&'static str> {
    let segments = || path.split('/').skip(1);
    if !path.starts_with('/') {
        Some("it begins with /")
    } else if path.contains(['?', '#']) {
        Some("it ends where the query begins")
    } else if segments().any(|segment| matches!(segment, "." | "..")) || path.contains("//") {
        Some("write it without empty segments, `.` and `..`")
    } else if path.to_ascii_lowercase().contains("%2f") {
        Some("write / in place of %2F")
    } else {
        None
    }
}

fn window(wanted: &EgressWindow) -> Result<TimeWindow, String> {
    let EgressWindow { days, from, to, utc_offset } = wanted;
    let days = Weekdays::new(days.iter().map(|day| match day {
        EgressWeekday::Monday => Weekday::Monday,
        EgressWeekday::Tuesday => Weekday::Tuesday,
        EgressWeekday::Wednesday => Weekday::Wednesday,
        EgressWeekday::Thursday => Weekday::Thursday,
        EgressWeekday::Friday => Weekday::Friday,
        EgressWeekday::Saturday => Weekday::Saturday,
        EgressWeekday::Sunday => Weekday::Sunday,
    }));
    let offset = UtcOffset::parse(utc_offset).map_err(|no| no.to_string())?;
    TimeWindow::parse(days.unwrap_or(Weekdays::ALL), from, to, offset).map_err(|no| no.to_string())
}

fn exceptions_of(wanted: &[EgressException]) -> EgressExceptions {
    let has = |exception| wanted.contains(&exception);
    EgressExceptions {
        missing_sni: has(EgressException::MissingSni),
        encrypted_client_hello: has(EgressException::EncryptedClientHello),
        other_sni: has(EgressException::OtherSni),
        other_host: has(EgressException::OtherHost),
        unverified_name: has(EgressException::UnverifiedName),
    }
}
