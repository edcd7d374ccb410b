//! The fields of a line, by name.

macro_rules! fields {
    ($count:literal: $($field:ident $name:literal,)*) => {
        /// A field, known by its number and not by its name: each line has many.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum Field {
            $($field,)*
        }

        impl Field {
            /// In the order in which they are written.
            pub(super) const ALL: [Self; $count] = [$(Self::$field,)*];

            pub(super) const NAMES: [&'static str; $count] = [$($name,)*];

            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)*
                }
            }
        }
    };
}

fields! { 25:
    Time "time",
    RequestId "request_id",
    Client "client",
    Method "method",
    Scheme "scheme",
    Host "host",
    Path "path",
    Protocol "protocol",
    Status "status",
    Reason "reason",
    Detail "detail",
    Listener "listener",
    Rule "rule",
    Backend "backend",
    Endpoint "endpoint",
    Attempts "attempts",
    Received "received",
    Sent "sent",
    UserAgent "user_agent",
    TraceId "trace_id",
    Tls "tls_ms",
    Queue "queue_ms",
    Connect "connect_ms",
    FirstByte "first_byte_ms",
    Total "total_ms",
}

impl Field {
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}
