//! Requests that are longer, or take longer, than any may.

use crate::support::*;
use http::Request;
use lychgate_engine::Limits;
use lychgate_testkit::{Dial, Payload};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SHORT: Duration = Duration::from_millis(300);

async fn world(limits: Limits) -> World {
    let limits = Limits { resolve: Duration::from_secs(2), ..limits };
    let world =
        World::with(vec![for_everyone(vec![allow(&["a.test"])])], |_| {}, Setup { limits, ..Setup::default() }).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    world
}

fn refused(reason: &str) -> String {
    format!(r#"lychgate_refused_total{{reason="{reason}"}}"#)
}

#[tokio::test]
async fn a_body_that_is_announced_too_long_leaves_nothing() {
    let origin = Origin::start(&[]).await;
    let world = world(Limits { body: Some(1000), ..Limits::default() }).await;
    let url = format!("http://a.test:{}/", origin.http());
    let (long, fits) = ("x".repeat(1001), "x".repeat(1000));
    for arguments in [&[][..], &["-p"]] {
        let answer = world.curl(&[arguments, &["-d", &long, &url]].concat()).await;
        assert_eq!(answer.status, 413, "{answer:?}");
        assert!(answer.body.contains("(body_too_large)"), "{answer:?}");
        assert_eq!(world.curl(&[arguments, &["-d", &fits, &url]].concat()).await.status, 200);
    }
    let http2 = Dial::h2c(world.proxy);
    let post = |body: &str| Request::post(&url).body(Payload::from(body.as_bytes().to_vec())).unwrap();
    assert_eq!(http2.send(post(&long)).await.unwrap().status, 413);
    assert_eq!(http2.send(post(&fits)).await.unwrap().status, 200);
    assert_eq!(origin.server.requests().len(), 3);
    world.counted(&refused("body_too_large"), 3).await;
    // A tunnel has no bodies.
    let (_, mut tunnel) = world.tunnel(&format!("a.test:{}", origin.tcp())).await;
    let mut echoed = vec![0; 5000];
    tunnel.write_all(&[0; 5000]).await.unwrap();
    soon(tunnel.read_exact(&mut echoed)).await.unwrap();
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_cut() {
    let origin = Origin::start(&[]).await;
    let world = world(Limits { body: Some(1000), ..Limits::default() }).await;
    let target = format!("a.test:{}", origin.http());
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    let head = format!("POST http://{target}/ HTTP/1.1\r\nHost: {target}\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..11 {
        stream.write_all(format!("64\r\n{}\r\n", "x".repeat(100)).as_bytes()).await.unwrap();
    }
    let (head, body) = response(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 413") && body.contains("(body_too_large)"), "{head}{body}");
    soon(origin.server.wait_for(|counts| counts.requests == counts.aborted + counts.cancelled)).await;
    assert_eq!(origin.server.counts().bodies, 0);
    world.counted(&refused("body_too_large"), 1).await;
}

#[tokio::test]
async fn a_request_has_only_so_long_and_a_tunnel_as_long_as_it_likes() {
    let origin = Origin::start(&[]).await;
    let endless = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let endless_port = endless.local_addr().unwrap().port();
    let world = world(Limits { request: Some(SHORT), ..Limits::default() }).await;
    let (_, mut tunnel) = world.tunnel(&format!("a.test:{}", origin.tcp())).await;
    let url = format!("http://a.test:{}/?hold=for-ever", origin.http());
    for arguments in [&[][..], &["-p"]] {
        let late = world.curl(&[arguments, &[&url]].concat()).await;
        assert_eq!(late.status, 504, "{late:?}");
        assert!(late.body.contains("(timeout)"), "{late:?}");
    }
    assert_eq!(Dial::h2c(world.proxy).get(&url).await.unwrap().status, 504);
    world.counted(&refused("timeout"), 3).await;
    // One that has begun to answer is broken off.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = endless.accept().await {
            stream.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nx").await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let begun_in_time = soon(async {
        loop {
            let cut = world.curl(&[&format!("http://a.test:{endless_port}/")]).await;
            if cut.status != 504 {
                return cut;
            }
        }
    });
    let cut = begun_in_time.await;
    assert!(cut.status == 200 && cut.error.contains("(18)"), "{cut:?}");
    let mut echoed = [0; 5];
    tunnel.write_all(b"\x00ping").await.unwrap();
    soon(tunnel.read_exact(&mut echoed)).await.unwrap();
}
