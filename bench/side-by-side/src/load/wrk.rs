//! wrk: HTTP/1.1, in the clear and over TLS.

use super::{Done, before, time, url};
use crate::process::Invocation;
use crate::scene::{By, Routes};
use crate::site::Site;
use crate::tools::Tools;
use anyhow::Context;
use std::time::Duration;

/// Requests over HTTP/1.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrk {
    pub(crate) tls: bool,
    pub(crate) connections: u16,
    pub(crate) path: &'static str,
    pub(crate) spread: Spread,
}

/// How requests differ from the plain GET.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spread {
    /// They do not.
    Same,
    /// Each is the last of its connection.
    Closing,
    /// Each comes from a script of another origin.
    Foreign,
    /// Each has a body of so many bytes.
    Body(usize),
    /// They go to all routes, in a fixed disorder.
    Over(Routes),
}

impl Wrk {
    pub(super) async fn run(&self, tools: &Tools, site: &Site, lasting: Duration) -> anyhow::Result<Done> {
        let Self { tls, connections, path, spread } = self;
        let mut wrk = Invocation::new(&tools.find("wrk")?).with(["-t1", "--timeout", "10s"]);
        wrk = wrk.with([format!("-c{connections}"), format!("-d{}", lasting.as_secs().max(1))]);
        if let Some(script) = script(*spread) {
            wrk = wrk.with(["-s"]).with_path(&site.write("wrk.lua", &script)?);
        }
        read(&wrk.with([url(site, *tls, path)]).output().await?)
    }
}

fn read(text: &str) -> anyhow::Result<Done> {
    let wrong = || format!("wrk says: {text}");
    let count = before(text, " requests in ").with_context(wrong)?;
    let (_, took) = text.split_once(" requests in ").with_context(wrong)?;
    let took = took.split(',').next().and_then(time).with_context(wrong)?;
    let status = text.split_once("Non-2xx or 3xx responses: ");
    let status = status.and_then(|(_, count)| count.split_whitespace().next()?.parse::<u64>().ok());
    let socket = text.lines().find_map(|line| line.trim().strip_prefix("Socket errors: "));
    let socket =
        socket.map_or(0, |line| line.split(", ").filter_map(|part| part.split(' ').nth(1)?.parse::<u64>().ok()).sum());
    Ok(Done { count, failed: status.unwrap_or(0) + socket, took })
}

fn script(spread: Spread) -> Option<String> {
    match spread {
        Spread::Same => None,
        Spread::Closing => Some("wrk.headers['Connection'] = 'close'\n".to_owned()),
        Spread::Foreign => Some("wrk.headers['Origin'] = 'https://www.shop.example'\n".to_owned()),
        Spread::Body(bytes) => Some(format!("wrk.method = 'POST'\nwrk.body = string.rep('x', {bytes})\n")),
        Spread::Over(Routes { by, count }) => Some(over(by, count)),
    }
}

/// A thousand requests that are made once: to make one each time would be work of the client.
fn over(by: By, count: u32) -> String {
    let request = match by {
        By::Path => "wrk.format('GET', '/r' .. r .. '/it')",
        By::Regex => "wrk.format('GET', '/r' .. r .. '/17')",
        By::Host => "wrk.format('GET', '/', {Host = 'h' .. r .. '.example.com'})",
        By::Header => "wrk.format('GET', '/', {['x-route'] = 'r' .. r})",
    };
    format!(
        "local requests, at = {{}}, 0
function init()
  for i = 1, 1000 do
    local r = (i * 7919) % {count}
    requests[i] = {request}
  end
end
function request()
  at = at % 1000 + 1
  return requests[at]
end
"
    )
}

#[cfg(test)]
mod tests {
    use super::read;
    use std::time::Duration;

    #[test]
    fn what_wrk_says_is_read() {
        let text = "Running 3s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n  66184 requests in 3.01s, 9.5MB read\n  \
                    Socket errors: connect 1, read 2, write 0, timeout 4\n  Non-2xx or 3xx responses: 7\nRequests/sec:  21990.10\n";
        let done = read(text).unwrap();
        assert_eq!((done.count, done.failed, done.took), (66184, 14, Duration::from_millis(3010)));
        assert!(read("unable to connect").is_err());
    }
}
