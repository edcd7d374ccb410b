//! `lychgate certs`: a certificate for trying things out, by an authority made for it alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use thiserror::Error;
use time::{Duration, OffsetDateTime};

/// Make a certificate for trying things out: an authority, and a server certificate by it.
///
/// Writes ca.crt (give it to clients: curl --cacert), tls.crt, tls.key, and secret.yaml, a Kubernetes Secret that a
/// Gateway's certificateRefs can name. The authority's own key is thrown away, so that nothing else can ever be signed
/// by it. Not for production: use certificates that somebody vouches for.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CertsArgs {
    /// The directory to write into; it is made if it is missing.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// A DNS name or IP address of the server; may repeat.
    #[arg(long = "name", value_name = "NAME", default_value = "localhost")]
    pub(crate) names: Vec<String>,
    /// The Secret's namespace and name.
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "default/lychgate-certificate", value_parser = secret_name)]
    pub(crate) secret: SecretName,
    /// For how many days it is good; some clients refuse more than 397.
    #[arg(long, default_value_t = 397, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(crate) days: u16,
    /// Replace what is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// A Secret's namespace and name, both RFC 1123 labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretName {
    namespace: String,
    name: String,
}

fn secret_name(text: &str) -> Result<SecretName, String> {
    let label = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&part.len()) && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    match text.split_once('/') {
        Some((namespace, name)) if label(namespace) && label(name) => {
            Ok(SecretName { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        Some(_) | None => Err("wants NAMESPACE/NAME, each of lower-case letters, digits and dashes".to_owned()),
    }
}

/// Why there is no certificate.
#[derive(Debug, Error)]
pub(crate) enum CertsError {
    /// A name that no certificate can have.
    #[error("--name {name}: {why}; it should be a DNS name, a wildcard such as *.example.com, or an IP address")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: rcgen::Error,
    },
    /// A key or signature could not be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// Files are there already.
    #[error("{} exists; --force replaces it", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}: {why}; choose a directory that can be written to", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
}

/// Makes the certificate, writes the files, and prints what they are for.
///
/// # Errors
/// A name that no certificate can have, files that are there already, a directory that takes none.
pub(crate) fn run(args: &CertsArgs, out: &mut impl Write) -> Result<(), CertsError> {
    let CertsArgs { dir, names, secret, days, force } = args;
    let made = make(names, Duration::days(i64::from(*days)))?;
    let files = [
        ("ca.crt", made.authority.clone(), Readers::Everybody),
        ("tls.crt", made.chain.clone(), Readers::Everybody),
        ("tls.key", made.key.clone(), Readers::Owner),
        ("secret.yaml", made.secret(secret), Readers::Owner),
    ];
    if !force && let Some((name, ..)) = files.iter().find(|(name, ..)| dir.join(name).exists()) {
        return Err(CertsError::Exists(dir.join(name)));
    }
    fs::create_dir_all(dir).map_err(|why| CertsError::Write { path: dir.clone(), why })?;
    for (name, text, readers) in &files {
        write(&dir.join(name), text, *readers)?;
    }
    let told = writeln!(
        out,
        "Made a certificate for {}, good for {days} days, in {}.\nTry it with: curl --cacert {}",
        names.join(", "),
        dir.display(),
        dir.join("ca.crt").display()
    );
    told.map_err(|why| CertsError::Write { path: PathBuf::from("standard output"), why })
}

#[derive(Clone, Copy)]
enum Readers {
    Owner,
    Everybody,
}

/// Writes beside and renames: who reads the directory meanwhile sees the old file or the new, never half of one.
fn write(path: &Path, text: &str, readers: Readers) -> Result<(), CertsError> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = (|| {
        // One left by a run that was stopped may have another mode.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&beside, path)
    })();
    written.map_err(|why| CertsError::Write { path: path.to_owned(), why })
}

/// All PEM.
struct Made {
    authority: String,
    chain: String,
    key: String,
}

