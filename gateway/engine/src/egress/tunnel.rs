//! A tunnel: opened by what is known before a byte was said, decided again by what its first bytes show, and carried.

mod carry;
mod inspect;
pub(super) mod later;
mod wait;

use super::dial::{Dialled, dial};
use super::first::{First, first};
use super::guest::{Guest, Moment};
use super::hello::SeenHello;
use super::limits::Fare;
use super::passage::{Asker, Degree, Passage, Way};
use super::record::Record;
use super::refused::Refused;
use super::requests;
use super::who::Client;
use super::wire::Begun;
use super::wish::{Shown, Wish};
use carry::Reached;
use lychgate_egress::target::{Target, TargetHost};
use lychgate_egress::{Screening, Source};
use lychgate_telemetry::Reason;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a client may be silent before it is the other end's turn to speak.
const QUIET: Duration = Duration::from_millis(500);

/// The alert `access_denied`, fatal (RFC 8446 section 6), in a record of its own.
pub(super) const ACCESS_DENIED: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];

/// A tunnel that was opened.
pub(crate) struct Tunnel {
    guest: Arc<Guest>,
    client: Client,
    source: Source,
    wish: Wish,
    /// The connection that it is likely to take; none where that cannot be foreseen.
    opened: Option<Dialled>,
    record: Record,
    /// Told when policies change, from before the first decision on.
    changes: watch::Receiver<()>,
}

impl Tunnel {
    /// Opens a tunnel, if it may be: whoever refuses later can say less.
    pub(crate) async fn open(
        guest: &Arc<Guest>,
        client: Client,
        target: Target,
        protocol: &'static str,
    ) -> Result<Self, Refused> {
        let changes = guest.engine.gates_changed();
        let moment = guest.moment(&client)?;
        let mut record = guest.record(moment.source.clone(), protocol);
        let wish = Wish::new(target, Shown::NotYet);
        record.wants(&wish);
        match foresee(guest, &moment, &client, &wish, &mut record).await {
            Ok(opened) => {
                let Moment { gate: _, source } = moment;
                Ok(Self { guest: guest.clone(), client, source, wish, opened, record, changes })
            }
            Err(refused) => {
                record.refused(&refused);
                Err(refused)
            }
        }
    }

    /// Carries what comes, until it ends. Boxed, because what it carries may hold a tunnel again.
    pub(crate) fn run(self, begun: Begun) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.run_on(begun))
    }

    async fn run_on(mut self, mut begun: Begun) {
        let limits = self.guest.limits();
        let (deadline, line) = (Instant::now() + limits.handshake, limits.target + 1024);
        let mut seen = match first(&mut begun, QUIET, deadline, line).await {
            Ok(first) => first,
            Err(error) => return self.record.failed(reason(&error), error.to_string()),
        };
        loop {
            match seen {
                First::Http1 => return self.read_on(begun, requests::Version::Http1).await,
                First::Http2 => return self.read_on(begun, requests::Version::Http2).await,
                First::Tls(hello) => return self.sealed(begun, hello).await,
                First::Other => return self.carry(begun, Shown::Tcp).await,
                First::Silence => match self.wait(begun).await {
                    Some((again, waiting, next)) => (self, begun, seen) = (again, waiting, next),
                    None => return,
                },
            }
        }
    }

    /// What a request of HTTP became. `changes` are those since before it was decided.
    pub(super) fn of_upgrade(
        guest: &Arc<Guest>,
        passage: &Passage,
        changes: watch::Receiver<()>,
        record: Record,
    ) -> Self {
        let (source, wish) = (record.source().clone(), passage.wish.clone());
        let client = guest.client.clone();
        Self { guest: guest.clone(), client, source, wish, opened: None, record, changes }
    }

    /// Carries between two ends that are there already.
    pub(super) async fn join(self, client: Begun, upstream: Begun, passage: Passage, way: Way) {
        self.relay(client, Reached { upstream, passage, way }).await;
    }

    /// HTTP that can be read: each request is decided by itself.
    async fn read_on(self, begun: Begun, version: requests::Version) {
        let Self { guest, client, source: _, wish, opened, record, changes: _ } = self;
        record.hand_over();
        let inside = requests::Inside::new(client, wish.target, None, opened);
        requests::serve(guest, requests::Place::Inside(Box::new(inside)), version, begun).await;
    }

    /// TLS: looked into where a rule wants that, else carried as it is.
    async fn sealed(mut self, begun: Begun, hello: SeenHello) {
        match self.looks_into(&hello).await {
            Ok(None) => self.carry(begun, Shown::Tls(hello)).await,
            Ok(Some(look)) => self.look(begun, hello, look).await,
            Err(refused) => self.refuse(begun, &Shown::Tls(hello), &refused).await,
        }
    }

    /// Ends it, and says so in TLS if that is spoken.
    async fn refuse(mut self, mut begun: Begun, shown: &Shown, refused: &Refused) {
        self.record.refused(refused);
        if matches!(shown, Shown::Tls(_)) {
            // Whoever does not want to hear it is gone anyway.
            let _ = begun.write_all(&ACCESS_DENIED).await;
        }
        let _ = begun.shutdown().await;
    }
}

/// Connects where it is likely to go. Nothing if it may be named later, and only then be allowed.
async fn foresee(
    guest: &Guest,
    moment: &Moment,
    client: &Client,
    wish: &Wish,
    record: &mut Record,
) -> Result<Option<Dialled>, Refused> {
    let Moment { gate, source } = moment;
    let asker = Asker { source, address: client.address };
    let passage = match Passage::find(gate, &asker, wish.clone(), Degree::Foreseen).await {
        Ok(passage) => passage,
        Err(refused) => {
            let is_by_address = matches!(wish.target.host, TargetHost::Address(_));
            let may_come = is_by_address && gate.policies.of(source).screen(&wish.ask()) == Screening::Open;
            return if may_come { Ok(None) } else { Err(refused) };
        }
    };
    if let Some(way) = passage.ways.first() {
        record.goes(&passage, way);
    }
    record.announce().await?;
    dial(gate, &passage, guest.limits(), Fare::default()).await.map(Some)
}

fn reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::TimedOut => Reason::SlowHandshake,
        _ => Reason::Aborted,
    }
}
