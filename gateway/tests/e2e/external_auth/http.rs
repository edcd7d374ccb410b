//! A service that is asked over HTTP.

use super::{Bed, HTTP, Says, answer, get, rule, send, values};
use crate::external_auth::service::AuthService;
use crate::support::{echo, http_gateway, http_route, service};
use crate::tls::{ca, tls_echo, tls_policy, to_xbackend, trusting, xbackend};
use bytes::Bytes;
use http::{Method, Version};
use lychgate_testkit::{Authority, Dial, WebSocket, free_addr, server_tls};

const LISTED: &str = "protocol: HTTP, http: {path: /check, allowedHeaders: [Cookie, X-Forwarded-For, X-Forwarded-Proto], \
                      allowedResponseHeaders: [X-User]}";

#[tokio::test]
async fn the_service_sees_the_request_and_says_who_it_is_from() {
    let bed = Bed::new(LISTED, |_| answer(200, &[("x-user", "ann"), ("x-other", "o")], "fine")).await;
    let headers = [
        ("authorization", "Basic YQ=="),
        ("cookie", "a=1"),
        ("x-user", "admin"),
        ("x-secret", "s"),
        ("x-forwarded-for", "6.6.6.6"),
        ("connection", "cookie-of-hop"),
        ("cookie-of-hop", "1"),
    ];
    // HTTP/2 has no headers of a connection.
    for (dial, headers) in [(Dial::http1(bed.at), &headers[..]), (Dial::h2c(bed.at), &headers[..5])] {
        let reply = send(&dial, "DELETE", "/a/./b?c=d", headers, Bytes::new()).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-echo-pod")), (200, Some("it")));
        let asked = bed.auth.last();
        assert_eq!((asked.method, asked.target.as_str()), (Method::DELETE, "/check/a/b?c=d"));
        assert_eq!(values(&asked.headers, "host"), ["a.example"]);
        assert_eq!(values(&asked.headers, "content-length"), ["0"]);
        assert_eq!(values(&asked.headers, "authorization"), ["Basic YQ=="]);
        assert_eq!(values(&asked.headers, "cookie"), ["a=1"]);
        assert_eq!(values(&asked.headers, "x-forwarded-for"), ["127.0.0.1"], "the gate says it, not the client");
        for name in ["x-user", "x-secret", "x-forwarded-host", "connection", "x-request-id", "user-agent"] {
            assert_eq!(values(&asked.headers, name), [""; 0], "{name}");
        }
        let seen = bed.it.nth_request(bed.it.counts().requests).await.unwrap();
        assert_eq!(seen.report.path, "/a/b?c=d");
        assert_eq!(seen.report.header("x-user"), ["ann"], "nobody but the service says it");
        assert_eq!(seen.report.header("x-other"), [""; 0]);
        assert_eq!(seen.report.header("x-secret"), ["s"]);
    }
    assert_eq!(bed.auth.connections(), 1, "connections are kept");
}

#[tokio::test]
async fn without_a_list_all_headers_of_the_answer_are_copied() {
    let given =
        [("x-user", "ann"), ("x-group", "a"), ("x-group", "b"), ("host", "evil.example"), ("content-type", "a/b")];
    let bed = Bed::new(HTTP, move |_| answer(200, &given, "body")).await;
    assert_eq!(bed.get(&[("x-group", "root"), ("content-type", "c/d")]).await.status, 200);
    let seen = bed.it.nth_request(1).await.unwrap();
    assert_eq!(seen.report.header("x-user"), ["ann"]);
    assert_eq!(seen.report.header("x-group"), ["a", "b"]);
    assert_eq!(seen.report.header("content-type"), ["c/d"]);
    assert_eq!(seen.report.host, "a.example");
}

