//! The shortest way through everything.

use crate::support::{Site, echo, http_gateway, http_route, service};
use lychgate_testkit::{Dial, free_addr};

#[tokio::test]
async fn a_request_reaches_its_backend_and_comes_back() {
    let (server, backend) = echo("blue").await;
    let address = free_addr();
    let files = http_gateway(address.port())
        + &service("blue", &[backend])
        + &http_route("all", "[]", "    - backendRefs: [{name: blue, port: 80}]\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let reply = Dial::http1(address).get("http://a.example/hello?x=1").await.unwrap();
    assert_eq!(reply.status, 200);
    let seen = server.nth_request(1).await.unwrap();
    assert_eq!(seen.report.path, "/hello?x=1");
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    assert_eq!(site.stop().await, 0);
}
