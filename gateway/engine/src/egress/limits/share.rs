//! The part that one request or tunnel has in what may leave by its rule.

use super::now;
use super::seat::{Fate, Seat};
use crate::egress::gate::Gate;
use crate::egress::refused::Refused;
use crate::egress::wish::Wish;
use lychgate_egress::limits::{Account, Book, Exceeded, Key, Limit, Now, SharedAccount};
use lychgate_egress::target::TargetHost;
use lychgate_egress::{Because, Decision, Source, Verdict};
use lychgate_ir::egress::{EgressLimitScope, EgressLimits, EgressMode};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// What a way is counted by, and which limits it has met.
#[derive(Clone, Debug)]
pub(crate) struct Share(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    book: Arc<Book>,
    account: SharedAccount,
    /// Which limits in shadow count, as for policies.
    draw: u8,
    /// Limits that refused, slowed down or ended it, a bit each.
    enforced: AtomicU8,
    /// Limits that would have.
    in_shadow: AtomicU8,
    /// The one that ended it.
    ended: OnceLock<Exceeded>,
    would: Would,
}

/// What limits in shadow would have done.
#[derive(Debug, Default)]
struct Would {
    /// Refused the request, or the tunnel.
    refuse: OnceLock<Exceeded>,
    /// Not have let the connection be opened.
    not_open: OnceLock<Exceeded>,
    /// Ended the connection.
    end: OnceLock<Exceeded>,
    /// For how many pieces it would have: the connection has gone on, with what came later.
    pieces: AtomicU64,
}

/// A limit that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Met {
    pub(crate) limit: Limit,
    pub(crate) in_shadow: bool,
}

