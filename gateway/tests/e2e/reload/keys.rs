//! Certificates that change.

use super::witness::{tagged, until_tag_on};
use crate::support::{Site, gateway};
use lychgate_gateway::standalone::Kept;
use lychgate_testkit::{Authority, ClientTls, Dial, free_addr};
use std::net::SocketAddr;

fn https(port: u16) -> String {
    gateway(&format!(
        "    - name: https\n      protocol: HTTPS\n      port: {port}\n      tls: {{certificateRefs: [{{name: pair}}]}}\n"
    ))
}

/// The certificate that a new connection is shown.
async fn shown(address: SocketAddr) -> Vec<u8> {
    let connection = Dial::tls(address, &ClientTls::trusting_anybody()).connect("a.example").await.unwrap();
    connection.tls().unwrap().certificates[0].to_vec()
}

#[tokio::test]
async fn a_key_pair_rotates_and_one_that_is_none_changes_nothing() {
    let (address, authority) = (free_addr(), Authority::new("root"));
    let (old, new) = (authority.server(&["a.example"]), authority.server(&["a.example"]));
    let config = https(address.port()) + &tagged("r", "a.example", "v1");
    let site = Site::serve(&[("all.yaml", &config), ("pair.yaml", &old.secret("default", "pair"))]).await;
    assert_eq!(shown(address).await, old.der().to_vec());
    let mut kept = Dial::tls(address, &ClientTls::trusting(&authority)).connect("a.example").await.unwrap();

    site.write_until("pair.yaml", &new.secret("default", "pair"), |report| report.is_clean()).await;
    assert_eq!(shown(address).await, new.der().to_vec());

    // The key of another certificate, then nothing like a certificate.
    let other = authority.server(&["a.example"]).secret("default", "pair");
    let key = other.lines().find(|line| line.contains("tls.key")).unwrap().to_owned();
    let mixed: Vec<String> = new
        .secret("default", "pair")
        .lines()
        .map(|line| if line.contains("tls.key") { key.clone() } else { line.to_owned() })
        .collect();
    let garbage = "apiVersion: v1\nkind: Secret\nmetadata: {namespace: default, name: pair}\ntype: \
                   kubernetes.io/tls\nstringData: {tls.crt: nothing, tls.key: nothing}\n";
    for bad in [mixed.join("\n"), garbage.to_owned()] {
        let report = site.write_until("pair.yaml", &bad, |report| !report.kept.is_empty()).await;
        assert_eq!(report.kept.values().copied().collect::<Vec<_>>(), [Kept::Unusable]);
        assert_eq!(shown(address).await, new.der().to_vec());
        let problems: Vec<_> = report.statuses.problems().map(|problem| problem.condition.clone()).collect();
        assert!(problems.iter().any(|problem| problem.reason == "InvalidCertificateRef"), "{problems:#?}");
        assert!(problems.iter().all(|problem| problem.r#type == "ResolvedRefs"), "{problems:#?}");
        assert!(report.diagnostics.iter().any(|each| each.to_string().contains("Secret/default/pair")));
    }
    site.write_until("pair.yaml", &old.secret("default", "pair"), |report| report.is_clean()).await;
    assert_eq!(shown(address).await, old.der().to_vec());
    // The connection of the beginning has seen it all.
    until_tag_on(&mut kept, "a.example", "v1").await;
}

#[tokio::test]
async fn at_the_start_a_secret_that_is_no_key_pair_harms_its_listener_alone() {
    let (address, other) = (free_addr(), free_addr());
    let listeners = format!(
        "    - {{name: https, protocol: HTTPS, port: {}, tls: {{certificateRefs: [{{name: pair}}]}}}}\n    - {{name: http, \
         protocol: HTTP, port: {}}}\n",
        address.port(),
        other.port()
    );
    let garbage = "apiVersion: v1\nkind: Secret\nmetadata: {namespace: default, name: pair}\ntype: \
                   kubernetes.io/tls\nstringData: {tls.crt: nothing, tls.key: nothing}\n";
    let config = gateway(&listeners) + &tagged("r", "a.example", "v1") + garbage;
    let site = Site::serve(&[("all.yaml", &config)]).await;
    assert_eq!(super::witness::tag_at(other, "a.example").await, "v1");
    assert!(Dial::tls(address, &ClientTls::trusting_anybody()).connect("a.example").await.is_err());
    let report = site.report();
    assert!(report.statuses.problems().any(|problem| problem.condition.reason == "InvalidCertificateRef"));
}
