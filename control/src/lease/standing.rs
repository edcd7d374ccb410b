//! What a replica knows of who leads.

use std::net::SocketAddr;
use tokio::sync::watch;
use tokio::time::Instant;

/// A term of office: it begins when a replica that did not lead does, and ends when it may not lead any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Which of the terms of this replica it is.
    pub number: u64,
    /// Until when it leads if nothing else is said.
    pub until: Instant,
}

/// Whether this replica leads.
#[derive(Clone, Debug)]
pub struct Leadership {
    term: watch::Receiver<Option<Term>>,
}

impl Leadership {
    /// One that leads for as long as the sender says.
    #[must_use]
    pub fn from(term: watch::Receiver<Option<Term>>) -> Self {
        Self { term }
    }

    /// Whether it leads at this moment.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.term().is_some()
    }

    /// The number of the term in which it leads at this moment.
    #[must_use]
    pub fn term(&self) -> Option<u64> {
        self.term.borrow().filter(|term| Instant::now() < term.until).map(|term| term.number)
    }

    /// Ends when something changed, also if it only has to be asked again.
    pub async fn changed(&mut self) {
        let until = self.term.borrow().map(|term| term.until);
        let expires = async {
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                Some(_) | None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.term.changed() => if changed.is_err() {
                // Nobody will ever say anything again.
                std::future::pending().await
            },
            () = expires => {}
        }
    }
}

/// How a replica stands to the one that leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// The Lease was not seen yet, or not for as long as it may take another to have it by now.
    #[default]
    Unknown,
    /// It leads.
    Leads,
    /// Another one does.
    Follows {
        /// Which.
        holder: String,
        /// Where it takes reports; an older version takes none.
        relay: Option<SocketAddr>,
    },
}

impl Standing {
    /// Whether what data planes say here is heard where statuses are written. Who cannot tell that shall not be asked, nor who
    /// cannot know what has changed.
    #[must_use]
    pub fn may_serve(&self) -> bool {
        match self {
            Self::Leads | Self::Follows { holder: _, relay: Some(_) } => true,
            Self::Unknown | Self::Follows { holder: _, relay: None } => false,
        }
    }
}

/// Where it is told.
pub struct Tell {
    /// The term of this replica.
    pub term: watch::Sender<Option<Term>>,
    /// How it stands.
    pub standing: watch::Sender<Standing>,
}

impl Tell {
    /// It leads until then. Tells whether it did not before.
    pub(super) fn leads(&self, until: Instant) -> bool {
        let now = Instant::now();
        let mut begins = false;
        self.term.send_modify(|term| {
            begins = term.is_none_or(|term| term.until <= now);
            let number = term.map_or(0, |term| term.number) + u64::from(begins);
            *term = Some(Term { number, until });
        });
        self.stands(Standing::Leads);
        begins
    }

    /// It does not lead. Tells whether it did before.
    pub(super) fn does_not_lead(&self) -> bool {
        // The number stays, so that the next term has another.
        let now = Instant::now();
        self.term.send_if_modified(|term| match term {
            Some(term) if term.until > now => {
                term.until = now;
                true
            }
            Some(_) | None => false,
        })
    }

    pub(super) fn stands(&self, standing: Standing) {
        self.standing.send_if_modified(|known| {
            let differs = *known != standing;
            *known = standing;
            differs
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn every_term_has_a_number_of_its_own() {
        let (term, until) = watch::channel(None);
        let tell = Tell { term, standing: watch::Sender::default() };
        let leadership = Leadership::from(until);
        assert_eq!(leadership.term(), None);
        let begin = |seconds| tell.leads(Instant::now() + Duration::from_secs(seconds));
        assert!(begin(10));
        let first = leadership.term();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(!begin(10));
        assert_eq!(leadership.term(), first, "renewed");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(leadership.term(), None, "over");
        assert!(begin(10));
        let second = leadership.term();
        assert!(second.is_some() && second != first);
        assert!(tell.does_not_lead() && !tell.does_not_lead());
        assert!(begin(10));
        assert!(leadership.term() > second);
    }

    #[test]
    fn who_cannot_tell_the_leader_serves_nobody() {
        let follows = |relay: Option<&str>| Standing::Follows {
            holder: "one".to_owned(),
            relay: relay.and_then(|relay| relay.parse().ok()),
        };
        assert!(Standing::Leads.may_serve() && follows(Some("192.0.2.1:9910")).may_serve());
        assert!(!Standing::Unknown.may_serve() && !follows(None).may_serve());
    }
}
