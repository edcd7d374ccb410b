use super::*;
use lychgate_testkit::{Authority, KeyKind};

#[test]
fn anchors_have_the_keys_that_their_certificates_have() {
    let mut anchors = RootCertStore::empty();
    let authorities = [Authority::new("short"), Authority::with_key("long", KeyKind::Rsa2048)];
    for authority in &authorities {
        anchors.add(authority.der().clone()).unwrap();
    }
    assert!(Pinned::among(&anchors, &[]).is_none());
    for authority in &authorities {
        let (_, parsed) = X509Certificate::from_der(authority.der()).unwrap();
        let pin = SpkiPin(digest(&SHA256, parsed.public_key().raw).as_ref().try_into().unwrap());
        let pinned = Pinned::among(&anchors, &[pin]).unwrap();
        let [anchor] = pinned.anchors.as_slice() else { panic!("{pinned:?}") };
        assert_eq!(key(anchor).unwrap(), parsed.public_key().raw);
        assert!(pinned.is_pinned(authority.der()));
    }
    assert_eq!(Pinned::among(&anchors, &[SpkiPin([0; 32])]).unwrap().anchors, []);
}
