//! Certificates and trust anchors: whether what a Secret, ConfigMap or ClusterTrustBundle holds can be used.
//!
//! Parsing keys is slow, and the objects rarely change, so every verdict is remembered with the object it was passed on.

use crate::names::name_of;
use lychgate_api::core::{ClusterTrustBundle, ConfigMap, Secret};
use lychgate_api::{ObjectKey, Objects, Resource};
use lychgate_ir::{Certificate, CertificateId, Redacted};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The certificates of a chain together, in bytes. What a server sends has to fit into one handshake message, and rustls takes
/// none above 64 KiB, OpenSSL none above 100 KiB: with a longer one, clients fail without a word about why.
const LONGEST_CHAIN: usize = 64 * 1024;

/// A verdict, and the object that it was passed on.
type Checked<Object, Good> = (Arc<Object>, Result<Good, String>);

/// What was found out about each of them, now and in the translation before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdicts {
    pairs: BTreeMap<ObjectKey, Checked<Secret, Arc<Certificate>>>,
    bundles: BTreeMap<ObjectKey, Checked<ConfigMap, Arc<str>>>,
    cluster_bundles: BTreeMap<ObjectKey, Checked<ClusterTrustBundle, Arc<str>>>,
}

/// Reads certificates and trust anchors, each at most once.
pub(crate) struct Store<'a> {
    objects: &'a Objects,
    before: Option<&'a Verdicts>,
    now: RefCell<Verdicts>,
}

impl<'a> Store<'a> {
    pub(crate) fn new(objects: &'a Objects, before: Option<&'a Verdicts>) -> Self {
        Self { objects, before, now: RefCell::default() }
    }

    /// The certificate and key of a Secret, or why there are none.
    pub(crate) fn pair(&self, key: &ObjectKey) -> Result<Arc<Certificate>, String> {
        let secret = self.objects.get_secret(key);
        let secret = secret.ok_or_else(|| format!("Secret {key} does not exist; create it"))?;
        let before = self.before.map(|before| &before.pairs);
        remembered(&mut self.now.borrow_mut().pairs, before, key, secret, || read_pair(key, secret).map(Arc::new))
    }

    /// The trust anchors of a ConfigMap's `ca.crt`, or why there are none.
    pub(crate) fn bundle(&self, key: &ObjectKey) -> Result<Arc<str>, String> {
        let map = self.objects.get_config_map(key);
        let map = map.ok_or_else(|| format!("ConfigMap {key} does not exist; create it"))?;
        let before = self.before.map(|before| &before.bundles);
        remembered(&mut self.now.borrow_mut().bundles, before, key, map, || read_config_map(key, map))
    }

    /// The trust anchors of a ClusterTrustBundle, or why there are none.
    pub(crate) fn cluster_bundle(&self, name: &str) -> Result<Arc<str>, String> {
        let key = ObjectKey::new("", name);
        let bundle = self.objects.get_cluster_trust_bundle(&key);
        let bundle = bundle.ok_or_else(|| {
            format!("ClusterTrustBundle {key} does not exist; create it, on a cluster that has the kind")
        })?;
        let before = self.before.map(|before| &before.cluster_bundles);
        let read = || read_anchors(&format!("spec.trustBundle of ClusterTrustBundle {key}"), &bundle.spec.trust_bundle);
        remembered(&mut self.now.borrow_mut().cluster_bundles, before, &key, bundle, read)
    }

    /// The certificate of this id, if it is good.
    pub(crate) fn good(&self, id: &CertificateId) -> Option<Arc<Certificate>> {
        let key = ObjectKey::new(&*id.0.namespace, &*id.0.name);
        // Where backends were taken over, their certificates were not looked at again.
        self.pair(&key).ok()
    }

    pub(crate) fn into_verdicts(self) -> Verdicts {
        self.now.into_inner()
    }
}

/// The verdict of now, else the one of before if the object is the same, else a new one.
fn remembered<Object: PartialEq, Good: Clone>(
    now: &mut BTreeMap<ObjectKey, Checked<Object, Good>>,
    before: Option<&BTreeMap<ObjectKey, Checked<Object, Good>>>,
    key: &ObjectKey,
    object: &Arc<Object>,
    read: impl FnOnce() -> Result<Good, String>,
) -> Result<Good, String> {
    if let Some((_, verdict)) = now.get(key) {
        return verdict.clone();
    }
    let before = before.and_then(|before| before.get(key)).filter(|(old, _)| old == object);
    let verdict = before.map_or_else(read, |(_, verdict)| verdict.clone());
    now.insert(key.clone(), (object.clone(), verdict.clone()));
    verdict
}

