//! Why what is allowed does not leave all the same: it cannot be carried as its rule says. The gate tells clients so, and whoever
//! only asks hears the same.

/// TLS of a client where the rule has the gate begin it.
pub const TLS_IS_THE_GATES: &str = "the gate itself speaks TLS with this destination";

/// TRACE where the rule adds a credential: its answer is the request as it came (RFC 9110 section 9.3.8).
pub const CREDENTIAL_WOULD_RETURN: &str = "TRACE would return the credential that the gate adds";
