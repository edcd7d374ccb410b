//! How large a request may be.

use super::{bed, bed_with};
use http::Request;
use lychgate_testkit::{Dial, Payload, RawConnection};

#[tokio::test]
async fn a_head_may_have_so_many_fields_and_bytes() {
    let bed = bed(|options| {
        options.limits.fields = 20;
        options.limits.head = 4096;
        options.limits.target = 1000;
    })
    .await;
    let many = (0..30).map(|n| (format!("x-{n}"), "1".to_owned())).collect::<Vec<_>>();
    let large = vec![("x-large".to_owned(), "x".repeat(5000))];
    for dial in [Dial::http1(bed.at), Dial::h2c(bed.at)] {
        for headers in [&many, &large] {
            let mut request = Request::get("http://a.example/");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let reply = dial.send(request.body(()).unwrap()).await.unwrap();
            assert_eq!(reply.status, 431, "{}", reply.text());
            assert!(reply.text().contains("head_too_large"), "{}", reply.text());
        }
    }
    assert_eq!(bed.refused("head_too_large").await, 4);
    let long = format!("http://a.example/{}", "x".repeat(1500));
    let reply = Dial::http1(bed.at).get(&long).await.unwrap();
    assert_eq!((reply.status.as_u16(), bed.refused("target_too_long").await), (414, 1));
    assert!(bed.serves().await);
    assert_eq!(bed.it.requests().len(), 1, "no backend has seen the others");
}

#[tokio::test]
async fn trailers_count_like_heads() {
    let bed = bed(|options| options.limits.fields = 20).await;
    let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    let trailers = "x: 1\r\n".repeat(30);
    connection
        .send(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{trailers}\r\n"))
        .await
        .unwrap();
    assert_eq!(connection.response().await.unwrap().status, 431);
    assert_eq!(bed.refused("head_too_large").await, 1);
}

#[tokio::test]
async fn a_body_that_is_announced_too_long_reaches_no_backend() {
    let bed = bed(|options| options.limits.body = Some(1000)).await;
    for dial in [Dial::http1(bed.at), Dial::h2c(bed.at)] {
        let post = |size: usize| Request::post("http://a.example/").body(Payload::from(vec![b'x'; size])).unwrap();
        let reply = dial.send(post(1001)).await.unwrap();
        assert_eq!(reply.status, 413, "{}", reply.text());
        assert!(reply.text().contains("body_too_large"), "{}", reply.text());
        assert_eq!(dial.send(post(1000)).await.unwrap().status, 200);
    }
    assert_eq!((bed.refused("body_too_large").await, bed.it.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_cut() {
    let bed = bed(|options| options.limits.body = Some(1000)).await;
    let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    for _ in 0..11 {
        connection.send(format!("64\r\n{}\r\n", "x".repeat(100))).await.unwrap();
    }
    let reply = connection.response().await.unwrap();
    assert_eq!((reply.status, bed.refused("body_too_large").await), (413, 1));
    assert!(bed.serves().await);
}

#[tokio::test]
async fn a_body_that_is_sent_again_is_as_long_as_it_was() {
    let rule = "    - retry: {codes: [503], attempts: 2, backoff: 1ms}\n      backendRefs: [{name: it, port: 80}]\n";
    let bed = bed_with(rule, |options| options.limits.body = Some(1000)).await;
    for (key, dial) in [("a", Dial::http1(bed.at)), ("b", Dial::h2c(bed.at))] {
        let url = format!("http://a.example/?status=503&fail=2&key={key}");
        let reply = dial.send(Request::post(url).body(Payload::from(vec![b'x'; 1000])).unwrap()).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert_eq!(bed.refused("body_too_large").await, 0);
}