#[tokio::test]
async fn a_denial_is_what_the_client_gets_and_no_backend_hears_of_it() {
    let says = |asked: &super::Asked| match asked.target.as_str() {
        "/login" => {
            answer(302, &[("location", "https://idp.example/?a=b"), ("set-cookie", "a=1"), ("set-cookie", "b=2")], "")
        }
        "/basic" => {
            answer(401, &[("www-authenticate", "Basic realm=\"x\""), ("content-type", "text/html")], "<p>who?</p>")
        }
        "/no-content" => answer(204, &[("x-leak", "1")], ""),
        _ => answer(403, &[], ""),
    };
    let bed = Bed::new(HTTP, says).await;
    for dial in [Dial::http1(bed.at), Dial::h2c(bed.at)] {
        let reply = send(&dial, "GET", "/login", &[], Bytes::new()).await;
        assert_eq!((reply.status.as_u16(), reply.header("location")), (302, Some("https://idp.example/?a=b")));
        assert_eq!(values(&reply.headers, "set-cookie"), ["a=1", "b=2"]);
        let reply = send(&dial, "GET", "/basic", &[], Bytes::new()).await;
        assert_eq!((reply.status.as_u16(), reply.text().as_str()), (401, "<p>who?</p>"));
        assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"x\""));
        assert_eq!((reply.header("content-type"), reply.header("content-length")), (Some("text/html"), Some("11")));
        let reply = send(&dial, "HEAD", "/basic", &[], Bytes::new()).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (401, 0));
        // Not 200, and so a denial, that must not look like a success.
        let reply = send(&dial, "GET", "/no-content", &[], Bytes::new()).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-leak")), (403, None));
        assert!(reply.text().contains("auth_denied"), "{}", reply.text());
        let reply = send(&dial, "GET", "/", &[], Bytes::new()).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-length")), (403, Some("0")));
    }
    // A connection is kept after a denial, and an upload that nobody wants is read over.
    let mut connection = Dial::http1(bed.at).connect("a.example").await.unwrap();
    assert_eq!(connection.get("http://a.example/").await.unwrap().status, 403);
    assert_eq!(connection.get("http://a.example/basic").await.unwrap().status, 401);
    let reply = send(&Dial::http1(bed.at), "POST", "/", &[], Bytes::from(vec![7; 1 << 20])).await;
    assert_eq!(reply.status, 403);
    assert_eq!(bed.it.counts().requests, 0);
}

#[tokio::test]
async fn filters_of_the_rule_stand_around_the_question() {
    let bed = Bed::new(HTTP, |asked| match asked.headers.contains_key("authorization") {
        true => answer(200, &[("x-user", "ann")], ""),
        false => answer(401, &[], ""),
    })
    .await;
    let more = "        - {type: CORS, cors: {allowOrigins: ['https://a.example'], allowMethods: [GET], allowHeaders: \
                [authorization]}}\n        - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Set, value: \
                rule}], remove: [x-user]}}\n        - {type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, \
                replaceFullPath: /new}}}\n        - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: \
                X-Policy, value: rule}]}}\n";
    let rule = rule(HTTP, "").replace("      backendRefs", &format!("{more}      backendRefs"));
    bed.site.write("more.yaml", &http_route("more", "[b.example]", &rule)).await;
    // A preflight has no credentials, and needs none.
    let ask = [("origin", "https://a.example"), ("access-control-request-method", "GET")];
    let reply = get_of(bed.at, "OPTIONS", &ask).await;
    assert!(reply.status.is_success() && bed.auth.asked().is_empty(), "{}", reply.status);
    // A denial can be read by scripts, and has what the rule sets on all that it answers.
    let reply = get_of(bed.at, "GET", &[("origin", "https://a.example")]).await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (401, Some("https://a.example")));
    assert_eq!(reply.header("x-policy"), Some("rule"));
    // The service sees the request as the client sent it; the rule edits what the service said.
    let reply = get_of(bed.at, "GET", &[("authorization", "Basic YQ==")]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(bed.auth.last().target, "/old");
    let seen = bed.it.nth_request(1).await.unwrap();
    assert_eq!(seen.report.path, "/new");
    assert_eq!((seen.report.header("x-set"), seen.report.header("x-user")), (vec!["rule"], vec![]));
}

