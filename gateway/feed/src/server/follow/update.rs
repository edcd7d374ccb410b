//! An update on its way to one client.

use super::Line;
use crate::resource::{Delta, Name, Need, Resource};
use crate::server::group::News;
use crate::wire::{self, Told, Update};
use tonic::Status;

/// Sends what is new, in parts.
pub(super) async fn update(news: News, line: &Line) -> Result<(), Status> {
    let News { version, digest, listeners: _, delta: Delta { changed, removed } } = news;
    let (changes, removals) = (changed.len(), removed.len());
    let empty = || Update { version: version.0, digest: digest.to_bytes(), ..Update::default() };
    let (mut part, mut size, mut bytes) = (empty(), 0, 0);
    for Name { kind, name } in removed {
        size += name.len();
        part.removed.push(wire::Name { kind: kind.as_str().to_owned(), name: (*name).to_owned() });
        if size >= wire::PART {
            line.tell(Told::Update(std::mem::replace(&mut part, empty()))).await?;
            size = 0;
        }
    }
    for (Name { kind, name }, Resource { hash, payload, needs }) in changed {
        size += name.len() + payload.len();
        bytes += payload.len();
        let need = |Need { feature, rule }: Need| wire::Need { feature: (*feature).to_owned(), rule };
        part.changed.push(wire::Resource {
            kind: kind.as_str().to_owned(),
            name: (*name).to_owned(),
            hash: hash.to_bytes(),
            payload,
            needs: needs.into_iter().map(need).collect(),
        });
        if size >= wire::PART {
            line.tell(Told::Update(std::mem::replace(&mut part, empty()))).await?;
            size = 0;
        }
    }
    part.last = true;
    line.tell(Told::Update(part)).await?;
    tracing::debug!(%version, changes, removals, bytes, "sent an update");
    Ok(())
}
