//! Who is measured: how each is told what to do, and started.
//!
//! Each runs as its documents have it run on one processor, with what they recommend for a reverse proxy that keeps
//! connections to its backends, and with nothing tuned for these workloads.

mod bare_pingora;
mod envoy;
mod haproxy;
mod lychgate;
mod nginx;

use crate::load::echoes;
use crate::process::{Invocation, Process};
use crate::scene::Scene;
use crate::site::Site;
use crate::tools::Tools;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Who is measured.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    Lychgate,
    Nginx,
    Haproxy,
    Envoy,
    BarePingora,
    /// A second Lychgate: the one of before.
    #[value(skip)]
    Other,
}

impl Peer {
    /// All but the one that is only there if asked for.
    pub(crate) const ALL: [Self; 5] = [Self::Lychgate, Self::Nginx, Self::Haproxy, Self::Envoy, Self::BarePingora];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lychgate => "Lychgate",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
            Self::BarePingora => "bare Pingora",
            Self::Other => "Lychgate (other)",
        }
    }

    pub(crate) async fn version(self, tools: &Tools) -> anyhow::Result<String> {
        match self {
            Self::Lychgate => lychgate::version(&tools.lychgate).await,
            Self::Other => lychgate::version(other(tools)?).await,
            Self::Nginx => nginx::version(tools).await,
            Self::Haproxy => haproxy::version(tools).await,
            Self::Envoy => envoy::version(tools).await,
            Self::BarePingora => Ok(bare_pingora::VERSION.to_owned()),
        }
    }

    /// Whether its configuration has words for what the scene asks for.
    pub(crate) fn can(self, scene: Scene) -> bool {
        match self {
            Self::Lychgate | Self::Other => true,
            Self::Nginx => nginx::can(scene),
            Self::Haproxy => haproxy::can(scene),
            Self::Envoy => envoy::can(scene),
            Self::BarePingora => bare_pingora::can(scene),
        }
    }

    /// Whether it is asked where connections lead: the others know it from their configuration.
    pub(crate) fn connects(self, scene: Scene) -> bool {
        match self {
            Self::Lychgate | Self::Other => scene == Scene::Tunnelled,
            Self::Nginx | Self::Haproxy | Self::Envoy | Self::BarePingora => false,
        }
    }

    /// How to start it at a site, whose files are then written.
    fn invocation(self, tools: &Tools, site: &Site) -> anyhow::Result<Invocation> {
        match self {
            Self::Lychgate => lychgate::invocation(&tools.lychgate, site),
            Self::Other => lychgate::invocation(other(tools)?, site),
            Self::Nginx => nginx::invocation(tools, site),
            Self::Haproxy => haproxy::invocation(tools, site),
            Self::Envoy => envoy::invocation(tools, site),
            Self::BarePingora => bare_pingora::invocation(tools, site),
        }
    }

    /// Starts it, and waits until it serves.
    pub(crate) async fn start(self, tools: &Tools, site: &Site) -> anyhow::Result<Process> {
        let invocation = self.invocation(tools, site)?;
        let mut process = Process::start(&invocation.on(tools.proxies), &site.log())?;
        if site.scene == Scene::Datagrams {
            process.serves(site.http, &site.log(), async || echoes(site.http).await.unwrap_or(false)).await?;
        } else {
            process.accepts(site.http, &site.log()).await?;
        }
        Ok(process)
    }

    /// Moves the route that changes to where it is by its change `version`, and tells the process, if it has to be told.
    pub(crate) fn change(self, site: &Site, process: &Process, version: u32) -> anyhow::Result<()> {
        match self {
            Self::Lychgate | Self::Other => lychgate::change(site, version),
            Self::Nginx => nginx::change(site, process, version),
            Self::Haproxy => haproxy::change(site, process, version),
            Self::Envoy => envoy::change(site, version),
            Self::BarePingora => anyhow::bail!("bare Pingora has no routes"),
        }
    }
}

fn other(tools: &Tools) -> anyhow::Result<&std::path::Path> {
    tools.other.as_deref().ok_or_else(|| anyhow::anyhow!("there is no other: say --other"))
}

/// The first word of a text with a digit and a dot in it.
fn number(text: &str) -> String {
    let words = text.split([' ', '/', '\n', ',']);
    let number = words
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.'));
    number.unwrap_or("unknown").to_owned()
}
