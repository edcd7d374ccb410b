//! The last config on disk, so that a data plane that starts while no control plane can be reached serves what it served.
//!
//! ```text
//! lychgate-feed 2 PRODUCT      what it is, the version of its form, who wrote it: a line
//! ...                          the state as JSON, compressed with Zstandard (RFC 8878)
//! ...                          SHA-256 of all above, 32 bytes
//! ```
//!
//! It holds private keys, so nobody else may read it (0600), and it is best put into memory: which is why it is compressed,
//! and read and written in passing. It is replaced as a whole. What is torn, of another form or of another's making counts
//! as if it were not there.

use crate::PRODUCT;
use crate::client::State;
use crate::resource::{Hash, Kind, Name};
use aws_lc_rs::digest::{Context, SHA256, digest};
use lychgate_ir::{Certificate, CertificateId, Endpoints, ListenerId, Redacted, Secret, SecretId, Snapshot};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

const FILE: &str = "config";
const FORM: &str = "lychgate-feed 2 ";
/// Names, hosts and shapes repeat from route to route: the lowest level takes nine tenths away, and little time.
const LEVEL: i32 = 1;
const SUM: usize = 32;
/// What is larger was not written by us.
const LARGEST: u64 = 1 << 30;

/// Why a file is no cache.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    /// It cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It was not written to its end, or changed since.
    #[error("it is torn")]
    Torn,
    /// It is whole, and not what we would have written.
    #[error("its content cannot be understood: {0}")]
    Content(#[from] serde_json::Error),
}

/// What is written.
#[derive(Serialize)]
struct Stored<'a> {
    snapshot: &'a Snapshot,
    /// Snapshots show none.
    keys: BTreeMap<&'a CertificateId, &'a str>,
    secrets: BTreeMap<&'a SecretId, &'a str>,
    endpoints: &'a Endpoints,
    held: Vec<(&'a str, &'a str, String)>,
    shut: &'a BTreeSet<ListenerId>,
}

/// What is read.
#[derive(Deserialize)]
struct Loaded {
    snapshot: Snapshot,
    keys: BTreeMap<CertificateId, Redacted>,
    #[serde(default)]
    secrets: BTreeMap<SecretId, Redacted>,
    endpoints: Endpoints,
    held: Vec<(String, String, String)>,
    shut: BTreeSet<ListenerId>,
}

/// Writes it in the place of the one before.
pub(crate) fn store(folder: &Path, state: &State) -> Result<(), CacheError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let (path, fresh) = (folder.join(FILE), folder.join(format!("{FILE}.new")));
    // One that a process before has left may have another mode.
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let mut out = Summed { out: BufWriter::new(file), sum: Context::new(&SHA256) };
    writeln!(out, "{FORM}{PRODUCT}")?;
    let snapshot = state.as_published();
    let snapshot: &Snapshot = &snapshot;
    let stored = Stored {
        snapshot,
        keys: state.snapshot.certificates.iter().map(|(id, it)| (id, it.key_pem.expose())).collect(),
        secrets: state.snapshot.secrets.iter().map(|(id, it)| (id, it.text.expose())).collect(),
        endpoints: &state.endpoints,
        held: state
            .held()
            .iter()
            .map(|(name, hash)| (name.kind.as_str(), &*name.name, kept(state, name, hash)))
            .collect(),
        shut: state.shut(),
    };
    // Texts come in small pieces.
    let mut text = BufWriter::new(zstd::Encoder::new(out, LEVEL)?);
    serde_json::to_writer(&mut text, &stored)?;
    let packed = text.into_inner().map_err(io::IntoInnerError::into_error)?;
    let Summed { mut out, sum } = packed.finish()?;
    out.write_all(sum.finish().as_ref())?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    // The name must not be there before the content is.
    file.sync_all()?;
    std::fs::rename(&fresh, &path)?;
    Ok(())
}

/// What was not understood is to be sent again to whoever reads this.
fn kept(state: &State, name: &Name, hash: &Hash) -> String {
    let hash = if state.rejected.contains_key(name) { &Hash::NONE } else { hash };
    hash.to_string()
}

/// Reads it, if there is one.
pub(crate) fn load(folder: &Path) -> Result<Option<State>, CacheError> {
    let mut file = match File::open(folder.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut whole = Zeroizing::new(Vec::new());
    file.read_to_end(&mut whole)?;
    let Some(product) = product(&whole) else {
        tracing::info!("the config of before is of another form");
        return Ok(None);
    };
    let (content, sum) = whole.split_last_chunk::<SUM>().ok_or(CacheError::Torn)?;
    if digest(&SHA256, content).as_ref() != sum {
        return Err(CacheError::Torn);
    }
    let packed = content.get(FORM.len() + product.len() + 1..).ok_or(CacheError::Torn)?;
    let text = BufReader::new(zstd::Decoder::new(packed)?.take(LARGEST));
    let Loaded { mut snapshot, mut keys, mut secrets, endpoints, held, shut } = serde_json::from_reader(text)?;
    for (id, certificate) in &mut snapshot.certificates {
        if let Some(key_pem) = keys.remove(id) {
            *certificate = Arc::new(Certificate { key_pem, ..Certificate::clone(certificate) });
        }
    }
    for (id, secret) in &mut snapshot.secrets {
        if let Some(text) = secrets.remove(id) {
            *secret = Arc::new(Secret { id: id.clone(), text });
        }
    }
    let name = |(kind, name, hash): (String, String, String)| {
        // Another version of us may have passed over what this one understands.
        let hash = Hash::from_hex(&hash).filter(|_| product == PRODUCT.as_bytes()).unwrap_or(Hash::NONE);
        (Name { kind: Kind::from(&*kind), name: name.into() }, hash)
    };
    Ok(Some(State::restored(snapshot, endpoints, held.into_iter().map(name).collect(), shut)))
}

/// Who wrote it, if it is of this form.
fn product(whole: &[u8]) -> Option<&[u8]> {
    let line = whole.split(|byte| *byte == b'\n').next()?;
    line.strip_prefix(FORM.as_bytes())
}

/// Writes, and sums up what it writes.
struct Summed<W> {
    out: W,
    sum: Context,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buffer)?;
        self.sum.update(&buffer[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod fuzz {
    use super::*;

    /// Whatever is in the file, with a right checksum and without: it is a state, or it is told why not.
    #[test]
    fn fuzz_cache() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        bolero::check!(name = "cache").for_each(|bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let _ = load(folder.path());
            // Torn, broken where it is compressed, and broken in what that holds.
            for packed in [bytes.to_vec(), zstd::encode_all(bytes, LEVEL).unwrap()] {
                let content = [format!("{FORM}{PRODUCT}\n").as_bytes(), &packed].concat();
                std::fs::write(&path, [&content, digest(&SHA256, &content).as_ref()].concat()).unwrap();
                let _ = load(folder.path());
            }
        });
    }
}
