//! The program itself.

use super::{Control, echo, eventually, publish, served, soon, to, who};
use lychgate_testkit::{Dial, free_addr};
use std::process::{Child, Command, Stdio};

struct Gateway(Child);

impl Gateway {
    fn start(control: &Control) -> Self {
        let home = control.home.path();
        let child = Command::new(env!("CARGO_BIN_EXE_lychgate-gateway"))
            .args(["--control", &format!("https://{}", control.address), "--admin", "127.0.0.1:0"])
            .arg("--token-file")
            .arg(home.join("token"))
            .arg("--trust-bundle")
            .arg(home.join("ca.crt"))
            .arg("--cache")
            .arg(home.join("cache"))
            .env("POD_NAME", "one")
            .env("NODE_NAME", "node-1")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Asks it to end, and waits until it has.
    async fn end(mut self) -> bool {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), rustix::process::Signal::TERM)
            .unwrap();
        soon(tokio::task::spawn_blocking(move || self.0.wait().unwrap().success())).await.unwrap()
    }

    /// Ends it without a word.
    async fn kill(mut self) {
        self.0.kill().unwrap();
        soon(tokio::task::spawn_blocking(move || self.0.wait().unwrap())).await.unwrap();
    }
}

#[tokio::test]
async fn it_serves_ends_with_grace_and_starts_from_its_cache() {
    let (blue_server, blue) = echo("blue").await;
    let at = free_addr();
    let mut control = Control::start().await;
    let gateway = Gateway::start(&control);
    served(&control, &to(at.port(), "blue", blue)).await;
    let fleet = control.feed.clients();
    assert_eq!(&*fleet.clients.values().next().unwrap().node, "node-1");
    assert_eq!(who(at).await, "blue");
    let mut held = Dial::http1(at).connect("a.example").await.unwrap();
    let asking = tokio::spawn(async move { held.get("http://a.example/?hold=gate").await });
    blue_server.wait_held("gate", 1).await;
    let (ended, ()) = tokio::join!(gateway.end(), async {
        eventually("it does not accept any more", async || tokio::net::TcpStream::connect(at).await.is_err()).await;
        blue_server.release("gate");
    });
    assert!(ended);
    assert_eq!(asking.await.unwrap().unwrap().status, 200);
    control.stop().await;
    let gateway = Gateway::start(&control);
    eventually("it serves what it served", async || {
        tokio::net::TcpStream::connect(at).await.is_ok() && who(at).await == "blue"
    })
    .await;
    gateway.kill().await;
}

#[tokio::test]
async fn killed_it_starts_from_its_cache_too() {
    let (_blue, blue) = echo("blue").await;
    let at = free_addr();
    let mut control = Control::start().await;
    let gateway = Gateway::start(&control);
    let version = publish(&control, &to(at.port(), "blue", blue));
    control.acknowledged("one", |ack| ack.version == version).await;
    let cache = control.home.path().join("cache/config");
    eventually("it is kept", async || cache.exists()).await;
    gateway.kill().await;
    control.stop().await;
    let gateway = Gateway::start(&control);
    eventually("it serves what it served", async || {
        tokio::net::TcpStream::connect(at).await.is_ok() && who(at).await == "blue"
    })
    .await;
    assert!(gateway.end().await);
}

#[test]
fn it_tells_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_lychgate-gateway")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("lychgate-gateway {}\n", env!("CARGO_PKG_VERSION")));
}
