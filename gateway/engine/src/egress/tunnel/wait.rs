//! A client that says nothing: the other end may speak first. What the client says then is looked at all the same, or who
//! waits a little could say what it likes.

use super::carry::{Reached, send};
use super::{Tunnel, reason};
use crate::egress::dial::Dialled;
use crate::egress::first::{First, first, tell};
use crate::egress::passage::handling;
use crate::egress::wire::Begun;
use crate::egress::wish::Shown;
use bytes::BytesMut;
use lychgate_ir::egress::EgressTls;
use lychgate_telemetry::{Direction, Reason};
use std::io;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep};

/// What ended the silence.
enum Heard {
    /// The client.
    Client(First),
    /// One end has ended.
    End,
    /// Nobody, for too long.
    Nobody,
}

impl Tunnel {
    /// Waits until the client speaks. Gives back what it says, if all is as if it had spoken at once; else it has been
    /// carried, and is over.
    pub(super) async fn wait(mut self, begun: Begun) -> Option<(Self, Begun, First)> {
        match self.reach(&Shown::Tcp).await {
            Ok(reached) => self.listen(begun, reached).await,
            // It has to say something that is allowed, and nobody says anything to it before.
            Err(_) => self.hear(begun).await,
        }
    }

    async fn hear(mut self, mut begun: Begun) -> Option<(Self, Begun, First)> {
        let limits = self.guest.limits();
        let (quiet, line) = (limits.client_idle, limits.target + 1024);
        let heard = first(&mut begun, quiet, Instant::now() + quiet, line).await;
        match heard {
            Ok(First::Silence) => {
                self.record.failed(Reason::NoRequest, "nothing was said");
                None
            }
            Ok(first) => Some((self, begun, first)),
            Err(error) => {
                self.record.failed(reason(&error), error.to_string());
                None
            }
        }
    }

    async fn listen(mut self, mut begun: Begun, mut reached: Reached) -> Option<(Self, Begun, First)> {
        let limits = self.guest.limits();
        let (idle, line) = (limits.stream_idle, limits.target + 1024);
        let tally = self.record.tally().clone();
        let mut spoke = false;
        let heard = async {
            let mut buffer = BytesMut::with_capacity(16 * 1024);
            let mut was_heard = Instant::now();
            loop {
                tokio::select! {
                    read = begun.fill() => {
                        if read? == 0 {
                            return Ok(Heard::End);
                        }
                        if let Some(first) = tell(begun.seen(), line) {
                            return Ok(Heard::Client(first));
                        }
                    }
                    read = reached.upstream.read_buf(&mut buffer) => {
                        if read? == 0 {
                            return Ok(Heard::End);
                        }
                        spoke = true;
                        send(&mut begun, &buffer.split(), Direction::Down, &*tally).await?;
                    }
                    () = sleep(idle.saturating_sub(was_heard.elapsed())) => return Ok(Heard::Nobody),
                }
                was_heard = Instant::now();
            }
        };
        let later = self.later();
        let heard: Result<io::Result<Heard>, _> = tokio::select! {
            heard = heard => Ok(heard),
            refused = later.denies(&reached.passage, &reached.way) => Err(refused),
        };
        match heard {
            Ok(Ok(Heard::Client(First::Tls(hello)))) if spoke => {
                self.opened = Some(reopened(reached));
                self.carry(begun, Shown::Tls(hello)).await;
            }
            Ok(Ok(Heard::Client(first))) if !spoke => {
                self.opened = is_plain(&reached).then(|| reopened(reached));
                return Some((self, begun, first));
            }
            // Whoever has answered already speaks neither TLS nor HTTP.
            Ok(Ok(Heard::Client(_) | Heard::End)) => self.relay(begun, reached).await,
            Ok(Ok(Heard::Nobody)) => self.record.failed(Reason::Idle, "nothing was said for too long"),
            Ok(Err(error)) => self.record.failed(Reason::Aborted, error.to_string()),
            Err(refused) => self.record.refused(&refused.because("a policy that has changed denies it now")),
        }
        None
    }
}

/// Whether the connection is what whatever comes over it would have.
fn is_plain(reached: &Reached) -> bool {
    !matches!(handling(&reached.way.decision).tls, EgressTls::Originate(_))
}

fn reopened(reached: Reached) -> Dialled {
    let Reached { upstream, passage: _, way } = reached;
    let handling = handling(&way.decision);
    // It is no connection of requests that would be kept.
    Dialled { io: upstream, way, handling, spare: None }
}
