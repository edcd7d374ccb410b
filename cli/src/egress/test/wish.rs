//! What is asked about.

use http::Method;
use lychgate_egress::target::{AbsoluteTarget, Target, TargetHost};
use lychgate_egress::{Ask, Called, Hello, HttpAsk, ServerName, Spoken};
use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::egress) struct Wish {
    text: String,
    pub(super) target: Target,
    pub(super) speaks: Speaks,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Http { path: String },
    Https { path: String },
    Tcp,
    Dns,
}

impl FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WANTS: &str = "wants https://HOST/PATH, http://HOST/PATH, tcp://HOST:PORT or dns://HOST";
        let (scheme, rest) = text.split_once("://").ok_or(WANTS)?;
        let (target, speaks) = match scheme {
            "http" | "https" => {
                let AbsoluteTarget { is_https, target, path_and_query } =
                    AbsoluteTarget::parse(text).map_err(|error| error.to_string())?;
                let path = path_and_query.split('?').next().unwrap_or("/").to_owned();
                (target, if is_https { Speaks::Https { path } } else { Speaks::Http { path } })
            }
            "tcp" => (Target::of_connect(rest).map_err(|error| error.to_string())?, Speaks::Tcp),
            "dns" => {
                let target = Target::of_host(rest, 53).map_err(|error| error.to_string())?;
                match target.host {
                    TargetHost::Name(_) => (target, Speaks::Dns),
                    TargetHost::Address(_) => return Err("an address needs no question to DNS".to_owned()),
                }
            }
            _ => return Err(WANTS.to_owned()),
        };
        Ok(Self { text: text.to_owned(), target, speaks })
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Wish {
    /// As a client speaks that knows nothing of the gate.
    pub(super) fn ask<'a>(&'a self, method: &'a Method) -> Ask<'a> {
        let spoken = match &self.speaks {
            Speaks::Tcp => Spoken::Tcp,
            Speaks::Dns => Spoken::Dns,
            Speaks::Https { path: _ } => Spoken::Tls(self.hello()),
            Speaks::Http { path } => Spoken::Http(self.request(method, path, None)),
        };
        self.speaking(spoken)
    }

    /// The request inside TLS, for rules that look into it.
    pub(super) fn inside<'a>(&'a self, method: &'a Method) -> Option<Ask<'a>> {
        match &self.speaks {
            Speaks::Https { path } => Some(self.speaking(Spoken::Http(self.request(method, path, Some(self.hello()))))),
            Speaks::Http { path: _ } | Speaks::Tcp | Speaks::Dns => None,
        }
    }

    fn speaking<'a>(&'a self, spoken: Spoken<'a>) -> Ask<'a> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ask {
            called: self.called(),
            port: self.target.port,
            spoken,
            unix_seconds: i64::try_from(now).unwrap_or(i64::MAX),
            // What is in shadow for a part is in shadow.
            draw: 0,
        }
    }

    fn called(&self) -> Called<'_> {
        match &self.target.host {
            TargetHost::Name(name) => Called::Name(name),
            TargetHost::Address(address) => Called::Address(*address),
        }
    }

    fn hello(&self) -> Hello<'_> {
        let server_name = match &self.target.host {
            TargetHost::Name(name) => ServerName::Name(name),
            // Clients send no server name for addresses.
            TargetHost::Address(_) => ServerName::Missing,
        };
        Hello { server_name, encrypted: false }
    }

    fn request<'a>(&'a self, method: &'a Method, path: &'a str, tls: Option<Hello<'a>>) -> HttpAsk<'a> {
        HttpAsk { host: Some(self.called()), method, path, tls }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_urls() {
        for (text, target, speaks) in [
            ("https://api.example/v1?a=b", "api.example:443", Speaks::Https { path: "/v1".to_owned() }),
            ("http://api.example:8080", "api.example:8080", Speaks::Http { path: "/".to_owned() }),
            ("tcp://10.0.0.1:5432", "10.0.0.1:5432", Speaks::Tcp),
            ("dns://api.example", "api.example:53", Speaks::Dns),
        ] {
            let wish: Wish = text.parse().unwrap();
            assert_eq!((wish.target.to_string().as_str(), wish.speaks), (target, speaks), "{text}");
        }
        for bad in ["api.example", "ftp://api.example", "tcp://api.example", "dns://10.0.0.1", "https://"] {
            assert!(bad.parse::<Wish>().is_err(), "{bad}");
        }
    }
}
