//! The order of filters. This is the only place that knows it; the order in which a route lists them does not matter,
//! but for filters of one kind, which keep it.
//!
//! Requests:
//!
//! 1. **Refusals.** A rule with a filter that cannot be done does nothing else: a half-applied rule is one that nobody
//!    wrote.
//! 2. **CORS.** A preflight carries no credentials and follows no redirect (Fetch), so it must be answered before
//!    anything redirects, and judged by the request as the client sent it.
//! 3. **External authorization.** The service judges the request as the client sent it: what an edit adds is the word of the
//!    route's author, not of the client. It comes before all that could do something for who may not pass, a redirect
//!    among it, and before the edits, which so can take away what the service has added.
//! 4. **Redirect.** The location is made of what the client asked for, so it comes before any edit; an edit of a
//!    request that goes nowhere would be lost work.
//! 5. **Request headers.** As the route's author sees the request: with the client's host and path.
//! 6. **Rewrite.** After the headers, so that a rewritten hostname is what the backend gets, whatever was set before;
//!    it changes where the request goes, not what the other filters decide on.
//! 7. **Mirrors** get the request as the backend of the rule would: after the edits and the rewrite of the rule (the
//!    conformance suite asks for edited headers at the mirror), before the filters of the one backend that was chosen.
//!
//! Responses go back the same way, so what ran first on the request has the last word:
//!
//! 1. **Response headers**, which a redirect's answer passes, too: a policy such as `Strict-Transport-Security` is meant
//!    for all that the rule answers.
//! 2. **External authorization.** What a service wants told to the client (a cookie that it renews), whatever the backend
//!    says.
//! 3. **CORS**, last, so that neither a backend nor an edit grants what the filter does not.

use super::Step;

pub(super) struct Ordered {
    pub(super) steps: Box<[Step]>,
    pub(super) on_request: Box<[usize]>,
    pub(super) on_response: Box<[usize]>,
}

/// Sorts the steps and notes which of them each phase passes.
pub(super) fn order(mut steps: Vec<Step>) -> Ordered {
    steps.sort_by_key(place);
    let on_request = indices(&steps, |step| match step {
        Step::Refuse(_)
        | Step::Cors(_)
        | Step::Authorize(_)
        | Step::Redirect(_)
        | Step::RequestHeaders(_)
        | Step::Rewrite(_) => true,
        Step::ResponseHeaders(_) => false,
    });
    let mut on_response = indices(&steps, |step| match step {
        Step::Cors(_) | Step::Authorize(_) | Step::ResponseHeaders(_) => true,
        Step::Refuse(_) | Step::Redirect(_) | Step::RequestHeaders(_) | Step::Rewrite(_) => false,
    });
    // Stable: kinds go back the way they came, those of one kind stay in the order written.
    on_response.sort_by_key(|&at| steps.get(at).map(place).map(std::cmp::Reverse));
    Ordered { steps: steps.into(), on_request: on_request.into(), on_response: on_response.into() }
}

fn place(step: &Step) -> u8 {
    match step {
        Step::Refuse(_) => 0,
        Step::Cors(_) => 1,
        Step::Authorize(_) => 2,
        Step::ResponseHeaders(_) => 3,
        Step::Redirect(_) => 4,
        Step::RequestHeaders(_) => 5,
        Step::Rewrite(_) => 6,
    }
}

fn indices(steps: &[Step], passes: fn(&Step) -> bool) -> Vec<usize> {
    steps.iter().enumerate().filter(|(_, step)| passes(step)).map(|(at, _)| at).collect()
}
