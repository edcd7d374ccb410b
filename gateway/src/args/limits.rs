//! Limits on what comes from clients.

use clap::Args;
use lychgate_engine::Limits;
use std::time::Duration;

/// Limits on what comes from clients. Who goes over one is refused, counted and logged.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Open connections of one socket.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().connections)]
    max_connections: usize,
    /// Open connections from one address, or network of IPv6 (/64).
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().connections_of_source)]
    max_connections_per_source: usize,
    /// The head of a request, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(1024..=1_048_576))]
    max_request_head: u32,
    /// Header fields of a request.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=256))]
    max_request_fields: u16,
    /// The target of a request of HTTP/1, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(64..=1_048_576))]
    max_target: u32,
    /// The body of a request, in bytes; no limit by default.
    #[arg(long, value_name = "BYTES")]
    max_request_body: Option<u64>,
    /// From the first byte of a request's head to its last, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    head_timeout: u64,
    /// Waiting for a client to send or to take the next piece of a body, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    client_idle: u64,
    /// The whole life of a request, in seconds, if its rule has no shorter timeout; no limit by default.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    max_request_time: Option<u64>,
    /// Streams of one HTTP/2 connection.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    max_streams: u32,
    /// An HTTP/2 connection without streams, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    http2_idle: u64,
    /// The age of a connection of HTTP, in seconds; then it ends as soon as no request is running. No limit by default.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    max_connection_age: Option<u64>,
}

impl LimitArgs {
    /// As the engine takes them.
    pub fn limits(&self) -> Limits {
        let Self {
            max_connections,
            max_connections_per_source,
            max_request_head,
            max_request_fields,
            max_target,
            max_request_body,
            head_timeout,
            client_idle,
            max_request_time,
            max_streams,
            http2_idle,
            max_connection_age,
        } = *self;
        Limits {
            connections: max_connections,
            connections_of_source: max_connections_per_source,
            head: max_request_head as usize,
            fields: max_request_fields.into(),
            target: max_target as usize,
            body: max_request_body,
            head_time: Duration::from_secs(head_timeout),
            client_idle: Duration::from_secs(client_idle),
            request: max_request_time.map(Duration::from_secs),
            streams: max_streams,
            http2_idle: Duration::from_secs(http2_idle),
            connection: max_connection_age.map(Duration::from_secs),
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        limits: LimitArgs,
    }

    #[test]
    fn the_defaults_are_those_of_the_engine() {
        let limits = Command::parse_from(["lychgate"]).limits.limits();
        assert_eq!(format!("{limits:?}"), format!("{:?}", Limits::default()));
    }
}
