//! What a Lease says, and where in it that is written.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use std::net::SocketAddr;

/// The annotation of who holds the Lease: its name, and where its feed is.
const RELAY: &str = "lychgate.dev/relay";

/// What a Lease says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Who leads; empty for nobody.
    pub holder: String,
    /// Where it takes reports of other replicas; none where it says nothing of that.
    pub relay: Option<SocketAddr>,
    /// When it was renewed last, by the clock of whoever did. Only compared for being another.
    pub renewed: Option<Timestamp>,
    /// Since when this holder has it.
    pub acquired: Option<Timestamp>,
    /// How long it may say nothing, in seconds.
    pub seconds: i32,
    /// How often it changed hands.
    pub transitions: i32,
}

impl Record {
    /// What is written in a Lease.
    #[must_use]
    pub fn of(lease: &Lease) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        let said = lease.metadata.annotations.as_ref().and_then(|all| all.get(RELAY));
        // A holder that knows nothing of this leaves what the one before has written.
        let own = said.and_then(|said| said.strip_prefix(&*holder)?.strip_prefix(' '));
        Self {
            relay: own.and_then(|address| address.parse().ok()),
            holder,
            renewed: spec.renew_time.map(|MicroTime(time)| time),
            acquired: spec.acquire_time.map(|MicroTime(time)| time),
            seconds: spec.lease_duration_seconds.unwrap_or_default(),
            transitions: spec.lease_transitions.unwrap_or_default(),
        }
    }

    /// The Lease with this written in it.
    #[must_use]
    pub fn written_to(&self, mut lease: Lease) -> Lease {
        let Self { holder, relay, renewed, acquired, seconds, transitions } = self;
        let annotations = lease.metadata.annotations.get_or_insert_default();
        match relay {
            Some(address) => annotations.insert(RELAY.to_owned(), format!("{holder} {address}")),
            None => annotations.remove(RELAY),
        };
        lease.spec = Some(LeaseSpec {
            holder_identity: (!holder.is_empty()).then(|| holder.clone()),
            renew_time: renewed.map(MicroTime),
            acquire_time: acquired.map(MicroTime),
            lease_duration_seconds: Some(*seconds),
            lease_transitions: Some(*transitions),
            ..LeaseSpec::default()
        });
        lease
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(holder: &str, relay: Option<&str>) -> Record {
        let relay = relay.and_then(|address| address.parse().ok());
        Record { holder: holder.to_owned(), relay, seconds: 15, ..Record::default() }
    }

    #[test]
    fn what_is_written_is_read() {
        for record in [held("one", Some("192.0.2.1:9910")), held("one", Some("[2001:db8::1]:9910")), held("one", None)]
        {
            assert_eq!(Record::of(&record.written_to(Lease::default())), record);
        }
    }

    #[test]
    fn where_another_took_reports_is_not_where_this_one_does() {
        let mut lease = held("one", Some("192.0.2.1:9910")).written_to(Lease::default());
        // A version that knows of no reports takes the Lease over.
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some("one-more".to_owned());
        }
        assert_eq!(Record::of(&lease).relay, None);
        let next = held("two", None).written_to(lease);
        assert_eq!(next.metadata.annotations.unwrap_or_default().len(), 0);
    }
}
