//! The frames of an HTTP/2 connection, counted as they go by: those that cost us more than the client have a budget
//! (RFC 9113 section 10.5). Budgets fill up with time, and with what we send that calls for such frames, so that no
//! client that uses what it gets runs out of them.

use super::flaw::{Flaw, Flood};
use std::collections::VecDeque;
use std::time::Instant;

/// How a client of HTTP/2 begins.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADER: usize = 9;

/// CONTINUATION frames of one header block: 64 KiB of headers need 4.
const CONTINUATIONS: u32 = 32;

/// Streams that are remembered to have been reset: more than run at a time.
const RESET: usize = 128;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const ACK: u8 = 0x1;

/// What is spent by frames of a kind.
#[derive(Debug)]
struct Budget {
    left: u32,
    most: u32,
    each_second: u32,
    filled: Instant,
}

impl Budget {
    fn new(most: u32, each_second: u32, now: Instant) -> Self {
        Self { left: most, most, each_second, filled: now }
    }

    /// The clock is looked at only where the budget is empty.
    fn spend(&mut self) -> bool {
        if self.left == 0 {
            let now = Instant::now();
            let earned = now.duration_since(self.filled).as_millis() * u128::from(self.each_second) / 1000;
            let earned = u32::try_from(earned).unwrap_or(u32::MAX).min(self.most);
            if earned == 0 {
                return false;
            }
            (self.left, self.filled) = (earned, now);
        }
        self.left -= 1;
        true
    }

    fn earn(&mut self, more: u32) {
        self.left = (self.left + more).min(self.most);
    }
}

/// One direction of a connection, cut into frames.
#[derive(Debug, Default)]
struct Cutter {
    header: [u8; HEADER],
    filled: usize,
    /// Bytes to pass over before the next header.
    skip: usize,
}

/// The header of a frame (RFC 9113 section 4.1).
#[derive(Clone, Copy, Debug)]
struct Frame {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Cutter {
    /// Calls for each frame whose header is complete.
    fn cut<E>(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame) -> Result<(), E>) -> Result<(), E> {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            let taken = (HEADER - self.filled).min(bytes.len());
            if let (Some(to), Some(from)) = (self.header.get_mut(self.filled..self.filled + taken), bytes.get(..taken))
            {
                to.copy_from_slice(from);
            }
            self.filled += taken;
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.filled < HEADER {
                return Ok(());
            }
            self.filled = 0;
            let [high, middle, low, kind, flags, stream @ ..] = self.header;
            let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            self.skip = length;
            each(Frame { length, kind, flags, stream: u32::from_be_bytes(stream) })?;
        }
    }
}

#[derive(Debug)]
pub(super) struct Frames {
    incoming: Cutter,
    outgoing: Cutter,
    budgets: Budgets,
}

#[derive(Debug)]
struct Budgets {
    resets: Budget,
    /// Resets of streams that were opened in the same breath: whoever sends these wants no answer.
    hasty: Budget,
    /// The streams that were reset last. Clients reset them again for each piece of data that was on its way to them, which
    /// costs us nothing.
    reset: VecDeque<u32>,
    /// The first stream that was opened by what is read now.
    opened: Option<u32>,
    pings: Budget,
    settings: Budget,
    empty: Budget,
    window_updates: Budget,
    others: Budget,
    continuations: u32,
}

impl Frames {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            incoming: Cutter { skip: PREFACE.len(), ..Cutter::default() },
            outgoing: Cutter::default(),
            budgets: Budgets {
                resets: Budget::new(100, 10, now),
                hasty: Budget::new(20, 2, now),
                reset: VecDeque::new(),
                opened: None,
                pings: Budget::new(200, 20, now),
                settings: Budget::new(100, 2, now),
                empty: Budget::new(100, 10, now),
                window_updates: Budget::new(2000, 100, now),
                others: Budget::new(1000, 100, now),
                continuations: 0,
            },
        }
    }

    /// What the client sent.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        let Self { incoming, outgoing: _, budgets } = self;
        budgets.opened = None;
        incoming.cut(bytes, |frame| budgets.spend(frame)).map_err(Flaw::Flood)
    }

    /// What we sent.
    pub(super) fn written(&mut self, bytes: &[u8]) {
        let Self { incoming: _, outgoing, budgets } = self;
        let Ok(()) = outgoing.cut(bytes, |frame| {
            budgets.earn(frame);
            Ok::<_, std::convert::Infallible>(())
        });
    }
}

