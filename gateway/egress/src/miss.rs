//! Why a rule does not hold.

use crate::address::AddressClass;
use serde::Serialize;
use std::fmt;

/// Why a rule does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Miss {
    /// What it allows is for sources that are known.
    UnknownSource,
    /// Another port.
    Port,
    /// Another protocol.
    Protocol,
    /// Another method.
    Method,
    /// Another path.
    Path,
    /// Not now.
    Window,
    /// It is by name, and nothing was named.
    NoName,
    /// It allows by address, and a name was asked for, which is not resolved for its sake.
    CalledByName,
    /// The address is none of its own.
    Outside,
    /// The address is not public, and the rule does not name it.
    NotPublic(AddressClass),
    /// TLS without a server name.
    MissingSni,
    /// TLS with an encrypted ClientHello.
    EncryptedClientHello,
    /// TLS with another server name.
    OtherSni,
    /// HTTP with another Host, or none.
    OtherHost,
    /// DNS does not lead from the name to the address.
    UnverifiedName,
    /// It is not known yet what is spoken.
    NotYet,
}

impl Miss {
    /// Whether the rule was meant, and only certainty is missing.
    pub(crate) fn is_of_certainty(self) -> bool {
        match self {
            Self::Outside
            | Self::NotPublic(_)
            | Self::MissingSni
            | Self::EncryptedClientHello
            | Self::OtherSni
            | Self::OtherHost
            | Self::UnverifiedName => true,
            Self::UnknownSource
            | Self::Port
            | Self::Protocol
            | Self::Method
            | Self::Path
            | Self::Window
            | Self::NoName
            | Self::CalledByName
            | Self::NotYet => false,
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownSource => "it is not known who asks",
            Self::Port => "the rule is for another port",
            Self::Protocol => "the rule is for another protocol",
            Self::Method => "the rule is for another method",
            Self::Path => "the rule is for another path",
            Self::Window => "the rule is for another time",
            Self::NoName => "the rule is by name, and no name was given",
            Self::CalledByName => "the rule is by address, and a name was given",
            Self::Outside => "the address is not one that is allowed for this name",
            Self::NotPublic(class) => return write!(f, "the address is not public ({class})"),
            Self::MissingSni => "TLS without a server name (SNI): send one",
            Self::EncryptedClientHello => "TLS with an encrypted ClientHello (ECH): turn it off",
            Self::OtherSni => "TLS names another server (SNI) than the one that was asked for",
            Self::OtherHost => "the Host is not the server that was asked for",
            Self::UnverifiedName => "DNS does not lead from this name to this address",
            Self::NotYet => "it is not known what is spoken",
        })
    }
}
