//! CONNECT (RFC 9110 section 9.3.6).

use super::Desk;
use super::answer::{or_login, page, refuse};
use crate::egress::body::{Body, ours};
use crate::egress::refused::Refused;
use crate::egress::tunnel::Tunnel;
use crate::egress::wire::Begun;
use crate::proxy::request_id;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use lychgate_egress::target::Target;
use lychgate_telemetry::Reason;
use std::sync::Arc;

/// Opens a tunnel, or says why not.
pub(super) async fn answer(desk: &Arc<Desk>, request: Request<Incoming>) -> Response<Body> {
    let guest = &desk.guest;
    let asked = || {
        if request.extensions().get::<Protocol>().is_some() {
            return Err(Refused::new(Reason::NoTunnel, "only CONNECT itself opens tunnels, without `:protocol`"));
        }
        let authority = request.uri().authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let target = Target::of_connect(authority)
            .map_err(|error| Refused::new(Reason::BadRequest, format!("no target of CONNECT: {error}")))?;
        let (_, gate) = guest.gate()?;
        let client = desk.client(&gate, request.headers())?;
        Ok((target, client))
    };
    let (target, client) = match asked() {
        Ok(asked) => asked,
        Err(refused) => {
            let source = guest.source_of(&guest.client);
            return refuse(&mut guest.record(source, "CONNECT"), &refused);
        }
    };
    match Tunnel::open(guest, client.clone(), target, "CONNECT").await {
        Ok(tunnel) => {
            let upgraded = hyper::upgrade::on(request);
            desk.spawn(async move {
                // An error means that the client went away; the tunnel tells so.
                if let Ok(upgraded) = upgraded.await {
                    tunnel.run(Begun::of_upgraded(upgraded)).await;
                }
            });
            Response::new(ours(String::new()))
        }
        Err(refused) => {
            let refused = match guest.moment(&client) {
                Ok(moment) => or_login(refused, &moment.gate, &moment.source),
                Err(_) => refused,
            };
            page(&refused, &request_id::fresh())
        }
    }
}
