use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Connections that are served until their clients leave, and the threads that have served each.
struct Bed {
    workers: Workers,
    listener: TcpListener,
    tell: UnboundedSender<Option<String>>,
    told: UnboundedReceiver<Option<String>>,
}

impl Bed {
    async fn new(count: usize) -> Self {
        let workers = Workers::start(NonZeroUsize::new(count).unwrap()).unwrap();
        let (tell, told) = unbounded_channel();
        Self { workers, listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), tell, told }
    }

    /// A client, and the name of the thread that serves it.
    async fn connect(&mut self) -> (TcpStream, Option<String>) {
        let client = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
        let (tcp, _) = self.listener.accept().await.unwrap();
        let tell = self.tell.clone();
        self.workers.serve(tcp, async move |mut tcp| {
            tell.send(thread::current().name().map(str::to_owned)).unwrap();
            // What the client sends wakes the thread that serves it.
            let mut rest = Vec::new();
            tcp.read_to_end(&mut rest).await.unwrap();
        });
        (client, self.told.recv().await.unwrap())
    }
}

#[tokio::test]
async fn connections_are_served_by_whoever_has_the_fewest() {
    let mut bed = Bed::new(2).await;
    let mut clients = Vec::new();
    for worker in ["worker-0", "worker-1", "worker-0", "worker-1"] {
        let (client, name) = bed.connect().await;
        assert_eq!(name.as_deref(), Some(worker));
        clients.push(client);
    }
    // One of the second worker's leaves.
    drop(clients.remove(1));
    while Arc::strong_count(&bed.workers.0[1].serves) - 1 > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bed.connect().await.1.as_deref(), Some("worker-1"));
}

#[tokio::test]
async fn one_alone_serves_where_it_accepts() {
    let mut bed = Bed::new(1).await;
    let (_client, name) = bed.connect().await;
    assert_eq!(name.as_deref(), thread::current().name());
}

#[tokio::test]
async fn what_is_still_served_ends_with_the_workers() {
    let mut bed = Bed::new(2).await;
    let (mut client, _) = bed.connect().await;
    drop(bed);
    // Its socket is closed, though the client has not left.
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_still_served_is_dropped_before_the_end_is_told() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let bed = Bed::new(2).await;
    let count = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(TcpStream::connect(bed.listener.local_addr().unwrap()).await.unwrap());
        let (tcp, _) = bed.listener.accept().await.unwrap();
        let dropped = Dropped(count.clone());
        bed.workers.serve(tcp, async move |_| {
            let _dropped = dropped;
            std::future::pending().await
        });
    }
    bed.workers.end().await;
    assert_eq!(count.load(Ordering::Relaxed), 2);
}
