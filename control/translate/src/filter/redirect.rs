//! `requestRedirect`.

use super::{Bad, Surroundings, path_rewrite};
use lychgate_api::gateway::{HttpRequestRedirectFilter, RedirectScheme as Scheme};
use lychgate_ir::filter::{Redirect, RedirectScheme};

pub(super) fn read(around: &Surroundings<'_, '_, '_>, filter: &HttpRequestRedirectFilter) -> Result<Redirect, Bad> {
    let HttpRequestRedirectFilter { scheme, hostname, path, port, status_code } = filter;
    if ![301, 302, 303, 307, 308].contains(status_code) {
        return Err(Bad::value(format!("statusCode {status_code}: use 301, 302, 303, 307 or 308")));
    }
    Ok(Redirect {
        scheme: scheme.map(|scheme| match scheme {
            Scheme::Http => RedirectScheme::Http,
            Scheme::Https => RedirectScheme::Https,
        }),
        hostname: hostname.as_deref().filter(|name| !name.is_empty()).map(Into::into),
        path: path.as_ref().map(|path| path_rewrite(around, path)).transpose()?,
        port: *port,
        status: *status_code,
    })
}
