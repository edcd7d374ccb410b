//! One other replica of the control plane: who follows it, and what those say. It is believed, because only a replica has
//! such a certificate; it is held to the limits that all input has.
//!
//! ```text
//! hello ──> here, here, ... whole ──> [counts, in the place of what was reported before] <── here, gone, here ...
//! ```

use super::board::Reporter;
use super::fleet::{Client, ClientId};
use super::follow::LONGEST_NAME;
use super::listen::{Server, ending};
use crate::resource::Hash;
use crate::wire::relay::{self as wire, Down, Hello, Name, Noted, Said, Told, Up};
use crate::{Acknowledgement, GroupId, PRODUCT, PROTOCOL};
use futures::Stream;
use futures::stream::poll_fn;
use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tonic::server::StreamingService;
use tonic::{Request, Response, Status, Streaming};

/// The stream of one replica.
pub(super) struct Relay {
    pub(super) server: Arc<Server>,
    pub(super) not_after: SystemTime,
}

impl StreamingService<Up> for Relay {
    type Response = Down;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Down, Status>> + Send>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Up>>) -> Self::Future {
        let (out, mut parts) = mpsc::channel(1);
        let (server, not_after) = (self.server.clone(), self.not_after);
        tokio::spawn(async move {
            let mut reporter = None;
            let expiry = not_after.duration_since(SystemTime::now()).unwrap_or_default();
            let end = async {
                tokio::select! {
                    () = ending(server.stop.clone()) => Status::unavailable("this replica of the control plane ends"),
                    () = tokio::time::sleep(expiry) => Status::unauthenticated("the certificate has expired"),
                }
            };
            let taken = tokio::select! {
                taken = take(&server, request.into_inner(), &out, &mut reporter) => taken,
                status = end => Err(status),
            };
            let Err(status) = taken;
            tracing::info!(reason = status.message(), "a replica does not report any more");
            // It may be gone.
            let _ = out.try_send(Err(status));
            drop(out);
            if reporter.is_some() {
                // Its clients are about to come to another one, which reports them then.
                tokio::time::sleep(server.options.linger).await;
            }
        });
        ready(Ok(Response::new(Box::pin(poll_fn(move |cx| parts.poll_recv(cx))))))
    }
}

enum Never {}

/// Takes reports down until they end. What was reported counts for as long as the reporter lives.
async fn take<'a>(
    server: &'a Server,
    mut inbound: Streaming<Up>,
    out: &mpsc::Sender<Result<Down, Status>>,
    reporter: &mut Option<Reporter<'a>>,
) -> Result<Never, Status> {
    let first = tokio::time::timeout(server.options.patience, hear(&mut inbound)).await;
    let first = first.unwrap_or_else(|_| Err(Status::deadline_exceeded("a replica says at once who it is")))?;
    let Some(Said::Hello(Hello { replica, protocol, product })) = first else {
        return Err(Status::invalid_argument("a replica begins with a hello"));
    };
    if protocol != PROTOCOL {
        return Err(Status::failed_precondition(format!(
            "replica {replica} of version {product} speaks version {protocol} of the feed, this one ({PRODUCT}) {PROTOCOL}"
        )));
    }
    if [&replica, &product].iter().any(|name| name.len() > LONGEST_NAME) {
        return Err(Status::invalid_argument("names of replicas and products are shorter"));
    }
    tracing::info!(replica, product, "a replica reports");
    let replica: Arc<str> = replica.into();
    // What it reported before counts until this is whole.
    let mut gathered = BTreeMap::new();
    loop {
        let count = match hear(&mut inbound).await? {
            Some(Said::Here(here)) => {
                let (id, client) = read(here)?;
                match &*reporter {
                    Some(reporter) => reporter.note(id, Some(client)),
                    None => {
                        gathered.insert(id, client);
                        gathered.len()
                    }
                }
            }
            Some(Said::Gone(name)) => {
                let id = name_of(Some(name))?;
                match &*reporter {
                    Some(reporter) => reporter.note(id, None),
                    None => {
                        gathered.remove(&id);
                        gathered.len()
                    }
                }
            }
            Some(Said::Whole(wire::Whole {})) => {
                let clients = std::mem::take(&mut gathered);
                let count = clients.len();
                *reporter = Some(server.feed.board().report(replica.clone(), clients));
                let noted = Noted { clients: u32::try_from(count).unwrap_or(u32::MAX) };
                if out.send(Ok(Down { told: Some(Told::Noted(noted)) })).await.is_err() {
                    return Err(Status::cancelled("it has left"));
                }
                count
            }
            Some(Said::Hello(_)) => return Err(Status::invalid_argument("hello is said once")),
            // A newer one says more, which is not for us.
            None => continue,
        };
        if count > server.options.clients {
            return Err(Status::resource_exhausted("more data planes than a replica serves"));
        }
    }
}

async fn hear(inbound: &mut Streaming<Up>) -> Result<Option<Said>, Status> {
    let up = inbound.message().await?;
    let Up { said } = up.ok_or_else(|| Status::cancelled("it has left"))?;
    Ok(said)
}

fn read(here: wire::Here) -> Result<(ClientId, Client), Status> {
    let wire::Here { name, node, product, since, not_after, session, acknowledged, listeners } = here;
    if [&node, &product].iter().any(|name| name.len() > LONGEST_NAME) {
        return Err(Status::invalid_argument("names of nodes and products are shorter"));
    }
    let time = |millis| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    let client = Client {
        node: node.into(),
        product: product.into(),
        since: time(since).unwrap_or(SystemTime::UNIX_EPOCH),
        not_after: time(not_after).unwrap_or(SystemTime::UNIX_EPOCH),
        session,
        acknowledged: acknowledged.map(Acknowledgement::from_wire),
        listeners: Hash::from_bytes(&listeners),
        connection: 0,
    };
    Ok((name_of(name)?, client))
}

fn name_of(name: Option<Name>) -> Result<ClientId, Status> {
    let Name { namespace, group, instance } = name.unwrap_or_default();
    let checked = GroupId::checked(&namespace, &group).filter(|_| instance.len() <= LONGEST_NAME);
    let group =
        checked.ok_or_else(|| Status::invalid_argument("a data plane has a namespace, a name and an instance"))?;
    Ok(ClientId { group, instance: instance.into() })
}

#[cfg(test)]
mod fuzz {
    use super::*;
    use prost::Message;

    /// Whatever a replica sends: it is a client with a name, or it is told why not.
    #[test]
    fn fuzz_report() {
        bolero::check!(name = "report").for_each(|bytes: &[u8]| match Up::decode(bytes) {
            Ok(Up { said: Some(Said::Here(here)) }) => drop(read(here)),
            Ok(Up { said: Some(Said::Gone(name)) }) => drop(name_of(Some(name))),
            Ok(Up { said: Some(Said::Hello(_) | Said::Whole(_)) | None }) | Err(_) => {}
        });
    }
}
