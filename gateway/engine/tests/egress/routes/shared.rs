//! Connections to destinations, which requests share.

use crate::support::*;
use lychgate_ir::{Endpoint, EndpointAddress, EndpointSet, Endpoints, Protocol, Snapshot};
use lychgate_testkit::Dial;
use std::net::SocketAddr;
use std::sync::Arc;

#[tokio::test]
async fn what_clients_call_a_destination_makes_no_connections_of_its_own() {
    let origin = Origin::start(&[]).await;
    let pods = service(origin.http());
    let edit = |snapshot: &mut Snapshot| lead_http(snapshot, "*.svc", &pods, plainly);
    let world = World::routed(Protocol::Http, vec![for_everyone(vec![allow_addresses(&["127.0.0.1/32"])])], edit).await;
    let address = EndpointAddress::Ip(SocketAddr::new(LOCAL, origin.http()));
    let set = EndpointSet { endpoints: vec![Endpoint { address, terminating: false }] };
    world.engine.apply_endpoints(&Endpoints::from([(pods.id.clone(), Arc::new(set))]));
    for n in 0..100 {
        let answer = Dial::http1(world.proxy).get(&format!("http://host-{n}.svc/")).await.unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{n}");
    }
    // One is back before it is needed again, or is not quite.
    let connections = origin.server.counts().connections;
    assert!(connections < 10, "{connections}");
}
