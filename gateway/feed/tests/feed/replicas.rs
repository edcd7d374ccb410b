//! Several replicas of a control plane: each serves, and one hears what is said to all.

use crate::control::{Control, group, soon};
use crate::support::{Plane, endpoints, snapshot};
use lychgate_feed::client::{Client, Options, Outcome};
use lychgate_feed::relay::{self, Credentials, Leader, RelayError, Step};
use lychgate_feed::server::{Fleet, Known};
use lychgate_feed::{Rejected, server};
use lychgate_ir::Redacted;
use lychgate_testkit::Authority;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// One address for all replicas, as a Service is: connections go to the one that is chosen when they come.
struct Service {
    address: SocketAddr,
    chosen: watch::Sender<SocketAddr>,
    _running: JoinSet<()>,
}

impl Service {
    async fn start(replica: &Control) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (chosen, choice) = watch::channel(replica.address);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let to = *choice.borrow();
                connections.spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(to).await {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { address, chosen, _running: running }
    }

    /// Options of a data plane that comes through it.
    fn options(&self, control: &Control, instance: &str) -> Options {
        Options { control: format!("https://{}", self.address).parse().unwrap(), ..control.options(instance) }
    }
}

/// What a replica presents to another.
fn credentials(authority: &Authority, uri: &str) -> Credentials {
    let leaf = authority.leaf().uri(uri).client_only().issue();
    let (chain_pem, key_pem) = (leaf.chain_pem(), Redacted::new(leaf.key_pem()));
    Credentials { chain_pem, key_pem, roots_pem: authority.pem() }
}

/// A replica that reports to another, again and again.
struct Reporting {
    task: AbortHandle,
    whole: watch::Receiver<Option<usize>>,
    _running: JoinSet<()>,
}

impl Reporting {
    fn start(name: &'static str, from: &Control, to: &Control) -> Self {
        let credentials = credentials(&from.registry.authority, &relay::spiffe("cluster.local"));
        let leader = Leader { address: to.address, name: to.address.ip().to_string() };
        let (tell, whole) = watch::channel(None);
        let feed = from.feed.clone();
        let mut running = JoinSet::new();
        let task = running.spawn(async move {
            let step = |step| match step {
                Step::Whole(clients) => drop(tell.send_replace(Some(clients))),
                Step::Reported(_) => {}
            };
            relay::report(&feed, name, &leader, &credentials, step).await;
        });
        Self { task, whole, _running: running }
    }

    async fn whole(&mut self) -> usize {
        soon(self.whole.wait_for(Option::is_some)).await.unwrap().unwrap()
    }

    fn end(&self) {
        self.task.abort();
    }
}

/// Waits until a replica knows of an instance what is asked for.
async fn knows(replica: &Control, instance: &str, holds: impl Fn(&Known<'_>) -> bool) {
    let mut fleet = replica.feed.fleet();
    let is_so = |fleet: &Arc<Fleet>| {
        let all = fleet.everybody();
        all.iter().any(|(id, known)| &*id.instance == instance && holds(known))
    };
    soon(fleet.wait_for(is_so)).await.unwrap();
}

/// Whether it said that it serves the listeners that this replica has published.
fn serves(replica: &Control, known: &Known<'_>) -> bool {
    let listeners = replica.feed.listeners(&group());
    listeners.is_some() && known.said.is_some_and(|said| said.listeners == listeners)
}

#[tokio::test]
async fn a_data_plane_that_moves_gets_only_what_differs() {
    let mut one = Control::start().await;
    let two = one.beside().await;
    let service = Service::start(&one).await;
    one.feed.publish(&group(), &snapshot(&["a"]), &endpoints(&[]));
    one.feed.publish(&group(), &snapshot(&["a", "b"]), &endpoints(&[("a", 1)]));
    // It has seen less on the way there, and calls it something else.
    two.feed.publish(&group(), &snapshot(&["a", "b"]), &endpoints(&[("a", 1)]));
    let plane = Plane::start(service.options(&one, "one")).await;
    let before = plane.config(|_| true).await;
    one.acknowledged("one", |_| true).await;
    let bytes = plane.client.link().borrow().bytes;

    service.chosen.send_replace(two.address);
    one.stop().await;
    two.acknowledged("one", |_| true).await;
    let after = plane.config(|_| true).await;
    assert!(Arc::ptr_eq(&before, &after), "nothing is applied again");
    assert_eq!(plane.client.link().borrow().bytes, bytes, "nothing is sent again");
    knows(&two, "one", |known| serves(&two, known)).await;

    // And back, where something is new.
    one.feed.publish(&group(), &snapshot(&["a", "b"]), &endpoints(&[("a", 2)]));
    one.serve().await;
    service.chosen.send_replace(one.address);
    drop(two);
    let after = plane.config(|config| config.endpoints == endpoints(&[("a", 2)])).await;
    assert!(Arc::ptr_eq(&before.snapshot, &after.snapshot));
}

#[tokio::test]
async fn who_leads_hears_what_is_said_to_others() {
    let leader = Control::start().await;
    let mut follower = leader.beside().await;
    let service = Service::start(&follower).await;
    let published = snapshot(&["a"]);
    for replica in [&leader, &follower] {
        replica.feed.publish(&group(), &published, &endpoints(&[]));
    }
    let mut reporting = Reporting::start("follower", &follower, &leader);
    assert_eq!(reporting.whole().await, 0);
    let client = Client::start(service.options(&leader, "one")).await;
    let mut configs = client.configs();
    let serial = soon(configs.wait_for(Option::is_some)).await.unwrap().as_ref().unwrap().serial;
    knows(&leader, "one", |known| known.replica == Some("follower") && known.said.is_none()).await;

    // What it rejects is heard, and what it serves means the same there.
    let rule = published.routes.values().next().unwrap().rules[0].id.clone();
    let rejected = vec![Rejected::rule(rule, "it is new")];
    client.tell(Outcome { serial, rejected: rejected.clone(), unbound: Vec::new() });
    let has_rejected = |known: &Known<'_>| {
        let ack = known.said.and_then(|said| said.acknowledged.as_ref());
        ack.is_some_and(|ack| ack.rejected == rejected)
    };
    knows(&leader, "one", |known| serves(&leader, known) && has_rejected(known)).await;
    client.tell(Outcome { serial, ..Outcome::default() });
    knows(&leader, "one", |known| serves(&leader, known) && !has_rejected(known)).await;
    assert!(leader.feed.clients().clients.is_empty(), "it follows the other one");

    // Of one that comes to the leader itself, that counts.
    service.chosen.send_replace(leader.address);
    reporting.end();
    follower.stop().await;
    knows(&leader, "one", |known| known.replica.is_none() && serves(&leader, known)).await;
    assert_eq!(leader.feed.clients().everybody().len(), 1);
    client.stop().await;
}

