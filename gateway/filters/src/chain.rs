//! The filters of a rule, compiled.

mod order;

use crate::cors::{self, Cors};
use crate::external_auth::ResponseEdits;
use crate::header_modifier::HeaderEdits;
use crate::mirror;
use crate::redirect::Redirect;
use crate::refused::cannot_be_combined;
use crate::rewrite::Rewrite;
use crate::{RequestView, ResponseHead, Verdict};
use lychgate_ir::filter::{ExternalAuth, Filter, Mirror};
use lychgate_ir::{Refusal, Target};

/// The filters of a rule or of one of its backends: immutable, shared by all its requests.
///
/// For each request: [`Chain::request`] once, with a fresh [`ChainState`], then [`Chain::response`] with the same state
/// on whatever the client is about to get: the backend's response, a [`Reply`](crate::Reply), an error page. (Scripts
/// must be allowed to read an error, too.) Where somebody has to be asked, [`Chain::request`] stops, and is called again with
/// the same state once the answer is there. A backend has a chain and a state of its own, for every attempt; its
/// response passes the backend's chain first.
#[derive(Debug)]
pub struct Chain {
    /// Most rules have no filters, and there are thousands of them.
    compiled: Option<Box<Compiled>>,
}

/// What is to be done; something.
#[derive(Debug)]
struct Compiled {
    /// In the order of `order`.
    steps: Box<[Step]>,
    /// Those that a request passes.
    on_request: Box<[usize]>,
    /// Those that a response passes, in the order in which it does.
    on_response: Box<[usize]>,
    mirrors: Box<[Mirror]>,
}

/// What a request leaves for its response.
#[derive(Clone, Debug, Default)]
pub struct ChainState {
    cors: cors::Outcome,
    /// How far a request has come.
    next: usize,
    /// What the services that were asked change in the response, by the place of their filter.
    given: Vec<(usize, ResponseEdits)>,
}

impl ChainState {
    /// The service of this filter lets the request pass: [`Chain::request`] may go on. What it changes in the response waits
    /// here.
    pub fn granted(&mut self, nth: usize, edits: ResponseEdits) {
        if !edits.is_empty() {
            self.given.push((nth, edits));
        }
    }
}

/// A compiled filter.
#[derive(Debug)]
enum Step {
    Refuse(Refusal),
    Cors(Box<Cors>),
    /// The place of the filter among those of its kind.
    Authorize(usize),
    ResponseHeaders(HeaderEdits),
    Redirect(Box<Redirect>),
    RequestHeaders(HeaderEdits),
    Rewrite(Box<Rewrite>),
}

impl Chain {
    /// Compiles the filters of a rule or of a backend, in the order written. It never fails: a filter that cannot be
    /// done refuses every request (see [`Chain::refusal`]).
    pub fn compile(filters: &[Filter]) -> Self {
        let mut steps = Vec::with_capacity(filters.len());
        let mut mirrors = Vec::new();
        let mut asked = 0..;
        for filter in filters {
            let step = match filter {
                Filter::RequestHeaders(modifier) => HeaderEdits::for_requests(modifier).map(Step::RequestHeaders),
                Filter::ResponseHeaders(modifier) => HeaderEdits::for_responses(modifier).map(Step::ResponseHeaders),
                Filter::Redirect(redirect) => Redirect::compile(redirect).map(|step| Step::Redirect(step.into())),
                Filter::Rewrite(rewrite) => Rewrite::compile(rewrite).map(|step| Step::Rewrite(step.into())),
                Filter::Cors(cors) => Cors::compile(cors).map(|step| Step::Cors(step.into())),
                Filter::ExternalAuth(ExternalAuth { target, protocol: _, body: _ }) => {
                    let nth = asked.next().unwrap_or_default();
                    match target {
                        Target::Backend(_) => Ok(Step::Authorize(nth)),
                        Target::Broken(refusal) => Err(refusal.clone()),
                    }
                }
                Filter::Broken(refusal) => Err(refusal.clone()),
                Filter::Mirror(mirror) => {
                    mirrors.extend(mirror::is_live(mirror).then(|| mirror.clone()));
                    continue;
                }
            };
            steps.push(step.unwrap_or_else(Step::Refuse));
        }
        if let Some(refusal) = conflict(&steps) {
            steps.push(Step::Refuse(refusal));
        }
        let order::Ordered { steps, on_request, on_response } = order::order(steps);
        let is_empty = steps.is_empty() && mirrors.is_empty();
        let compiled = || Box::new(Compiled { steps, on_request, on_response, mirrors: mirrors.into() });
        Self { compiled: (!is_empty).then(compiled) }
    }

    fn steps(&self) -> &[Step] {
        self.compiled.as_ref().map(|compiled| &*compiled.steps).unwrap_or_default()
    }

