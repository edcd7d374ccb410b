//! Trust anchors.

use super::TlsError;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::sync::{Arc, OnceLock};

/// Trust anchors from PEM bundles. What is no certificate is passed over as long as one is left.
pub(crate) fn from_pem(bundles: &[Arc<str>]) -> Result<Arc<RootCertStore>, TlsError> {
    let mut store = RootCertStore::empty();
    for bundle in bundles {
        for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()).flatten() {
            // An anchor that cannot be used verifies nothing; the others still do.
            let _ = store.add(certificate);
        }
    }
    if store.is_empty() { Err(TlsError::NoRoots("the referenced CA certificates")) } else { Ok(Arc::new(store)) }
}

/// The trust anchors of the host, read once: they are hundreds, and change with the host's packages only.
pub(crate) fn of_the_host() -> Result<Arc<RootCertStore>, TlsError> {
    static STORE: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let store = STORE.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    });
    if store.is_empty() {
        Err(TlsError::NoRoots("the host's certificate store (install ca-certificates)"))
    } else {
        Ok(store.clone())
    }
}
