//! What becomes of a question.

use crate::budget::Budget;
use crate::permitted::{Permitted, permitted};
use crate::reply::{Code, Reply};
use crate::upstream::Found;
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
    /// Nobody was asked, because it has to be recorded and cannot be.
    Unrecorded(String),
}

/// How far a question comes without asking anybody.
pub enum Heard {
    /// It has its answer.
    Answered(Box<Answered>),
    /// Somebody has to be asked, which is a way out, and may be recorded before: [`Front::ask`].
    Wanted(Box<Wanted>),
}

/// A question that policies let be asked.
pub struct Wanted {
    query: Query,
    name: DnsName,
    unix_seconds: i64,
    draw: u8,
    reply: Reply,
    answered: Answered,
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

    /// Reads a question of a source that these policies are about, and answers it if nobody has to be asked.
    pub fn read(&self, question: &Question<'_>, egress: &Egress<'_>) -> Heard {
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
            return Heard::Answered(Box::new(answered));
        };
        let reply = Reply::to(&message, question.transport);
        let Asked { query, name } = match asked(&message) {
            Ok(asked) => asked,
            Err((code, why)) => {
                answered.outcome = Outcome::Refused(why);
                answered.message = reply.code(code).because(Code::Prohibited, why).bytes();
                return Heard::Answered(Box::new(answered));
            }
        };
        answered.kind = Some(query.query_type().to_string());
        answered.name = Some(name.clone());
        let wanted = Wanted { query, name, unix_seconds: question.unix_seconds, draw: question.draw, reply, answered };
        self.screen(question, egress, wanted)
    }

    fn screen(&self, question: &Question<'_>, egress: &Egress<'_>, mut wanted: Wanted) -> Heard {
        // Before the budget: what is denied is not asked of anybody, and tells nobody anything.
        if let Screening::Refused(decision) = egress.screen(&ask(&wanted.name, wanted.unix_seconds, wanted.draw)) {
            let reply = denied(wanted.reply, decision, &mut wanted.answered);
            return Heard::Answered(Box::new(Answered { message: reply.bytes(), ..wanted.answered }));
        }
        if let Err(spent) = self.budget.spend(question.source, &wanted.name, question.now) {
            wanted.answered.outcome = Outcome::Refused(spent.why());
            let reply = wanted.reply.code(ResponseCode::Refused).because(Code::Prohibited, spent.why());
            return Heard::Answered(Box::new(Answered { message: reply.bytes(), ..wanted.answered }));
        }
        Heard::Wanted(Box::new(wanted))
    }

    /// Answers a question that was [read](Self::read), with the same policies.
    pub async fn ask(&self, wanted: Wanted, egress: &Egress<'_>) -> Answered {
        let Wanted { query, name, unix_seconds, draw, reply, mut answered } = wanted;
        let reply = match self.upstream.records(&name, query.query_type()).await {
            Ok(Found::Records(records)) => {
                let Permitted { records, addresses, allowed, denied: refused } =
                    permitted(egress, &ask(&name, unix_seconds, draw), &name, records);
                answered.addresses = addresses;
                match (allowed, refused) {
                    (None, Some(decision)) => denied(reply, decision, &mut answered),
                    (allowed, _) => {
                        answered.decision = allowed;
                        answered.outcome = Outcome::Answered;
                        reply.with(records)
                    }
                }
            }
            Ok(Found::Nothing { failure, zone }) => failed(&failure, reply, &mut answered).of_zone(zone),
            Err(failure) => failed(&failure, reply, &mut answered),
        };
        answered.message = reply.bytes();
        answered
    }
}

impl Wanted {
    /// The name.
    pub fn name(&self) -> &DnsName {
        &self.name
    }

    /// The kind of records: `A`, `TXT`.
    pub fn kind(&self) -> String {
        self.query.query_type().to_string()
    }

    /// Nobody is asked, because it cannot be recorded.
    pub fn unrecorded(self, why: String) -> Answered {
        let Self { query: _, name: _, unix_seconds: _, draw: _, reply, mut answered } = self;
        answered.outcome = Outcome::Unrecorded(why);
        let said = "nothing may leave that cannot be recorded";
        answered.message = reply.code(ResponseCode::ServFail).because(Code::Other, said).bytes();
        answered
    }
}

/// What policies are asked.
fn ask(name: &DnsName, unix_seconds: i64, draw: u8) -> Ask<'_> {
    Ask { called: Called::Name(name), port: PORT, spoken: Spoken::Dns, unix_seconds, draw }
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