/// Whether what is counted for one is counted for the other.
pub(crate) fn is_same(a: Option<&Share>, b: Option<&Share>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Arc::ptr_eq(&a.0.account, &b.0.account),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

impl Share {
    /// Of all that leaves by a rule of this book.
    #[cfg(test)]
    pub(super) fn of_all(book: Arc<Book>) -> Self {
        let account = book.accounts().whole();
        let (enforced, in_shadow) = (AtomicU8::new(0), AtomicU8::new(0));
        let (ended, would) = (OnceLock::new(), Would::default());
        Self(Arc::new(Inner { book, account, draw: 0, enforced, in_shadow, ended, would }))
    }

    /// That of what was decided; none where it has no limits. `client` is where the source comes from.
    pub(crate) fn of(
        gate: &Gate,
        source: &Source,
        client: IpAddr,
        wish: &Wish,
        address: Option<IpAddr>,
        decision: &Decision,
    ) -> Result<Option<Self>, Refused> {
        let Because::Rule { rule, handling, level: _, reason: _ } = &decision.because else { return Ok(None) };
        if handling.limits.is_none() || decision.verdict == Verdict::Deny {
            return Ok(None);
        }
        let book = gate.books.of(rule);
        let book = book.ok_or_else(|| Refused::misconfigured(format!("nobody counts what leaves by {rule}")))?;
        let limits = book.limits();
        let key = match limits.per {
            EgressLimitScope::Rule => None,
            EgressLimitScope::Source => Some(Key::of_source(source, client)),
            EgressLimitScope::Destination => {
                let (name, called) = match &wish.target.host {
                    TargetHost::Name(name) => (Some(name), None),
                    // Clients say what they like: who is called by address is one, unless the rule makes sure of the name.
                    TargetHost::Address(called) => {
                        (wish.name().filter(|_| gate.books.is_sure_of_names(rule)), Some(*called))
                    }
                };
                Key::of_destination(name, called.or(address))
            }
        };
        let account = match key {
            None => book.accounts().whole(),
            Some(key) => book.accounts().of(key, &limits, now()),
        };
        Ok(Some(Self(Arc::new(Inner {
            book: book.clone(),
            account,
            draw: wish.draw(),
            enforced: AtomicU8::new(0),
            in_shadow: AtomicU8::new(0),
            ended: OnceLock::new(),
            would: Would::default(),
        }))))
    }

    /// Lets one more request leave.
    pub(crate) fn request(&self) -> Result<(), Exceeded> {
        self.ask(Account::request, &self.0.would.refuse).map(drop)
    }

    /// Lets one more connection be opened, which is one until its seat is dropped; in the place of one that can be spared if
    /// there is no other. In shadow the count moves all the same, so that it tells what would be.
    pub(super) fn seat(&self, spare: impl FnOnce(&SharedAccount, Fate) -> Option<Seat>) -> Result<Seat, Exceeded> {
        let mut taken = None;
        let open = |account: &mut Account, limits: &EgressLimits, _| {
            account.open(limits).or_else(|full| {
                let fate = if self.is_in_shadow(limits) { Fate::GoesOn } else { Fate::Ends };
                taken = spare(&self.0.account, fate);
                if taken.is_some() { Ok(()) } else { Err(full) }
            })
        };
        let opened = self.ask(open, &self.0.would.not_open)?;
        // Refused in shadow: were it enforced, it would not be open.
        Ok(taken.unwrap_or_else(|| Seat::new(opened.map(|()| self.0.account.clone()))))
    }

    /// How many bytes may be carried in one piece.
    pub(super) fn piece(&self) -> Result<u64, Exceeded> {
        let Would { end, pieces, refuse: _, not_open: _ } = &self.0.would;
        match self.ask(Account::piece, end) {
            Ok(Some(piece)) => Ok(piece),
            Ok(None) => {
                pieces.fetch_add(1, Ordering::Relaxed);
                Ok(u64::MAX)
            }
            Err(exceeded) => {
                let _ = self.0.ended.set(exceeded);
                Err(exceeded)
            }
        }
    }

    /// Bytes were carried. Says how long to wait before more are.
    pub(super) fn carried(&self, bytes: u64) -> Duration {
        let limits = self.0.book.limits();
        let mut account = lock(&self.0.account);
        let wait = account.carried(bytes, &limits, now());
        match (wait.is_zero(), self.is_in_shadow(&limits)) {
            (true, _) => Duration::ZERO,
            (false, false) => {
                self.meets(Limit::BytesPerSecond, false);
                wait
            }
            (false, true) => {
                account.forgive();
                self.meets(Limit::BytesPerSecond, true);
                Duration::ZERO
            }
        }
    }

    /// What it is counted by: the same as long as somebody holds this.
    pub(crate) fn account(&self) -> &SharedAccount {
        &self.0.account
    }

    /// The limit that ended it.
    pub(crate) fn ended(&self) -> Option<Exceeded> {
        self.0.ended.get().copied()
    }

    /// The limit in shadow that would have refused or ended it.
    pub(crate) fn would_refuse(&self) -> Option<Exceeded> {
        let Would { refuse, not_open, end, pieces: _ } = &self.0.would;
        refuse.get().or(not_open.get()).or(end.get()).copied()
    }

    /// The limits that it has met since this was asked last.
    pub(crate) fn met(&self) -> impl Iterator<Item = Met> + use<> {
        let enforced = self.0.enforced.swap(0, Ordering::Relaxed);
        let in_shadow = self.0.in_shadow.swap(0, Ordering::Relaxed);
        let of = move |limit: Limit| {
            let met = |bits: u8, in_shadow| (bits & bit(limit) != 0).then_some(Met { limit, in_shadow });
            [met(enforced, false), met(in_shadow, true)].into_iter().flatten()
        };
        Limit::ALL.into_iter().flat_map(of)
    }

    /// Asks the account. What is refused in shadow is told, and gives nothing.
    fn ask<T>(
        &self,
        ask: impl FnOnce(&mut Account, &EgressLimits, Now) -> Result<T, Exceeded>,
        would: &OnceLock<Exceeded>,
    ) -> Result<Option<T>, Exceeded> {
        let limits = self.0.book.limits();
        let answer = ask(&mut lock(&self.0.account), &limits, now());
        let exceeded = match answer {
            Ok(answer) => return Ok(Some(answer)),
            Err(exceeded) => exceeded,
        };
        let in_shadow = self.is_in_shadow(&limits);
        self.meets(exceeded.limit, in_shadow);
        if !in_shadow {
            return Err(exceeded);
        }
        if self.counts_in_shadow(&limits) {
            let _ = would.set(exceeded);
        }
        Ok(None)
    }

    fn is_in_shadow(&self, limits: &EgressLimits) -> bool {
        matches!(limits.mode, EgressMode::Shadow(_))
    }

    fn counts_in_shadow(&self, limits: &EgressLimits) -> bool {
        matches!(limits.mode, EgressMode::Shadow(share) if share.takes(self.0.draw))
    }

    fn meets(&self, limit: Limit, in_shadow: bool) {
        if in_shadow && !self.counts_in_shadow(&self.0.book.limits()) {
            return;
        }
        let bits = if in_shadow { &self.0.in_shadow } else { &self.0.enforced };
        bits.fetch_or(bit(limit), Ordering::Relaxed);
    }
}

/// What a connection is counted by that carries a request, from some moment on: it may have carried others.
#[derive(Debug)]
pub(crate) struct Carrier {
    share: Share,
    /// Pieces before.
    before: u64,
}

impl Carrier {
    pub(crate) fn from_now(share: Share) -> Self {
        let before = share.0.would.pieces.load(Ordering::Relaxed);
        Self { share, before }
    }

    pub(crate) fn share(&self) -> &Share {
        &self.share
    }

    /// The limit in shadow by which it would not have carried this.
    pub(crate) fn would_refuse(&self) -> Option<Exceeded> {
        let Would { refuse: _, not_open, end, pieces } = &self.share.0.would;
        let end = end.get().filter(|_| pieces.load(Ordering::Relaxed) != self.before);
        not_open.get().or(end).copied()
    }
}

fn bit(limit: Limit) -> u8 {
    match limit {
        Limit::Connections => 1,
        Limit::Requests => 2,
        Limit::BytesPerSecond => 4,
        Limit::BytesPerDay => 8,
    }
}

pub(super) fn lock(account: &SharedAccount) -> MutexGuard<'_, Account> {
    // Counts are whole whatever panicked.
    account.lock().unwrap_or_else(PoisonError::into_inner)
}
