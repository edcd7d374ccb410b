//! A reload every second: routes that come and go, certificates, and files that are none. Each has to be served soon.

use super::Round;
use super::clients::{Kind, Seen};
use crate::gate::{changing, secret};
use lychgate_testkit::Dial;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const EVERY: Duration = Duration::from_secs(1);

/// A change that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What no reader can make anything of.
const NONSENSE: &str = "kind: [HTTPRoute\n";

pub(super) async fn run(Round { gate, end }: &Round, version: &mut u32) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    sleep(EVERY).await;
    while Instant::now() + EVERY < *end {
        *version += 1;
        let begun = Instant::now();
        gate.write("changing.yaml", &changing(*version))?;
        if version.is_multiple_of(5) {
            gate.write("certificate.yaml", &secret())?;
        }
        if version.is_multiple_of(10) {
            gate.write("nonsense.yaml", NONSENSE)?;
        }
        let url = format!("http://changing.example/changing-{version}");
        loop {
            let served = Dial::http1(gate.at).get(&url).await.is_ok_and(|reply| reply.status.is_success());
            if served {
                seen.answered(Kind::Reload, begun.elapsed());
                break;
            }
            if begun.elapsed() > PATIENCE {
                seen.failed(Kind::Reload, format!("change {version} is not served"));
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        sleep((begun + EVERY).saturating_duration_since(Instant::now())).await;
    }
    Ok(seen)
}