/// Why a Secret holds no certificate with its key (type `kubernetes.io/tls`), if it does not.
#[must_use]
pub fn key_pair_problem(secret: &Secret) -> Option<String> {
    read_pair(&secret.key(), secret).err()
}

fn read_pair(key: &ObjectKey, secret: &Secret) -> Result<Certificate, String> {
    let part = |name: &str| {
        let bytes =
            secret.get(name).ok_or_else(|| format!("Secret {key} has no {name}; it needs tls.crt and tls.key"))?;
        std::str::from_utf8(bytes.expose()).map_err(|_| format!("{name} of Secret {key} is not PEM text"))
    };
    let (chain_pem, key_pem) = (part("tls.crt")?, part("tls.key")?);
    let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| format!("tls.crt of Secret {key} is not PEM: {error}"))?;
    if chain.is_empty() {
        return Err(format!("tls.crt of Secret {key} holds no CERTIFICATE in PEM"));
    }
    let length: usize = chain.iter().map(|certificate| certificate.len()).sum();
    if length > LONGEST_CHAIN {
        return Err(format!(
            "tls.crt of Secret {key} holds {} certificates of {length} bytes, and clients take no chain above {LONGEST_CHAIN}; \
             leave only the certificate and its intermediates",
            chain.len()
        ));
    }
    let private = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
        .map_err(|error| format!("tls.key of Secret {key} holds no private key in PEM: {error}"))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    rustls::sign::CertifiedKey::from_der(chain, private, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("tls.crt and tls.key of Secret {key} do not belong together; put the matching key in")
        }
        error => format!("tls.crt and tls.key of Secret {key} cannot be used: {error}"),
    })?;
    Ok(Certificate {
        id: CertificateId(name_of(key)),
        chain_pem: chain_pem.into(),
        key_pem: Redacted::new(key_pem.to_owned()),
    })
}

/// Why a certificate cannot sign others, if it cannot.
pub(crate) fn authority_problem(certificate: &Certificate) -> Option<String> {
    let Certificate { id, chain_pem, key_pem: _ } = certificate;
    let own = CertificateDer::from_pem_slice(chain_pem.as_bytes()).ok();
    let own = own.as_ref().and_then(|own| X509Certificate::from_der(own).ok());
    let Some((_, own)) = own else { return Some(format!("tls.crt of {id} cannot be read")) };
    let is_authority = own.basic_constraints().ok().flatten().is_some_and(|constraints| constraints.value.ca);
    // Without key usage, a key may be used for all (RFC 5280 section 4.2.1.3).
    let may_sign = own.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()));
    (!is_authority || !may_sign).then(|| {
        format!(
            "the certificate of {id} is no authority that may sign others; it needs basicConstraints CA:TRUE and \
             keyUsage keyCertSign"
        )
    })
}

fn read_config_map(key: &ObjectKey, map: &ConfigMap) -> Result<Arc<str>, String> {
    let bytes = map.get("ca.crt").ok_or_else(|| format!("ConfigMap {key} has no ca.crt"))?;
    let text = std::str::from_utf8(bytes).map_err(|_| format!("ca.crt of ConfigMap {key} is not PEM text"))?;
    read_anchors(&format!("ca.crt of ConfigMap {key}"), text)
}

/// `place` says where the text is.
fn read_anchors(place: &str, text: &str) -> Result<Arc<str>, String> {
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| format!("{place} is not PEM: {error}"))?;
    if certificates.is_empty() {
        return Err(format!("{place} holds no CERTIFICATE in PEM"));
    }
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| format!("{place} is no trust anchor: {error}"))?;
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_chain_that_no_client_takes_is_refused_with_its_size() {
        let certificate = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", "AAAA".repeat(1024));
        let verdict = |count: usize| {
            let secret: Secret = serde_json::from_value(json!({
                "metadata": {"name": "long", "namespace": "shop"},
                "type": "kubernetes.io/tls",
                "stringData": {"tls.crt": certificate.repeat(count), "tls.key": "-"},
            }))
            .unwrap();
            key_pair_problem(&secret).unwrap()
        };
        let why = verdict(22);
        assert!(why.contains("22 certificates of 67584 bytes"), "{why}");
        // Comments and what else is not a certificate do not count, nor does a chain that is as long as may be.
        let why = verdict(21);
        assert!(why.contains("tls.key"), "{why}");
    }
}
