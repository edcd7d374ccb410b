//! What may be asked for.

use hickory_resolver::proto::rr::RecordType;

/// Whether records of this kind are asked for on behalf of workloads: those by which services are found and told apart.
/// Not among them: `ANY` and transfers, which ask for all there is (RFC 8482), `NULL`, which serves no purpose but to carry
/// data, and signatures, which nobody behind the gate could verify: answers are changed on their way.
pub(crate) fn is_served(kind: RecordType) -> bool {
    matches!(
        kind,
        RecordType::A
            | RecordType::AAAA
            | RecordType::CAA
            | RecordType::CNAME
            | RecordType::HTTPS
            | RecordType::MX
            | RecordType::NS
            | RecordType::PTR
            | RecordType::SOA
            | RecordType::SRV
            | RecordType::SVCB
            | RecordType::TXT
    )
}