#[tokio::test]
async fn a_new_leader_is_told_all_that_there_is() {
    let old = Control::start().await;
    let (new, follower) = (old.beside().await, old.beside().await);
    for replica in [&old, &new, &follower] {
        replica.feed.publish(&group(), &snapshot(&["a"]), &endpoints(&[]));
    }
    let planes = [Plane::start(follower.options("one")).await, Plane::start(follower.options("two")).await];
    for instance in ["one", "two"] {
        follower.acknowledged(instance, |_| true).await;
    }
    let mut reporting = Reporting::start("follower", &follower, &old);
    assert_eq!(reporting.whole().await, 2);
    reporting.end();
    let mut reporting = Reporting::start("follower", &follower, &new);
    assert_eq!(reporting.whole().await, 2);
    for instance in ["one", "two"] {
        knows(&new, instance, |known| known.replica == Some("follower") && serves(&new, known)).await;
    }
    // Those who leave are told of, too.
    let [one, two] = planes;
    one.stop().await;
    let mut fleet = new.feed.fleet();
    soon(fleet.wait_for(|fleet| fleet.everybody().len() == 1)).await.unwrap();
    two.stop().await;
}

#[tokio::test]
async fn what_a_replica_reported_counts_for_a_while_and_no_longer() {
    let mut leader = Control::start().await;
    leader.stop().await;
    leader.limits = server::Options { linger: Duration::from_millis(50), ..server::Options::default() };
    leader.serve().await;
    let follower = leader.beside().await;
    follower.feed.publish(&group(), &snapshot(&["a"]), &endpoints(&[]));
    let plane = Plane::start(follower.options("one")).await;
    let mut reporting = Reporting::start("follower", &follower, &leader);
    reporting.whole().await;
    knows(&leader, "one", |known| known.said.is_some()).await;
    let mut fleet = leader.feed.fleet();
    reporting.end();
    soon(fleet.wait_for(|fleet| fleet.relayed.is_empty())).await.unwrap();
    plane.stop().await;
}

#[tokio::test]
async fn only_a_replica_reports() {
    let leader = Control::start().await;
    let name = leader.address.ip().to_string();
    let to = Leader { address: leader.address, name: name.clone() };
    let ours = &leader.registry.authority;
    let attempt = async |credentials: Credentials, to: &Leader| {
        soon(relay::report(&leader.feed, "evil", to, &credentials, |_| ())).await
    };
    // A data plane does not speak for others.
    let refused = attempt(credentials(ours, &group().spiffe("cluster.local")), &to).await;
    assert!(refused.to_string().contains("reports are for replicas"), "{refused}");
    // Nor does who has an identity of another trust domain, nor whose certificate another authority has signed.
    for wrong in [
        credentials(ours, &relay::spiffe("elsewhere")),
        Credentials { roots_pem: ours.pem(), ..credentials(&Authority::new("feed"), &relay::spiffe("cluster.local")) },
    ] {
        let refused = attempt(wrong, &to).await;
        assert!(!matches!(refused, RelayError::Unreachable(..) | RelayError::Silent(_)), "{refused}");
    }
    // And nobody reports to who has not the name of the control plane.
    let elsewhere = Leader { name: "control.elsewhere.svc".to_owned(), ..to };
    let refused = attempt(credentials(ours, &relay::spiffe("cluster.local")), &elsewhere).await;
    assert!(matches!(refused, RelayError::Handshake(..)), "{refused}");
    assert!(leader.feed.clients().relayed.is_empty());
}
