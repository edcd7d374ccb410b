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
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CertsArgs {
    /// The directory to write into; it is made if it is missing.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// A DNS name or IP address of the server; may repeat.
    #[arg(long = "name", value_name = "NAME", default_value = "localhost")]
    pub(crate) names: Vec<String>,
    /// The Secret's namespace and name.
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "default/lychgate-certificate", value_parser = object_name)]
    pub(crate) secret: ObjectName,
    /// Make a client certificate for this name, too, by the same authority: client.crt and client.key.
    #[arg(long, value_name = "NAME")]
    pub(crate) client: Option<String>,
    /// Write the authority as a Kubernetes ConfigMap, too, which caCertificateRefs can name: ca.yaml.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = object_name)]
    pub(crate) config_map: Option<ObjectName>,
    /// For how many days it is good; some clients refuse more than 397.
    #[arg(long, default_value_t = 397, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(crate) days: u16,
    /// Replace what is there.
    #[arg(long)]
    pub(crate) force: bool,
}

const EXAMPLES: &str = "\
Examples:
  A listener's certificate, beside the config that names it:
    lychgate certs config/certificate --name shop.example --secret default/shop-certificate
  For mutual TLS: a client certificate as well, and the authority that the Gateway checks it against:
    lychgate certs config/certificate --name localhost --client alice --config-map default/clients";

/// An object's namespace and name, both RFC 1123 labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectName {
    namespace: String,
    name: String,
}

fn object_name(text: &str) -> Result<ObjectName, String> {
    let label = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&part.len()) && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    match text.split_once('/') {
        Some((namespace, name)) if label(namespace) && label(name) => {
            Ok(ObjectName { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        Some(_) | None => Err("wants NAMESPACE/NAME, each of lower-case letters, digits and dashes".to_owned()),
    }
}

/// Why there is no certificate.
#[derive(Debug, Error)]
pub(crate) enum CertsError {
    /// A name that no certificate can have.
    #[error("{name}: {why}; it should be a DNS name, a wildcard such as *.example.com, or an IP address")]
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
    let CertsArgs { dir, names, secret, client, config_map, days, force } = args;
    let made = make(names, client.as_deref(), Duration::days(i64::from(*days)))?;
    let files = made.files(secret, config_map.as_ref());
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
    server: Pair,
    client: Option<Pair>,
}

struct Pair {
    chain: String,
    key: String,
}

type File = (&'static str, String, Readers);

impl Made {
    fn files(self, secret: &ObjectName, config_map: Option<&ObjectName>) -> Vec<File> {
        let Self { authority, server, client } = self;
        let as_secret = server.secret(secret);
        let mut files = Vec::new();
        if let Some(name) = config_map {
            files.push(("ca.yaml", as_config_map(&authority, name), Readers::Everybody));
        }
        files.extend([
            ("ca.crt", authority, Readers::Everybody),
            ("tls.crt", server.chain, Readers::Everybody),
            ("tls.key", server.key, Readers::Owner),
            ("secret.yaml", as_secret, Readers::Owner),
        ]);
        if let Some(Pair { chain, key }) = client {
            files.extend([("client.crt", chain, Readers::Everybody), ("client.key", key, Readers::Owner)]);
        }
        files
    }
}

impl Pair {
    fn secret(&self, secret: &ObjectName) -> String {
        let ObjectName { namespace, name } = secret;
        let (chain, key) = (STANDARD.encode(&self.chain), STANDARD.encode(&self.key));
        format!(
            "# Made by `lychgate certs`. It holds a private key: do not commit it.\n\
             apiVersion: v1\nkind: Secret\nmetadata:\n  namespace: {namespace}\n  name: {name}\n\
             type: kubernetes.io/tls\ndata:\n  tls.crt: {chain}\n  tls.key: {key}\n"
        )
    }
}

fn as_config_map(authority: &str, config_map: &ObjectName) -> String {
    let ObjectName { namespace, name } = config_map;
    let pem: String = authority.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "# Made by `lychgate certs`.\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  namespace: {namespace}\n  \
         name: {name}\ndata:\n  ca.crt: |\n{pem}"
    )
}

/// An authority made for a few certificates, and gone with its key when they are signed.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    from: OffsetDateTime,
    until: OffsetDateTime,
}

impl Authority {
    fn new(lifetime: Duration) -> Result<Self, CertsError> {
        // Clocks differ a little.
        let from = OffsetDateTime::now_utc() - Duration::HOUR;
        let until = from + lifetime;
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (from, until);
        params.distinguished_name = common_name("Lychgate test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem, from, until })
    }

    fn sign(&self, subject: &str, names: Vec<SanType>, usage: ExtendedKeyUsagePurpose) -> Result<Pair, CertsError> {
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (self.from, self.until);
        params.distinguished_name = common_name(subject);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.subject_alt_names = names;
        let key = KeyPair::generate()?;
        Ok(Pair { chain: params.signed_by(&key, &self.issuer)?.pem(), key: key.serialize_pem() })
    }
}

fn make(names: &[String], client: Option<&str>, lifetime: Duration) -> Result<Made, CertsError> {
    let names = names.iter().map(|name| subject(name)).collect::<Result<_, _>>()?;
    let client = client.map(|name| subject(name).map(|san| (name, san))).transpose()?;
    let authority = Authority::new(lifetime)?;
    let server = authority.sign("Lychgate test certificate", names, ExtendedKeyUsagePurpose::ServerAuth)?;
    let client = client.map(|(name, san)| authority.sign(name, vec![san], ExtendedKeyUsagePurpose::ClientAuth));
    Ok(Made { server, client: client.transpose()?, authority: authority.pem })
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
            secret: object_name("shop/front").unwrap(),
            client: None,
            config_map: None,
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
    fn a_client_and_a_config_map_are_of_the_same_authority() {
        let dir = tempfile::tempdir().unwrap();
        let mut args = args(dir.path());
        args.client = Some("alice".to_owned());
        args.config_map = Some(object_name("shop/clients").unwrap());
        run(&args, &mut Vec::new()).unwrap();
        assert_eq!(fs::read_dir(&args.dir).unwrap().count(), 7);
        let read = |name: &str| fs::read_to_string(args.dir.join(name)).unwrap();
        let map: serde_yaml::Value = serde_yaml::from_str(&read("ca.yaml")).unwrap();
        assert_eq!((&map["metadata"]["namespace"], &map["metadata"]["name"]), (&"shop".into(), &"clients".into()));
        assert_eq!(map["data"]["ca.crt"].as_str().unwrap(), read("ca.crt").replace("\r\n", "\n"));
        let mode = fs::metadata(args.dir.join("client.key")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
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
        assert!(error.to_string().starts_with("bücher.example: "), "{error}");
        assert!(!args.dir.exists(), "nothing is written");
        for bad in ["noslash", "Upper/case", "a/", "/b", "a/-b", "a/b/c"] {
            assert!(object_name(bad).is_err(), "{bad}");
        }
    }
}
