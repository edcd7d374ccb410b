//! What leaves the process over the network: a bounded queue, a task that sends what is in it, and the collectors that it
//! is sent to. Whoever hands something over never waits.

mod collector;
mod queue;

pub use collector::{Collector, CollectorError, CollectorHeaders, OtlpProtocol, OtlpTarget};

pub(crate) use collector::Client;
pub(crate) use queue::{Destination, Outcome, Queue};

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::Resource;

/// Who we are, as collectors name it. `OTEL_RESOURCE_ATTRIBUTES` may add to it.
pub(crate) fn resource(service: &str) -> Resource {
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder().with_attribute(version).with_service_name(service.to_owned()).build()
}

/// What writes spans and records.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("lychgate").with_version(env!("CARGO_PKG_VERSION")).build()
}
