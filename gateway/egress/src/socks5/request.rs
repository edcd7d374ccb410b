//! What a client wants (RFC 1928 section 4).

use super::message::{BadMessage, Read, VERSION, read, write_host};
use super::reply::Outcome;
use crate::target::Target;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is to be done.
    pub command: Command,
    /// Where.
    pub target: Target,
}

/// What is to be done. Only connecting is taken as a wish: the others open a port for somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Connect.
    Connect,
    /// Wait for a connection.
    Bind,
    /// Carry datagrams.
    UdpAssociate,
}

impl Request {
    /// Reads a request.
    pub fn read(bytes: &[u8]) -> Result<Read<Self>, BadMessage> {
        read(bytes, |reader| {
            reader.version()?;
            let command = match reader.byte()? {
                1 => Command::Connect,
                2 => Command::Bind,
                3 => Command::UdpAssociate,
                other => return Err(BadMessage::Command(other).into()),
            };
            reader.reserved()?;
            let host = reader.host()?;
            let port = reader.port()?;
            // Whoever wants datagrams carried need not know yet where it sends from.
            if port == 0 && command == Command::Connect {
                return Err(BadMessage::Port.into());
            }
            Ok(Self { command, target: Target { host, port } })
        })
    }

    /// Writes it, for a proxy before this one.
    pub fn write(&self) -> Vec<u8> {
        let Self { command, target: Target { host, port } } = self;
        let code = match command {
            Command::Connect => 1,
            Command::Bind => 2,
            Command::UdpAssociate => 3,
        };
        let mut out = vec![VERSION, code, 0];
        write_host(host, *port, &mut out);
        out
    }
}

impl BadMessage {
    /// What is replied to a request that is none.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Command(_) => Outcome::CommandNotSupported,
            Self::AddressType(_) => Outcome::AddressTypeNotSupported,
            Self::Version(_)
            | Self::LoginVersion(_)
            | Self::NoMethod
            | Self::Empty
            | Self::NotText
            | Self::Reserved
            | Self::Host(_)
            | Self::Port
            | Self::Reply(_) => Outcome::GeneralFailure,
        }
    }
}
