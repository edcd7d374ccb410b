//! The messages, as protobuf has them. gRPC carries them: `/lychgate.feed.v1.Feed/Follow`, a stream both ways,
//! `/lychgate.feed.v1.Enrollment/Enroll`, and between replicas of the control plane `/lychgate.feed.v1.Relay/Report`, another
//! stream both ways.
//!
//! Numbers of fields are for ever: what is not used any more is left out and its number not given again.

pub(crate) mod relay;

use bytes::Bytes;
use prost::{Message, Oneof};
use std::fmt;

pub(crate) const FOLLOW: &str = "/lychgate.feed.v1.Feed/Follow";
pub(crate) const ENROLL: &str = "/lychgate.feed.v1.Enrollment/Enroll";
pub(crate) const REPORT: &str = "/lychgate.feed.v1.Relay/Report";

/// The longest message of a client.
pub(crate) const LONGEST_UP: usize = 8 << 20;
/// The longest message of a server: a part of an update is about [`PART`], but a single resource is not divided.
pub(crate) const LONGEST_DOWN: usize = 64 << 20;
/// About how much of an update travels in one message.
pub(crate) const PART: usize = 512 << 10;
/// How much of an inventory travels in one message.
pub(crate) const INVENTORY: usize = 20_000;

/// From a data plane.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Up {
    #[prost(oneof = "Said", tags = "1, 2, 3")]
    pub(crate) said: Option<Said>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Said {
    #[prost(message, tag = "1")]
    Hello(Hello),
    #[prost(message, tag = "2")]
    Inventory(Inventory),
    #[prost(message, tag = "3")]
    Ack(Ack),
}

/// The first thing that is said. Who it is, the certificate tells.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Hello {
    /// One pod of a data plane has one name.
    #[prost(string, tag = "1")]
    pub(crate) instance: String,
    #[prost(string, tag = "2")]
    pub(crate) node: String,
    #[prost(uint32, tag = "3")]
    pub(crate) protocol: u32,
    #[prost(string, tag = "4")]
    pub(crate) product: String,
    /// Of all that it has; empty if it has nothing.
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) digest: Bytes,
    /// Grows with each stream of the instance, whichever replica it goes to; 0 from programs that do not count.
    #[prost(uint64, tag = "6")]
    pub(crate) session: u64,
}

/// What it has, by name and hash: the answer to an inquiry, in parts.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Inventory {
    #[prost(message, repeated, tag = "1")]
    pub(crate) held: Vec<Held>,
    #[prost(bool, tag = "2")]
    pub(crate) last: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Held {
    #[prost(string, tag = "1")]
    pub(crate) kind: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) hash: Bytes,
}

/// What became of a version. Said again when it changes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Ack {
    #[prost(uint64, tag = "1")]
    pub(crate) version: u64,
    #[prost(message, repeated, tag = "2")]
    pub(crate) rejected: Vec<Rejection>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) unbound: Vec<Unbound>,
    #[prost(uint32, tag = "4")]
    pub(crate) more: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Rejection {
    #[prost(bool, tag = "1")]
    pub(crate) is_rule: bool,
    #[prost(string, tag = "2")]
    pub(crate) what: String,
    #[prost(string, tag = "3")]
    pub(crate) why: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Unbound {
    #[prost(string, optional, tag = "1")]
    pub(crate) address: Option<String>,
    #[prost(uint32, tag = "2")]
    pub(crate) port: u32,
    #[prost(bool, tag = "3")]
    pub(crate) udp: bool,
    #[prost(string, tag = "4")]
    pub(crate) why: String,
}

/// From the control plane.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Down {
    #[prost(oneof = "Told", tags = "1, 2")]
    pub(crate) told: Option<Told>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Told {
    #[prost(message, tag = "1")]
    Update(Update),
    #[prost(message, tag = "2")]
    Inquiry(Inquiry),
}

/// What is your inventory?
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Inquiry {}

/// What is new since what the client has. Applied when the last part is there.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Update {
    #[prost(uint64, tag = "1")]
    pub(crate) version: u64,
    /// Of all that the client has when it is applied.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) digest: Bytes,
    #[prost(message, repeated, tag = "3")]
    pub(crate) changed: Vec<Resource>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) removed: Vec<Name>,
    #[prost(bool, tag = "5")]
    pub(crate) last: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Name {
    #[prost(string, tag = "1")]
    pub(crate) kind: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct Resource {
    #[prost(string, tag = "1")]
    pub(crate) kind: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) hash: Bytes,
    /// JSON, as dumps write it; keys of certificates as they are.
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) payload: Bytes,
    #[prost(message, repeated, tag = "5")]
    pub(crate) needs: Vec<Need>,
}

/// What must be understood, or the rule (or all of the resource) fails closed.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Need {
    #[prost(string, tag = "1")]
    pub(crate) feature: String,
    /// The position of the rule; all of the resource if there is none.
    #[prost(uint32, optional, tag = "2")]
    pub(crate) rule: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct EnrollRequest {
    /// Of the ServiceAccount.
    #[prost(string, tag = "1")]
    pub(crate) token: String,
    /// PKCS #10, DER.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) csr: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct EnrollReply {
    /// PEM, leaf first.
    #[prost(string, tag = "1")]
    pub(crate) chain: String,
    /// PEM: whom to believe.
    #[prost(string, tag = "2")]
    pub(crate) roots: String,
    /// Seconds since 1970.
    #[prost(int64, tag = "3")]
    pub(crate) not_after: i64,
}

/// Its text may hold a private key.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {} bytes", self.kind, self.name, self.payload.len())
    }
}

/// It holds a token.
impl fmt::Debug for EnrollRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrollRequest([redacted])")
    }
}
