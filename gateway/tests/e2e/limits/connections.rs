//! How many connections a client, and a socket, may have.

use super::bed;
use crate::support::eventually;
use lychgate_testkit::{Dial, RawConnection};

#[tokio::test]
async fn a_source_has_so_many_connections_and_no_more() {
    let bed = bed(|options| options.limits.connections_of_source = 2).await;
    hold(&bed, "too_many_connections_of_source").await;
}

#[tokio::test]
async fn a_socket_has_so_many_connections_and_no_more() {
    let bed = bed(|options| options.limits.connections = 2).await;
    hold(&bed, "too_many_connections").await;
}

/// However many processors there are, each of which serves.
#[tokio::test]
async fn so_many_idle_connections_to_backends_are_kept_and_no_more() {
    let bed = bed(|options| options.limits.idle_upstream = 2).await;
    let ask = || async { Dial::http1(bed.at).get("http://a.example/?hold=all").await.unwrap().status };
    let all = futures::future::join_all((0..12).map(|_| ask()));
    let held = async {
        bed.it.wait_held("all", 12).await;
        bed.it.release("all");
    };
    let (statuses, ()) = tokio::join!(all, held);
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let counts = bed.it.wait_for(|counts| counts.connections - counts.closed <= 2).await;
    assert_eq!(counts.connections, 12);
    // They are used again.
    assert!(bed.serves().await);
    assert_eq!(bed.it.counts().connections, 12);
}

async fn hold(bed: &super::Bed, reason: &str) {
    let mut first = Dial::http1(bed.at).connect("a.example").await.unwrap();
    let mut second = Dial::http1(bed.at).connect("a.example").await.unwrap();
    for connection in [&mut first, &mut second] {
        assert_eq!(connection.get("http://a.example/").await.unwrap().status, 200);
    }
    let mut third = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    assert!(third.to_end().await.unwrap().0.is_empty());
    assert_eq!(bed.refused(reason).await, 1);
    // Those that were there first go on, and where one ends there is room.
    assert_eq!(first.get("http://a.example/").await.unwrap().status, 200);
    drop(second);
    eventually("there is room", async || bed.serves().await).await;
    assert_eq!(first.get("http://a.example/").await.unwrap().status, 200);
}
