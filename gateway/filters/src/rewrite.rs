//! Changes host and path before the request is forwarded (HTTPRoute `urlRewrite`). The query stays.
//!
//! The new path starts with `/` whatever was configured and whatever was asked for; it is never empty, and a removed
//! prefix never leaves two slashes at its start.

use crate::authority::Authority;
use crate::path::PathEdit;
use crate::refused::unsupported;
use crate::{Reply, RequestView, TooLong, Verdict};
use http::{HeaderValue, StatusCode};
use lychgate_ir::Refusal;
use lychgate_ir::filter::UrlRewrite;

/// A compiled rewrite.
#[derive(Debug)]
pub(crate) struct Rewrite {
    host: Option<HeaderValue>,
    path: Option<PathEdit>,
}

impl Rewrite {
    pub(crate) fn compile(rewrite: &UrlRewrite) -> Result<Self, Refusal> {
        let UrlRewrite { hostname, path } = rewrite;
        let host = match hostname {
            Some(name) => match (Authority::host_alone(name), HeaderValue::from_str(name)) {
                (Some(_), Ok(value)) => Some(value),
                (None, _) | (_, Err(_)) => {
                    return Err(unsupported(format!("rewrite to host `{name}`: give a host name without a port")));
                }
            },
            None => None,
        };
        Ok(Self { host, path: path.as_ref().map(PathEdit::compile) })
    }

    pub(crate) fn request(&self, view: &mut RequestView<'_>) -> Verdict {
        if let Some(edit) = &self.path {
            let path = match edit.apply(view.head.path(), view.matched) {
                Ok(path) => path,
                Err(refusal) => return Verdict::Refuse(refusal),
            };
            if path != view.head.path()
                && let Err(TooLong) = view.head.set_path(&path)
            {
                return Verdict::Reply(Reply::bare(StatusCode::URI_TOO_LONG));
            }
            view.matched = edit.matched_after(view.matched);
        }
        if let Some(host) = &self.host {
            view.head.set_host(host);
        }
        Verdict::Continue
    }
}