impl Made {
    fn secret(&self, secret: &SecretName) -> String {
        let SecretName { namespace, name } = secret;
        let (chain, key) = (STANDARD.encode(&self.chain), STANDARD.encode(&self.key));
        format!(
            "# Made by `lychgate certs`. It holds a private key: do not commit it.\n\
             apiVersion: v1\nkind: Secret\nmetadata:\n  namespace: {namespace}\n  name: {name}\n\
             type: kubernetes.io/tls\ndata:\n  tls.crt: {chain}\n  tls.key: {key}\n"
        )
    }
}

fn make(names: &[String], lifetime: Duration) -> Result<Made, CertsError> {
    // Clocks differ a little.
    let from = OffsetDateTime::now_utc() - Duration::HOUR;
    let until = from + lifetime;

    let mut authority = CertificateParams::default();
    (authority.not_before, authority.not_after) = (from, until);
    authority.distinguished_name = common_name("Lychgate test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);

    let mut leaf = CertificateParams::default();
    (leaf.not_before, leaf.not_after) = (from, until);
    leaf.distinguished_name = common_name("Lychgate test certificate");
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.subject_alt_names = names.iter().map(|name| subject(name)).collect::<Result<_, _>>()?;
    let key = KeyPair::generate()?;
    let chain = leaf.signed_by(&key, &issuer)?.pem();
    Ok(Made { authority: authority_pem, chain, key: key.serialize_pem() })
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

fn subject(name: &str) -> Result<SanType, CertsError> {
    if let Ok(addr) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(addr));
    }
    let ascii = name.try_into().map_err(|why| CertsError::Name { name: name.to_owned(), why })?;
    Ok(SanType::DnsName(ascii))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn args(dir: &Path) -> CertsArgs {
        CertsArgs {
            dir: dir.join("made/here"),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            secret: secret_name("shop/front").unwrap(),
            days: 10,
            force: false,
        }
    }

    #[test]
    fn writes_what_it_says_and_keeps_keys_private() {
        let dir = tempfile::tempdir().unwrap();
        let args = args(dir.path());
        let mut told = Vec::new();
        run(&args, &mut told).unwrap();
        let mode = |name: &str| fs::metadata(args.dir.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(["ca.crt", "tls.crt", "tls.key", "secret.yaml"].map(mode), [0o644, 0o644, 0o600, 0o600]);
        assert_eq!(fs::read_dir(&args.dir).unwrap().count(), 4, "nothing is left beside them");

        let secret = fs::read_to_string(args.dir.join("secret.yaml")).unwrap();
        let key = fs::read_to_string(args.dir.join("tls.key")).unwrap();
        assert!(secret.contains("namespace: shop\n  name: front\n"), "{secret}");
        assert!(secret.contains(&STANDARD.encode(&key)));
        assert!(String::from_utf8(told).unwrap().contains("ca.crt"));
    }

    #[test]
    fn replaces_only_when_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let mut args = args(dir.path());
        run(&args, &mut Vec::new()).unwrap();
        let first = fs::read(args.dir.join("tls.crt")).unwrap();
        assert!(matches!(run(&args, &mut Vec::new()), Err(CertsError::Exists(_))));
        args.force = true;
        run(&args, &mut Vec::new()).unwrap();
        assert_ne!(fs::read(args.dir.join("tls.crt")).unwrap(), first);
    }

    #[test]
    fn refuses_names_that_cannot_be() {
        let dir = tempfile::tempdir().unwrap();
        let mut args = args(dir.path());
        args.names = vec!["bücher.example".to_owned()];
        let error = run(&args, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("--name bücher.example"), "{error}");
        assert!(!args.dir.exists(), "nothing is written");
        for bad in ["noslash", "Upper/case", "a/", "/b", "a/-b", "a/b/c"] {
            assert!(secret_name(bad).is_err(), "{bad}");
        }
    }
}
