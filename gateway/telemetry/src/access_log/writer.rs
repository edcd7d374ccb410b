//! The thread that writes.

use super::Message;
use super::entry::AccessFormat;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Where lines go.
pub(super) enum Lines {
    Stdout,
    File(PathBuf),
}

pub(super) struct Writer {
    target: Lines,
    format: AccessFormat,
    fields: Vec<String>,
    out: BufWriter<Out>,
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
    fn open(&self) -> io::Result<BufWriter<Out>> {
        let out = match self {
            Self::Stdout => Out::Stdout(io::stdout()),
            Self::File(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
                    io::Error::new(error.kind(), format!("the access log {} cannot be opened: {error}", path.display()))
                })?;
                Out::File(file)
            }
        };
        Ok(BufWriter::with_capacity(64 * 1024, out))
    }
}

impl Writer {
    pub(super) fn open(target: Lines, format: AccessFormat, fields: Vec<String>) -> io::Result<Self> {
        Ok(Self { out: target.open()?, target, format, fields, failing: false })
    }

    pub(super) fn take(&mut self, message: Message) {
        match message {
            Message::Entry(entry) => {
                let mut line = entry.line(self.format, self.fields.iter().map(String::as_str));
                line.push('\n');
                let written = self.out.write_all(line.as_bytes());
                self.tell(written);
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
        let flushed = self.out.flush();
        self.tell(flushed);
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
