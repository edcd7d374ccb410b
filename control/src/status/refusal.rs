//! Why the API server does not take a status: whether it is for us to say something else, or for somebody else to let us.

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Rights, a webhook or a policy of the cluster stand against it. They may change without a word to us, so it is tried
    /// again.
    Denied,
    /// It is not what the kind's schema allows. The same again would be refused again.
    Invalid,
    /// Something that passes.
    Passing,
}

/// Judges by the code, and by what the API server says where the code alone does not tell: a webhook that gives no code of
/// its own denies with 400, a policy with 422, and one that cannot be called is 500.
pub(super) fn judge(code: u16, message: &str) -> Refusal {
    let says = |words: &[&str]| words.iter().all(|word| message.contains(word));
    let denies = says(&["admission webhook", "denied the request"])
        || says(&["ValidatingAdmissionPolicy", "denied request"])
        || says(&["failed calling webhook"]);
    match code {
        _ if denies => Refusal::Denied,
        403 => Refusal::Denied,
        400 | 413 | 422 => Refusal::Invalid,
        _ => Refusal::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_denies_may_change_their_mind_and_a_schema_does_not() {
        let webhook = "admission webhook \"statuses.example.com\" denied the request without explanation";
        let policy = "httproutes.gateway.networking.k8s.io \"r\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' \
                      denied request: no";
        for (code, message, refusal) in [
            (403, "httproutes \"r\" is forbidden: User \"u\" cannot patch resource", Refusal::Denied),
            (400, webhook, Refusal::Denied),
            (422, policy, Refusal::Denied),
            (500, "Internal error occurred: failed calling webhook \"w\": connection refused", Refusal::Denied),
            (422, "HTTPRoute \"r\" is invalid: status.parents[0]: Required value", Refusal::Invalid),
            (413, "Request entity too large: limit is 3145728", Refusal::Invalid),
            (429, "too many requests", Refusal::Passing),
            (500, "etcdserver: request timed out", Refusal::Passing),
        ] {
            assert_eq!(judge(code, message), refusal, "{code} {message}");
        }
    }
}
