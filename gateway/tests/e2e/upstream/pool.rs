//! Pooled connections: a request never goes over a connection that was verified, or not, under other rules than its own.

use super::Bed;
use crate::support::{echo, service, service_speaking};
use crate::tls::{ca, tls_echo, tls_policy, trusting};
use lychgate_testkit::{Authority, server_tls};

/// Whether the version is asked for (first) or known beforehand makes a difference: who asks has to connect anew.
const PROTOCOLS: [(Option<&str>, &str); 3] =
    [(None, "HTTP/2.0"), (Some("kubernetes.io/h2c"), "HTTP/2.0"), (Some("kubernetes.io/wss"), "HTTP/1.1")];

#[tokio::test]
async fn a_policy_that_does_not_trust_the_backend_uses_no_connection_of_one_that_does() {
    let authority = Authority::new("ca");
    for (protocol, proto) in PROTOCOLS {
        let (server, address) = tls_echo("b", server_tls(&authority.server(&["b.example"]))).await;
        let mut files = ca("ca", &authority) + &ca("other", &Authority::new("ca")) + &service("plain", &[address]);
        for (name, trust) in [
            ("good", trusting("ca", "b.example")),
            ("wrong-authority", trusting("other", "b.example")),
            ("wrong-name", trusting("ca", "c.example")),
            ("system", "{wellKnownCACertificates: System, hostname: b.example}".to_owned()),
        ] {
            files += &service_speaking(name, protocol, &[address]);
            files += &tls_policy(name, &trust);
        }
        let bad = ["wrong-authority", "wrong-name", "system", "plain"];
        let bed = Bed::new(&["good", bad[0], bad[1], bad[2], bad[3]], &[("all.yaml", &files)]).await;
        for _ in 0..3 {
            let seen = bed.seen("good").await;
            assert_eq!((seen.connection, seen.proto.as_str()), (1, proto));
            for name in bad {
                assert_eq!(bed.status(name).await, 502, "{protocol:?}, {name}");
            }
        }
        // And while the good connection is in use.
        let (held, ()) = tokio::join!(bed.seen("good?hold=gate"), async {
            server.wait_held("gate", 1).await;
            for name in bad {
                assert_eq!(bed.status(name).await, 502, "{protocol:?}, {name}");
            }
            server.release("gate");
        });
        assert_eq!(held.connection, 1);
        assert_eq!(server.counts().requests, 4);
        bed.stop().await;
    }
}

#[tokio::test]
async fn a_policy_that_changes_leaves_its_connections_behind() {
    let authority = Authority::new("ca");
    let leaf = authority.leaf().dns("b.example").uri("spiffe://example/b").issue();
    let with_names = |uri: &str| {
        trusting("ca", "b.example").trim_end_matches('}').to_owned()
            + &format!(", subjectAltNames: [{{type: URI, uri: \"{uri}\"}}]}}")
    };
    for (protocol, _) in PROTOCOLS {
        let (server, address) = tls_echo("b", server_tls(&leaf)).await;
        let rest =
            service_speaking("b", protocol, &[address]) + &ca("ca", &authority) + &ca("other", &Authority::new("ca"));
        let good = tls_policy("b", &trusting("ca", "b.example"));
        let bed = Bed::new(&["b"], &[("policy.yaml", &good), ("rest.yaml", &rest)]).await;
        let mut connection = 0;
        for wrong in [
            trusting("other", "b.example"),
            trusting("ca", "c.example"),
            with_names("spiffe://example/c"),
            trusting("nowhere", "b.example"),
        ] {
            let seen = bed.seen("b").await;
            assert!(seen.connection > connection, "{wrong}: an old connection came back");
            connection = seen.connection;
            let requests = server.counts().requests;
            bed.site.write("policy.yaml", &tls_policy("b", &wrong)).await;
            for _ in 0..3 {
                let status = bed.status("b").await;
                assert!(status == 502 || status == 500, "{wrong}: {status}");
            }
            assert_eq!(server.counts().requests, requests, "{wrong}: no request was sent");
            bed.site.write("policy.yaml", &good).await;
        }
        bed.site.write("policy.yaml", &tls_policy("b", &with_names("spiffe://example/b"))).await;
        assert!(bed.seen("b").await.connection > connection);
        bed.stop().await;
    }
}

#[tokio::test]
async fn a_policy_that_goes_leaves_its_connections_behind() {
    let authority = Authority::new("ca");
    let (_server, address) = tls_echo("b", server_tls(&authority.server(&["b.example"]))).await;
    let rest = service("b", &[address]) + &ca("ca", &authority);
    let policy = tls_policy("b", &trusting("ca", "b.example"));
    let bed = Bed::new(&["b"], &[("policy.yaml", &policy), ("rest.yaml", &rest)]).await;
    bed.seen("b").await;
    bed.site.remove("policy.yaml").await;
    assert_eq!(bed.status("b").await, 502, "clear text to a port that speaks TLS");
    bed.stop().await;
}

#[tokio::test]
async fn a_ca_that_changes_leaves_connections_behind() {
    let authority = Authority::new("ca");
    let (server, address) = tls_echo("b", server_tls(&authority.server(&["b.example"]))).await;
    let rest = service("b", &[address]) + &tls_policy("b", &trusting("ca", "b.example"));
    let bed = Bed::new(&["b"], &[("rest.yaml", &rest), ("ca.yaml", &ca("ca", &authority))]).await;
    // A request that has begun goes on; those that come later do not join it.
    let (held, ()) = tokio::join!(bed.seen("b?hold=gate"), async {
        server.wait_held("gate", 1).await;
        bed.site.write("ca.yaml", &ca("ca", &Authority::new("ca"))).await;
        assert_eq!(bed.status("b").await, 502);
        server.release("gate");
    });
    assert_eq!(held.connection, 1);
    assert_eq!(bed.status("b").await, 502);
    bed.site.write("ca.yaml", &ca("ca", &authority)).await;
    assert!(bed.seen("b").await.connection > 1);
    bed.stop().await;
}

#[tokio::test]
async fn protocols_at_one_address_do_not_share_connections() {
    let (_server, address) = echo("b").await;
    let files = service("h1", &[address]) + &service_speaking("h2c", Some("kubernetes.io/h2c"), &[address]);
    let bed = Bed::new(&["h1", "h2c"], &[("all.yaml", &files)]).await;
    for _ in 0..3 {
        for (name, proto) in [("h1", "HTTP/1.1"), ("h2c", "HTTP/2.0")] {
            assert_eq!(bed.seen(name).await.proto, proto);
        }
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_backend_that_begins_to_speak_otherwise_is_followed() {
    let (_server, address) = echo("b").await;
    let h1 = service("b", &[address]);
    let h2c = service_speaking("b", Some("kubernetes.io/h2c"), &[address]);
    let bed = Bed::new(&["b"], &[("b.yaml", &h1)]).await;
    for _ in 0..2 {
        assert_eq!(bed.seen("b").await.proto, "HTTP/1.1");
        bed.site.write("b.yaml", &h2c).await;
        assert_eq!(bed.seen("b").await.proto, "HTTP/2.0");
        bed.site.write("b.yaml", &h1).await;
    }
    bed.stop().await;
}
