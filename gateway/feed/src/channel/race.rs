//! Attempts side by side, as RFC 8305, section 5 has it for addresses.
//!
//! A Service whose pod has just gone leads new connections to where nobody is, and the next one elsewhere. Who waits for the
//! first until the system gives up waits in vain.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Makes an attempt, and another one beside it when there is no result after `first`; then after twice as long, and so on. The
/// first that succeeds ends the others. When all that were made have failed, there is none to wait for: that is the error.
pub(super) async fn race<T, E, F>(first: Duration, mut attempt: impl FnMut(usize) -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut attempts = FuturesUnordered::new();
    attempts.push(attempt(0));
    let mut patience = first;
    let mut next = Instant::now() + patience;
    let mut made = 1;
    loop {
        tokio::select! {
            Some(done) = attempts.next() => match done {
                Ok(won) => return Ok(won),
                Err(error) if attempts.is_empty() => return Err(error),
                // Another may do better.
                Err(_) => {}
            },
            () = sleep_until(next) => {
                attempts.push(attempt(made));
                made += 1;
                patience *= 2;
                next += patience;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::time::sleep;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn one_is_enough_where_it_is_quick() {
        let mut made = 0;
        let won: Result<usize, ()> = race(SECOND, |number| {
            made += 1;
            async move {
                sleep(SECOND / 2).await;
                Ok(number)
            }
        })
        .await;
        assert_eq!((won, made), (Ok(0), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_costs_a_second_and_then_two() {
        let begin = Instant::now();
        let won: Result<usize, ()> =
            race(SECOND, |number| async move { if number < 2 { pending().await } else { Ok(number) } }).await;
        assert_eq!((won, begin.elapsed()), (Ok(2), 3 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_that_is_slow_still_counts() {
        let begin = Instant::now();
        let won: Result<usize, ()> = race(SECOND, |number| async move {
            sleep(if number == 0 { 2 * SECOND } else { 9 * SECOND }).await;
            Ok(number)
        })
        .await;
        assert_eq!((won, begin.elapsed()), (Ok(0), 2 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_counts_when_nothing_else_is_under_way() {
        let begin = Instant::now();
        let refused: Result<(), usize> = race(SECOND, |number| async move { Err(number) }).await;
        assert_eq!((refused, begin.elapsed()), (Err(0), Duration::ZERO), "nobody waits for what is decided");
        let refused: Result<(), usize> = race(SECOND, |number| async move {
            sleep(if number == 0 { 4 * SECOND } else { Duration::ZERO }).await;
            Err(number)
        })
        .await;
        assert_eq!(refused, Err(0), "the others were refused while it was waited for");
    }
}
