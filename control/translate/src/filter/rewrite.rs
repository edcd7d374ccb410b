//! `urlRewrite`.

use super::{Bad, Surroundings, path_rewrite};
use lychgate_api::gateway::HttpUrlRewriteFilter;
use lychgate_ir::filter::UrlRewrite;

pub(super) fn read(around: &Surroundings<'_, '_, '_>, filter: &HttpUrlRewriteFilter) -> Result<UrlRewrite, Bad> {
    let HttpUrlRewriteFilter { hostname, path } = filter;
    Ok(UrlRewrite {
        hostname: hostname.as_deref().filter(|name| !name.is_empty()).map(Into::into),
        path: path.as_ref().map(|path| path_rewrite(around, path)).transpose()?,
    })
}
