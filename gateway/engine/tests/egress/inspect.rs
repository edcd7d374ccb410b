//! TLS that a rule looks into.

use crate::support::*;
use lychgate_ir::egress::{
    EgressExceptions, EgressHandling, EgressHost, EgressInspection, EgressPolicy, EgressProtocol, EgressRule,
    EgressTls, HttpRule, OriginTls,
};
use lychgate_ir::{Certificate, CertificateId, ObjectName, Redacted, Refusal, RefusalReason, Snapshot};
use lychgate_testkit::{Authority, ClientTls};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A gate that looks into TLS as an authority of its own.
struct Looking {
    authority: Authority,
    /// A file with its certificate, for curl.
    ca: tempfile::NamedTempFile,
    world: World,
}

impl Looking {
    async fn start(policies: Vec<EgressPolicy>, exclude: &[&str], setup: Setup) -> Self {
        let authority = Authority::new("inspection");
        let ca = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(ca.path(), authority.pem()).unwrap();
        let world = World::with(policies, |snapshot| sign_as(snapshot, &authority, exclude), setup).await;
        for host in ["api.test", "other.test", "bank.test", "evil.test"] {
            world.dns.say(host, Ipv4Addr::LOCALHOST);
        }
        Self { authority, ca, world }
    }

    fn ca(&self) -> &str {
        self.ca.path().to_str().unwrap()
    }

    /// Asks with curl, which believes the gate and nobody else.
    async fn curl(&self, arguments: &[&str]) -> Curl {
        self.world.curl(&[&["--cacert", self.ca()], arguments].concat()).await
    }

    /// TLS in a tunnel, as a client that believes the gate.
    async fn tls(&self, target: &str, server: &str) -> TlsStream<TcpStream> {
        let (answer, stream) = self.world.tunnel(target).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let tls = ClientTls::trusting(&self.authority).alpn(&[]);
        let name = rustls::pki_types::ServerName::try_from(server.to_owned()).unwrap();
        soon(tokio_rustls::TlsConnector::from(tls.config()).connect(name, stream)).await.unwrap()
    }
}

fn pair(chain_pem: String, key_pem: String) -> Arc<Certificate> {
    let id = CertificateId(ObjectName::new("egress", "inspection"));
    Arc::new(Certificate { id, chain_pem: chain_pem.into(), key_pem: Redacted::new(key_pem) })
}

fn sign_as(snapshot: &mut Snapshot, authority: &Authority, exclude: &[&str]) {
    let certificate = pair(authority.chain_pem(), authority.key_pem());
    let exclude = exclude.iter().map(|host| EgressHost::parse(host).unwrap()).collect();
    let inspection = EgressInspection { authority: Ok(certificate.id.clone()), exclude };
    snapshot.certificates.insert(certificate.id.clone(), certificate);
    edit_gateway(snapshot, |gateway| gateway.inspection = Some(inspection));
}

fn looking_into(tls: OriginTls, rule: EgressRule) -> EgressRule {
    handled(EgressHandling { tls: EgressTls::Inspect(Ok(tls)), ..EgressHandling::default() }, rule)
}

fn reading(rule: EgressRule) -> EgressRule {
    speaking(vec![EgressProtocol::Http(HttpRule { methods: vec![http::Method::GET], paths: vec![] })], rule)
}