impl Budgets {
    fn spend(&mut self, Frame { length, kind, flags, stream }: Frame) -> Result<(), Flood> {
        let has = |flag: u8| flags & flag != 0;
        let (budget, flood) = match kind {
            // DATA and HEADERS.
            0x0 if length == 0 && !has(END_STREAM) => (&mut self.empty, Flood::Empty),
            0x0 => return Ok(()),
            0x1 => {
                self.opened.get_or_insert(stream);
                self.continuations = 0;
                if length > 0 || has(END_HEADERS) {
                    return Ok(());
                }
                (&mut self.empty, Flood::Empty)
            }
            0x3 if self.is_reset(stream) => (&mut self.others, Flood::Resets),
            0x3 if self.opened.is_some_and(|opened| stream >= opened) => (&mut self.hasty, Flood::Resets),
            0x3 => (&mut self.resets, Flood::Resets),
            0x4 if has(ACK) => return Ok(()),
            0x4 => (&mut self.settings, Flood::Settings),
            0x6 if has(ACK) => return Ok(()),
            0x6 => (&mut self.pings, Flood::Pings),
            0x8 => (&mut self.window_updates, Flood::WindowUpdates),
            0x9 => {
                self.continuations += 1;
                return if self.continuations > CONTINUATIONS { Err(Flood::Continuations) } else { Ok(()) };
            }
            _ => (&mut self.others, Flood::Others),
        };
        if budget.spend() { Ok(()) } else { Err(flood) }
    }

    /// Whether the stream was reset before. From now on, it was.
    fn is_reset(&mut self, stream: u32) -> bool {
        let was = self.reset.contains(&stream);
        if !was {
            if self.reset.len() == RESET {
                self.reset.pop_front();
            }
            self.reset.push_back(stream);
        }
        was
    }

    fn earn(&mut self, Frame { length: _, kind, flags: _, stream: _ }: Frame) {
        match kind {
            // Clients measure their way with PINGs between pieces of data, give back the window of each piece to its stream and
            // to the connection, and say once more that they want no more of it.
            0x0 => {
                self.pings.earn(1);
                self.window_updates.earn(4);
                self.others.earn(1);
            }
            // Whoever was answered may lose interest in the rest.
            0x1 => self.resets.earn(1),
            _ => {}
        }
    }
}

