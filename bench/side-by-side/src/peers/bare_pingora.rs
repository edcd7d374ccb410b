//! Pingora with nothing on it: no routes, no metrics, no limits.

use crate::process::Invocation;
use crate::scene::Scene;
use crate::site::Site;
use crate::tools::Tools;

/// As `Cargo.toml` pins it.
pub(super) const VERSION: &str = "0.9.1";

pub(super) fn can(scene: Scene) -> bool {
    match scene {
        Scene::Plain | Scene::WebSocket => true,
        Scene::Logged
        | Scene::Routes(_)
        | Scene::Grpc
        | Scene::Passed
        | Scene::Tunnelled
        | Scene::Filtered(_)
        | Scene::Endpoints(_)
        | Scene::Datagrams
        | Scene::Traced
        | Scene::Changing(_) => false,
    }
}

pub(super) fn invocation(tools: &Tools, site: &Site) -> anyhow::Result<Invocation> {
    let [backend] = site.endpoints.as_slice() else { anyhow::bail!("bare Pingora has one backend") };
    let program = Tools::built(&tools.bare_pingora)?;
    let addresses = [("--http", site.http), ("--https", site.https), ("--backend", *backend)];
    let mut invocation = Invocation::new(&program);
    for (name, address) in addresses {
        invocation = invocation.with([name.to_owned(), address.to_string()]);
    }
    let identity = &site.identity;
    Ok(invocation.with(["--cert"]).with_path(&identity.chain).with(["--key"]).with_path(&identity.key))
}
