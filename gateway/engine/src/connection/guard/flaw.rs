//! What a client did that is not let in.

use lychgate_telemetry::Reason;

/// Why a connection goes no further. One word for each limit, so that each is a metric and a reason in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The head of a request cannot be read in one way only (RFC 9112 sections 2.2, 3 and 5).
    Head(&'static str),
    /// Where the body ends cannot be told in one way only (RFC 9112 sections 6 and 7, RFC 9110 section 8.6).
    Framing(&'static str),
    /// Neither HTTP/1.0 nor HTTP/1.1 (RFC 9110 section 15.6.6).
    Version,
    /// The target of a request is too long (RFC 9110 section 15.5.15).
    TargetTooLong,
    /// The head of a request, or its trailers, are too long, or have too many fields (RFC 6585 section 5).
    HeadTooLarge(&'static str),
    /// The head of a request took too long.
    SlowHead,
    /// A connection on which no request came in time.
    NoRequest,
    /// More frames of HTTP/2 that cost us and not the client than any client needs (RFC 9113 section 10.5).
    Flood(Flood),
}

/// What a client of HTTP/2 sent too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flood {
    /// Streams that were opened and reset (CVE-2023-44487).
    Resets,
    /// Pieces of one header block (CVE-2024-27316).
    Continuations,
    /// PING (CVE-2019-9512).
    Pings,
    /// SETTINGS (CVE-2019-9515).
    Settings,
    /// DATA and HEADERS with nothing in them (CVE-2019-9518).
    Empty,
    /// WINDOW_UPDATE that nothing we sent called for (CVE-2019-9511).
    WindowUpdates,
    /// PRIORITY, and frames that nobody knows.
    Others,
}

impl Flaw {
    /// The word that metrics, logs and clients have for it.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Head(_) => Reason::BadRequest,
            Self::Framing(_) => Reason::BadFraming,
            Self::Version => Reason::HttpVersion,
            Self::TargetTooLong => Reason::TargetTooLong,
            Self::HeadTooLarge(_) => Reason::HeadTooLarge,
            Self::SlowHead => Reason::SlowHead,
            Self::NoRequest => Reason::NoRequest,
            Self::Flood(Flood::Resets) => Reason::Http2Resets,
            Self::Flood(Flood::Continuations) => Reason::Http2Continuations,
            Self::Flood(Flood::Pings) => Reason::Http2Pings,
            Self::Flood(Flood::Settings) => Reason::Http2Settings,
            Self::Flood(Flood::Empty) => Reason::Http2EmptyFrames,
            Self::Flood(Flood::WindowUpdates) => Reason::Http2WindowUpdates,
            Self::Flood(Flood::Others) => Reason::Http2OtherFrames,
        }
    }

    /// What a client of HTTP/1 is answered; `None` if there is nothing to answer.
    pub(crate) fn status(self) -> Option<u16> {
        match self {
            Self::Head(_) | Self::Framing(_) => Some(400),
            Self::SlowHead => Some(408),
            Self::TargetTooLong => Some(414),
            Self::HeadTooLarge(_) => Some(431),
            Self::Version => Some(505),
            Self::NoRequest | Self::Flood(_) => None,
        }
    }

    /// For the log.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::Head(detail) | Self::Framing(detail) | Self::HeadTooLarge(detail) => detail,
            Self::Version => "neither HTTP/1.0 nor HTTP/1.1",
            Self::TargetTooLong => "the target is longer than the limit",
            Self::SlowHead => "the head of the request was not there in time",
            Self::NoRequest => "no request came in time",
            Self::Flood(Flood::Resets) => "too many streams were reset by the client",
            Self::Flood(Flood::Continuations) => "too many CONTINUATION frames of one header block",
            Self::Flood(Flood::Pings) => "too many PING frames",
            Self::Flood(Flood::Settings) => "too many SETTINGS frames",
            Self::Flood(Flood::Empty) => "too many frames with nothing in them",
            Self::Flood(Flood::WindowUpdates) => "more WINDOW_UPDATE frames than what we sent calls for",
            Self::Flood(Flood::Others) => "too many PRIORITY or unknown frames",
        }
    }
}
