//! Follows the feed for as long as the process lives.

mod backoff;

use super::dial::DialError;
use super::identity::{Certificate, enroll};
use super::options::Options;
use super::session::{Session, Wanted};
use super::state::{Changes, Config, Origin, Outcome, State};
use crate::resource::Hash;
use crate::{Acknowledgement, Version, cache};
use backoff::Backoff;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Follows a feed in the background. Ends when dropped.
pub struct Client {
    configs: watch::Receiver<Option<Arc<Config>>>,
    outcomes: watch::Sender<Outcome>,
    link: watch::Receiver<Link>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// How it stands with the control plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether a stream is open.
    pub is_open: bool,
    /// Why not, or why the last one ended.
    pub trouble: Option<String>,
    /// What the control plane calls what we have.
    pub version: Option<Version>,
    /// When the certificate ends.
    pub not_after: Option<SystemTime>,
    /// How many updates were applied.
    pub updates: u64,
    /// How many bytes of resources they brought.
    pub bytes: u64,
    /// How many streams were opened.
    pub streams: u64,
    /// How many certificates were issued to us.
    pub certificates: u64,
}

impl Client {
    /// Begins to follow. If there is a cache, its config is there when this returns.
    pub async fn start(options: Options) -> Self {
        let state = match options.cache.clone() {
            Some(folder) => load(folder).await,
            None => None,
        };
        let (configs, receiver) = watch::channel(None);
        let (outcomes, told) = watch::channel(Outcome::default());
        let (link, link_receiver) = watch::channel(Link::default());
        let (stop, stopped) = watch::channel(false);
        let (keep, kept) = watch::channel(Kept::default());
        let mut tasks = JoinSet::new();
        if let Some(folder) = options.cache.clone() {
            tasks.spawn(write(folder, kept));
        }
        let mut run = Run {
            options: Arc::new(options),
            state: State::default(),
            serial: 0,
            session: 0,
            doubts: 0,
            unkept: false,
            keep_at: Instant::now(),
            configs,
            outcomes: told,
            link,
            keep,
            certificate: None,
            is_suspect: false,
        };
        if let Some(state) = state {
            run.state = state;
            run.publish(Origin::Cache);
        }
        tasks.spawn(run.until(stopped));
        Self { configs: receiver, outcomes, link: link_receiver, stop, tasks }
    }

    /// What is to be served; nothing before the first that is known.
    pub fn configs(&self) -> watch::Receiver<Option<Arc<Config>>> {
        self.configs.clone()
    }

    /// Says what became of a config: once for each, and again when it changes.
    pub fn tell(&self, outcome: Outcome) {
        self.outcomes.send_replace(outcome);
    }

    /// How it stands with the control plane.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// Ends, when the cache holds what was served last.
    pub async fn stop(self) {
        let Self { configs: _, outcomes: _, link: _, stop, mut tasks } = self;
        stop.send_replace(true);
        while tasks.join_next().await.is_some() {}
    }
}

async fn load(folder: PathBuf) -> Option<State> {
    let shown = folder.display().to_string();
    let loaded = tokio::task::spawn_blocking(move || cache::load(&folder)).await;
    match loaded {
        Ok(Ok(Some(state))) => {
            let (listeners, routes) = (state.snapshot.listeners.len(), state.snapshot.routes.len());
            tracing::info!(folder = shown, listeners, routes, "the config of before is there");
            Some(state)
        }
        Ok(Ok(None)) => None,
        Ok(Err(error)) => {
            tracing::warn!(folder = shown, %error, "the config of before cannot be used; the control plane has to say");
            None
        }
        Err(error) => {
            tracing::error!(folder = shown, %error, "a bug in Lychgate kept the cache from being read; please report it");
            None
        }
    }
}

/// What the cache shall hold, until the writer has taken it: nobody keeps it alive longer than it takes to write.
type Kept = Arc<Mutex<Option<State>>>;

/// Writes what is handed over, until nobody does any more.
async fn write(folder: PathBuf, mut kept: watch::Receiver<Kept>) {
    while kept.changed().await.is_ok() {
        let state = kept.borrow_and_update().lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(state) = state else { continue };
        let folder = folder.clone();
        match tokio::task::spawn_blocking(move || cache::store(&folder, &state)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the config cannot be kept on disk"),
            Err(error) => tracing::error!(%error, "a bug in Lychgate kept the cache from being written"),
        }
    }
}

