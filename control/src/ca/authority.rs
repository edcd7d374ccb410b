//! What signs now, what will sign next, and what has signed before.
//!
//! A new root is shown to everybody for a while before it signs, and an old one is believed until it ends: nobody ever
//! meets a certificate whose root it does not know.

use super::root::{BadRoot, ROOT_LIFE, Root, SKEW, end, serial};
use lychgate_feed::{GroupId, relay};
use lychgate_ir::Redacted;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType,
    string::Ia5String,
};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// How long certificates of data planes and of the feed's server are valid.
pub const LEAF_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a new root is shown before it signs: until then every data plane has asked for a certificate anew, and was
/// told of it.
const SHOWN: Duration = LEAF_LIFE;

/// The Secret's keys.
const SIGNS: (&str, &str) = ("tls.crt", "tls.key");
const NEXT: (&str, &str) = ("next.crt", "next.key");
const FORMER: &str = "former.crt";

/// The authority: its roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    signs: Root,
    next: Option<Root>,
    /// Certificates alone: their keys are destroyed.
    former: Vec<String>,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotIssued {
    /// What asks for one is no request.
    #[error("the request cannot be read: {0}")]
    Malformed(String),
    /// It is ours to mend.
    #[error("the certificate authority cannot sign: {0}")]
    Broken(String),
}

impl From<BadRoot> for NotIssued {
    fn from(error: BadRoot) -> Self {
        Self::Broken(error.to_string())
    }
}

