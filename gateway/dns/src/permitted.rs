//! What of an answer a workload may have.

use hickory_resolver::proto::rr::rdata::svcb::{IpHint, SvcParamKey, SvcParamValue};
use hickory_resolver::proto::rr::rdata::{HTTPS, SVCB};
use hickory_resolver::proto::rr::{RData, Record};
use lychgate_egress::{Ask, Called, Decision, Egress, Hello, Reached, Screening, ServerName, Spoken, Verdict};
use lychgate_ir::egress::DnsName;
use std::net::IpAddr;

/// What is left of an answer, and why the rest is not.
pub(crate) struct Permitted {
    pub(crate) records: Vec<Record>,
    /// The addresses among them.
    pub(crate) addresses: Vec<IpAddr>,
    /// The first decision about an address that is left.
    pub(crate) allowed: Option<Decision>,
    /// The first decision about one that is not.
    pub(crate) denied: Option<Decision>,
}

/// Takes from an answer what may not be reached: else a name that its owner lets point into the cluster would open it
/// (rebinding), or a client would try in vain.
pub(crate) fn permitted(egress: &Egress<'_>, ask: &Ask<'_>, name: &DnsName, records: Vec<Record>) -> Permitted {
    let answer: Vec<IpAddr> = records.iter().filter_map(|record| record.data.ip_addr()).collect();
    let decide = |address| egress.decide(ask, &Reached { address, answer: &answer });
    let mut permitted = Permitted { records: Vec::new(), addresses: Vec::new(), allowed: None, denied: None };
    let may_encrypt = may_encrypt_hello(egress, ask, name);
    for mut record in records {
        if let Some(address) = record.data.ip_addr() {
            let decision = decide(address);
            match decision.verdict {
                Verdict::Allow => {
                    permitted.addresses.push(address);
                    permitted.allowed.get_or_insert(decision);
                }
                Verdict::Deny => {
                    permitted.denied.get_or_insert(decision);
                    continue;
                }
            }
        }
        let hint_may_stay =
            |address: IpAddr| egress.decide(ask, &Reached { address, answer: &[address] }).verdict == Verdict::Allow;
        let is_left = match &mut record.data {
            RData::HTTPS(HTTPS(service)) | RData::SVCB(service) => strip(service, may_encrypt, &hint_may_stay),
            _ => true,
        };
        if is_left {
            permitted.records.push(record);
        }
    }
    permitted
}

/// Whether a ClientHello that hides its name would be let through to this name.
fn may_encrypt_hello(egress: &Egress<'_>, ask: &Ask<'_>, name: &DnsName) -> bool {
    let hello = Hello { server_name: ServerName::Name(name), encrypted: true };
    let ask = Ask { called: Called::Name(name), port: 443, spoken: Spoken::Tls(hello), ..*ask };
    match egress.screen(&ask) {
        Screening::Open => true,
        Screening::Refused(_) => false,
    }
}

/// Takes from a service binding (RFC 9460) keys of ECH and addresses that may not be used. False if what is left would not
/// be one any more, because it says itself that it cannot do without.
fn strip(service: &mut SVCB, may_encrypt: bool, may_stay: &impl Fn(IpAddr) -> bool) -> bool {
    let mut is_whole = true;
    if !may_encrypt {
        let mandatory = service.svc_params.iter().any(|(_, value)| match value {
            SvcParamValue::Mandatory(keys) => keys.0.contains(&SvcParamKey::EchConfigList),
            _ => false,
        });
        is_whole = !mandatory;
        service.svc_params.retain(|(key, _)| *key != SvcParamKey::EchConfigList);
    }
    for (_, value) in &mut service.svc_params {
        match value {
            SvcParamValue::Ipv4Hint(IpHint(addresses)) => addresses.retain(|address| may_stay(address.0.into())),
            SvcParamValue::Ipv6Hint(IpHint(addresses)) => addresses.retain(|address| may_stay(address.0.into())),
            _ => {}
        }
    }
    service.svc_params.retain(|(_, value)| match value {
        SvcParamValue::Ipv4Hint(IpHint(addresses)) => !addresses.is_empty(),
        SvcParamValue::Ipv6Hint(IpHint(addresses)) => !addresses.is_empty(),
        _ => true,
    });
    is_whole
}
