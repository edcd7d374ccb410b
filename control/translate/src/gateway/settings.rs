//! Settings of a Gateway that are ours: annotations.

mod proxies;

use crate::names::{PROXY_PROTOCOL_FROM, SHARE, TRUSTED_HOPS};
use crate::status::condition::Problem;
use crate::status::reason;
use ipnet::IpNet;
use lychgate_api::gateway::Gateway;

/// What holds for all listeners of a Gateway, those of its ListenerSets included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// How many proxies in front are believed about `X-Forwarded-*`.
    pub(crate) trusted_hops: u8,
    /// Proxies whose connections begin with a header of the PROXY protocol.
    pub(crate) proxy_protocol_from: Vec<IpNet>,
    /// The data plane that it shares with others of its namespace; its own where none is named. Without a cluster there
    /// is only one.
    pub(crate) share: Option<String>,
}

/// Reads them. What cannot be read refuses the Gateway: a guess would believe the wrong ones.
pub(super) fn read(gateway: &Gateway) -> Result<Settings, Problem> {
    let annotation = |name| gateway.metadata.annotations.get(name);
    let trusted_hops = annotation(TRUSTED_HOPS).map(|text| {
        text.parse()
            .map_err(|_| invalid(format!("annotation {TRUSTED_HOPS} is `{text}`; write a number from 0 to 255")))
    });
    let proxies = annotation(PROXY_PROTOCOL_FROM).map(|text| {
        proxies::read(text).map_err(|problem| invalid(format!("annotation {PROXY_PROTOCOL_FROM}: {problem}")))
    });
    let share = annotation(SHARE).filter(|text| !text.is_empty()).map(|text| {
        let is_label = text.len() <= 63
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        is_label.then(|| text.clone()).ok_or_else(|| {
            invalid(format!("annotation {SHARE} is `{text}`; write a name of lower case letters, digits and dashes"))
        })
    });
    Ok(Settings {
        share: share.transpose()?,
        trusted_hops: trusted_hops.transpose()?.unwrap_or_default(),
        proxy_protocol_from: proxies.transpose()?.unwrap_or_default(),
    })
}

fn invalid(message: String) -> Problem {
    Problem::new(reason::INVALID_PARAMETERS, message)
}
