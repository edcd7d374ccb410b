//! The thread that writes.

use super::Message;
use super::field::Field;
use super::form::AccessFormat;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

/// Where lines go.
pub(super) enum Lines {
    Stdout,
    File(PathBuf),
}

/// As much is written at once.
const AT_ONCE: usize = 64 << 10;

pub(super) struct Writer {
    target: Lines,
    format: AccessFormat,
    fields: Vec<Field>,
    out: Out,
    /// Lines that are not written yet.
    lines: Vec<u8>,
    /// A full disk is told once, not for every line.
    failing: bool,
}

enum Out {
    Stdout(io::Stdout),
    File(File),
}

impl Write for Out {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(buf),
            Self::File(out) => out.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(out) => out.flush(),
        }
    }
}

impl Lines {
    fn open(&self) -> io::Result<Out> {
        Ok(match self {
            Self::Stdout => Out::Stdout(io::stdout()),
            Self::File(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
                    io::Error::new(error.kind(), format!("the access log {} cannot be opened: {error}", path.display()))
                })?;
                Out::File(file)
            }
        })
    }
}

impl Writer {
    pub(super) fn open(target: Lines, format: AccessFormat, fields: Vec<Field>) -> io::Result<Self> {
        Ok(Self { out: target.open()?, target, format, fields, lines: Vec::with_capacity(AT_ONCE), failing: false })
    }

    pub(super) fn take(&mut self, message: Message) {
        match message {
            Message::Entry(entry) => {
                self.format.write(&entry, &self.fields, &mut self.lines);
                if self.lines.len() >= AT_ONCE {
                    self.flush();
                }
            }
            Message::Tell(tell) => {
                self.flush();
                // Whoever asked may have waited for too long.
                let _ = tell.send(());
            }
            Message::Reopen => {
                self.flush();
                match self.target.open() {
                    Ok(out) => self.out = out,
                    Err(error) => tracing::error!(%error, "the old file goes on"),
                }
            }
        }
    }

    pub(super) fn flush(&mut self) {
        let written = self.out.write_all(&self.lines).and_then(|()| self.out.flush());
        // What could not be written is lost: nothing may grow while a disk is full. Nor stay as long as the longest lines were.
        self.lines.clear();
        self.lines.shrink_to(AT_ONCE * 2);
        self.tell(written);
    }

    fn tell(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::error!(%error, "the access log cannot be written; its lines are lost until it can");
            }
            Err(_) => {}
        }
    }
}