#[tokio::test]
async fn requests_inside_tls_are_decided_one_by_one() {
    let origin = Origin::start(&["api.test"]).await;
    let rule = looking_into(believing(&origin.authority), reading(allow(&["api.test"])));
    let looking = Looking::start(vec![for_everyone(vec![rule])], &[], Setup::default()).await;
    let url = format!("https://api.test:{}/a?b=c", origin.https());
    let socks = format!("socks5h://{}", looking.world.proxy);
    for version in ["--http1.1", "--http2"] {
        let got = looking.curl(&[version, &url]).await;
        assert_eq!((got.status, got.connect), (200, 200), "{version}: {got:?}");
        assert!(got.body.contains(r#""path": "/a?b=c""#), "{version}: {got:?}");
        assert!(got.body.contains(r#""serverName": "api.test""#), "{version}: {got:?}");
        let posted = looking.curl(&[version, "-d", "x", &url]).await;
        assert_eq!((posted.status, posted.connect), (403, 200), "{version}: {posted:?}");
        assert!(posted.body.contains("(egress_denied)"), "{version}: {posted:?}");
        // One connection, a request that may leave and one that may not.
        let (proxy, told) = (format!("http://{}", looking.world.proxy), "\n%{http_code} %{num_connects}");
        let next = ["--next", "-sS", "-x", &proxy, "--cacert", looking.ca(), version, "-w", told, "-d", "x", &url];
        let both = looking.curl(&[&[version, &url][..], &next].concat()).await;
        assert!(
            both.body.contains(r#""method": "GET""#) && both.body.contains("(egress_denied)"),
            "{version}: {both:?}"
        );
        assert_eq!((both.status, both.connect), (403, 0), "{version}: {both:?}");
        let other = looking.curl(&[version, "-H", "Host: evil.test", &url]).await;
        assert_eq!(other.status, 403, "{version}: {other:?}");
        assert!(other.body.contains("the Host is not the server"), "{version}: {other:?}");
        let socks = curl(&["-x", &socks, "--cacert", looking.ca(), version, &url]).await;
        assert_eq!(socks.status, 200, "{version}: {socks:?}");
    }
    // HTTP/2 goes on as HTTP/2 where the destination speaks it.
    let got = looking.curl(&["--http2", &url]).await;
    assert!(got.body.contains(r#""proto": "HTTP/2.0""#), "{got:?}");
    let got = looking.curl(&["--http1.1", &url]).await;
    assert!(got.body.contains(r#""proto": "HTTP/1.1""#), "{got:?}");
}

#[tokio::test]
async fn each_host_has_a_certificate_of_its_own_and_is_verified_by_its_name() {
    let origin = Origin::start(&["api.test", "other.test"]).await;
    let rule = looking_into(believing(&origin.authority), allow(&["*.test"]));
    let looking = Looking::start(vec![for_everyone(vec![rule])], &[], Setup::default()).await;
    for host in ["api.test", "other.test", "api.test"] {
        let seen = looking.curl(&[&format!("https://{host}:{}/", origin.https())]).await;
        assert_eq!(seen.status, 200, "{host}: {seen:?}");
        assert!(seen.body.contains(&format!(r#""serverName": "{host}""#)), "{host}: {seen:?}");
    }
    // A tunnel by address, as one that was redirected: the name is the one that TLS shows.
    let mut inside = looking.tls(&format!("127.0.0.1:{}", origin.https()), "api.test").await;
    inside.write_all(b"GET / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon(inside.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Whom the rule does not believe is told inside TLS.
    let unbelieved = looking.curl(&[&format!("https://evil.test:{}/", origin.https())]).await;
    assert_eq!(unbelieved.status, 502, "{unbelieved:?}");
    assert!(unbelieved.body.contains("is for another name"), "{unbelieved:?}");
}

#[tokio::test]
async fn what_a_request_leaves_over_is_up_to_the_rule_that_lets_it_pass() {
    let origin = Origin::start(&["api.test"]).await;
    let read = looking_into(believing(&origin.authority), reading(allow(&["api.test"])));
    let posting = |handling| {
        let posts = EgressProtocol::Http(HttpRule { methods: vec![http::Method::POST], paths: vec![] });
        vec![for_everyone(vec![read.clone(), handled(handling, speaking(vec![posts], allow(&["api.test"])))])]
    };
    let with = |tls| posting(EgressHandling { tls, ..EgressHandling::default() });
    let looking = Looking::start(vec![], &[], Setup::default()).await;
    let broken = Refusal::internal(RefusalReason::InvalidPolicy, "ConfigMap/egress/roots does not exist".to_owned());
    let cases = [
        (EgressTls::Pass, 200, "TLSv1.3"),
        (EgressTls::Originate(Ok(believing(&origin.authority))), 200, "TLSv1.3"),
        (EgressTls::Originate(Ok(believing(&Authority::new("others")))), 502, "by nobody who is believed"),
        (EgressTls::Originate(Err(broken)), 500, "(refused_by_config)"),
    ];
    let url = format!("https://api.test:{}/", origin.https());
    for (tls, status, said) in cases {
        looking.world.apply(with(tls.clone()));
        let posted = looking.curl(&["-d", "x", &url]).await;
        assert_eq!((posted.status, posted.connect), (status, 200), "{tls:?}: {posted:?}");
        assert!(posted.body.contains(said), "{tls:?}: {posted:?}");
        let got = looking.curl(&[&url]).await;
        assert_eq!(got.status, 200, "{tls:?}: {got:?}");
    }
}

#[tokio::test]
async fn hosts_that_are_excluded_and_rules_that_do_not_ask_are_carried_as_they_are() {
    let origin = Origin::start(&["api.test", "bank.test", "other.test"]).await;
    let into = |rule| looking_into(believing(&origin.authority), rule);
    let rules = vec![into(allow(&["*.test"])), allow(&["other.test"])];
    let looking = Looking::start(vec![for_everyone(rules)], &["bank.test"], Setup::default()).await;
    for (host, is_looked_into) in [("api.test", true), ("bank.test", false), ("other.test", false)] {
        let url = format!("https://{host}:{}/", origin.https());
        let by_gate = looking.curl(&[&url]).await;
        let by_origin = looking.world.curl(&["--cacert", &origin.ca, &url]).await;
        let expected = if is_looked_into { (200, 0) } else { (0, 200) };
        assert_eq!((by_gate.status, by_origin.status), expected, "{host}: {by_gate:?} {by_origin:?}");
    }
    // What only HTTP that is read may do, nobody may do unread.
    looking.world.apply(vec![for_everyone(vec![into(reading(allow(&["*.test"])))])]);
    let unread = looking.world.curl(&["--cacert", &origin.ca, &format!("https://bank.test:{}/", origin.https())]).await;
    assert_eq!((unread.status, unread.connect), (0, 200), "{unread:?}");
    assert_eq!(looking.curl(&[&format!("https://api.test:{}/", origin.https())]).await.status, 200);
}

#[tokio::test]
async fn a_server_name_excludes_an_address_only_where_dns_leads_from_it_to_there() {
    let origin = Origin::start(&["bank.test"]).await;
    let into = |rule| looking_into(believing(&origin.authority), rule);
    let exceptions = EgressExceptions { unverified_name: true, ..EgressExceptions::default() };
    let rules = [allow_addresses(&["127.0.0.0/8"]), EgressRule { exceptions, ..allow(&["*.test"]) }];
    let looking = Looking::start(vec![], &["bank.test"], Setup::default()).await;
    let (target, by_gate) =
        (format!("127.0.0.1:{}", origin.https()), ClientTls::trusting(&looking.authority).alpn(&[]));
    for rule in rules {
        looking.world.apply(vec![for_everyone(vec![into(rule)])]);
        // The client chooses the name, and DNS leads from it elsewhere, or nowhere.
        looking.world.dns.say("bank.test", Ipv4Addr::new(127, 0, 0, 2));
        let (_, stream) = looking.world.tunnel(&target).await;
        let unread = get_over_tls(stream, &origin.tls(), "bank.test").await;
        assert!(unread.is_err(), "{unread:?}");
        let (_, stream) = looking.world.tunnel(&target).await;
        let read = get_over_tls(stream, &by_gate, "bank.test").await;
        assert!(read.as_ref().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")), "{read:?}");
        looking.world.dns.say("bank.test", Ipv4Addr::LOCALHOST);
        let (_, stream) = looking.world.tunnel(&target).await;
        let unread = get_over_tls(stream, &origin.tls(), "bank.test").await;
        assert!(unread.as_ref().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")), "{unread:?}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_take_our_certificate_is_recorded_as_such() {
    let origin = Origin::start(&["api.test"]).await;
    let home = tempfile::tempdir().unwrap();
    let setup = Setup { audit: Some(audit_into(home.path())), ..Setup::default() };
    let rule = looking_into(believing(&origin.authority), allow(&["api.test"]));
    let looking = Looking::start(vec![for_everyone(vec![rule])], &[], setup).await;
    let url = format!("https://api.test:{}/a?secret=s3cret", origin.https());
    let pinning = looking.world.curl(&["--cacert", &origin.ca, &url]).await;
    assert_eq!((pinning.status, pinning.connect), (0, 200), "{pinning:?}");
    looking.world.counted(r#"lychgate_refused_total{reason="egress_inspection"}"#, 1).await;
    assert_eq!(origin.server.counts().requests, 0);
    assert_eq!(looking.curl(&[&url]).await.status, 200);
    let log = written(home.path(), |log| log.contains("overTls")).await;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("api.test")).collect();
    let [pinned, read] = lines.as_slice() else { panic!("{log}") };
    assert!(pinned.contains("egress_inspection: it pins another certificate"), "{pinned}");
    assert!(pinned.contains("shop/policy-0"), "{pinned}");
    assert!(read.contains(r#""overTls":true"#) && read.contains(r#""path":"/a""#), "{read}");
    assert!(read.contains(r#""serverName":"api.test""#) && !read.contains("s3cret"), "{read}");
}

#[tokio::test]
async fn what_is_no_http_inside_is_refused() {
    let origin = Origin::start(&["api.test"]).await;
    let rule = looking_into(believing(&origin.authority), allow(&["api.test"]));
    let looking = Looking::start(vec![for_everyone(vec![rule])], &[], Setup::default()).await;
    let target = format!("api.test:{}", origin.sealed());
    let mut inside = looking.tls(&target, "api.test").await;
    inside.write_all(b"\x00\x01ping").await.unwrap();
    let mut rest = Vec::new();
    // Closed or reset.
    let _ = soon(inside.read_to_end(&mut rest)).await;
    assert!(rest.is_empty(), "{rest:?}");
    looking.world.counted(r#"lychgate_refused_total{reason="egress_denied"}"#, 1).await;
    // Nor a tunnel in the tunnel.
    let mut inside = looking.tls(&format!("api.test:{}", origin.https()), "api.test").await;
    inside.write_all(b"CONNECT evil.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    soon(inside.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 501");
    assert_eq!(origin.server.counts().requests, 0);
}

#[tokio::test]
async fn without_an_authority_that_can_sign_nothing_leaves() {
    let origin = Origin::start(&["api.test"]).await;
    let rule = looking_into(believing(&origin.authority), allow(&["api.test"]));
    let looking = Looking::start(vec![for_everyone(vec![rule])], &[], Setup::default()).await;
    let url = format!("https://api.test:{}/", origin.https());
    let leaf = looking.authority.server(&["api.test"]);
    let leaf = pair(leaf.chain_pem(), leaf.key_pem());
    let refusal = Refusal::internal(RefusalReason::InvalidPolicy, "Secret/egress/ca does not exist".to_owned());
    let named = |authority| Some(EgressInspection { authority, exclude: vec![] });
    let cases = [
        (None, None),
        (named(Err(refusal)), None),
        (named(Ok(leaf.id.clone())), None),
        (named(Ok(leaf.id.clone())), Some(leaf.clone())),
    ];
    for (count, (inspection, certificate)) in (1..).zip(cases) {
        looking.world.change(|snapshot| {
            snapshot.certificates = certificate.into_iter().map(|one| (one.id.clone(), one)).collect();
            edit_gateway(snapshot, |gateway| gateway.inspection = inspection);
        });
        for ca in [looking.ca(), &origin.ca] {
            let seen = looking.world.curl(&["--cacert", ca, &url]).await;
            assert_eq!((seen.status, seen.connect), (0, 200), "{count}: {seen:?}");
        }
        looking.world.counted(r#"lychgate_refused_total{reason="refused_by_config"}"#, 2 * count).await;
    }
    assert_eq!(origin.server.counts().requests, 0);
    // Another authority counts from the next connection on.
    let next = Authority::new("next");
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), next.pem()).unwrap();
    looking.world.change(|snapshot| sign_as(snapshot, &next, &[]));
    let seen = looking.world.curl(&["--cacert", ca.path().to_str().unwrap(), &url]).await;
    assert_eq!(seen.status, 200, "{seen:?}");
}

#[tokio::test]
async fn a_websocket_inside_passes_and_is_cut_when_it_is_denied() {
    let origin = Origin::start(&["api.test"]).await;
    let rule = looking_into(believing(&origin.authority), reading(allow(&["api.test"])));
    let looking = Looking::start(vec![for_everyone(vec![rule])], &[], Setup::default()).await;
    let mut inside = looking.tls(&format!("api.test:{}", origin.https()), "api.test").await;
    let ask = "GET /chat HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    inside.write_all(ask.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(inside.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", head.escape_ascii());
    inside.write_all(b"\x81\x84\x00\x00\x00\x00ping").await.unwrap();
    let mut echoed = [0; 6];
    soon(inside.read_exact(&mut echoed)).await.unwrap();
    assert_eq!(&echoed, b"\x81\x04ping");
    looking.world.apply(vec![]);
    let mut rest = Vec::new();
    // Closed or reset.
    let _ = soon(inside.read_to_end(&mut rest)).await;
    assert!(rest.is_empty(), "{rest:?}");
}
