//! Pingora with nothing on it: no routes, no metrics, no limits.

use crate::process::Invocation;
use crate::scene::Scene;
use crate::site::Site;
use crate::tools::Tools;

/// As `Cargo.toml` pins it.
pub(super) const VERSION: &str = "0.9.1";

pub(super) fn invocation(tools: &Tools, site: &Site) -> anyhow::Result<Option<Invocation>> {
    match site.scene {
        Scene::Plain | Scene::WebSocket => {}
        Scene::Logged
        | Scene::Routes(_)
        | Scene::Grpc
        | Scene::Passed
        | Scene::Filtered(_)
        | Scene::Endpoints(_)
        | Scene::Datagrams
        | Scene::Traced
        | Scene::Changing(_) => return Ok(None),
    }
    let [backend] = site.endpoints.as_slice() else { return Ok(None) };
    let program = Tools::built(&tools.bare_pingora)?;
    let addresses = [("--http", site.http), ("--https", site.https), ("--backend", *backend)];
    let mut invocation = Invocation::new(&program);
    for (name, address) in addresses {
        invocation = invocation.with([name.to_owned(), address.to_string()]);
    }
    let identity = &site.identity;
    Ok(Some(invocation.with(["--cert"]).with_path(&identity.chain).with(["--key"]).with_path(&identity.key)))
}
