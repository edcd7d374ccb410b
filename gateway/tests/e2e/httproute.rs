//! HTTPRoute, all of it: one file a concern.

mod backend_filters;
mod bed;
mod broken;
mod cors;
mod errors;
mod forwarded;
mod header_modifiers;
mod hostnames;
mod matching;
mod messages;
mod mirror;
mod mirror_apart;
mod parents;
mod precedence;
mod protocols;
mod redirect;
mod retries;
mod retry_limits;
mod rewrite;
mod session;
mod targets;
mod timeouts;
mod uploads;
mod websocket;
mod websocket_http2;
mod weights;
