//! What is done to each request, in HAProxy's words.

use crate::scene::Filtered;

/// Whether it has words for it: copies it can send only through an agent beside it.
pub(super) fn has(filtered: Filtered) -> bool {
    match filtered {
        Filtered::Headers
        | Filtered::Rewrite
        | Filtered::Cors
        | Filtered::Session
        | Filtered::Retry
        | Filtered::Retried => true,
        Filtered::Mirror => false,
    }
}

/// Lines of the backend.
pub(super) fn of(filtered: Filtered) -> &'static str {
    match filtered {
        Filtered::Headers => {
            "  http-request set-header x-a a
  http-request set-header x-b b
  http-request add-header x-c c
  http-request del-header x-d
  http-response set-header x-a a
  http-response set-header x-b b
  http-response add-header x-c c
  http-response del-header x-d
"
        }
        Filtered::Rewrite => {
            "  http-request set-header host other.example.com\n  http-request set-path /other%[path]\n"
        }
        Filtered::Cors => {
            "  http-request set-var(txn.origin) req.hdr(origin)
  acl allowed var(txn.origin) -m reg ^https://[^/]*\\.shop\\.example$
  http-response set-header access-control-allow-origin %[var(txn.origin)] if allowed
  http-response set-header access-control-allow-credentials true if allowed
  http-response set-header access-control-expose-headers x-a if allowed
  http-response add-header vary origin
"
        }
        Filtered::Session => "  cookie it insert indirect nocache\n",
        Filtered::Retry => "  timeout server 1s\n  retries 2\n  retry-on conn-failure response-timeout 503\n",
        Filtered::Retried => {
            "  timeout server 1s\n  retries 2\n  retry-on conn-failure response-timeout 503\n  option redispatch 1\n"
        }
        Filtered::Mirror => "",
    }
}
