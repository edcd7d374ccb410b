//! From one process to the next: what is taken over at the start, and what is handed over at the end.

use super::loader::Loader;
use super::{Report, StartError};
use crate::admin::{Admin, Source};
use crate::handover::{Asked, Desk, HandoverError, LineError, Name, Taken, take};
use crate::sockets::Sockets;
use crate::workers::Workers;
use lychgate_admission::Severity;
use lychgate_engine::{Bind, Engine};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// What the process before has left, and the place where the next one will ask.
pub(super) struct Heritage {
    taken: Option<Taken>,
    desk: Option<Desk>,
    takes: Vec<Name>,
}

impl Heritage {
    /// Asks whoever serves at the path, if there is one.
    pub(super) async fn claim(path: Option<&Path>) -> Result<Self, HandoverError> {
        let (taken, desk) = match path {
            Some(path) => (take(path).await?, Some(Desk::prepare(path)?)),
            None => (None, None),
        };
        Ok(Self { taken, desk, takes: Vec::new() })
    }

    /// The admin port at this address. Port 0 is any, so that of the process before will do. One that is taken over
    /// answers when everything else does, so that whoever asks hears the process that serves.
    pub(super) async fn admin(&mut self, address: SocketAddr, source: Arc<dyn Source>) -> std::io::Result<Admin> {
        let is_it = |at: SocketAddr| at == address || address.port() == 0 && at.ip() == address.ip();
        let before = self.taken.as_mut().and_then(|taken| {
            let at = taken.sockets.get(&Name::Admin)?.local_addr().ok()?.as_socket()?;
            is_it(at).then(|| taken.sockets.remove(&Name::Admin)).flatten()
        });
        match before {
            Some(socket) => {
                self.takes.push(Name::Admin);
                Admin::inherit(socket, source)
            }
            None => {
                let mut admin = Admin::bind(address, source).await?;
                // It answers while the directory is read: who asks whether we are ready shall be told, not kept waiting.
                admin.go_on();
                Ok(admin)
            }
        }
    }

    /// The sockets of listeners. Those that are taken over are silent until everything is prepared.
    pub(super) fn sockets(&mut self, engine: Arc<Engine>, workers: Workers, patience: Duration) -> Sockets {
        let sockets = Sockets::new(engine, workers, patience);
        match &mut self.taken {
            Some(taken) => {
                let inherited = std::mem::take(&mut taken.sockets).into_iter();
                sockets.inherit(inherited.filter_map(|(name, socket)| Some((name.bind()?, socket))).collect())
            }
            None => sockets,
        }
    }

    /// Serves from now on, in the place of the process before if there is one. Gives back the place for the next.
    pub(super) async fn serve(
        mut self,
        report: &Arc<Report>,
        loader: &mut Loader,
        admin: Option<&mut Admin>,
    ) -> Result<Option<Desk>, StartError> {
        let serving = match self.taken {
            // What is not valid is served by that process in the version before, and would not be served here.
            Some(_) if report.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) => {
                return Err(StartError::Unfit { report: report.clone() });
            }
            Some(taken) => {
                self.takes.extend(loader.sockets().binds().map(|bind| Name::from(*bind)));
                Some(taken.ready(self.takes).await?)
            }
            None => None,
        };
        loader.sockets().go_on();
        if let Some(admin) = admin {
            admin.go_on();
        }
        // Whoever reads that we are ready may ask at once.
        self.desk.iter_mut().for_each(Desk::open);
        if let Some(serving) = serving {
            serving.say().await;
            tracing::info!("took over from the process before");
        }
        Ok(self.desk)
    }
}

/// What became of a handover.
pub(super) enum Given {
    /// Somebody else serves.
    Away,
    /// We still do.
    Kept,
    /// We still do, and shall end.
    Stopped,
}

/// Hands over to whoever asks, unless something is in the way.
pub(super) async fn give(
    mut asked: Asked,
    loader: &mut Loader,
    admin: &mut Option<Admin>,
    stopped: Pin<&mut impl Future<Output = ()>>,
) -> Given {
    let (program, pid) = (asked.program.clone(), asked.pid);
    let kept = loader.kept();
    if !kept.is_empty() {
        let why = format!(
            "it serves the last good version of {}, which a new process does not have; mend the files first",
            kept.join(", ")
        );
        tracing::warn!(program, pid, why, "another process wants to take over and may not");
        asked.refuse(why).await;
        return Given::Kept;
    }
    tracing::info!(program, pid, "another process takes over");
    let takes = tokio::select! {
        takes = prepare(&mut asked, loader, admin.as_ref()) => takes,
        () = stopped => return Given::Stopped,
    };
    let takes = match takes {
        Ok(takes) => takes,
        Err(error) => {
            tracing::warn!(program, pid, %error, "it did not get ready; this one goes on");
            return Given::Kept;
        }
    };
    loader.sockets().hold().await;
    if let Some(admin) = admin {
        admin.hold().await;
    }
    if let Err(error) = asked.yours().await {
        tracing::warn!(program, pid, %error, "it does not serve; this one goes on");
        loader.sockets().go_on();
        admin.iter_mut().for_each(Admin::go_on);
        return Given::Kept;
    }
    tracing::info!(program, pid, "it serves; this one ends");
    if takes.contains(&Name::Admin)
        && let Some(admin) = admin.take()
    {
        admin.leave();
    }
    admin.iter_mut().for_each(Admin::go_on);
    let takes: BTreeSet<Bind> = takes.into_iter().filter_map(Name::bind).collect();
    loader.sockets().leave(&takes).await;
    Given::Away
}

/// Passes the sockets, and waits until the other side is ready.
async fn prepare(asked: &mut Asked, loader: &mut Loader, admin: Option<&Admin>) -> Result<Vec<Name>, LineError> {
    let listeners = loader.sockets().shared().into_iter().map(|(bind, socket)| (Name::from(bind), socket));
    let admin = admin.map(|admin| (Name::Admin, admin.as_fd()));
    let sockets: Vec<_> = listeners.chain(admin).collect();
    asked.offer(&sockets).await?;
    asked.ready().await
}
