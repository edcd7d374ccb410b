//! The chain, line after line.

use super::{Damage, Finding, Report};
use crate::Record;
use crate::chain::Digest;
use crate::key::VerifyingKey;
use crate::line::{After, Found, Line, Open, Signed, Statement, Written};
use crate::segment::{self, Lines, Piece};
use std::io;
use std::path::Path;

/// What is known after the lines that were read.
pub(super) struct Walk<'o> {
    /// Hears of each record.
    each: Option<&'o mut dyn FnMut(Record)>,
    keys: &'o [VerifyingKey],
    contains: Option<&'o Digest>,
    /// The first line's predecessor is not here.
    pub(super) trusts_beginning: bool,
    pub(super) prev: Digest,
    pub(super) seq: u64,
    /// How the segment before ended.
    pub(super) after: Option<After>,
    pub(super) report: Report,
}

impl<'o> Walk<'o> {
    pub(super) fn new(
        keys: &'o [VerifyingKey],
        contains: Option<&'o Digest>,
        each: Option<&'o mut dyn FnMut(Record)>,
    ) -> Self {
        Self {
            each,
            keys,
            contains,
            trusts_beginning: false,
            prev: Digest::default(),
            seq: 0,
            after: None,
            report: Report::default(),
        }
    }

    pub(super) fn segment(&mut self, dir: &Path, number: u64) -> Result<(), Damage> {
        let path = segment::path(dir, number);
        let at = |line, finding| Damage { path: path.clone(), line, finding };
        let unreadable = |line| move |error: io::Error| (line, Finding::Unreadable(error.to_string()));
        let tell = |(line, finding)| at(line, finding);
        let mut lines = Lines::open(&path).map_err(unreadable(0)).map_err(tell)?;
        let mut key = None;
        let mut closed = false;
        for line in 1.. {
            let bytes = match lines.next().map_err(unreadable(line)).map_err(tell)? {
                Piece::Line(bytes) => bytes,
                Piece::TooLong => return Err(at(line, Finding::NoLine("it is too long".to_owned()))),
                Piece::Torn(_) if closed => return Err(at(line, Finding::AfterTheEnd)),
                Piece::Torn(torn) => return self.unfinished(number, torn),
                Piece::End if closed => break,
                Piece::End => return self.unfinished(number, 0),
            };
            if closed {
                return Err(at(line, Finding::AfterTheEnd));
            }
            closed = self.line(number, &bytes, &mut key).map_err(|finding| at(line, finding))?;
        }
        self.after = Some(After { closed: true, torn: 0 });
        Ok(())
    }

    fn unfinished(&mut self, number: u64, torn: u64) -> Result<(), Damage> {
        self.report.unfinished.push((number, torn));
        self.after = Some(After { closed: false, torn });
        Ok(())
    }

    /// Takes a line; says whether it is the end of the segment.
    fn line(&mut self, segment: u64, bytes: &[u8], key: &mut Option<VerifyingKey>) -> Result<bool, Finding> {
        let Line { seq, prev, body } =
            serde_json::from_slice::<Line<Found>>(bytes).map_err(|error| Finding::NoLine(error.to_string()))?;
        if self.trusts_beginning && self.report.lines == 0 {
            (self.prev, self.seq) = (prev, seq);
        }
        if prev != self.prev || seq != self.seq {
            return Err(Finding::Broken);
        }
        let mut is_end = false;
        let mut is_signed = false;
        // What has a meaning to us has one form only, so that the last line, which no other follows, cannot be changed.
        let form = match (&body, &*key) {
            (Found::Open(open), None) => {
                *key = Some(self.head(segment, open)?);
                Some(Written::Open(open))
            }
            (Found::Open(_), Some(_)) | (_, None) => return Err(Finding::NoHead),
            (Found::Record {}, Some(_)) => {
                self.report.records += 1;
                if let Some(each) = &mut self.each {
                    let Line { seq: _, prev: _, body } = serde_json::from_slice::<Line<Record>>(bytes)
                        .map_err(|error| Finding::NoLine(error.to_string()))?;
                    each(body);
                }
                None
            }
            (Found::Dropped(dropped), Some(_)) => {
                self.report.dropped += dropped.count;
                Some(Written::Dropped(*dropped))
            }
            (Found::Seal(signed), Some(key)) => {
                self.signed(segment, false, signed, key)?;
                is_signed = true;
                Some(Written::Seal(signed.clone()))
            }
            (Found::Close(signed), Some(key)) => {
                self.signed(segment, true, signed, key)?;
                (is_signed, is_end) = (true, true);
                Some(Written::Close(signed.clone()))
            }
        };
        if let Some(body) = form {
            let form =
                serde_json::to_vec(&Line { seq, prev, body }).map_err(|error| Finding::NoLine(error.to_string()))?;
            if form != bytes {
                return Err(Finding::NoLine("it is not in the form in which it was written".to_owned()));
            }
        }
        self.prev = Digest::of(bytes);
        self.seq += 1;
        self.report.lines += 1;
        self.report.unsigned = if is_signed { 0 } else { self.report.unsigned + 1 };
        if self.contains == Some(&self.prev) {
            self.contains = None;
        }
        Ok(is_end)
    }

    fn head(&mut self, number: u64, open: &Open) -> Result<VerifyingKey, Finding> {
        let Open { format: _, segment, time: _, key: id, public_key, after } = open;
        if *segment != number {
            return Err(Finding::NoHead);
        }
        let found = self.after;
        if *after != found && !(self.trusts_beginning && self.report.lines == 0) {
            return Err(Finding::OtherEnd);
        }
        let key = VerifyingKey::from_base64(public_key).filter(|key| key.id() == *id);
        let key = key.ok_or_else(|| Finding::NoLine("its key is none".to_owned()))?;
        if !self.keys.is_empty() && !self.keys.contains(&key) {
            return Err(Finding::UnknownKey(key.id()));
        }
        self.report.keys.insert(key.id());
        Ok(key)
    }

    fn signed(&self, segment: u64, is_close: bool, signed: &Signed, key: &VerifyingKey) -> Result<(), Finding> {
        let Signed { time, signature } = signed;
        let statement = Statement { is_close, segment, seq: self.seq, prev: self.prev, time: *time };
        if statement.is_signed_by(key, signature) { Ok(()) } else { Err(Finding::BadSignature) }
    }

    pub(super) fn report(self, dir: &Path, first: u64, last: u64) -> Result<Report, Damage> {
        if let Some(digest) = self.contains {
            return Err(Damage { path: dir.to_owned(), line: 0, finding: Finding::Lacks(*digest) });
        }
        Ok(Report { segments: Some((first, last)), end: self.prev, ..self.report })
    }
}
