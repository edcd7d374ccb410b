//! How a line is written: into a buffer that is there already, and nothing is made on the way.

use super::entry::{AccessEntry, Value};
use super::field::Field;
use std::io::Write;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The form of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessFormat {
    /// A JSON object.
    Json,
    /// `name=value`, separated by spaces; values with spaces or quotes are quoted, `-` is none.
    Text,
}

impl AccessFormat {
    /// Writes a line, with its end.
    pub(super) fn write(self, entry: &AccessEntry, fields: &[Field], out: &mut Vec<u8>) {
        match self {
            Self::Json => {
                for (number, field) in fields.iter().enumerate() {
                    out.extend_from_slice(if number == 0 { b"{\"" } else { b",\"" });
                    // Names need no escapes.
                    out.extend_from_slice(field.name().as_bytes());
                    out.extend_from_slice(b"\":");
                    json(entry.field(*field), out);
                }
                out.extend_from_slice(b"}\n");
            }
            Self::Text => {
                for (number, field) in fields.iter().enumerate() {
                    if number > 0 {
                        out.push(b' ');
                    }
                    out.extend_from_slice(field.name().as_bytes());
                    out.push(b'=');
                    text(entry.field(*field), out);
                }
                out.push(b'\n');
            }
        }
    }
}

fn json(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::None => out.extend_from_slice(b"null"),
        Value::Text(text) => quoted(text, out),
        Value::Number(number) => digits(number, out),
        Value::Took(took) => millis(took, out),
        Value::Moment(_) | Value::Address(_) | Value::Trace(_) => {
            out.push(b'"');
            plain(value, out);
            out.push(b'"');
        }
    }
}

fn text(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::None => out.push(b'-'),
        Value::Text(text) if is_plain(text) => out.extend_from_slice(text.as_bytes()),
        Value::Text(text) => quoted(text, out),
        Value::Number(number) => digits(number, out),
        Value::Took(took) => millis(took, out),
        Value::Moment(_) | Value::Address(_) | Value::Trace(_) => plain(value, out),
    }
}

/// What has nothing in it that could be taken for a quote or an end. Writing into memory cannot fail.
fn plain(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        // A time that has no such form is one that no clock shows.
        Value::Moment(moment) => drop(OffsetDateTime::from(moment).format_into(out, &Rfc3339)),
        Value::Address(address) => drop(write!(out, "{address}")),
        Value::Trace(trace) => drop(write!(out, "{}", trace.trace_id())),
        Value::None | Value::Text(_) | Value::Number(_) | Value::Took(_) => {}
    }
}

fn quoted(text: &str, out: &mut Vec<u8>) {
    // Into memory it cannot fail.
    let _ = serde_json::to_writer(out, text);
}

fn digits(number: u64, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, &number);
}

/// As milliseconds, to the microsecond.
fn millis(took: Duration, out: &mut Vec<u8>) {
    let micros = took.as_nanos().saturating_add(500) / 1_000;
    digits(u64::try_from(micros / 1_000).unwrap_or(u64::MAX), out);
    let rest = (micros % 1_000) as u16;
    // At least one place, so that it is read as what it is.
    let places = match rest {
        _ if rest.is_multiple_of(100) => 1,
        _ if rest.is_multiple_of(10) => 2,
        _ => 3,
    };
    out.push(b'.');
    out.extend([rest / 100, rest / 10 % 10, rest % 10].iter().take(places).map(|digit| b'0' + *digit as u8));
}

/// Whether text needs no quotes: what a client sent must not be able to write fields or lines of its own.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text != "-" && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::{Duration, millis};

    #[test]
    fn times_are_milliseconds_to_the_microsecond() {
        for (nanos, written) in [
            (0, "0.0"),
            (499, "0.0"),
            (500, "0.001"),
            (21_000, "0.021"),
            (1_500_000, "1.5"),
            (2_000_000, "2.0"),
            (12_340_000, "12.34"),
            (124_953_998_400, "124953.998"),
        ] {
            let mut out = Vec::new();
            millis(Duration::from_nanos(nanos), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), written);
        }
    }
}
