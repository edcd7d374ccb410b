//! One stream to one replica of the control plane.

use super::dial::{DialError, dial};
use super::identity::{Certificate, origin};
use super::options::Options;
use super::state::{Changes, State};
use crate::channel::Channel;
use crate::resource::{Hash, Name};
use crate::wire::{self, Down, Hello, Inquiry, Inventory, Said, Told, Up, Update};
use crate::{Acknowledgement, PRODUCT, PROTOCOL};
use futures::stream::poll_fn;
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

/// The largest update that is taken, in bytes of resources.
const LARGEST: usize = 1 << 30;

/// An open stream.
pub(super) struct Session {
    inbound: Streaming<Down>,
    out: mpsc::Sender<Up>,
    /// Parts of an update that is not whole yet.
    parts: Changes,
    size: usize,
    /// The connection; it ends with this.
    _grpc: Grpc<Channel>,
}

/// What a control plane wants.
pub(super) enum Wanted {
    /// That this is applied.
    Apply(Changes),
    /// To know what we have.
    Inventory,
}

impl Session {
    /// Opens a stream, and says what we have. Of the streams of an instance, later ones have greater numbers.
    pub(super) async fn open(
        options: &Options,
        certificate: &Certificate,
        digest: Option<Hash>,
        number: u64,
    ) -> Result<Self, DialError> {
        let Options { control, instance, node, pace, .. } = options;
        let channel = dial(options, Some(certificate)).await?;
        let mut grpc = Grpc::with_origin(channel, origin(control)).max_decoding_message_size(wire::LONGEST_DOWN);
        let (out, mut said) = mpsc::channel(4);
        let hello = Hello {
            instance: instance.clone(),
            node: node.clone(),
            protocol: PROTOCOL,
            product: PRODUCT.to_owned(),
            digest: digest.map(Hash::to_bytes).unwrap_or_default(),
            session: number,
        };
        // There is room: it is the first.
        let _ = out.try_send(up(Said::Hello(hello)));
        let path = PathAndQuery::from_static(wire::FOLLOW);
        let open = async {
            grpc.ready().await.map_err(|error| DialError::Broken { control: control.clone(), error })?;
            let request = tonic::Request::new(poll_fn(move |cx| said.poll_recv(cx)));
            Ok::<_, DialError>(grpc.streaming(request, path, ProstCodec::default()).await?)
        };
        let opened = tokio::time::timeout(pace.patience, open).await;
        let opened = opened.unwrap_or_else(|_| Err(DialError::Silent(control.clone(), pace.patience)))?;
        Ok(Self { inbound: opened.into_inner(), out, parts: Changes::default(), size: 0, _grpc: grpc })
    }

    /// What is wanted next. Can be given up waiting for at any time.
    pub(super) async fn next(&mut self) -> Result<Wanted, DialError> {
        loop {
            let told = self.inbound.message().await?;
            let told = told.ok_or_else(|| tonic::Status::unavailable("the control plane has ended the stream"))?;
            match told.told {
                Some(Told::Inquiry(Inquiry {})) => return Ok(Wanted::Inventory),
                Some(Told::Update(update)) => {
                    if let Some(changes) = self.part(update)? {
                        return Ok(Wanted::Apply(changes));
                    }
                }
                // A newer control plane says more, which is not for us.
                None => {}
            }
        }
    }

    fn part(&mut self, update: Update) -> Result<Option<Changes>, DialError> {
        let Update { version, digest, changed, removed, last } = update;
        let resources = changed.iter().map(|resource| resource.payload.len() + resource.name.len());
        let names = removed.iter().map(|name| name.name.len());
        self.size += resources.chain(names).sum::<usize>();
        if self.size > LARGEST {
            return Err(DialError::Nonsense(format!("an update of more than {LARGEST} bytes")));
        }
        let Changes { changed: all_changed, removed: all_removed, .. } = &mut self.parts;
        all_changed.extend(changed);
        all_removed.extend(removed);
        if !last {
            return Ok(None);
        }
        self.size = 0;
        let Changes { changed, removed, .. } = std::mem::take(&mut self.parts);
        Ok(Some(Changes { changed, removed, version, digest }))
    }

    /// Says what we have.
    pub(super) async fn inventory(&self, state: &State) -> Result<(), DialError> {
        let all: Vec<(&Name, &Hash)> = state.held().iter().collect();
        let mut parts = all.chunks(wire::INVENTORY).peekable();
        if parts.peek().is_none() {
            return self.say(Said::Inventory(Inventory { held: Vec::new(), last: true })).await;
        }
        while let Some(part) = parts.next() {
            let held = |(name, hash): &(&Name, &Hash)| wire::Held {
                kind: name.kind.as_str().to_owned(),
                name: (*name.name).to_owned(),
                hash: hash.to_bytes(),
            };
            let held = part.iter().map(held).collect();
            self.say(Said::Inventory(Inventory { held, last: parts.peek().is_none() })).await?;
        }
        Ok(())
    }

    /// Says what became of a version.
    pub(super) async fn acknowledge(&self, ack: Acknowledgement) -> Result<(), DialError> {
        self.say(Said::Ack(ack.into_wire())).await
    }

    async fn say(&self, said: Said) -> Result<(), DialError> {
        let left = |_| tonic::Status::unavailable("the stream has ended").into();
        self.out.send(up(said)).await.map_err(left)
    }
}

fn up(said: Said) -> Up {
    Up { said: Some(said) }
}
