//! Name and password (RFC 1929).

use super::message::{BadMessage, Read, read};
use lychgate_ir::Redacted;

const VERSION: u8 = 1;

/// Name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Redacted,
}

impl Login {
    /// Reads a login.
    pub fn read(bytes: &[u8]) -> Result<Read<Self>, BadMessage> {
        read(bytes, |reader| {
            match reader.byte()? {
                VERSION => {}
                other => return Err(BadMessage::LoginVersion(other).into()),
            }
            let mut text = || {
                let bytes = reader.counted()?;
                if bytes.is_empty() {
                    return Err(BadMessage::Empty.into());
                }
                let text = std::str::from_utf8(bytes).map_err(|_| BadMessage::NotText)?;
                Ok::<_, super::message::Stop>(text.to_owned())
            };
            let user = text()?;
            Ok(Self { user, password: Redacted::new(text()?) })
        })
    }

    /// Writes it, for a proxy before this one; `None` if a part is empty or longer than 255 bytes.
    pub fn write(&self) -> Option<Vec<u8>> {
        let Self { user, password } = self;
        let mut out = vec![VERSION];
        for part in [user.as_str(), password.expose()] {
            out.push(u8::try_from(part.len()).ok().filter(|length| *length > 0)?);
            out.extend(part.as_bytes());
        }
        Some(out)
    }
}

/// What a server answers; after a no it closes.
pub fn login_verdict(is_right: bool) -> [u8; 2] {
    [VERSION, u8::from(!is_right)]
}