async fn get_of(at: std::net::SocketAddr, method: &str, headers: &[(&str, &str)]) -> lychgate_testkit::Reply {
    let mut request = http::Request::builder().method(method).uri("http://b.example/old");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Dial::http1(at).send(request.body(Bytes::new()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_service_may_speak_http2_in_clear_text() {
    let auth = AuthService::start(|_| answer(200, &[("x-user", "ann")], "")).await;
    let (it, backend) = echo("it").await;
    let at = free_addr();
    let files = http_gateway(at.port())
        + &service("it", &[backend])
        + &auth.service_h2c()
        + &http_route("it", "[]", &rule("protocol: HTTP, http: {}, forwardBody: {maxSize: 100}", ""));
    let _site = crate::support::Site::serve_alone(&[("all.yaml", &files)]).await;
    for body in ["", "body"] {
        assert_eq!(send(&Dial::http1(at), "POST", "/x?y", &[], Bytes::from_static(body.as_bytes())).await.status, 200);
        let asked = auth.last();
        assert_eq!((asked.version, asked.target.as_str(), &*asked.body), (Version::HTTP_2, "/x?y", body.as_bytes()));
        assert_eq!(values(&asked.headers, "host"), ["a.example"]);
    }
    assert_eq!((it.counts().requests, auth.connections()), (2, 1));
}

#[tokio::test]
async fn a_service_is_verified_as_its_policy_says_or_nothing_passes() {
    let authority = Authority::new("ca");
    let (auth, address) = tls_echo("auth", server_tls(&authority.server(&["auth.example", "localhost"]))).await;
    let (it, backend) = echo("it").await;
    let at = free_addr();
    let rules: String = [("/good", "{name: good, port: 80}".to_owned()), ("/bad", "{name: bad, port: 80}".to_owned()), ("/outside", to_xbackend("idp"))]
        .map(|(path, to)| {
            format!(
                "    - matches: [{{path: {{value: {path}}}}}]\n      filters: [{{type: ExternalAuth, externalAuth: {{protocol: \
                 HTTP, http: {{}}, backendRef: {to}}}}}]\n      backendRefs: [{{name: it, port: 80}}]\n"
            )
        })
        .concat();
    let validation = trusting("ca", "localhost");
    let tls = format!("  tls: {{mode: ServerOnly, validation: {validation}}}\n");
    let files = http_gateway(at.port())
        + &service("it", &[backend])
        + &service("good", &[address])
        + &service("bad", &[address])
        + &ca("ca", &authority)
        + &ca("other", &Authority::new("ca"))
        + &tls_policy("good", &trusting("ca", "auth.example"))
        + &tls_policy("bad", &trusting("other", "auth.example"))
        + &xbackend("idp", address.port(), &tls)
        + &http_route("it", "[]", &rules);
    let site = crate::support::Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    assert_eq!(get(at, "/good", &[]).await.status, 200);
    let asked = auth.nth_request(1).await.unwrap();
    assert_eq!(asked.report.tls.as_ref().map(|tls| tls.server_name.as_str()), Some("auth.example"));
    assert_eq!(get(at, "/outside", &[]).await.status, 200);
    let reply = get(at, "/bad", &[]).await;
    assert_eq!(reply.status, 500);
    assert!(reply.text().contains("auth_failed"), "{}", reply.text());
    assert_eq!((auth.counts().requests, it.counts().requests), (2, 2));
}

#[tokio::test]
async fn questions_are_spread_and_go_elsewhere_when_an_endpoint_is_dead() {
    let says = |_: &super::Asked| answer(200, &[], "");
    let (one, two, dead) = (AuthService::start(says).await, AuthService::start(says).await, free_addr());
    let (_it, backend) = echo("it").await;
    let at = free_addr();
    let files = http_gateway(at.port())
        + &service("it", &[backend])
        + &service("auth", &[one.address, dead, two.address])
        + &http_route("it", "[]", &rule(HTTP, ""));
    let _site = crate::support::Site::serve(&[("all.yaml", &files)]).await;
    for _ in 0..12 {
        assert_eq!(get(at, "/", &[]).await.status, 200);
    }
    let (one, two) = (one.asked().len(), two.asked().len());
    assert_eq!(one + two, 12);
    assert!(one >= 4 && two >= 4, "{one} and {two}");
}

#[tokio::test]
async fn several_services_are_asked_in_turn() {
    let says = |name: &'static str| move |_: &super::Asked| answer(200, &[("x-by", name)], "");
    let (one, two) = (
        AuthService::start(says("one")).await,
        AuthService::start(|asked: &super::Asked| {
            if asked.headers.contains_key("x-by") { answer(200, &[("x-two", "yes")], "") } else { answer(403, &[], "") }
        })
        .await,
    );
    let (it, backend) = echo("it").await;
    let at = free_addr();
    let filter = |name: &str| {
        format!(
            "        - {{type: ExternalAuth, externalAuth: {{protocol: HTTP, http: {{allowedHeaders: [x-by]}}, backendRef: \
             {{name: {name}, port: 80}}}}}}\n"
        )
    };
    let rules =
        format!("    - filters:\n{}{}      backendRefs: [{{name: it, port: 80}}]\n", filter("one"), filter("two"));
    let files = http_gateway(at.port())
        + &service("it", &[backend])
        + &service("one", &[one.address])
        + &service("two", &[two.address])
        + &http_route("it", "[]", &rules);
    let _site = crate::support::Site::serve(&[("all.yaml", &files)]).await;
    assert_eq!(get(at, "/", &[]).await.status, 200);
    let seen = it.nth_request(1).await.unwrap();
    assert_eq!((seen.report.header("x-by"), seen.report.header("x-two")), (vec!["one"], vec!["yes"]));
    assert_eq!((one.asked().len(), two.asked().len()), (1, 1));
    assert_eq!(values(&two.last().headers, "x-by"), ["one"]);
}

#[tokio::test]
async fn a_change_does_not_touch_a_question_that_is_under_way() {
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let open = gate.clone();
    let bed = Bed::new(HTTP, move |_| Says::After(gate.clone(), Box::new(answer(200, &[("x-user", "ann")], "")))).await;
    let at = bed.at;
    let waiting = tokio::spawn(async move { get(at, "/", &[]).await });
    bed.auth.wait_for(1).await;
    // The rule is gone meanwhile, with the service and the filter.
    let text = http_gateway(at.port());
    bed.site.write("all.yaml", &text).await;
    assert_eq!(get(at, "/", &[]).await.status, 404);
    open.notify_one();
    let reply = waiting.await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.header("x-echo-pod")), (200, Some("it")));
    assert_eq!(bed.it.nth_request(1).await.unwrap().report.header("x-user"), ["ann"]);
}

#[tokio::test]
async fn a_websocket_opens_after_a_yes_alone() {
    let says = |asked: &super::Asked| if asked.target == "/yes" { answer(200, &[], "") } else { answer(403, &[], "") };
    let bed = Bed::new("protocol: HTTP, http: {}, forwardBody: {maxSize: 100}", says).await;
    let mut socket = WebSocket::open(&Dial::http1(bed.at), "ws://a.example/yes").await.unwrap();
    assert_eq!(socket.ask("hello").await.unwrap(), "hello");
    socket.close().await.unwrap();
    let asked = bed.auth.last();
    assert_eq!((asked.method, asked.body.len()), (Method::GET, 0));
    for name in ["upgrade", "connection", "sec-websocket-key"] {
        assert_eq!(values(&asked.headers, name), [""; 0], "{name}");
    }
    assert!(WebSocket::open(&Dial::http1(bed.at), "ws://a.example/no").await.is_err());
    assert_eq!(bed.it.counts().requests, 1);
}
