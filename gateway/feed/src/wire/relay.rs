//! What replicas of the control plane tell the one that leads: who follows them, and what each said.

use super::Ack;
use bytes::Bytes;
use prost::{Message, Oneof};

/// From a replica.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Up {
    #[prost(oneof = "Said", tags = "1, 2, 3, 4")]
    pub(crate) said: Option<Said>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Said {
    #[prost(message, tag = "1")]
    Hello(Hello),
    #[prost(message, tag = "2")]
    Here(Here),
    #[prost(message, tag = "3")]
    Gone(Name),
    #[prost(message, tag = "4")]
    Whole(Whole),
}

/// The first thing that is said.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Hello {
    /// Which replica it is.
    #[prost(string, tag = "1")]
    pub(crate) replica: String,
    #[prost(uint32, tag = "2")]
    pub(crate) protocol: u32,
    #[prost(string, tag = "3")]
    pub(crate) product: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Name {
    #[prost(string, tag = "1")]
    pub(crate) namespace: String,
    #[prost(string, tag = "2")]
    pub(crate) group: String,
    #[prost(string, tag = "3")]
    pub(crate) instance: String,
}

/// A data plane that follows the replica. Said again when something of it changes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Here {
    #[prost(message, optional, tag = "1")]
    pub(crate) name: Option<Name>,
    #[prost(string, tag = "2")]
    pub(crate) node: String,
    #[prost(string, tag = "3")]
    pub(crate) product: String,
    /// Since when, in milliseconds since 1970.
    #[prost(uint64, tag = "4")]
    pub(crate) since: u64,
    /// When its certificate ends, in milliseconds since 1970.
    #[prost(uint64, tag = "5")]
    pub(crate) not_after: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) session: u64,
    /// Its version is a number of the replica that it was said to.
    #[prost(message, optional, tag = "7")]
    pub(crate) acknowledged: Option<Ack>,
    /// Of the listeners that it acknowledged; empty where nobody knows.
    #[prost(bytes = "bytes", tag = "8")]
    pub(crate) listeners: Bytes,
}

/// All that follow were told of.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Whole {}

/// From the replica that leads.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Down {
    #[prost(oneof = "Told", tags = "1")]
    pub(crate) told: Option<Told>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum Told {
    #[prost(message, tag = "1")]
    Noted(Noted),
}

/// The whole was taken note of.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Noted {
    #[prost(uint32, tag = "1")]
    pub(crate) clients: u32,
}
