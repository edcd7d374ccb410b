//! Policies that change while something runs.

use crate::support::*;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"\x00ping").await?;
    let mut echoed = [0; 5];
    stream.read_exact(&mut echoed).await.map(drop)
}

#[tokio::test]
async fn what_is_still_allowed_goes_on_and_what_is_denied_is_cut() {
    let origin = Origin::start(&[]).await;
    let world = World::allowing(vec![allow(&["a.test", "b.test"])]).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    world.dns.say("b.test", Ipv4Addr::LOCALHOST);
    let target = |host: &str| format!("{host}:{}", origin.tcp());
    let (_, mut a) = world.tunnel(&target("a.test")).await;
    let (_, mut b) = world.tunnel(&target("b.test")).await;
    soon(echo(&mut a)).await.unwrap();
    soon(echo(&mut b)).await.unwrap();
    world.apply(vec![for_everyone(vec![allow(&["a.test", "c.test"])])]);
    let mut rest = Vec::new();
    // Closed or reset.
    let _ = soon(b.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    soon(echo(&mut a)).await.unwrap();
    let (denied, _) = world.tunnel(&target("b.test")).await;
    assert!(denied.starts_with("HTTP/1.1 403"), "{denied}");
    world.counted(r#"lychgate_egress_connections_open{destination="b.test"}"#, 0).await;
    world.counted(r#"lychgate_egress_connections_open{destination="a.test"}"#, 1).await;
}

#[tokio::test]
async fn under_changes_no_allowed_request_fails_and_no_denied_one_gets_through() {
    let origin = Origin::start(&[]).await;
    let world = World::allowing(vec![allow(&["a.test"])]).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    world.dns.say("never.test", Ipv4Addr::LOCALHOST);
    let target = |host: &str| format!("{host}:{}", origin.tcp());
    let (allowed, denied) = (target("a.test"), target("never.test"));
    let changing = async {
        for round in 0..100 {
            let other = format!("other-{round}.test");
            world.apply(vec![for_everyone(vec![allow(&["a.test", &other])])]);
            tokio::task::yield_now().await;
        }
    };
    let asking = async {
        let (_, mut long) = world.tunnel(&allowed).await;
        for _ in 0..50 {
            let (answer, mut stream) = world.tunnel(&allowed).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            echo(&mut stream).await.unwrap();
            echo(&mut long).await.unwrap();
            let (answer, _) = world.tunnel(&denied).await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        }
    };
    soon(async { tokio::join!(changing, asking) }).await;
}

#[tokio::test]
async fn draining_ends_what_is_idle_and_lets_tunnels_run() {
    let origin = Origin::start(&[]).await;
    let world = World::allowing(vec![allow(&["a.test"])]).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    let (_, mut tunnel) = world.tunnel(&format!("a.test:{}", origin.tcp())).await;
    soon(echo(&mut tunnel)).await.unwrap();
    let mut idle = TcpStream::connect(world.proxy).await.unwrap();
    let ask = format!("GET http://a.test:{}/ HTTP/1.1\r\nHost: a.test\r\n\r\n", origin.http());
    idle.write_all(ask.as_bytes()).await.unwrap();
    assert!(head(&mut idle).await.starts_with("HTTP/1.1 200"));
    world.drain.send_replace(true);
    let mut rest = Vec::new();
    soon(idle.read_to_end(&mut rest)).await.unwrap();
    soon(echo(&mut tunnel)).await.unwrap();
}
