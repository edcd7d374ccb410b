//! Who signs, and who checks.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lychgate_ir::Redacted;
use std::fmt;
use thiserror::Error;

/// The key that signs: Ed25519 (RFC 8032).
pub struct SigningKey(Ed25519KeyPair);

/// The key that checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyingKey([u8; 32]);

/// Why something is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadKey {
    /// Not the armour that is expected.
    #[error("no PEM block `{0}`")]
    NoPem(&'static str),
    /// Not such a key.
    #[error("no Ed25519 key: make one with `openssl genpkey -algorithm ed25519`")]
    NotEd25519,
    /// None was given.
    #[error("no key can be made: the system gives no random bytes")]
    NotMade,
}

/// What stands before the 32 bytes of a public key (RFC 8410 section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl SigningKey {
    /// From `PRIVATE KEY` in PEM (PKCS #8).
    pub fn from_pem(pem: &str) -> Result<Self, BadKey> {
        let der = from_pem(pem, "PRIVATE KEY")?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self).map_err(|_| BadKey::NotEd25519)
    }

    /// A new key, as PEM.
    pub fn generate() -> Result<Redacted, BadKey> {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| BadKey::NotMade)?;
        let text = Redacted::new(STANDARD.encode(der.as_ref()));
        // A line of PEM has 64 characters (RFC 7468 section 2).
        let lines: Vec<&str> =
            text.expose().as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        Ok(Redacted::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))))
    }

    /// The key that checks what this one signs.
    pub fn verifying_key(&self) -> VerifyingKey {
        // A public key of Ed25519 has 32 bytes.
        VerifyingKey(self.0.public_key().as_ref().try_into().unwrap_or_default())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.0.sign(message))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, [redacted])", self.verifying_key().id())
    }
}

impl VerifyingKey {
    /// From `PUBLIC KEY` in PEM (`openssl pkey -pubout`).
    pub fn from_pem(pem: &str) -> Result<Self, BadKey> {
        let der = from_pem(pem, "PUBLIC KEY")?;
        let key = der.strip_prefix(&SPKI).ok_or(BadKey::NotEd25519)?;
        key.try_into().map(Self).map_err(|_| BadKey::NotEd25519)
    }

    /// A short name for it: the beginning of its SHA-256.
    pub fn id(&self) -> String {
        digest(&SHA256, &self.0).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }

    pub(crate) fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let signature = STANDARD.decode(signature).unwrap_or_default();
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, &signature).is_ok()
    }
}

fn from_pem(pem: &str, label: &'static str) -> Result<Vec<u8>, BadKey> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let inside = pem.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
    let (inside, _) = inside.ok_or(BadKey::NoPem(label))?;
    let text: String = inside.split_whitespace().collect();
    STANDARD.decode(text).map_err(|_| BadKey::NoPem(label))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    // The key of RFC 8410 section 10.3, and its public half of section 10.1.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn keys_are_those_of_the_standard() {
        let key = SigningKey::from_pem(PRIVATE).unwrap();
        let public = VerifyingKey::from_pem(PUBLIC).unwrap();
        assert_eq!(key.verifying_key(), public);
        let signature = key.sign(b"a");
        assert!(public.verifies(b"a", &signature));
        assert!(!public.verifies(b"b", &signature));
        assert!(!public.verifies(b"a", ""));
    }

    #[test]
    fn a_key_that_was_made_can_be_read_and_is_like_no_other() {
        let key = || SigningKey::from_pem(SigningKey::generate().unwrap().expose()).unwrap().verifying_key();
        assert_ne!(key(), key());
    }

    #[test]
    fn what_is_no_key_is_refused_and_keys_are_not_printed() {
        assert_eq!(SigningKey::from_pem(PUBLIC).unwrap_err(), BadKey::NoPem("PRIVATE KEY"));
        assert_eq!(VerifyingKey::from_pem(PRIVATE), Err(BadKey::NoPem("PUBLIC KEY")));
        let other = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
        assert_eq!(SigningKey::from_pem(other).unwrap_err(), BadKey::NotEd25519);
        assert!(format!("{:?}", SigningKey::from_pem(PRIVATE).unwrap()).contains("[redacted]"));
    }
}
