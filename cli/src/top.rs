//! `lychgate top`

mod exposition;
mod rows;
mod screen;
mod view;

use crate::admin::AdminUrl;
use crate::terminal::{complain, paint, print};
use anyhow::Context;
use clap::Args;
use rows::{Look, Rows, Sort};
use screen::Screen;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use view::{Heading, Room};

const EXAMPLES: &str = "\
Examples:
  What goes on at the gateway of this host:
    lychgate top
  The slowest first, every ten seconds, into a file:
    lychgate top --sort p99 --interval 10 >> top.txt
  One table, for a script:
    lychgate top --once --admin http://10.0.0.7:9900";

/// Watch listeners, routes and backends: rate, errors, latency, in flight.
///
/// Reads /metrics of the admin port again and again, and shows what happened between two looks: requests a second (of
/// other routes connections and flows), the share of failed ones (5xx, no answer, not carried), how long requests took
/// (half of them, and 99 of 100, as exact as the buckets of the histograms), what is in flight, and bytes a second. On a
/// terminal it fills the screen, `s` sorts by the next column and `q` ends it; in a pipe it prints a table each time.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TopArgs {
    /// The admin port of a running gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9900")]
    admin: AdminUrl,
    /// The time between two looks, in seconds.
    #[arg(short, long, value_name = "SECONDS", default_value = "2", value_parser = interval)]
    interval: Duration,
    /// What comes first.
    #[arg(short, long, value_enum, default_value_t)]
    sort: Sort,
    /// Look twice, print one table, and end.
    #[arg(long)]
    once: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "wants seconds")?;
    let interval = Duration::try_from_secs_f64(seconds).map_err(|_| "wants seconds")?;
    if (Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&interval) {
        Ok(interval)
    } else {
        Err("wants 0.1 to 3600 seconds".to_owned())
    }
}

pub(crate) fn top(args: TopArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot be started")?;
    let done = runtime.block_on(async {
        if std::io::stdout().is_terminal() && !args.once { on_screen(args).await } else { in_lines(args).await }
    });
    // A thread may wait for keys.
    runtime.shutdown_background();
    done.map(|()| ExitCode::SUCCESS)
}

/// The metrics of a moment.
async fn look(admin: &AdminUrl) -> anyhow::Result<(Look, Instant)> {
    let text = admin.get("/metrics").await?;
    Ok((Look::new(exposition::parse(&text)), Instant::now()))
}

/// Prints a table after each look but the first.
async fn in_lines(args: TopArgs) -> anyhow::Result<()> {
    let TopArgs { admin, interval, sort, once } = args;
    let from = admin.to_string();
    let mut before = look(&admin).await?;
    loop {
        tokio::time::sleep_until(before.1 + interval).await;
        let after = match look(&admin).await {
            Ok(after) => after,
            Err(error) if once => return Err(error),
            // It may be back at the next look.
            Err(error) => {
                complain(&format!("lychgate: {error:#}\n"));
                before.1 = Instant::now();
                continue;
            }
        };
        let time = after.1 - before.1;
        let rows = rows::between(&before.0, &after.0, time, sort);
        let heading = Heading { from: &from, time, sort, keys: "" };
        let lines = view::lines(&rows, &heading, Room::ENDLESS, paint());
        print(&(lines.join("\n") + if once { "\n" } else { "\n\n" }))?;
        if once {
            return Ok(());
        }
        before = after;
    }
}

/// Fills the terminal until somebody has seen enough.
async fn on_screen(args: TopArgs) -> anyhow::Result<()> {
    let TopArgs { admin, interval, mut sort, once: _ } = args;
    let from = admin.to_string();
    // Whoever gave the wrong address shall see that where they gave it.
    let mut before = look(&admin).await?;
    let mut ends = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let mut resized = signal(SignalKind::window_change())?;
    let screen = Screen::enter()?;
    let mut pressed = screen.has_keys().then(screen::keys);
    let keys = if screen.has_keys() { "s: sort  q: quit" } else { "" };
    let mut shown: Result<(Rows, Duration), String> = Err("waiting for the second look".to_owned());
    let mut next = before.1 + interval;
    loop {
        draw(&screen, &shown, &from, sort, keys)?;
        tokio::select! {
            () = any(&mut ends) => return Ok(()),
            _ = resized.recv() => {}
            key = key(&mut pressed) => match key {
                Some(b'q') => return Ok(()),
                Some(b's') => {
                    sort = sort.next();
                    if let Ok((rows, _)) = &mut shown {
                        rows.sort(sort);
                    }
                }
                Some(_) => {}
                None => pressed = None,
            },
            () = tokio::time::sleep_until(next) => {
                match look(&admin).await {
                    Ok(after) => {
                        let time = after.1 - before.1;
                        shown = Ok((rows::between(&before.0, &after.0, time, sort), time));
                        before = after;
                    }
                    Err(error) => shown = Err(format!("{error:#}")),
                }
                next = Instant::now() + interval;
            }
        }
    }
}

fn draw(
    screen: &Screen,
    shown: &Result<(Rows, Duration), String>,
    from: &str,
    sort: Sort,
    keys: &str,
) -> anyhow::Result<()> {
    let room = screen.room();
    let lines = match shown {
        Ok((rows, time)) => view::lines(rows, &Heading { from, time: *time, sort, keys }, room, paint()),
        Err(why) => view::message(from, why, keys, room),
    };
    screen.draw(&lines).context("the terminal takes nothing")
}

/// Waits for any of the signals.
async fn any(signals: &mut [std::io::Result<tokio::signal::unix::Signal>; 3]) {
    let [interrupt, terminate, hangup] = signals;
    tokio::select! {
        () = one(interrupt) => {}
        () = one(terminate) => {}
        () = one(hangup) => {}
    }
}

/// Waits for a signal; for ever, if it cannot be waited for.
async fn one(signal: &mut std::io::Result<tokio::signal::unix::Signal>) {
    match signal {
        Ok(signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

/// Waits for a key; for ever, if there are none.
async fn key(pressed: &mut Option<tokio::sync::mpsc::UnboundedReceiver<u8>>) -> Option<u8> {
    match pressed {
        Some(pressed) => pressed.recv().await,
        None => std::future::pending().await,
    }
}
