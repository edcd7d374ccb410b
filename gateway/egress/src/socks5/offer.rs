//! How a client may prove who it is: its offer, and what the server chooses (RFC 1928 section 3).

use super::message::{BadMessage, Read, VERSION, read};

/// A way to prove who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    None,
    /// By name and password (RFC 1929).
    Login,
}

impl Method {
    fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Login => 2,
        }
    }
}

/// What a client offers. Methods that are not known here are passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// To say nothing of itself.
    pub none: bool,
    /// To log in.
    pub login: bool,
}

const NOTHING_ACCEPTABLE: u8 = 0xff;

impl Offer {
    /// Reads an offer.
    pub fn read(bytes: &[u8]) -> Result<Read<Self>, BadMessage> {
        read(bytes, |reader| {
            reader.version()?;
            let methods = reader.counted()?;
            if methods.is_empty() {
                return Err(BadMessage::NoMethod.into());
            }
            let has = |method: Method| methods.contains(&method.code());
            Ok(Self { none: has(Method::None), login: has(Method::Login) })
        })
    }

    /// Writes it, for a proxy before this one.
    pub fn write(self) -> Vec<u8> {
        let Self { none, login } = self;
        let methods = [(none, Method::None), (login, Method::Login)];
        let codes: Vec<u8> = methods.iter().filter(|(offered, _)| *offered).map(|(_, method)| method.code()).collect();
        [&[VERSION, u8::try_from(codes.len()).unwrap_or_default()], codes.as_slice()].concat()
    }
}

/// What a server answers to an offer: the method, or that none will do, after which it closes.
pub fn chosen(method: Option<Method>) -> [u8; 2] {
    [VERSION, method.map_or(NOTHING_ACCEPTABLE, Method::code)]
}

/// Reads what a server has chosen; `None` inside is that none will do, or one that was not offered.
pub fn read_chosen(bytes: &[u8]) -> Result<Read<Option<Method>>, BadMessage> {
    read(bytes, |reader| {
        reader.version()?;
        let code = reader.byte()?;
        Ok([Method::None, Method::Login].into_iter().find(|method| method.code() == code))
    })
}
