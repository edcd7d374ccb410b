//! `lychgate echo` from its arguments to its answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{self, Write};

use clap::Parser;
use lychgate_echo::EchoReport;
use lychgate_echo::cli::{EchoArgs, EchoError, run};
use lychgate_testkit::{Authority, ClientTls, Dial, free_addr, free_addrs};
use tokio::sync::{mpsc, oneshot};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: EchoArgs,
}

fn args(text: &str) -> EchoArgs {
    let words = std::iter::once("echo").chain(text.split_whitespace());
    Command::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).args
}

/// What was printed, sent on when it is flushed: by then the server answers.
struct Printed(Vec<u8>, mpsc::UnboundedSender<String>);

impl Write for Printed {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = String::from_utf8(std::mem::take(&mut self.0)).map_err(io::Error::other)?;
        self.1.send(text).map_err(io::Error::other)
    }
}

#[tokio::test]
async fn every_http_address_is_a_pod_of_its_own() {
    let [one, two, tcp, https] = free_addrs();
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new("ca");
    let leaf = ca.server(&["localhost"]);
    let (cert, key) = (dir.path().join("tls.crt"), dir.path().join("tls.key"));
    std::fs::write(&cert, leaf.chain_pem()).unwrap();
    std::fs::write(&key, leaf.key_pem()).unwrap();
    let args = args(&format!(
        "--http {one} --http {two} --tcp {tcp} --https {https} --cert {} --key {} --service shop",
        cert.display(),
        key.display()
    ));
    let (sender, mut printed) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(async move {
        let mut out = Printed(Vec::new(), sender);
        run(args, &mut out, async move { drop(stopped.await) }).await
    });
    let text = printed.recv().await.unwrap();
    for shown in [format!("http://{one}"), format!("http://{two}"), format!("tcp://{tcp}"), format!("https://{https}")]
    {
        assert!(text.contains(&shown), "{shown} in {text}");
    }
    for addr in [one, two] {
        let report: EchoReport = Dial::http1(addr).get("http://localhost/").await.unwrap().json();
        assert_eq!(report.identity.pod, format!("shop-{}", addr.port()));
    }
    let reply = Dial::tls(https, &ClientTls::trusting(&ca)).get("https://localhost/").await.unwrap();
    assert_eq!(reply.json::<EchoReport>().identity.pod, format!("shop-{}", one.port()));

    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    assert!(Dial::http1(one).get("http://localhost/").await.is_err());
}

#[tokio::test]
async fn errors_name_the_port_and_the_file() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = held.local_addr().unwrap();
    let error = run(args(&format!("--http {addr}")), &mut io::sink(), async {}).await.unwrap_err();
    assert!(error.to_string().contains(&addr.to_string()), "{error}");

    let command = format!("--http {} --https {} --cert /nowhere/crt --key /nowhere/key", free_addr(), free_addr());
    let error = run(args(&command), &mut io::sink(), async {}).await.unwrap_err();
    assert!(matches!(error, EchoError::File { .. }) && error.to_string().contains("/nowhere/crt"), "{error}");
}

#[test]
fn tls_wants_a_certificate() {
    assert!(Command::try_parse_from(["echo", "--https", "127.0.0.1:0"]).is_err());
    assert!(Command::try_parse_from(["echo", "--cert", "a.crt"]).is_err());
}