/// A certificate, and the key where it was made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// PEM.
    pub chain: String,
    /// PEM; absent where only the other side has it.
    pub key: Option<Redacted>,
    /// When it ends.
    pub not_after: SystemTime,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn generate(now: SystemTime) -> Result<Self, BadRoot> {
        Ok(Self { signs: Root::generate(now)?, next: None, former: Vec::new() })
    }

    /// Out of a Secret's data; `None` if there is nothing in it yet.
    ///
    /// # Errors
    /// If there is something that cannot be read. It is never replaced then: whoever put it there shall look.
    pub fn read(data: &BTreeMap<String, Vec<u8>>) -> Result<Option<Self>, BadRoot> {
        let text = |key: &str| {
            let bytes = data.get(key).filter(|bytes| !bytes.is_empty());
            let text = bytes.map(|bytes| String::from_utf8(bytes.clone()));
            text.transpose().map_err(|_| BadRoot::Unreadable(format!("{key} is no text")))
        };
        let root = |(certificate, key): (&str, &str)| match (text(certificate)?, text(key)?) {
            (None, None) => Ok(None),
            (Some(pem), Some(secret)) => Root::read(&pem, &Redacted::new(secret)).map(Some),
            (Some(_), None) => Err(BadRoot::Unreadable(format!("{certificate} is there, but {key} is not"))),
            (None, Some(_)) => Err(BadRoot::Unreadable(format!("{key} is there, but {certificate} is not"))),
        };
        let Some(signs) = root(SIGNS)? else { return Ok(None) };
        let former = text(FORMER)?.map(|text| split(&text)).unwrap_or_default();
        Ok(Some(Self { signs, next: root(NEXT)?, former }))
    }

    /// As a Secret's data has it.
    #[must_use]
    pub fn write(&self) -> BTreeMap<String, Redacted> {
        let Self { signs, next, former } = self;
        let mut data = BTreeMap::new();
        let roots = [(SIGNS, Some(signs)), (NEXT, next.as_ref())];
        for ((certificate, key), root) in roots {
            if let Some(root) = root {
                data.insert(certificate.to_owned(), Redacted::new(root.certificate().to_owned()));
                data.insert(key.to_owned(), root.key().clone());
            }
        }
        if !former.is_empty() {
            data.insert(FORMER.to_owned(), Redacted::new(former.concat()));
        }
        data
    }

    /// The authority as it shall be now, if that is another one than this.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn rotate(&self, now: SystemTime) -> Result<Option<Self>, BadRoot> {
        let mut new = self.clone();
        new.former.retain(|certificate| end(certificate).is_some_and(|end| end > now));
        let left = new.signs.not_after().duration_since(now).unwrap_or_default();
        match new.next.take() {
            // A third of its life is left: time enough for all that follows, and for people who look away.
            None if left < ROOT_LIFE / 3 => new.next = Some(Root::generate(now)?),
            None => {}
            // It has been shown, or there is nothing to wait for any more.
            Some(next) if next.made() + SHOWN <= now || left.is_zero() => {
                new.former.push(new.signs.certificate().to_owned());
                new.signs = next;
            }
            Some(next) => new.next = Some(next),
        }
        Ok((new != *self).then_some(new))
    }

    /// Everything to believe, PEM: what signs, what will, and what did.
    #[must_use]
    pub fn bundle(&self) -> String {
        let Self { signs, next, former } = self;
        let ours = [Some(signs), next.as_ref()].into_iter().flatten().map(Root::certificate);
        ours.chain(former.iter().map(String::as_str)).collect()
    }

    /// The certificate of a data plane. The key is that of the request; everything else in it is passed over.
    ///
    /// # Errors
    /// If the request is none, or was not signed with its key.
    pub fn data_plane(
        &self,
        csr: &[u8],
        group: &GroupId,
        trust_domain: &str,
        now: SystemTime,
    ) -> Result<Issued, NotIssued> {
        let malformed = |error: rcgen::Error| NotIssued::Malformed(error.to_string());
        let request = CertificateSigningRequestParams::from_der(&csr.into()).map_err(malformed)?;
        let name = Ia5String::try_from(group.spiffe(trust_domain)).map_err(malformed)?;
        let mut params = self.leaf(now)?;
        params.subject_alt_names = vec![SanType::URI(name)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params, &request.public_key, None)
    }

    /// The certificate of the feed's server, with a key of its own.
    ///
    /// # Errors
    /// If a name is none.
    pub fn server(&self, names: &[String], now: SystemTime) -> Result<Issued, NotIssued> {
        let broken = |error: rcgen::Error| NotIssued::Broken(error.to_string());
        let key = KeyPair::generate().map_err(broken)?;
        let mut params = self.leaf(now)?;
        for name in names {
            params.subject_alt_names.push(match name.parse() {
                Ok(ip) => SanType::IpAddress(ip),
                Err(_) => SanType::DnsName(Ia5String::try_from(name.as_str()).map_err(broken)?),
            });
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params, &key, Some(Redacted::new(key.serialize_pem())))
    }

    /// The certificate by which a replica of the control plane is known to another, with a key of its own.
    ///
    /// # Errors
    /// If the trust domain is none.
    pub fn replica(&self, trust_domain: &str, now: SystemTime) -> Result<relay::Credentials, NotIssued> {
        let broken = |error: rcgen::Error| NotIssued::Broken(error.to_string());
        let key = KeyPair::generate().map_err(broken)?;
        let mut params = self.leaf(now)?;
        let name = Ia5String::try_from(relay::spiffe(trust_domain)).map_err(broken)?;
        params.subject_alt_names = vec![SanType::URI(name)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let issued = self.sign(&params, &key, None)?;
        let key_pem = Redacted::new(key.serialize_pem());
        Ok(relay::Credentials { chain_pem: issued.chain, key_pem, roots_pem: self.bundle() })
    }

    /// No leaf outlives what signed it.
    fn leaf(&self, now: SystemTime) -> Result<CertificateParams, NotIssued> {
        let mut params = CertificateParams::default();
        // The default has a subject that says who wrote the library.
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.not_before = (now - SKEW).into();
        params.not_after = (now + LEAF_LIFE).min(self.signs.not_after()).into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.serial_number = Some(serial()?);
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }

    fn sign(
        &self,
        params: &CertificateParams,
        public: &impl rcgen::PublicKeyData,
        key: Option<Redacted>,
    ) -> Result<Issued, NotIssued> {
        let signed = params.signed_by(public, &self.signs.issuer()?);
        let certificate = signed.map_err(|error| NotIssued::Broken(error.to_string()))?;
        Ok(Issued { chain: certificate.pem(), key, not_after: params.not_after.into() })
    }
}

