//! Everything at once, for long.
//!
//! In rounds. In each, all attacks take their turn beside clients of every protocol, clients that are slow or gone, a backend
//! that comes and goes, and a reload every second. Then all of it stops: what is still open or still working by then is stuck,
//! and what is held from one round to the next has leaked.
//!
//! - [`clients`]: who has to be served, whatever else happens.
//! - [`mischief`], [`changes`], [`flapping`]: whatever else happens.
//! - [`rest`]: what is left when all has stopped.
//! - [`table`]: what is said of it.

mod changes;
mod clients;
mod flapping;
mod mischief;
mod rest;
mod table;

use crate::attack;
use crate::gate::Gate;
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// There are so many rounds at least: the first fills pools and caches, and two more are compared.
const ROUNDS: u32 = 3;

/// An attack takes no longer than this in a round.
const LONGEST: Duration = Duration::from_secs(10);

/// What all has to be done until.
#[derive(Clone)]
struct Round {
    gate: Arc<Gate>,
    end: Instant,
}

/// Soaks a gateway for so long.
pub(crate) async fn run(lychgate: &Path, lasting: Duration) -> anyhow::Result<()> {
    let gate = Arc::new(Gate::start(lychgate).await.context("the gateway cannot be started")?);
    let attacks = u32::try_from(attack::ALL.len()).unwrap_or(u32::MAX);
    let each = LONGEST.min((lasting / ROUNDS).saturating_sub(rest::TAKES) / attacks).max(Duration::from_secs(1));
    let end = Instant::now() + lasting;
    println!("{}", table::HEAD);
    let (mut all, mut rests, mut version) = (clients::Seen::default(), Vec::new(), 0);
    while rests.len() < ROUNDS as usize || Instant::now() + each * attacks < end {
        let seen = round(&gate, each, each * attacks, &mut version).await?;
        let rest = rest::of(&gate).await?;
        println!("{}", table::row(rests.len() + 1, &seen, &rest));
        for error in seen.errors() {
            eprintln!("{error}");
        }
        rests.push(rest);
        all.add(seen);
    }
    println!("\n{}", table::protocols(&all));
    let mut wrong = all.errors();
    wrong.extend(rest::wrong(&rests));
    wrong.extend(gate.panics()?);
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// One round; what the clients saw of it, and the slowest reload among it.
async fn round(
    gate: &Arc<Gate>,
    each: Duration,
    lasting: Duration,
    version: &mut u32,
) -> anyhow::Result<clients::Seen> {
    let round = Round { gate: gate.clone(), end: Instant::now() + lasting };
    let attacks = async {
        for attack in attack::ALL {
            attack.run(gate, each).await;
        }
    };
    let (mut seen, changes, flapped, (), ()) = tokio::join!(
        clients::ask(&round),
        changes::run(&round, version),
        flapping::run(&round),
        mischief::run(&round),
        attacks,
    );
    flapped?;
    seen.add(changes?);
    Ok(seen)
}
