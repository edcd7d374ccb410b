//! `sessionPersistence` (GEP-1619), of rules and of XBackends.

use http::header::HeaderName;
use lychgate_api::gateway::{CookieLifetimeType, SessionPersistence, SessionPersistenceType};
use lychgate_ir::{CookieLifetime, PersistenceKind};

/// Reads it. `owner` makes the name of a cookie that has none: the same each time, and of nobody else.
pub(crate) fn read(wanted: &SessionPersistence, owner: &str) -> Result<lychgate_ir::SessionPersistence, String> {
    let SessionPersistence { absolute_timeout, r#type, cookie, header } = wanted;
    let absolute_timeout = absolute_timeout.filter(|timeout| !timeout.is_zero()).map(Into::into);
    let (name, kind) = match r#type {
        SessionPersistenceType::Cookie => {
            let name = cookie.as_ref().and_then(|cookie| cookie.name.clone()).unwrap_or_else(|| generated(owner));
            let path = cookie.as_ref().map_or("/", |cookie| &cookie.path);
            let lifetime = match cookie.as_ref().map(|cookie| cookie.lifetime_type) {
                None | Some(CookieLifetimeType::Session) => CookieLifetime::Session,
                Some(CookieLifetimeType::Permanent) if absolute_timeout.is_none() => {
                    return Err("a Permanent cookie needs an absoluteTimeout".to_owned());
                }
                Some(CookieLifetimeType::Permanent) => CookieLifetime::Permanent,
            };
            if !is_token(&name) {
                return Err(format!("cookie.name `{}` is no cookie name", name.escape_debug()));
            }
            if !is_cookie_path(path) {
                return Err(format!("cookie.path `{}` is no cookie path; begin with /", path.escape_debug()));
            }
            (name, PersistenceKind::Cookie { path: path.into(), lifetime })
        }
        SessionPersistenceType::Header => {
            let name = header.as_ref().map(|header| header.name.as_str()).unwrap_or_default();
            let name = HeaderName::try_from(name).map_err(|_| format!("header.name `{name}` is no header name"))?;
            (name.as_str().to_owned(), PersistenceKind::Header)
        }
    };
    Ok(lychgate_ir::SessionPersistence { name: name.into(), kind, absolute_timeout })
}

/// FNV-1a, 64 bits: short, and the same in every version and on every machine.
fn generated(owner: &str) -> String {
    let hash = owner
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("lychgate-session-{hash:016x}")
}

/// RFC 6265 section 4.1.1: a cookie's name is an RFC 9110 token.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// RFC 6265 section 4.1.1: no control characters and no semicolon, which would begin an attribute.
fn is_cookie_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
}
