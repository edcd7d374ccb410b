//! Answers as they go back.

use crate::Transport;
use hickory_resolver::proto::op::{Edns, Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::opt::EdnsOption;

/// What fits into a datagram everywhere without being cut into pieces (the DNS flag day of 2020).
const DATAGRAM: u16 = 1232;
/// What everybody takes who says nothing (RFC 1035 section 2.3.4).
const SILENT: u16 = 512;
/// The option of RFC 8914.
const EXTENDED_ERROR: u16 = 15;
/// The longest text in it: it has to fit beside the question.
const LONGEST_TEXT: usize = 200;

/// Codes of RFC 8914 section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Something else, which the text says.
    Other = 0,
    /// Somebody here denies it by name.
    Blocked = 15,
    /// Who asks may not.
    Prohibited = 18,
    /// No resolver answers.
    NoReachableAuthority = 22,
}

/// An answer in the making.
pub(crate) struct Reply {
    message: Message,
    /// What fits where it goes.
    room: usize,
}

impl Reply {
    pub(crate) fn to(question: &Message, transport: Transport) -> Self {
        let mut message = Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
        message.metadata.recursion_desired = question.metadata.recursion_desired;
        message.metadata.recursion_available = true;
        message.queries.clone_from(&question.queries);
        let payload = question.edns.as_ref().map_or(SILENT, |edns| edns.max_payload().clamp(SILENT, DATAGRAM));
        if question.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(DATAGRAM);
            message.set_edns(edns);
        }
        let room = match transport {
            Transport::Datagram => usize::from(payload),
            Transport::Stream => usize::from(u16::MAX),
        };
        Self { message, room }
    }

    /// What cannot be read has an id at least.
    pub(crate) fn unreadable(question: &[u8]) -> Option<Vec<u8>> {
        let (head, _) = question.split_first_chunk::<12>()?;
        let [first, second, flags, ..] = *head;
        // An answer is never answered, or two of us would talk for ever.
        if flags & 0x80 != 0 {
            return None;
        }
        let id = u16::from_be_bytes([first, second]);
        Message::error_msg(id, hickory_resolver::proto::op::OpCode::Query, ResponseCode::FormErr).to_vec().ok()
    }

    pub(crate) fn with(mut self, records: Vec<Record>) -> Self {
        self.message.answers = records;
        self
    }

    /// That there is nothing holds for as long as this record of the zone says (RFC 2308 section 5).
    pub(crate) fn of_zone(mut self, zone: Option<Box<Record>>) -> Self {
        self.message.authorities.extend(zone.map(|zone| *zone));
        self
    }

    pub(crate) fn code(mut self, code: ResponseCode) -> Self {
        self.message.metadata.response_code = code;
        self
    }

    /// Says why, to those who understand it.
    pub(crate) fn because(mut self, code: Code, text: &str) -> Self {
        if let Some(edns) = &mut self.message.edns {
            let mut end = text.len().min(LONGEST_TEXT);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let mut data = (code as u16).to_be_bytes().to_vec();
            data.extend_from_slice(text.get(..end).unwrap_or_default().as_bytes());
            edns.options_mut().insert(EdnsOption::Unknown(EXTENDED_ERROR, data));
        }
        self
    }

    /// As bytes; cut off, and said so, where it does not fit.
    pub(crate) fn bytes(self) -> Option<Vec<u8>> {
        let bytes = self.message.to_vec().ok()?;
        if bytes.len() <= self.room { Some(bytes) } else { self.message.truncate().to_vec().ok() }
    }
}
