//! Attempts side by side (RFC 8305 section 5): an address that answers slowly, or not at all, does not keep those after it
//! waiting.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::sleep;

/// An attempt, boxed: there are as many at a time as there are addresses.
pub(super) type Attempt<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// How long an attempt is alone before the next one begins: the delay that RFC 8305 recommends.
const HEAD_START: Duration = Duration::from_millis(250);

/// Begins one attempt after the other: the next one when those before have failed, or are slow. The first that succeeds is
/// taken, and the others are given up. Else it is the last failure; `None` if there was nothing to attempt.
pub(super) async fn race<'a, T, E>(mut next: impl FnMut() -> Option<Attempt<'a, T, E>>) -> Option<Result<T, E>> {
    let mut running = FuturesUnordered::new();
    let (mut has_more, mut last) = (true, None);
    loop {
        if has_more {
            let begun = next();
            has_more = begun.is_some();
            running.extend(begun);
        }
        if running.is_empty() && !has_more {
            return last.map(Err);
        }
        tokio::select! {
            Some(done) = running.next() => match done {
                Ok(done) => return Some(Ok(done)),
                Err(error) => last = Some(error),
            },
            () = sleep(HEAD_START), if has_more => {}
        }
    }
}

/// In the order in which they are tried: both families by turns, so that neither hides the other. Where both lead there,
/// IPv4 does so more often.
pub(in crate::egress) fn in_turn(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let (v4, v6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
    let (mut v4, mut v6) = (v4.into_iter(), v6.into_iter());
    let pair = || {
        let pair = [v4.next(), v6.next()];
        pair.iter().any(Option::is_some).then_some(pair)
    };
    std::iter::from_fn(pair).flatten().flatten().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use tokio::time::Instant;

    /// Runs attempts that take so many milliseconds, and says when each began.
    async fn run(attempts: &[(u64, Result<u64, u64>)]) -> (Option<Result<u64, u64>>, Vec<u128>) {
        let (start, begun) = (Instant::now(), RefCell::new(Vec::new()));
        let attempt = |(takes, outcome): &(u64, Result<u64, u64>)| -> Attempt<'_, u64, u64> {
            begun.borrow_mut().push(start.elapsed().as_millis());
            let (takes, outcome) = (Duration::from_millis(*takes), *outcome);
            Box::pin(async move {
                sleep(takes).await;
                outcome
            })
        };
        let mut attempts = attempts.iter().map(attempt);
        let done = race(|| attempts.next()).await;
        (done, begun.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_begins_when_one_fails_or_is_slow_and_the_first_to_succeed_is_taken() {
        assert_eq!(run(&[]).await, (None, vec![]));
        // Nobody else begins where the first is quick.
        assert_eq!(run(&[(200, Ok(1)), (0, Ok(2))]).await, (Some(Ok(1)), vec![0]));
        assert_eq!(run(&[(10, Err(1)), (10, Ok(2))]).await, (Some(Ok(2)), vec![0, 10]));
        assert_eq!(run(&[(10_000, Err(1)), (10, Ok(2))]).await, (Some(Ok(2)), vec![0, 250]));
        // Who is slow goes on, and may still be the first.
        assert_eq!(run(&[(300, Ok(1)), (100, Ok(2))]).await, (Some(Ok(1)), vec![0, 250]));
        assert_eq!(run(&[(300, Err(1)), (20, Err(2)), (9, Err(3))]).await, (Some(Err(1)), vec![0, 250, 270]));
    }

    #[test]
    fn families_take_turns() {
        let parse = |texts: &[&str]| -> Vec<IpAddr> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        let in_turn = |texts| in_turn(parse(texts));
        assert_eq!(in_turn(&["::1", "::2", "::3", "192.0.2.1"]), parse(&["192.0.2.1", "::1", "::2", "::3"]));
        assert_eq!(in_turn(&["192.0.2.1", "192.0.2.2", "::1"]), parse(&["192.0.2.1", "::1", "192.0.2.2"]));
        assert_eq!(in_turn(&["::2", "::1"]), parse(&["::2", "::1"]));
    }
}
