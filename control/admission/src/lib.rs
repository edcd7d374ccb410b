//! Text to admitted objects, as an API server would admit them.
//!
//! **Owns** reading YAML and JSON with positions, the embedded CRDs of Gateway API v1.7.0 (experimental channel),
//! defaulting and validation by them (structural schema and CEL rules), and errors that people can act on:
//! `file:line:column: kind/namespace/name: path: what; what to do`.
//!
//! **Refuses** to follow references between objects (that is translation), to watch anything (that is the gateway), and
//! to change what an object means: what comes out is what `kubectl apply --validate=strict` would have stored.
//!
//! ```text
//! directory ──read_dir──> files ──read_text──> documents ──> objects ──admit──> Admitted { objects, refused, … }
//!                                  yaml           List        schema: unknown fields, defaults, validation
//!                                                             rules: CEL
//! ```
//!
//! One bad object harms itself alone: it is [`Refused`] under its name, so that a reader can keep the last good version.

mod admit;
mod check;
mod crds;
mod diagnostic;
mod dir;
mod path;
mod read;
mod regexes;
mod rules;
mod schema;
mod similar;
#[cfg(test)]
mod tests;
mod yaml;

pub use admit::{Violation, admit};
pub use diagnostic::{Diagnostic, ObjectName, Position, Severity};
pub use dir::{MAX_FILE_BYTES, ReadError};
pub use path::{FieldPath, Segment};
pub use read::{Admitted, AdmittedObject, Gone, Reader, Reading, Refused, Unread, read_dir, read_text};
