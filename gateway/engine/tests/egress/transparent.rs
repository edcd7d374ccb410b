//! Connections that were not led here. Those that were need a network of their own: `cli/tests/redirected.rs`.

use crate::support::*;
use lychgate_ir::Protocol;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn who_was_not_redirected_is_let_go_and_leads_to_no_loop() {
    let setup = Setup { protocol: Protocol::Transparent, ..Setup::default() };
    let anywhere = vec![for_everyone(vec![allow_addresses(&["127.0.0.1/32"])])];
    let world = World::with(anywhere, |_| {}, setup).await;
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
    world.counted(r#"lychgate_refused_total{reason="egress_not_redirected"}"#, 1).await;
}