    /// Runs the filters on a request, until one answers or somebody has to be asked. Goes on from there if it is called again.
    pub fn request(&self, view: &mut RequestView<'_>, state: &mut ChainState) -> Verdict {
        let Some(Compiled { steps, on_request, .. }) = self.compiled.as_deref() else { return Verdict::Continue };
        while let Some(step) = on_request.get(state.next).and_then(|&at| steps.get(at)) {
            state.next += 1;
            let verdict = match step {
                Step::Refuse(refusal) => Verdict::Refuse(refusal.clone()),
                Step::Cors(cors) => cors.request(view.head, &mut state.cors),
                Step::Authorize(nth) => Verdict::Ask(*nth),
                Step::Redirect(redirect) => redirect.request(view),
                Step::Rewrite(rewrite) => rewrite.request(view),
                Step::RequestHeaders(edits) => {
                    edits.request(view.head);
                    Verdict::Continue
                }
                Step::ResponseHeaders(_) => Verdict::Continue,
            };
            match verdict {
                Verdict::Continue => {}
                Verdict::Reply(_) | Verdict::Refuse(_) | Verdict::Ask(_) => return verdict,
            }
        }
        Verdict::Continue
    }

    /// Runs the filters on the response to a request that [`Chain::request`] has seen.
    pub fn response(&self, head: &mut dyn ResponseHead, state: &ChainState) {
        let Some(Compiled { steps, on_response, .. }) = self.compiled.as_deref() else { return };
        if state.cors == cors::Outcome::Preflight {
            // Complete as it is; an edit could only make it say something else than was decided.
            return;
        }
        for step in on_response.iter().filter_map(|&at| steps.get(at)) {
            match step {
                Step::ResponseHeaders(edits) => edits.response(head),
                Step::Authorize(nth) => {
                    state.given.iter().filter(|(of, _)| of == nth).for_each(|(_, edits)| edits.apply(head));
                }
                Step::Cors(cors) => cors.response(head, &state.cors),
                Step::Refuse(_) | Step::Redirect(_) | Step::RequestHeaders(_) | Step::Rewrite(_) => {}
            }
        }
    }

    /// Who gets copies of requests that the chain let through, as they are after it. Only those that can be reached and
    /// whose share is not 0; the order never changes.
    pub fn mirrors(&self) -> impl ExactSizeIterator<Item = &Mirror> {
        self.compiled.as_ref().map(|compiled| &*compiled.mirrors).unwrap_or_default().iter()
    }

    /// Whether there is nothing to do for any request.
    pub fn is_empty(&self) -> bool {
        self.compiled.is_none()
    }

    /// Whether there is nothing to do for responses.
    pub fn is_idle_on_response(&self) -> bool {
        self.compiled.as_ref().is_none_or(|compiled| compiled.on_response.is_empty())
    }

    /// Whether it is the business of a filter to answer requests, so that no connection should be opened before it ran.
    /// (A rewrite may answer, too, but only a request whose new path would be too long.)
    pub fn may_reply(&self) -> bool {
        self.steps().iter().any(|step| match step {
            Step::Refuse(_) | Step::Cors(_) | Step::Authorize(_) | Step::Redirect(_) => true,
            Step::ResponseHeaders(_) | Step::RequestHeaders(_) | Step::Rewrite(_) => false,
        })
    }

    /// Why every request is refused, if it is. The message names the filter; the caller knows the rule.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.steps().iter().find_map(|step| match step {
            Step::Refuse(refusal) => Some(refusal),
            Step::Cors(_)
            | Step::Authorize(_)
            | Step::ResponseHeaders(_)
            | Step::Redirect(_)
            | Step::RequestHeaders(_)
            | Step::Rewrite(_) => None,
        })
    }
}

/// Filters that Gateway API does not let stand together; whoever sent them must not have one of them picked silently.
fn conflict(steps: &[Step]) -> Option<Refusal> {
    let count = |of: fn(&Step) -> bool| steps.iter().filter(|step| of(step)).count();
    let cors = count(|step| matches!(step, Step::Cors(_)));
    let redirects = count(|step| matches!(step, Step::Redirect(_)));
    let rewrites = count(|step| matches!(step, Step::Rewrite(_)));
    let message = if cors > 1 {
        "more than one CORS filter on a rule or backend: join them"
    } else if redirects > 1 {
        "more than one RequestRedirect on a rule or backend: keep one"
    } else if rewrites > 1 {
        "more than one URLRewrite on a rule or backend: join them"
    } else if redirects > 0 && rewrites > 0 {
        "RequestRedirect and URLRewrite on one rule or backend: keep one"
    } else {
        return None;
    };
    Some(cannot_be_combined(message))
}