/// GOAWAY with ENHANCE_YOUR_CALM (RFC 9113 sections 6.8 and 7). The stream that it names is the last that any client
/// could have opened: what became of them is not told, since we do not know.
pub(crate) const CALM_DOWN: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xb];

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        frame_of(1, kind, flags, payload)
    }

    fn frame_of(stream: u32, kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0, 0, u8::try_from(payload.len()).unwrap_or(u8::MAX), kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    fn reset(stream: u32) -> Vec<u8> {
        frame_of(stream, 0x3, 0, &[0; 4])
    }

    /// How many of a frame are let through at once.
    fn let_through(frame: &[u8]) -> (u32, Option<Flaw>) {
        let_through_each(|_| frame.to_vec())
    }

    fn let_through_each(frame: impl Fn(u32) -> Vec<u8>) -> (u32, Option<Flaw>) {
        let mut frames = Frames::new();
        assert_eq!(frames.read(PREFACE), Ok(()));
        for count in 0..5000 {
            if let Err(flaw) = frames.read(&frame(count)) {
                return (count, Some(flaw));
            }
        }
        (5000, None)
    }

    #[test]
    fn floods_are_held() {
        let cases = [
            (reset(1), 1001, Flood::Resets),
            (frame(0x6, 0, &[0; 8]), 200, Flood::Pings),
            (frame(0x4, 0, &[]), 100, Flood::Settings),
            (frame(0x0, 0, &[]), 100, Flood::Empty),
            (frame(0x1, 0, &[]), 100, Flood::Empty),
            (frame(0x8, 0, &[0; 4]), 2000, Flood::WindowUpdates),
            (frame(0x2, 0, &[0; 5]), 1000, Flood::Others),
            (frame(0x77, 0, &[]), 1000, Flood::Others),
            (frame(0x9, 0, &[0; 1]), 32, Flood::Continuations),
        ];
        for (frame, least, flood) in cases {
            let (count, flaw) = let_through(&frame);
            assert_eq!(flaw, Some(Flaw::Flood(flood)));
            // Some time passes meanwhile.
            assert!((least..least + 50).contains(&count), "{flood:?}: {count}");
        }
    }

    #[test]
    fn streams_that_are_opened_to_be_reset_are_a_flood() {
        let hasty = |count| [frame_of(2 * count + 1, 0x1, 0x5, b"head"), reset(2 * count + 1)].concat();
        for ((count, flaw), least) in
            [(let_through_each(|count| reset(2 * count + 1)), 100), (let_through_each(hasty), 20)]
        {
            assert_eq!(flaw, Some(Flaw::Flood(Flood::Resets)));
            // Some time passes meanwhile.
            assert!((least..least + 50).contains(&count), "{count}");
        }
    }

    #[test]
    fn streams_that_are_reset_again_for_what_was_on_its_way_are_no_flood() {
        let mut frames = Frames::new();
        frames.read(PREFACE).ok();
        let data = frame(0x0, 0, b"data");
        // Twice as many pieces for each of fifty streams as budgets have room for.
        for piece in 0..40 {
            for stream in (1..100).step_by(2) {
                frames.written(&data);
                assert_eq!(frames.read(&reset(stream)), Ok(()), "{piece}");
            }
        }
    }

    #[test]
    fn what_costs_the_client_more_than_us_is_not_counted() {
        for frame in [
            frame(0x0, 0, b"data"),
            frame(0x0, END_STREAM, &[]),
            frame(0x1, END_HEADERS, b"head"),
            frame(0x4, ACK, &[]),
            frame(0x6, ACK, &[0; 8]),
        ] {
            assert_eq!(let_through(&frame), (5000, None));
        }
    }

    #[test]
    fn what_we_send_calls_for_more() {
        let mut frames = Frames::new();
        frames.read(PREFACE).ok();
        let (data, head) = (frame(0x0, 0, b"data"), frame(0x1, END_HEADERS, b"head"));
        for count in 0..5000 {
            frames.written(&data);
            frames.written(&head);
            assert_eq!(frames.read(&frame(0x6, 0, &[0; 8])), Ok(()));
            assert_eq!(frames.read(&reset(2 * count + 1)), Ok(()));
            for _ in 0..4 {
                assert_eq!(frames.read(&frame(0x8, 0, &[0; 4])), Ok(()));
            }
        }
    }

    #[test]
    fn frames_are_found_wherever_they_are_cut() {
        let mut bytes = PREFACE.to_vec();
        for _ in 0..33 {
            bytes.extend(frame(0x9, 0, b"some"));
        }
        for size in 1..40 {
            let mut frames = Frames::new();
            let flaw = bytes.chunks(size).find_map(|piece| frames.read(piece).err());
            assert_eq!(flaw, Some(Flaw::Flood(Flood::Continuations)), "{size}");
            let mut frames = Frames::new();
            let end = bytes.len() - 13;
            assert!(bytes[..end].chunks(size).all(|piece| frames.read(piece).is_ok()), "{size}");
        }
    }
}
