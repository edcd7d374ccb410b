//! One client: what it has, what is new for it, what it says.
//!
//! ```text
//! hello ──> has it all? ──> [update under way] ──ack──> [in step] ──published──> [update under way]
//!              └─ inquiry ──> inventory ─┘
//! ```
//!
//! One update is under way at most. What is published meanwhile waits, and only the last of it is looked at.

mod update;

use super::board::Present;
use super::fleet::ClientId;
use super::group::{Held, Subscription};
use super::listen::{Server, ending};
use crate::resource::{Hash, Kind, Name};
use crate::wire::{self, Down, Inquiry, Said, Told, Up};
use crate::{Acknowledgement, GroupId, PRODUCT, PROTOCOL, Version};
use futures::Stream;
use futures::stream::poll_fn;
use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::server::StreamingService;
use tonic::{Request, Response, Status, Streaming};
use update::update;

/// The longest name of a pod or node (RFC 1123 subdomain).
pub(super) const LONGEST_NAME: usize = 253;

/// As many resources may a client say that it has.
const LARGEST_INVENTORY: usize = 2_000_000;

/// The stream of one client.
pub(super) struct Follow {
    pub(super) server: Arc<Server>,
    pub(super) group: GroupId,
    pub(super) not_after: SystemTime,
}

impl StreamingService<Up> for Follow {
    type Response = Down;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Down, Status>> + Send>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Up>>) -> Self::Future {
        // Room for one: the next part is made when this one is on its way.
        let (out, mut parts) = mpsc::channel(1);
        let Self { server, group, not_after } = self;
        let (server, group, not_after) = (server.clone(), group.clone(), *not_after);
        tokio::spawn(async move {
            let patience = server.options.answer;
            let mut client = Line { inbound: request.into_inner(), out, patience };
            let Err(status) = follow(&server, &group, not_after, &mut client).await;
            tracing::info!(%group, reason = status.message(), "a data plane does not follow any more");
            // It may be gone.
            let _ = client.out.try_send(Err(status));
        });
        ready(Ok(Response::new(Box::pin(poll_fn(move |cx| parts.poll_recv(cx))))))
    }
}

/// Both ways to a client.
struct Line {
    inbound: Streaming<Up>,
    out: mpsc::Sender<Result<Down, Status>>,
    patience: Duration,
}

impl Line {
    async fn hear(&mut self) -> Result<Said, Status> {
        match self.inbound.message().await? {
            Some(Up { said: Some(said) }) => Ok(said),
            Some(Up { said: None }) => Err(Status::invalid_argument("a message that this control plane does not know")),
            None => Err(Status::cancelled("it has left")),
        }
    }

    async fn hear_soon(&mut self) -> Result<Said, Status> {
        let patience = self.patience;
        tokio::time::timeout(patience, self.hear()).await.unwrap_or_else(|_| Err(silent(patience)))
    }

    async fn tell(&self, told: Told) -> Result<(), Status> {
        let sent = tokio::time::timeout(self.patience, self.out.send(Ok(Down { told: Some(told) }))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Status::cancelled("it has left")),
            Err(_) => Err(silent(self.patience)),
        }
    }
}

fn silent(patience: Duration) -> Status {
    Status::deadline_exceeded(format!("the data plane did not answer or read for {patience:?}"))
}

enum Never {}

async fn follow(server: &Server, group: &GroupId, not_after: SystemTime, line: &mut Line) -> Result<Never, Status> {
    let Said::Hello(wire::Hello { instance, node, protocol, product, digest, session }) = line.hear_soon().await?
    else {
        return Err(Status::invalid_argument("a data plane begins with a hello"));
    };
    if protocol != PROTOCOL {
        return Err(Status::failed_precondition(format!(
            "data plane {product} speaks version {protocol} of the feed, control plane {PRODUCT} speaks {PROTOCOL}: they \
             are too far apart; bring both to neighbouring versions"
        )));
    }
    if [&instance, &node, &product].iter().any(|name| name.len() > LONGEST_NAME) {
        return Err(Status::invalid_argument("names of instances, nodes and products are shorter"));
    }
    tracing::info!(%group, instance, node, product, "a data plane follows");
    let id = ClientId { group: group.clone(), instance: instance.into() };
    let present = server.feed.board().enter(id, &node, &product, not_after, session);
    let mut subscription = server.feed.subscribe(group);
    let expiry = not_after.duration_since(SystemTime::now()).unwrap_or_default();
    let end = async {
        tokio::select! {
            () = ending(server.stop.clone()) => Status::unavailable("this replica of the control plane ends"),
            () = tokio::time::sleep(expiry) => Status::unauthenticated("the certificate has expired"),
        }
    };
    tokio::select! {
        followed = keep_in_step(Ledger::of(present), &mut subscription, digest.as_ref(), line) => followed,
        status = end => Err(status),
    }
}

