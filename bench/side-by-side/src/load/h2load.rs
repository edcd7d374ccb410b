//! h2load: HTTP/2, over TLS and in the clear.

use super::{Done, before, time, url};
use crate::process::Invocation;
use crate::site::{HOST, Site};
use crate::tools::Tools;
use anyhow::Context;
use std::time::Duration;

/// Requests over HTTP/2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct H2load {
    pub(crate) tls: bool,
    pub(crate) connections: u16,
    /// Requests at once on each connection.
    pub(crate) streams: u16,
    pub(crate) path: &'static str,
    pub(crate) form: Form,
}

/// What its requests are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// GET.
    Get,
    /// A call of gRPC, with a message of 128 bytes.
    Grpc,
    /// GET over HTTP/1.1, to the name of the certificate: wrk names the address where it connects, in its handshake as well.
    Named,
}

impl H2load {
    pub(super) async fn run(&self, tools: &Tools, site: &Site, lasting: Duration) -> anyhow::Result<Done> {
        let Self { tls, connections, streams, path, form } = self;
        let mut h2load = Invocation::new(&tools.find("h2load")?).with(["-t1"]);
        h2load = h2load.with([
            format!("-c{connections}"),
            format!("-m{streams}"),
            format!("-D{}", lasting.as_secs().max(1)),
        ]);
        let mut url = url(site, *tls, path);
        match form {
            Form::Get => {}
            Form::Grpc => {
                let mut message = vec![0, 0, 0, 0, 128];
                message.resize(5 + 128, b'x');
                let file = site.dir.join("message");
                std::fs::write(&file, message)?;
                h2load =
                    h2load.with(["-H", "content-type: application/grpc", "-H", "te: trailers", "-d"]).with_path(&file);
            }
            Form::Named => {
                h2load = h2load.with(["--h1".to_owned(), format!("--connect-to={}", site.https)]);
                url = format!("https://{HOST}{path}");
            }
        }
        read(&h2load.with([url]).output().await?)
    }
}

fn read(text: &str) -> anyhow::Result<Done> {
    let wrong = || format!("h2load says: {text}");
    let requests = text.lines().find(|line| line.starts_with("requests: ")).with_context(wrong)?;
    let failed = [" failed", " errored", " timeout"].iter().filter_map(|word| before(requests, word)).sum();
    let count = before(requests, " succeeded").with_context(wrong)?;
    let (_, took) = text.split_once("finished in ").with_context(wrong)?;
    let took = took.split(',').next().and_then(time).with_context(wrong)?;
    Ok(Done { count, failed, took })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_h2load_says_is_read() {
        let text = "finished in 3.00s, 20000.00 req/s, 3.00MB/s\n\
                    requests: 60000 total, 60128 started, 60000 done, 59990 succeeded, 10 failed, 0 errored, 0 timeout\n\
                    status codes: 59990 2xx, 0 3xx, 0 4xx, 10 5xx\n";
        let done = read(text).unwrap();
        assert_eq!((done.count, done.failed), (59990, 10));
        // Less than a second is told in other words.
        let done = read(&text.replace("3.00s", "999.56ms")).unwrap();
        assert_eq!(done.took, std::time::Duration::from_micros(999_560));
    }
}
