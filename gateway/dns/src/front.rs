//! What becomes of a question.

use crate::budget::Budget;
use crate::permitted::permitted;
use crate::reply::{Code, Reply};
use crate::{Failure, Upstream, kinds};
use hickory_resolver::proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::DNSClass;
use lychgate_egress::{Ask, Because, Called, Decision, Egress, Screening, Spoken};
use lychgate_ir::egress::DnsName;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// The longest question that is read: a name, and what EDNS may add to it.
const LONGEST: usize = 4096;
/// Questions are about this port, as far as policies see.
const PORT: u16 = 53;

/// Answers the questions of workloads at one Gateway.
pub struct Front {
    upstream: Arc<Upstream>,
    budget: Budget,
}

/// A question as it came.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Its bytes.
    pub message: &'a [u8],
    /// What it came over.
    pub transport: Transport,
    /// Where from.
    pub source: IpAddr,
    /// Now, in seconds since 1970-01-01T00:00:00Z.
    pub unix_seconds: i64,
    /// Now, to tell how long something takes.
    pub now: Instant,
    /// Drawn evenly from 0 to 99: which policies in shadow count.
    pub draw: u8,
}

/// What a question came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram: long answers are cut off.
    Datagram,
    /// A connection.
    Stream,
}

/// What became of a question.
#[derive(Clone, Debug)]
pub struct Answered {
    /// What goes back; `None` if nothing does.
    pub message: Option<Vec<u8>>,
    /// The name, where it could be read.
    pub name: Option<DnsName>,
    /// The kind of records that were asked for: `A`, `TXT`.
    pub kind: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// What the policies said, as far as they were asked.
    pub decision: Option<Decision>,
    /// The addresses that were given.
    pub addresses: Vec<IpAddr>,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered.
    Answered,
    /// The name does not exist, or has no such records.
    Nothing,
    /// A policy denies it.
    Denied,
    /// Refused whatever policies say, and why: the kind of records, a name that is none, too much said in names.
    Refused(&'static str),
    /// It could not be read.
    Unreadable,
    /// No resolver answers.
    Unanswered(String),
}

/// A question that can be decided about.
struct Asked {
    query: Query,
    name: DnsName,
}

impl Front {
    /// Asks these resolvers.
    pub fn new(upstream: Arc<Upstream>) -> Self {
        Self { upstream, budget: Budget::default() }
    }

    /// Whom it asks.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// Answers a question of a source that these policies are about.
    pub async fn answer(&self, question: &Question<'_>, egress: &Egress<'_>) -> Answered {
        let mut answered = Answered {
            message: None,
            name: None,
            kind: None,
            outcome: Outcome::Unreadable,
            decision: None,
            addresses: Vec::new(),
        };
        let readable = question.message.get(..LONGEST.min(question.message.len())).unwrap_or_default();
        let read = Message::from_vec(readable).ok().filter(|_| question.message.len() <= LONGEST);
        let Some(message) = read.filter(|message| message.metadata.message_type == MessageType::Query) else {
            answered.message = Reply::unreadable(question.message);
            return answered;
        };
        let reply = Reply::to(&message, question.transport);
        let asked = match asked(&message) {
            Ok(asked) => asked,
            Err((code, why)) => {
                answered.outcome = Outcome::Refused(why);
                answered.message = reply.code(code).because(Code::Prohibited, why).bytes();
                return answered;
            }
        };
        answered.kind = Some(asked.query.query_type().to_string());
        answered.name = Some(asked.name.clone());
        let reply = self.decide(question, egress, &asked, reply, &mut answered).await;
        answered.message = reply.bytes();
        answered
    }

    async fn decide(
        &self,
        question: &Question<'_>,
        egress: &Egress<'_>,
        Asked { query, name }: &Asked,
        reply: Reply,
        answered: &mut Answered,
    ) -> Reply {
        let ask = Ask {
            called: Called::Name(name),
            port: PORT,
            spoken: Spoken::Dns,
            unix_seconds: question.unix_seconds,
            draw: question.draw,
        };
        // Before the budget: what is denied is not asked of anybody, and tells nobody anything.
        if let Screening::Refused(decision) = egress.screen(&ask) {
            return denied(reply, decision, answered);
        }
        if let Err(spent) = self.budget.spend(question.source, name, question.now) {
            answered.outcome = Outcome::Refused(spent.why());
            return reply.code(ResponseCode::Refused).because(Code::Prohibited, spent.why());
        }
        let records = match self.upstream.records(name, query.query_type()).await {
            Ok(records) => records,
            Err(failure) => return failed(&failure, reply, answered),
        };
        let permitted = permitted(egress, &ask, name, records);
        answered.addresses = permitted.addresses;
        match (permitted.allowed, permitted.denied) {
            (None, Some(decision)) => denied(reply, decision, answered),
            (allowed, _) => {
                answered.decision = allowed;
                answered.outcome = Outcome::Answered;
                reply.with(permitted.records)
            }
        }
    }
}

fn failed(failure: &Failure, reply: Reply, answered: &mut Answered) -> Reply {
    let (outcome, code) = match failure {
        Failure::NoSuchName => (Outcome::Nothing, ResponseCode::NXDomain),
        Failure::NoRecords => (Outcome::Nothing, ResponseCode::NoError),
        Failure::Unanswered(why) => (Outcome::Unanswered(why.clone()), ResponseCode::ServFail),
    };
    let is_unanswered = matches!(outcome, Outcome::Unanswered(_));
    answered.outcome = outcome;
    let reply = reply.code(code);
    if is_unanswered { reply.because(Code::NoReachableAuthority, "no resolver answers") } else { reply }
}

fn denied(reply: Reply, decision: Decision, answered: &mut Answered) -> Reply {
    let code = match &decision.because {
        Because::Rule { rule: _, level: _, reason: _, handling: _ } => Code::Blocked,
        Because::Uncertain { rule: _, miss: _ } | Because::NoRule | Because::NotEnforced => Code::Prohibited,
    };
    let why: Cow<'_, str> = decision.because.for_client();
    let reply = reply.code(ResponseCode::Refused).because(code, &why);
    answered.outcome = Outcome::Denied;
    answered.decision = Some(decision);
    reply
}

fn asked(message: &Message) -> Result<Asked, (ResponseCode, &'static str)> {
    if message.metadata.op_code != OpCode::Query {
        return Err((ResponseCode::NotImp, "only questions are answered"));
    }
    let [query] = message.queries.as_slice() else {
        return Err((ResponseCode::FormErr, "one question a message"));
    };
    if query.query_class() != DNSClass::IN {
        return Err((ResponseCode::Refused, "only names of the internet are answered for"));
    }
    if !kinds::is_served(query.query_type()) {
        return Err((ResponseCode::Refused, "records of this kind are not answered for"));
    }
    let name = DnsName::parse(&query.name().to_ascii());
    let name = name.map_err(|_| (ResponseCode::Refused, "the name is none that policies know"))?;
    Ok(Asked { query: query.clone(), name })
}
