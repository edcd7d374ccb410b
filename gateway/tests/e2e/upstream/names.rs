//! Backends by name: ExternalName Services and XBackends, resolved here.

use super::Bed;
use crate::support::{echo, service};
use crate::tls::{to_xbackend, xbackend};
use lychgate_testkit::free_addr;

fn external_name(name: &str, hostname: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\nspec: {{type: ExternalName, \
         externalName: {hostname}, ports: [{{name: http, port: {port}}}]}}\n---\n"
    )
}

#[tokio::test]
async fn names_are_resolved() {
    let (_a, a) = echo("a").await;
    let files = external_name("far", "localhost", a.port()) + &xbackend("x", a.port(), "");
    let far = format!("far={{name: far, port: {}}}", a.port());
    let bed = Bed::new(&[&far, &format!("x={}", to_xbackend("x"))], &[("all.yaml", &files)]).await;
    assert!(bed.site.report().is_clean(), "{:#}", bed.site.report().to_value());
    for name in ["far", "x"] {
        for _ in 0..4 {
            assert_eq!(bed.seen(name).await.identity.pod, "a");
        }
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_name_that_does_not_exist_has_no_endpoint_and_one_that_is_corrected_has() {
    let (_a, a) = echo("a").await;
    // RFC 6761, section 6.4: no resolver asks anybody for such a name.
    let nowhere = external_name("far", "nowhere.invalid", a.port());
    let far = format!("far={{name: far, port: {}}}", a.port());
    let bed = Bed::new(&[&far], &[("far.yaml", &nowhere)]).await;
    assert_eq!(bed.status("far").await, 503);
    bed.site.write("far.yaml", &external_name("far", "localhost", a.port())).await;
    assert_eq!(bed.status("far").await, 200);
    bed.site.write("far.yaml", &nowhere).await;
    assert_eq!(bed.status("far").await, 503, "the addresses of another name do not count");
    bed.stop().await;
}

#[tokio::test]
async fn a_service_may_become_a_name_and_back() {
    let (_a, a) = echo("a").await;
    let (_b, b) = echo("b").await;
    let port = a.port();
    let cluster = service("s", &[b]).replace("port: 80}", &format!("port: {port}}}"));
    let s = format!("s={{name: s, port: {port}}}");
    let bed = Bed::new(&[&s], &[("s.yaml", &cluster)]).await;
    for _ in 0..2 {
        assert_eq!(bed.seen("s").await.identity.pod, "b");
        bed.site.write("s.yaml", &external_name("s", "localhost", port)).await;
        assert_eq!(bed.seen("s").await.identity.pod, "a");
        bed.site.write("s.yaml", &cluster).await;
    }
    bed.stop().await;
}

#[tokio::test]
async fn nobody_at_the_name_is_a_bad_gateway() {
    let port = free_addr().port();
    let bed = Bed::new(&[&format!("x={}", to_xbackend("x"))], &[("all.yaml", &xbackend("x", port, ""))]).await;
    assert_eq!(bed.status("x").await, 502);
    bed.stop().await;
}