struct Run {
    options: Arc<Options>,
    state: State,
    serial: u64,
    /// The number of the last stream that was opened or tried.
    session: u64,
    /// How often in a row an update did not lead where it should.
    doubts: u32,
    configs: watch::Sender<Option<Arc<Config>>>,
    outcomes: watch::Receiver<Outcome>,
    link: watch::Sender<Link>,
    /// What the cache shall hold.
    keep: watch::Sender<Kept>,
    /// Whether something is served that was not handed over yet, and when it may be.
    unkept: bool,
    keep_at: Instant,
    certificate: Option<Certificate>,
    /// The certificate may be why we were refused.
    is_suspect: bool,
}

type Renewal = Pin<Box<dyn Future<Output = Result<(Certificate, Session), DialError>> + Send>>;

impl Run {
    /// Follows until stopped. What was served last is handed over then.
    async fn until(mut self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = self.forever() => {}
            // An error means that nobody can stop it but by dropping it.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
        self.hand_over();
    }

    async fn forever(&mut self) {
        let mut backoff = Backoff::new(self.options.pace);
        loop {
            let error = match self.connect().await {
                Ok(session) => self.follow(session, &mut backoff).await,
                Err(error) => error,
            };
            self.hand_over();
            self.is_suspect = match &error {
                DialError::Unreachable { .. } | DialError::Silent(..) | DialError::File { .. } => false,
                DialError::Bundle { .. }
                | DialError::Certificate(_)
                | DialError::Handshake { .. }
                | DialError::Broken { .. }
                | DialError::Said(_)
                | DialError::Nonsense(_) => true,
            };
            let why = error.to_string();
            let is_new = self.link.borrow().trouble.as_ref() != Some(&why);
            if is_new {
                tracing::warn!(error = why, "the control plane is not there; what was served goes on");
            }
            self.link.send_modify(|link| (link.is_open, link.trouble) = (false, Some(why)));
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// Opens a stream, with a certificate that is good.
    async fn connect(&mut self) -> Result<Session, DialError> {
        let usable = self.certificate.as_ref().is_some_and(|certificate| !certificate.has_expired());
        let due = self.certificate.as_ref().is_none_or(|certificate| certificate.renew <= Instant::now());
        if !usable || due || self.is_suspect {
            match enroll(&self.options).await {
                Ok(certificate) => self.present(certificate),
                // The one that we have may still do.
                Err(error) if usable => tracing::debug!(%error, "no new certificate"),
                Err(error) => return Err(error),
            }
        }
        let number = self.number();
        match &self.certificate {
            Some(certificate) => Session::open(&self.options, certificate, self.digest(), number).await,
            None => Err(DialError::Nonsense("no certificate".to_owned())),
        }
    }

    fn present(&mut self, certificate: Certificate) {
        self.link.send_modify(|link| {
            link.not_after = Some(certificate.not_after);
            link.certificates += 1;
        });
        self.certificate = Some(certificate);
        self.is_suspect = false;
    }

    /// What the next stream is called: by the clock, so that those of a process that starts again are greater, and one more
    /// than the last whatever the clock says.
    fn number(&mut self) -> u64 {
        let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.session = u64::try_from(clock.as_millis()).unwrap_or_default().max(self.session + 1);
        self.session
    }

    /// What we say that we have.
    fn digest(&self) -> Option<Hash> {
        // One that is of nothing makes the other side ask for all names.
        if self.doubts > 0 { Some(Hash::NONE) } else { self.state.digest() }
    }

    /// Follows a stream until it breaks. Before the certificate ends, another stream takes its place.
    async fn follow(&mut self, mut session: Session, backoff: &mut Backoff) -> DialError {
        self.opened();
        // What this control plane calls what we have.
        let mut current: Option<Version> = None;
        let mut renewal: Option<Renewal> = None;
        let mut renew = self.certificate.as_ref().map_or_else(Instant::now, |certificate| certificate.renew);
        loop {
            let done = tokio::select! {
                wanted = session.next() => match wanted {
                    Ok(Wanted::Inventory) => session.inventory(&self.state).await,
                    Ok(Wanted::Apply(changes)) => {
                        let version = Version(changes.version);
                        match self.apply(changes).await {
                            Ok(()) => {
                                current = Some(version);
                                backoff.reset();
                                self.acknowledge(&session, current).await
                            }
                            Err(why) => Err(DialError::Nonsense(why)),
                        }
                    }
                    Err(error) => Err(error),
                },
                Ok(()) = self.outcomes.changed() => self.acknowledge(&session, current).await,
                () = tokio::time::sleep_until(self.keep_at), if self.unkept => {
                    self.hand_over();
                    Ok(())
                }
                () = tokio::time::sleep_until(renew), if renewal.is_none() => {
                    let number = self.number();
                    renewal = Some(Box::pin(renewed(self.options.clone(), self.digest(), number)));
                    Ok(())
                }
                renewed = wait(&mut renewal), if renewal.is_some() => {
                    renewal = None;
                    match renewed {
                        Ok((certificate, next)) => {
                            renew = certificate.renew;
                            self.present(certificate);
                            session = next;
                            current = None;
                            self.opened();
                            tracing::info!("the certificate was renewed");
                        }
                        Err(error) => {
                            tracing::warn!(%error, "the certificate cannot be renewed yet");
                            renew = Instant::now() + self.options.pace.longest;
                        }
                    }
                    Ok(())
                }
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    fn opened(&self) {
        self.link.send_modify(|link| {
            (link.is_open, link.trouble) = (true, None);
            link.streams += 1;
        });
    }

    async fn apply(&mut self, changes: Changes) -> Result<(), String> {
        let version = Version(changes.version);
        let bytes: usize = changes.changed.iter().map(|resource| resource.payload.len()).sum();
        // In doubt until it is known: it may be that nobody waits for the end of this.
        self.doubts += 1;
        let mut state = std::mem::take(&mut self.state);
        // Thousands of routes take a while, and requests are served on this thread.
        let applied = tokio::task::spawn_blocking(move || {
            let applied = state.apply(changes);
            (state, applied)
        });
        let applied = match applied.await {
            Ok((state, applied)) => {
                self.state = state;
                applied
            }
            // The state is lost, and what is served is not.
            Err(error) => Err(format!("a bug in Lychgate: {error}; please report it")),
        };
        match applied {
            Ok(()) => {
                self.doubts = 0;
                self.link.send_modify(|link| {
                    link.version = Some(version);
                    link.updates += 1;
                    link.bytes += bytes as u64;
                });
                self.publish(Origin::Feed(version));
                Ok(())
            }
            Err(why) => {
                if self.doubts > 1 {
                    // Names did not help, so all of it has to come anew. What was served is served meanwhile.
                    self.state.doubt();
                }
                Err(why)
            }
        }
    }

    /// From now on the state is to be served.
    fn publish(&mut self, origin: Origin) {
        let State { snapshot, endpoints, .. } = &self.state;
        let rejected = self.state.all_rejected();
        let is_same = self.configs.borrow().as_ref().is_some_and(|config| {
            Arc::ptr_eq(&config.snapshot, snapshot) && config.endpoints == *endpoints && *config.rejected == rejected
        });
        if is_same {
            return;
        }
        self.serial += 1;
        self.configs.send_replace(Some(Arc::new(Config {
            serial: self.serial,
            origin,
            snapshot: snapshot.clone(),
            endpoints: endpoints.clone(),
            rejected: Arc::new(rejected),
        })));
    }

    /// Tells the control plane what became of its version, once that is known.
    async fn acknowledge(&mut self, session: &Session, current: Option<Version>) -> Result<(), DialError> {
        let Outcome { serial, mut rejected, unbound } = self.outcomes.borrow_and_update().clone();
        if serial < self.serial {
            return Ok(());
        }
        // It has been served, so it is worth keeping.
        self.unkept = true;
        let Some(version) = current else { return Ok(()) };
        rejected.extend(self.state.all_rejected());
        session.acknowledge(Acknowledgement { version, rejected, unbound, more: 0 }).await
    }

    /// Hands what is served to who writes it, and not too often: all of it is copied, and written.
    fn hand_over(&mut self) {
        if std::mem::take(&mut self.unkept) && self.doubts == 0 && !self.keep.is_closed() {
            self.keep.send_replace(Arc::new(Mutex::new(Some(self.state.clone()))));
            self.keep_at = Instant::now() + self.options.pace.cache;
        }
    }
}

/// A new certificate, and a stream that was opened with it.
async fn renewed(
    options: Arc<Options>,
    digest: Option<Hash>,
    number: u64,
) -> Result<(Certificate, Session), DialError> {
    let certificate = enroll(&options).await?;
    let session = Session::open(&options, &certificate, digest, number).await?;
    Ok((certificate, session))
}

async fn wait(renewal: &mut Option<Renewal>) -> Result<(Certificate, Session), DialError> {
    match renewal {
        Some(renewal) => renewal.await,
        None => std::future::pending().await,
    }
}
