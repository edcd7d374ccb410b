//! What the two processes say: JSON, one value a frame, each frame after its length (4 bytes, big endian).

use lychgate_engine::Bind;
use lychgate_ir::Transport;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// The versions that this program speaks, best first. `Hello` and `Refused`, and how frames are made, never change; all
/// else may with a new version.
pub(super) const VERSIONS: [u32; 1] = [1];

/// No frame is longer; an offer of as many sockets as there may be is shorter.
pub(super) const MAX_FRAME: usize = 1 << 20;

/// No more sockets are passed at once.
pub(super) const MAX_SOCKETS: usize = 4096;

/// Which socket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "of")]
pub(crate) enum Name {
    /// The admin port.
    Admin,
    /// A TCP socket of listeners. No address means all of them.
    Tcp { address: Option<IpAddr>, port: u16 },
    /// A UDP socket of listeners.
    Udp { address: Option<IpAddr>, port: u16 },
}

impl Name {
    /// The listeners' socket, if it is one.
    pub(crate) fn bind(self) -> Option<Bind> {
        match self {
            Self::Admin => None,
            Self::Tcp { address, port } => Some(Bind { address, port, transport: Transport::Tcp }),
            Self::Udp { address, port } => Some(Bind { address, port, transport: Transport::Udp }),
        }
    }
}

impl From<Bind> for Name {
    fn from(Bind { address, port, transport }: Bind) -> Self {
        match transport {
            Transport::Tcp => Self::Tcp { address, port },
            Transport::Udp => Self::Udp { address, port },
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bind() {
            Some(bind) => bind.fmt(f),
            None => f.write_str("the admin port"),
        }
    }
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "say")]
pub(super) enum Message {
    /// New to old: these versions are understood, by this program.
    Hello { versions: Vec<u32>, program: String },
    /// Old to new: not now, or not with you.
    Refused { why: String },
    /// Old to new: these sockets follow, in this order, and this version is spoken.
    Offer { version: u32, sockets: Vec<Name> },
    /// New to old: everything is prepared; of your sockets these will be served.
    Ready { takes: Vec<Name> },
    /// Old to new: nobody accepts any more.
    Yours,
    /// New to old: somebody does again.
    Serving,
}

/// What is wrong with a frame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// It is longer than any may be.
    #[error("a message of {0} bytes is longer than any may be")]
    TooLong(usize),
    /// It is no message.
    #[error("no message: {0}")]
    NoMessage(String),
}

impl Message {
    /// As a frame.
    pub(super) fn frame(&self) -> Result<Vec<u8>, FrameError> {
        let json = serde_json::to_vec(self).map_err(|error| FrameError::NoMessage(error.to_string()))?;
        let length = u32::try_from(json.len()).ok().filter(|_| json.len() <= MAX_FRAME);
        let length = length.ok_or(FrameError::TooLong(json.len()))?;
        Ok([&length.to_be_bytes(), &*json].concat())
    }

    /// The length of what follows.
    pub(super) fn length(head: [u8; 4]) -> Result<usize, FrameError> {
        let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
        if length <= MAX_FRAME { Ok(length) } else { Err(FrameError::TooLong(length)) }
    }

    /// From what followed the length.
    pub(super) fn parse(json: &[u8]) -> Result<Self, FrameError> {
        serde_json::from_slice(json).map_err(|error| FrameError::NoMessage(error.to_string()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_were() {
        let tcp = Name::Tcp { address: Some([127, 0, 0, 1].into()), port: 80 };
        for message in [
            Message::Hello { versions: VERSIONS.to_vec(), program: "lychgate 0.1.0".into() },
            Message::Refused { why: "no".into() },
            Message::Offer { version: 1, sockets: vec![Name::Admin, tcp, Name::Udp { address: None, port: 53 }] },
            Message::Ready { takes: vec![tcp] },
            Message::Yours,
            Message::Serving,
        ] {
            let frame = message.frame().unwrap();
            let (head, json) = frame.split_at(4);
            assert_eq!(Message::length(head.try_into().unwrap()), Ok(json.len()));
            assert_eq!(Message::parse(json), Ok(message));
        }
    }

    /// Processes of other versions rely on it.
    #[test]
    fn the_first_words_are_written_like_this() {
        let hello = Message::Hello { versions: vec![1, 2], program: "x".into() };
        assert_eq!(hello.frame().unwrap()[4..], *br#"{"say":"hello","versions":[1,2],"program":"x"}"#);
        // A newer program may say more.
        assert_eq!(Message::parse(br#"{"say":"hello","program":"x","versions":[1,2],"mood":"good"}"#), Ok(hello));
        let refused = Message::Refused { why: "x".into() };
        assert_eq!(refused.frame().unwrap()[4..], *br#"{"say":"refused","why":"x"}"#);
    }

    #[test]
    fn what_is_none_is_told() {
        assert_eq!(Message::length([0, 16, 0, 1]), Err(FrameError::TooLong(MAX_FRAME + 1)));
        assert_eq!(Message::length([255; 4]), Err(FrameError::TooLong(u32::MAX as usize)));
        for json in [
            "",
            "{",
            "null",
            "[]",
            r#"{"say":"boo"}"#,
            r#"{"say":"hello"}"#,
            r#"{"say":"offer","version":1,"sockets":[{"of":"tcp","port":65536}]}"#,
        ] {
            assert!(matches!(Message::parse(json.as_bytes()), Err(FrameError::NoMessage(_))), "{json}");
        }
        let long = Message::Refused { why: "x".repeat(MAX_FRAME) };
        assert!(matches!(long.frame(), Err(FrameError::TooLong(_))));
    }

    #[test]
    fn an_offer_of_all_there_may_be_fits() {
        let name = Name::Tcp { address: Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap()), port: 65_535 };
        let offer = Message::Offer { version: u32::MAX, sockets: vec![name; MAX_SOCKETS] };
        assert!(offer.frame().is_ok());
    }
}
