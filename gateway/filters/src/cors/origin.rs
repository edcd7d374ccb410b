//! Who may ask (RFC 6454; Fetch, "`Origin` header").

use crate::Scheme;
use crate::authority::Authority;
use http::HeaderValue;
use lychgate_ir::filter::CorsOrigin;

/// The allowed origins.
#[derive(Debug)]
pub(super) enum Origins {
    /// Everyone, without credentials: the answer is the same for all, also for those who do not ask.
    Open,
    /// Everyone, by name.
    Any,
    /// Those that fit a pattern.
    Listed(Box<[Pattern]>),
}

#[derive(Debug)]
pub(super) struct Pattern {
    scheme: Scheme,
    host: Host,
    port: u16,
}

#[derive(Debug)]
enum Host {
    /// `*` alone.
    Any,
    /// Compared as a whole.
    Exact(Box<str>),
    /// Starts with `.`: one label or more before it.
    Below(Box<str>),
}

impl Origins {
    /// Fails with the origin that is none.
    pub(super) fn compile(origins: &[CorsOrigin], credentials: bool) -> Result<Self, String> {
        let mut patterns = Vec::with_capacity(origins.len());
        for origin in origins {
            match origin {
                CorsOrigin::Any if credentials => return Ok(Self::Any),
                CorsOrigin::Any => return Ok(Self::Open),
                CorsOrigin::Exact(text) => {
                    let origin = Origin::parse(text).ok_or_else(|| text.to_string())?;
                    patterns.push(origin.pattern(|host| Host::Exact(host.into())));
                }
                CorsOrigin::Wildcard { scheme, suffix } => {
                    // With a label in place of the star, the pattern is an origin like others.
                    let text = format!("{scheme}x{suffix}");
                    let origin = Origin::parse(&text).ok_or_else(|| format!("{scheme}*{suffix}"))?;
                    patterns.push(origin.pattern(|host| match host.get(1..) {
                        Some("") | None => Host::Any,
                        Some(suffix) => Host::Below(suffix.into()),
                    }));
                }
            }
        }
        Ok(Self::Listed(patterns.into()))
    }

    /// The value of `Access-Control-Allow-Origin` for a request.
    pub(super) fn allow(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        match self {
            Self::Open => Some(HeaderValue::from_static("*")),
            Self::Any => origin.cloned(),
            Self::Listed(patterns) => {
                let value = origin?;
                let origin = Origin::parse(value.to_str().ok()?)?;
                patterns.iter().any(|pattern| pattern.fits(&origin)).then(|| value.clone())
            }
        }
    }

    /// Whether answers differ by origin.
    pub(super) fn vary(&self) -> bool {
        match self {
            Self::Open => false,
            Self::Any | Self::Listed(_) => true,
        }
    }
}

impl Pattern {
    fn fits(&self, origin: &Origin<'_>) -> bool {
        self.scheme == origin.scheme
            && self.port == origin.port
            && match &self.host {
                Host::Any => true,
                Host::Exact(host) => origin.host.eq_ignore_ascii_case(host),
                Host::Below(suffix) => {
                    let labels = origin.host.len().checked_sub(suffix.len());
                    let end = labels.filter(|&at| at > 0).and_then(|at| origin.host.get(at..));
                    end.is_some_and(|end| end.eq_ignore_ascii_case(suffix))
                }
            }
    }
}

/// An origin of the web. Others (`null`, extensions of browsers) are covered by `*` alone.
struct Origin<'a> {
    scheme: Scheme,
    host: &'a str,
    port: u16,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = [Scheme::Http, Scheme::Https].into_iter().find(|s| s.as_str().eq_ignore_ascii_case(scheme))?;
        let Authority { host, port } = Authority::parse(rest)?;
        Some(Self { scheme, host, port: port.unwrap_or(scheme.well_known_port()) })
    }

    fn pattern(&self, host: impl FnOnce(&str) -> Host) -> Pattern {
        let Self { scheme, host: text, port } = self;
        Pattern { scheme: *scheme, host: host(text), port: *port }
    }
}