/// What a client was sent and has not gone beyond, and what it says of that.
struct Ledger<'a> {
    present: Present<'a>,
    /// What the listeners of each version say.
    sent: BTreeMap<Version, Hash>,
}

impl<'a> Ledger<'a> {
    fn of(present: Present<'a>) -> Self {
        Self { present, sent: BTreeMap::new() }
    }

    fn acknowledge(&mut self, ack: Acknowledgement) {
        self.sent.retain(|version, _| *version >= ack.version);
        let listeners = self.sent.get(&ack.version).copied();
        self.present.acknowledge(ack, listeners);
    }
}

async fn keep_in_step(
    mut ledger: Ledger<'_>,
    group: &mut Subscription,
    digest: &[u8],
    line: &mut Line,
) -> Result<Never, Status> {
    let (version, published) = loop {
        if let Some(first) = group.now() {
            break first;
        }
        tokio::select! {
            () = group.changed() => {}
            said = line.hear() => {
                said?;
            }
        }
    };
    let mut held = match Hash::from_bytes(digest) {
        Some(digest) if digest == published => Held::Sent(version),
        Some(_) => Held::Told(inventory(&mut ledger, line).await?),
        None => Held::Told(BTreeMap::new()),
    };
    let mut under_way: Option<(Version, Instant)> = None;
    // Even if there is nothing new: the client is told what we call it.
    let mut has_news = true;
    loop {
        if std::mem::take(&mut has_news) && group.is_published() {
            match group.since(&held) {
                Some(news) => {
                    let version = news.version;
                    ledger.sent.insert(version, news.listeners);
                    update(news, line).await?;
                    under_way = Some((version, Instant::now() + line.patience));
                    held = Held::Sent(version);
                }
                None if group.is_published() => {
                    held = Held::Told(inventory(&mut ledger, line).await?);
                    has_news = true;
                    continue;
                }
                None => {}
            }
        }
        let late = under_way.map(|(_, late)| late);
        tokio::select! {
            said = line.hear() => match said? {
                Said::Ack(ack) => {
                    let ack = Acknowledgement::from_wire(ack);
                    if under_way.is_some_and(|(version, _)| version == ack.version) {
                        under_way = None;
                    }
                    ledger.acknowledge(ack);
                }
                Said::Hello(_) | Said::Inventory(_) => {
                    return Err(Status::invalid_argument("hello is said once, and an inventory when it is asked for"));
                }
            },
            () = group.changed(), if under_way.is_none() => has_news = true,
            () = sleep_until(late) => return Err(silent(line.patience)),
        }
    }
}

async fn sleep_until(late: Option<Instant>) {
    match late {
        Some(late) => tokio::time::sleep_until(late).await,
        None => std::future::pending().await,
    }
}

/// Asks what the client has.
async fn inventory(ledger: &mut Ledger<'_>, line: &mut Line) -> Result<BTreeMap<Name, Hash>, Status> {
    line.tell(Told::Inquiry(Inquiry {})).await?;
    let mut all = BTreeMap::new();
    loop {
        let wire::Inventory { held, last } = match line.hear_soon().await? {
            Said::Inventory(inventory) => inventory,
            // Said before the question arrived.
            Said::Ack(ack) => {
                ledger.acknowledge(Acknowledgement::from_wire(ack));
                continue;
            }
            Said::Hello(_) => return Err(Status::invalid_argument("an inventory was asked for")),
        };
        for wire::Held { kind, name, hash } in held {
            let hash = Hash::from_bytes(&hash).ok_or_else(|| Status::invalid_argument("a hash has 16 bytes"))?;
            all.insert(Name { kind: Kind::from(&*kind), name: name.into() }, hash);
        }
        if all.len() > LARGEST_INVENTORY {
            return Err(Status::resource_exhausted("an inventory without end"));
        }
        if last {
            return Ok(all);
        }
    }
}
