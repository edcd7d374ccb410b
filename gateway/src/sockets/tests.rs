use super::*;
use crate::setup;
use lychgate_engine::Limits;
use lychgate_telemetry::MetricsLimits;
use socket2::SockRef;
use std::num::NonZeroUsize;
use tokio::io::AsyncReadExt;

/// Nothing lets the runtime look for events between, so that it has not heard of the connection when the socket closes.
#[tokio::test]
async fn who_waits_at_a_socket_that_closes_is_served() {
    let engine =
        setup::engine(NonZeroUsize::MIN, Limits::default(), MetricsLimits::default(), None, None, None).unwrap();
    let mut sockets = Sockets::new(engine, Workers::start(NonZeroUsize::MIN).unwrap(), Duration::ZERO);
    let bind = Bind { address: Some(Ipv4Addr::LOCALHOST.into()), port: 0, transport: Transport::Tcp };
    let open = sockets.open(bind, Speaks::Http).unwrap();
    let address = SockRef::from(&open.work.as_fd()).local_addr().unwrap().as_socket().unwrap();
    let client = net::TcpStream::connect(address).unwrap();
    open.close().await;
    client.set_nonblocking(true).unwrap();
    // Whoever is served has no listener to go to, and hears an end. Whoever is lost is reset.
    assert_eq!(TcpStream::from_std(client).unwrap().read(&mut [0]).await.unwrap(), 0);
}
