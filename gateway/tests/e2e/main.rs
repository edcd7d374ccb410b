//! The gateway from outside: a directory of YAML in, real sockets out, real clients and backends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod churn;
mod cluster;
mod drain;
mod external_auth;
mod gateway;
mod grpcroute;
mod httproute;
mod limits;
mod proxy_protocol;
mod reload;
mod smoke;
mod streams;
mod support;
mod telemetry;
mod tls;
mod tracing;
mod upstream;
