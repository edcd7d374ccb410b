//! Certificates and trust anchors: whether what a Secret or ConfigMap holds can be used.
//!
//! Parsing keys is slow, and the objects rarely change, so every verdict is remembered with the object it was passed on.

use crate::names::name_of;
use lychgate_api::core::{ConfigMap, Secret};
use lychgate_api::{ObjectKey, Objects, Resource};
use lychgate_ir::{Certificate, CertificateId, Redacted};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A verdict, and the object that it was passed on.
type Checked<Object, Good> = (Arc<Object>, Result<Good, String>);

/// What was found out about Secrets and ConfigMaps, now and in the translation before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdicts {
    pairs: BTreeMap<ObjectKey, Checked<Secret, Arc<Certificate>>>,
    bundles: BTreeMap<ObjectKey, Checked<ConfigMap, Arc<str>>>,
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
        if let Some((_, verdict)) = self.now.borrow().pairs.get(key) {
            return verdict.clone();
        }
        let before = self.before.and_then(|before| before.pairs.get(key)).filter(|(old, _)| old == secret);
        let verdict = match before {
            Some((_, verdict)) => verdict.clone(),
            None => read_pair(key, secret).map(Arc::new),
        };
        self.now.borrow_mut().pairs.insert(key.clone(), (secret.clone(), verdict.clone()));
        verdict
    }

    /// The trust anchors of a ConfigMap's `ca.crt`, or why there are none.
    pub(crate) fn bundle(&self, key: &ObjectKey) -> Result<Arc<str>, String> {
        let map = self.objects.get_config_map(key);
        let map = map.ok_or_else(|| format!("ConfigMap {key} does not exist; create it"))?;
        if let Some((_, verdict)) = self.now.borrow().bundles.get(key) {
            return verdict.clone();
        }
        let before = self.before.and_then(|before| before.bundles.get(key)).filter(|(old, _)| old == map);
        let verdict = match before {
            Some((_, verdict)) => verdict.clone(),
            None => read_bundle(key, map),
        };
        self.now.borrow_mut().bundles.insert(key.clone(), (map.clone(), verdict.clone()));
        verdict
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

fn read_bundle(key: &ObjectKey, map: &ConfigMap) -> Result<Arc<str>, String> {
    let bytes = map.get("ca.crt").ok_or_else(|| format!("ConfigMap {key} has no ca.crt"))?;
    let text = std::str::from_utf8(bytes).map_err(|_| format!("ca.crt of ConfigMap {key} is not PEM text"))?;
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| format!("ca.crt of ConfigMap {key} is not PEM: {error}"))?;
    if certificates.is_empty() {
        return Err(format!("ca.crt of ConfigMap {key} holds no CERTIFICATE in PEM"));
    }
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| format!("ca.crt of ConfigMap {key} is no trust anchor: {error}"))?;
    }
    Ok(text.into())
}
