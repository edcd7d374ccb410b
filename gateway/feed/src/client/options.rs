//! How to follow a feed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How to follow a feed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the control plane is.
    pub control: Control,
    /// The file with the token of the ServiceAccount. It is read at each use, because the kubelet writes a new one in time.
    pub token_file: PathBuf,
    /// The file with the authorities of the control plane, PEM. It is read at each connection.
    pub trust_bundle: PathBuf,
    /// The folder that keeps the last config, for a start while no control plane can be reached; `None` keeps none.
    pub cache: Option<PathBuf>,
    /// What this process is called among those of its data plane: the name of its pod.
    pub instance: String,
    /// The node that it runs on.
    pub node: String,
    /// How long to wait.
    pub pace: Pace,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Before the second try; twice as long before each next one, and each time a random part of it.
    pub first: Duration,
    /// Never longer than this before a try.
    pub longest: Duration,
    /// For a connection, and for each answer in setting one up.
    pub patience: Duration,
    /// Between two writes of the cache.
    pub cache: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(15),
            patience: Duration::from_secs(10),
            cache: Duration::from_secs(5),
        }
    }
}

/// Where a control plane is: `https://HOST[:PORT]`, port 9910 if none is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The name, which its certificate must have.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Why a text is no place of a control plane.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of a control plane; wanted: https://HOST[:PORT]")]
pub struct NotAControl(String);

impl FromStr for Control {
    type Err = NotAControl;

    fn from_str(text: &str) -> Result<Self, NotAControl> {
        let parse = || {
            let uri: http::Uri = text.parse().ok()?;
            let plain = uri.scheme_str() == Some("https") && matches!(uri.path(), "" | "/") && uri.query().is_none();
            let authority = uri.authority().filter(|authority| plain && !authority.as_str().contains('@'))?;
            let host = authority.host().trim_start_matches('[').trim_end_matches(']');
            Some(Self { host: host.to_owned(), port: authority.port_u16().unwrap_or(9910) })
        };
        parse().ok_or_else(|| NotAControl(text.to_owned()))
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "https://[{host}]:{port}") } else { write!(f, "https://{host}:{port}") }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_control_plane_has_a_name_and_a_port() {
        for (text, shown) in [
            ("https://lychgate-control.lychgate-system.svc", "https://lychgate-control.lychgate-system.svc:9910"),
            ("https://127.0.0.1:1234/", "https://127.0.0.1:1234"),
            ("https://[::1]:1234", "https://[::1]:1234"),
        ] {
            assert_eq!(text.parse::<Control>().unwrap().to_string(), shown);
        }
        for text in ["", "lychgate-control:9910", "http://a:9910", "https://a/b", "https://u@a", "https://a?b"] {
            assert!(text.parse::<Control>().is_err(), "{text}");
        }
    }
}
