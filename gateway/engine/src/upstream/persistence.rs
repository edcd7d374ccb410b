//! Session persistence (GEP-1619): which endpoint a session belongs to, without telling the client its address.

use super::endpoint::{EndpointList, EndpointState};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names an endpoint to a client. The same in every replica and after a restart, because it is derived from the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionToken(u64);

impl SessionToken {
    pub(crate) fn of(address: SocketAddr) -> Self {
        // SipHash with fixed keys: stable, and it does not read back as an address.
        let mut hasher = DefaultHasher::new();
        address.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A session as the client carries it: `<endpoint>-<start>`, both hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    token: SessionToken,
    /// Seconds since 1970.
    started: u64,
}

impl Session {
    pub(crate) fn start(endpoint: &EndpointState) -> Self {
        Self { token: endpoint.token, started: now() }
    }

    /// Reads what a client sent; anything else than a session is no session.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (token, started) = text.split_once('-')?;
        let number = |text: &str| {
            (text.len() <= 16 && text.bytes().all(|b| b.is_ascii_hexdigit()))
                .then(|| u64::from_str_radix(text, 16).ok())
                .flatten()
        };
        Some(Self { token: SessionToken(number(token)?), started: number(started)? })
    }

    /// Whether it belongs to an endpoint and is not too old.
    pub(crate) fn is_of(&self, endpoint: &EndpointState, limit: Option<Duration>) -> bool {
        self.token == endpoint.token && self.is_young(limit)
    }

    fn is_young(&self, limit: Option<Duration>) -> bool {
        let Some(age) = now().checked_sub(self.started) else { return false };
        limit.is_none_or(|limit| age < limit.as_secs().max(1))
    }

    /// The endpoint it belongs to, while that exists and the session is not too old. Endpoints that are about to go
    /// keep their sessions.
    pub(crate) fn endpoint(&self, list: &EndpointList, limit: Option<Duration>) -> Option<Arc<EndpointState>> {
        if !self.is_young(limit) {
            return None;
        }
        list.all().find(|endpoint| endpoint.token == self.token).cloned()
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}", self.token.0, self.started)
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::upstream::Pools;

    fn list() -> EndpointList {
        let addresses: Vec<SocketAddr> = ["10.0.0.1:80", "10.0.0.2:80"].map(|a| a.parse().unwrap()).into();
        EndpointList::rebuild(&EndpointList::default(), &addresses[..1], &addresses[1..], &Pools::default())
    }

    #[test]
    fn a_session_finds_its_endpoint_even_while_that_terminates() {
        let list = list();
        for endpoint in list.all() {
            let session = Session::parse(&Session::start(endpoint).to_string()).unwrap();
            assert_eq!(session.endpoint(&list, None).unwrap().address, endpoint.address);
        }
    }

    #[test]
    fn a_session_ends_at_its_absolute_timeout() {
        let list = list();
        let mut session = Session::start(&list.ready[0]);
        session.started -= 10;
        assert!(session.endpoint(&list, Some(Duration::from_secs(11))).is_some());
        assert!(session.endpoint(&list, Some(Duration::from_secs(10))).is_none());
        session.started += 100_000;
        assert!(session.endpoint(&list, None).is_none(), "a session from the future is forged");
    }

    #[test]
    fn what_is_no_session_is_none() {
        for text in ["", "-", "a", "x-1", "1-x", "11111111111111111-1", "+1-1", "1-+1"] {
            assert_eq!(Session::parse(text), None, "{text}");
        }
    }
}
