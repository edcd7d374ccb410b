//! The authority in its Secret, and what follows from it.
//!
//! Every replica may make the authority and rotate it: who writes second finds the version changed, and takes what the
//! first has written.

use super::authority::{Authority, LEAF_LIFE, NotIssued};
use super::root::{BadRoot, SKEW};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use lychgate_feed::server::{Identity, TlsError};
use lychgate_ir::Redacted;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// How often the Secret is looked at. A rotation waits for a day, so that this may be far from at once.
const LOOK: Duration = Duration::from_secs(5 * 60);
/// After something went wrong.
const RETRY: Duration = Duration::from_secs(10);
/// Tries to write against others before it is told as an error.
const TRIES: usize = 10;

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum NoAuthority {
    /// The API server does not give or take the Secret.
    #[error("Secret {0}: {1}; may our ServiceAccount get and update it?")]
    Api(String, #[source] Box<kube::Error>),
    /// Somebody has put something else there.
    #[error("Secret {0}: {1}; mend it, or empty it to have a new authority made")]
    Bad(String, #[source] BadRoot),
    /// No certificate for the feed's server.
    #[error(transparent)]
    NotIssued(#[from] NotIssued),
    /// The certificate is of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Others write it all the time.
    #[error("Secret {0} changes all the time; who else writes it?")]
    Contended(String),
}

/// Keeps the authority.
pub struct Keeper {
    secrets: Api<Secret>,
    name: String,
    /// Names of the feed's server.
    names: Vec<String>,
    authority: watch::Sender<Arc<Authority>>,
    identity: watch::Sender<Identity>,
    /// When the server's certificate was made.
    made: SystemTime,
}

/// What is kept.
pub struct Kept {
    /// The authority.
    pub authority: watch::Receiver<Arc<Authority>>,
    /// What the feed's server presents.
    pub identity: watch::Receiver<Identity>,
}

impl Keeper {
    /// Reads the authority, or makes it.
    ///
    /// # Errors
    /// If it can be neither read nor made.
    pub async fn start(
        client: Client,
        namespace: &str,
        name: &str,
        names: Vec<String>,
    ) -> Result<(Self, Kept), NoAuthority> {
        let secrets: Api<Secret> = Api::namespaced(client, namespace);
        let authority = current(&secrets, name).await?;
        let (identity, made) = identity(&authority, &names)?;
        let (authority, authorities) = watch::channel(Arc::new(authority));
        let (identity, identities) = watch::channel(identity);
        let keeper = Self { secrets, name: name.to_owned(), names, authority, identity, made };
        Ok((keeper, Kept { authority: authorities, identity: identities }))
    }

    /// Looks after it, for as long as it is polled.
    pub async fn run(mut self) {
        loop {
            let pause = match self.look().await {
                Ok(()) => LOOK,
                Err(error) => {
                    tracing::error!(%error, "the certificate authority cannot be looked after");
                    RETRY
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn look(&mut self) -> Result<(), NoAuthority> {
        let authority = current(&self.secrets, &self.name).await?;
        let changed = **self.authority.borrow() != authority;
        if changed || is_due(self.made, SystemTime::now()) {
            let (identity, made) = identity(&authority, &self.names)?;
            self.identity.send_replace(identity);
            self.made = made;
        }
        if changed {
            tracing::info!(secret = self.name, "the certificate authority has changed");
            self.authority.send_replace(Arc::new(authority));
        }
        Ok(())
    }
}

fn identity(authority: &Authority, names: &[String]) -> Result<(Identity, SystemTime), NoAuthority> {
    let now = SystemTime::now();
    let issued = authority.server(names, now)?;
    let key = issued.key.unwrap_or_else(|| Redacted::new(String::new()));
    Ok((Identity::new(&issued.chain, &key, &authority.bundle())?, now))
}

/// Whether a certificate is made anew: when half of its life is over, and where the clock was ahead when it was made. It
/// would not be valid before the clock gets there again.
fn is_due(made: SystemTime, now: SystemTime) -> bool {
    made + LEAF_LIFE / 2 <= now || now + SKEW < made
}

/// The authority as it shall be now, made or rotated if need be.
async fn current(secrets: &Api<Secret>, name: &str) -> Result<Authority, NoAuthority> {
    let api = |error| NoAuthority::Api(name.to_owned(), Box::new(error));
    let bad = |error| NoAuthority::Bad(name.to_owned(), error);
    for _ in 0..TRIES {
        let there = secrets.get_opt(name).await.map_err(api)?;
        let data = there.as_ref().and_then(|secret| secret.data.clone()).unwrap_or_default();
        let data: BTreeMap<String, Vec<u8>> = data.into_iter().map(|(key, ByteString(bytes))| (key, bytes)).collect();
        let now = SystemTime::now();
        let wanted = match Authority::read(&data).map_err(bad)? {
            None => Authority::generate(now).map_err(bad)?,
            Some(known) => match known.rotate(now).map_err(bad)? {
                None => return Ok(known),
                Some(rotated) => rotated,
            },
        };
        match put(secrets, name, there, &wanted).await {
            Ok(()) => {
                tracing::info!(secret = name, "the certificate authority was made or rotated");
                return Ok(wanted);
            }
            // Another replica was faster: what it has written counts.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(api(error)),
        }
    }
    Err(NoAuthority::Contended(name.to_owned()))
}

/// Writes exactly over what was read.
async fn put(
    secrets: &Api<Secret>,
    name: &str,
    there: Option<Secret>,
    authority: &Authority,
) -> Result<(), kube::Error> {
    let data = authority.write().into_iter().map(|(key, value)| (key, ByteString(value.expose().as_bytes().to_vec())));
    let data = Some(data.collect());
    match there {
        Some(there) => secrets.replace(name, &PostParams::default(), &Secret { data, ..there }).await.map(drop),
        None => {
            let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
            secrets.create(&PostParams::default(), &Secret { metadata, data, ..Secret::default() }).await.map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_leaves_no_certificate_of_another_time() {
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let hour = Duration::from_secs(60 * 60);
        for (now, due) in [
            (made, false),
            (made + 11 * hour, false),
            (made + 12 * hour, true),
            // Ahead by a year: it has ended.
            (made + 365 * 24 * hour, true),
            // Back by what certificates allow, and by more.
            (made - SKEW, false),
            (made - SKEW - Duration::from_secs(1), true),
            (made - 365 * 24 * hour, true),
        ] {
            assert_eq!(is_due(made, now), due, "{now:?}");
        }
    }
}
