//! Audit logs, read and verified.

use crate::audit::read_key;
use crate::terminal::complain;
use anyhow::Context;
use clap::Args;
use lychgate_audit::{Record, RecordPhase, Timestamp, VerifyOptions, VerifyingKey, read};
use std::path::PathBuf;
use std::str::FromStr;

/// Which logs.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogArgs {
    /// The directory of an audit log; several, where there are several replicas.
    #[arg(value_name = "AUDIT_DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// The public key that signs, in PEM; may repeat. Without one, each segment is held to the key that it names itself.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// The first segment that has to be there, where older ones were taken away on purpose.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    first: u64,
}

impl LogArgs {
    /// Reads all records. What is not whole is an error: nothing that was made of it is to be believed.
    pub(crate) fn read(&self, each: &mut dyn FnMut(Record)) -> anyhow::Result<()> {
        let Self { dirs, keys, first } = self;
        let keys: Vec<VerifyingKey> = keys.iter().map(|path| read_key(path)).collect::<Result<_, _>>()?;
        for dir in dirs {
            let options = VerifyOptions { keys: keys.clone(), first: Some(*first), contains: None };
            // What begins is told again when it ends.
            let mut ended = |record: Record| {
                if record.phase == RecordPhase::Ended {
                    each(record);
                }
            };
            let report = read(dir, &options, &mut ended)
                .with_context(|| "the audit log is not whole, so nothing is made of it; see `lychgate audit verify`")?;
            if report.dropped > 0 {
                let dir = dir.display();
                complain(&format!(
                    "{dir}: {} records were dropped when they came, and are not counted\n",
                    report.dropped
                ));
            }
        }
        Ok(())
    }
}

/// A time, or how long ago: `2026-11-26T10:00:00Z`, `36h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since(pub(crate) Timestamp);

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WANTS: &str = "wants a time (2026-11-26T10:00:00Z) or how long ago (30m, 36h, 7d)";
        let ago = |unit: char, minutes: i64| {
            let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|count| (0..1_000_000).contains(count))?;
            Some(Timestamp::from_unix_millis(Timestamp::now().unix_millis() - count * minutes * 60_000))
        };
        if let Some(since) = ago('m', 1).or_else(|| ago('h', 60)).or_else(|| ago('d', 24 * 60)) {
            return Ok(Self(since));
        }
        let time = serde_json::from_value(serde_json::Value::String(text.to_owned()));
        time.map(Self).map_err(|_| WANTS.to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_are_times_or_how_long_ago() {
        let Since(time) = "2026-11-26T10:00:00Z".parse().unwrap();
        assert_eq!(time.unix_millis(), 1_795_687_200_000);
        let Since(day) = "1d".parse().unwrap();
        let Since(hours) = "25h".parse().unwrap();
        assert!(hours < day && day < Timestamp::now());
        for bad in ["", "yesterday", "d", "-1d", "1w"] {
            assert!(bad.parse::<Since>().is_err(), "{bad}");
        }
    }
}
