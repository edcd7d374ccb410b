//! The terminal: how large it is, what is drawn, and how it was before.

use super::view::Room;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr,
};
use std::io::{self, Read, Write};
use tokio::sync::mpsc;

/// Another screen, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// To the upper left, and each line is written over the one that was there; what is left below is erased.
const HOME: &str = "\x1b[H";
const REST_OF_LINE: &str = "\x1b[K\n";
const REST_OF_SCREEN: &str = "\x1b[K\x1b[J";

/// A terminal that is drawn on. Dropping it gives it back as it was.
pub(super) struct Screen {
    before: Option<Termios>,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn enter() -> io::Result<Self> {
        let before = keys_at_once();
        let screen = Self { before };
        write(ENTER)?;
        Ok(screen)
    }

    /// The room that there is now.
    pub(super) fn room(&self) -> Room {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Room { columns: size.ws_col.into(), lines: size.ws_row.into() }
            }
            // Some terminals do not say.
            Ok(_) | Err(_) => Room { columns: 80, lines: 24 },
        }
    }

    /// Whether keys are read.
    pub(super) fn has_keys(&self) -> bool {
        self.before.is_some()
    }

    /// Draws lines, which fit.
    pub(super) fn draw(&self, lines: &[String]) -> io::Result<()> {
        let mut text = String::from(HOME);
        text += &lines.join(REST_OF_LINE);
        text += REST_OF_SCREEN;
        write(&text)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = write(LEAVE);
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Keys arrive as they are pressed, and are not shown. Ctrl-C stays what it is; Ctrl-Z would leave the screen as it is
/// drawn, and does nothing. Tells how it was before.
fn keys_at_once() -> Option<Termios> {
    if !isatty(io::stdin()) {
        return None;
    }
    let before = tcgetattr(io::stdin()).ok()?;
    let mut now = before.clone();
    now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    now.special_codes[SpecialCodeIndex::VSUSP] = 0;
    tcsetattr(io::stdin(), OptionalActions::Now, &now).ok()?;
    Some(before)
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Keys as they are pressed. The thread that waits for them ends with the process.
pub(super) fn keys() -> mpsc::UnboundedReceiver<u8> {
    let (keys, pressed) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut key = [0];
        while let Ok(1) = io::stdin().lock().read(&mut key) {
            let [key] = key;
            if keys.send(key).is_err() {
                break;
            }
        }
    });
    pressed
}