/// A bundle, certificate by certificate.
fn split(bundle: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let each = bundle.split_inclusive(END).filter(|part| part.contains(END));
    each.map(|part| format!("{}\n", part.trim_start())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::server::WebPkiClientVerifier;
    use std::sync::Arc;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn provider() -> Arc<rustls::crypto::CryptoProvider> {
        Arc::new(rustls::crypto::aws_lc_rs::default_provider())
    }

    fn roots(bundle: &str) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        Arc::new(roots)
    }

    fn leaf(chain: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()
    }

    fn unix(time: SystemTime) -> UnixTime {
        UnixTime::since_unix_epoch(time.duration_since(SystemTime::UNIX_EPOCH).unwrap())
    }

    fn client_is_believed(bundle: &str, chain: &str, at: SystemTime) -> bool {
        let verifier = WebPkiClientVerifier::builder_with_provider(roots(bundle), provider()).build().unwrap();
        verifier.verify_client_cert(&leaf(chain), &[], unix(at)).is_ok()
    }

    fn server_is_believed(bundle: &str, chain: &str, name: &str, at: SystemTime) -> bool {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots(bundle), provider()).build().unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(&leaf(chain), &[], &name, &[], unix(at)).is_ok()
    }

    fn request(params: &CertificateParams) -> Vec<u8> {
        params.serialize_request(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn data_plane(authority: &Authority, at: SystemTime) -> Issued {
        let csr = request(&CertificateParams::default());
        authority.data_plane(&csr, &GroupId::new("shop", "lychgate-edge"), "cluster.local", at).unwrap()
    }

    #[test]
    fn a_data_plane_is_who_its_token_says_and_not_what_it_asks_to_be() {
        let authority = Authority::generate(now()).unwrap();
        let mut forged = CertificateParams::new(vec!["lychgate-control.lychgate-system.svc".to_owned()]).unwrap();
        forged
            .subject_alt_names
            .push(SanType::URI("spiffe://cluster.local/ns/kube-system/sa/admin".try_into().unwrap()));
        forged.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        forged.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let group = GroupId::new("shop", "lychgate-edge");
        let issued = authority.data_plane(&request(&forged), &group, "cluster.local", now()).unwrap();

        let der = leaf(&issued.chain);
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        let names: Vec<String> = parsed
            .subject_alternative_name()
            .unwrap()
            .unwrap()
            .value
            .general_names
            .iter()
            .map(|name| name.to_string())
            .collect();
        assert_eq!(names, ["URI(spiffe://cluster.local/ns/shop/sa/lychgate-edge)"]);
        assert!(!parsed.is_ca());
        let bundle = authority.bundle();
        assert!(client_is_believed(&bundle, &issued.chain, now()));
        assert!(!server_is_believed(&bundle, &issued.chain, "lychgate-control.lychgate-system.svc", now()));
    }

    #[test]
    fn a_replica_is_known_by_what_no_token_leads_to() {
        let authority = Authority::generate(now()).unwrap();
        let relay::Credentials { chain_pem, key_pem, roots_pem } = authority.replica("cluster.local", now()).unwrap();
        let der = leaf(&chain_pem);
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        let names = format!("{:?}", parsed.subject_alternative_name().unwrap().unwrap().value.general_names);
        assert_eq!(names, "[URI(\"spiffe://cluster.local/lychgate/control\")]");
        assert!(client_is_believed(&roots_pem, &chain_pem, now()));
        assert!(!server_is_believed(&roots_pem, &chain_pem, "lychgate-control.lychgate-system.svc", now()));
        assert!(format!("{key_pem:?}").contains("redacted"));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let authority = Authority::generate(now()).unwrap();
        let mut broken = request(&CertificateParams::default());
        // The signature does not fit any more.
        if let Some(last) = broken.last_mut() {
            *last ^= 1;
        }
        for csr in [&[][..], b"hello", &broken] {
            let refused = authority.data_plane(csr, &GroupId::new("a", "b"), "cluster.local", now());
            assert!(matches!(refused, Err(NotIssued::Malformed(_))), "{refused:?}");
        }
    }

    #[test]
    fn certificates_end_after_a_day() {
        let authority = Authority::generate(now()).unwrap();
        let issued = data_plane(&authority, now());
        assert_eq!(issued.not_after, now() + DAY);
        let bundle = authority.bundle();
        assert!(client_is_believed(&bundle, &issued.chain, now() + DAY - Duration::from_secs(1)));
        assert!(!client_is_believed(&bundle, &issued.chain, now() + DAY + Duration::from_secs(1)));
        // A clock that is behind a little is borne, one that is far behind is not.
        assert!(client_is_believed(&bundle, &issued.chain, now() - Duration::from_secs(300)));
        assert!(!client_is_believed(&bundle, &issued.chain, now() - DAY));
    }

    #[test]
    fn the_server_has_its_names_and_no_other() {
        let authority = Authority::generate(now()).unwrap();
        let names = ["lychgate-control.lychgate-system.svc".to_owned(), "192.0.2.1".to_owned()];
        let issued = authority.server(&names, now()).unwrap();
        let bundle = authority.bundle();
        for name in &names {
            assert!(server_is_believed(&bundle, &issued.chain, name, now()), "{name}");
        }
        assert!(!server_is_believed(&bundle, &issued.chain, "other.lychgate-system.svc", now()));
        assert!(!client_is_believed(&bundle, &issued.chain, now()));
        let other = Authority::generate(now()).unwrap();
        assert!(!server_is_believed(&other.bundle(), &issued.chain, &names[0], now()));
        assert_eq!(format!("{:?}", issued.key.unwrap()), "[redacted]");
    }

    /// Day by day through three years, with everybody one day behind: what is issued today is believed by those who
    /// have yesterday's bundle, and what was issued yesterday by those who have today's.
    #[test]
    fn rotation_is_never_noticed() {
        let mut authority = Authority::generate(now()).unwrap();
        let mut yesterday = (authority.bundle(), data_plane(&authority, now()));
        let mut signers = std::collections::BTreeSet::from([authority.signs.certificate().to_owned()]);
        for day in 1..3 * 365 {
            let today = now() + DAY * day;
            while let Some(rotated) = authority.rotate(today).unwrap() {
                authority = rotated;
            }
            let issued = data_plane(&authority, today);
            let (bundle, before) = &yesterday;
            assert!(client_is_believed(bundle, &issued.chain, today), "day {day}");
            assert!(
                client_is_believed(&authority.bundle(), &before.chain, today - Duration::from_secs(1)),
                "day {day}"
            );
            assert!(authority.former.len() <= 1, "day {day}: the bundle grows");
            signers.insert(authority.signs.certificate().to_owned());
            yesterday = (authority.bundle(), issued);
        }
        assert!((4..=6).contains(&signers.len()), "{}", signers.len());
    }

    #[test]
    fn a_secret_keeps_all_of_it() {
        let mut authority = Authority::generate(now()).unwrap();
        for day in [250, 251, 252, 500, 501, 502] {
            let later = authority.rotate(now() + DAY * day).unwrap();
            authority = later.unwrap_or(authority);
            let data: BTreeMap<String, Vec<u8>> =
                authority.write().into_iter().map(|(key, value)| (key, value.expose().as_bytes().to_vec())).collect();
            assert_eq!(Authority::read(&data), Ok(Some(authority.clone())), "day {day}");
        }
        assert!(!authority.former.is_empty());
        assert_eq!(Authority::read(&BTreeMap::new()), Ok(None));
        assert!(!format!("{authority:?}").contains("PRIVATE"));
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_nothing() {
        let write = |authority: &Authority| -> BTreeMap<String, Vec<u8>> {
            authority.write().into_iter().map(|(key, value)| (key, value.expose().as_bytes().to_vec())).collect()
        };
        let (one, other) = (Authority::generate(now()).unwrap(), Authority::generate(now()).unwrap());
        let mut mixed = write(&one);
        mixed.insert("tls.key".to_owned(), write(&other)["tls.key"].clone());
        assert_eq!(Authority::read(&mixed), Err(BadRoot::Mismatch));
        let mut half = write(&one);
        half.remove("tls.key");
        assert!(Authority::read(&half).is_err());
        let mut garbage = write(&one);
        garbage.insert("tls.crt".to_owned(), b"garbage".to_vec());
        assert!(Authority::read(&garbage).is_err());
    }
}
