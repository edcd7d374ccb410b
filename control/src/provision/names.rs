//! Names of what we make. Each is a pure function of what it is made for, and fits the narrowest limit that holds for it.

use super::group::Wish;
use super::marks::SHARE;
use aws_lc_rs::digest::{SHA256, digest};
use lychgate_api::ObjectKey;
use lychgate_api::gateway::Gateway;

/// Labels, and names of Services, have at most this many characters.
const LABEL: usize = 63;
/// Leaves room for what distinguishes Services of one group.
const GROUP: usize = LABEL - 1 - ADDRESS_DIGITS;
const ADDRESS_DIGITS: usize = 8;
const DIGITS: usize = 10;

/// The group of a Gateway: namespace, and the name of its Deployment, ServiceAccount and Service.
///
/// `lychgate-NAME` for a Gateway of its own, `lychgates-NAME` for those that share: the two cannot meet.
#[must_use]
pub fn group(gateway: &Gateway) -> ObjectKey {
    let metadata = &gateway.metadata;
    let name = match metadata.annotations.get(SHARE).filter(|name| !name.is_empty()) {
        Some(shared) => fit(&format!("lychgates-{shared}"), GROUP),
        None => fit(&format!("lychgate-{}", metadata.name), GROUP),
    };
    ObjectKey::new(metadata.namespace.as_str(), name)
}

/// The Service of a group for an address.
pub(super) fn service(group: &str, wish: Wish) -> String {
    match wish {
        Wish::Any => group.to_owned(),
        Wish::Static(ip) => format!("{group}-{}", hash(&ip.to_string(), ADDRESS_DIGITS)),
        Wish::Cluster(None) => format!("{group}-cluster"),
        Wish::Cluster(Some(ip)) => format!("{group}-{}", hash(&format!("cluster {ip}"), ADDRESS_DIGITS)),
    }
}

/// A name as the value of a label.
pub(super) fn label(name: &str) -> String {
    // Labels take dots, so that most names stay as they are.
    if name.len() <= LABEL { name.to_owned() } else { cut(name, name, LABEL) }
}

/// As a DNS label of at most `most` characters. What has to be changed gets a hash of the whole, so that two names stay
/// two.
fn fit(name: &str, most: usize) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
    if plain == name && name.len() <= most && !name.ends_with('-') { plain } else { cut(&plain, name, most) }
}

fn cut(plain: &str, name: &str, most: usize) -> String {
    let kept: String = plain.chars().take(most - 1 - DIGITS).collect();
    format!("{}-{}", kept.trim_end_matches(['-', '.']), hash(name, DIGITS))
}

fn hash(text: &str, digits: usize) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..digits]
        .to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv6Addr;

    fn gateway(name: &str, share: Option<&str>) -> Gateway {
        let mut metadata = serde_json::json!({"name": name, "namespace": "d"});
        if let Some(share) = share {
            metadata["annotations"] = serde_json::json!({SHARE: share});
        }
        serde_json::from_value(serde_json::json!({"metadata": metadata, "spec": {"gatewayClassName": "lychgate"}}))
            .unwrap()
    }

    fn name(gateway_name: &str) -> String {
        group(&gateway(gateway_name, None)).name
    }

    #[test]
    fn plain_names_stay_readable() {
        assert_eq!(name("edge"), "lychgate-edge");
        assert_eq!(group(&gateway("edge", Some("all"))).name, "lychgates-all");
        assert_eq!(group(&gateway("edge", Some(""))).name, "lychgate-edge");
        assert_eq!(label("a.b"), "a.b");
    }

    #[test]
    fn names_that_look_alike_stay_apart() {
        assert_ne!(name("a.b"), name("a-b"));
        let (one, other) = ("x".repeat(252) + "a", "x".repeat(252) + "b");
        assert_ne!(name(&one), name(&other));
        assert_ne!(group(&gateway("a", Some("B"))), group(&gateway("a", Some("b"))));
        assert_ne!(label(&one), label(&other));
    }

    fn is_label(name: &str) -> bool {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        name.len() <= 63
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name.chars().all(inner)
    }

    proptest! {
        #[test]
        fn every_name_fits(name in "[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", share in proptest::option::of(".{0,300}"), last: u16) {
            let group = group(&gateway(&name, share.as_deref()));
            prop_assert!(is_label(&group.name), "{}", group.name);
            let service = service(&group.name, Wish::Static(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into()));
            prop_assert!(is_label(&service), "{service}");
            prop_assert!(label(&name).len() <= 63);
        }
    }
}
