use super::*;
use crate::limits::Limits;
use crate::proxy_protocol::Ends;
use crate::runtime::Bind;
use lychgate_ir::Transport;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use std::io::Read;
use tokio::net::{TcpListener, TcpStream};

/// A client, and its connection as the proxy has it.
async fn pair() -> (std::net::TcpStream, Reclaimable) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let client = TcpStream::connect(at).await.unwrap().into_std().unwrap();
    let (tcp, from) = listener.accept().await.unwrap();
    let bind = Bind { address: None, port: at.port(), transport: Transport::Tcp };
    let connection = Connection::new(bind, Ends::new(from, at), None);
    let stream: Stream = Box::new(L4Stream::from(tcp));
    (client, Reclaimable::new(stream, Limits::default().guard(), Arc::new(connection)))
}

#[tokio::test]
async fn a_head_and_a_small_body_go_together() {
    let (mut client, mut stream) = pair().await;
    stream.write_all(b"head").await.unwrap();
    stream.write_all(b"body").await.unwrap();
    // What is sent over loopback is there at once.
    assert_eq!(client.peek(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    stream.flush().await.unwrap();
    let mut read = [0; 8];
    assert_eq!(client.read(&mut read).unwrap(), 8);
    assert_eq!(&read, b"headbody");
}

#[tokio::test]
async fn what_is_written_is_sent_before_the_connection_ends() {
    let (client, mut stream) = pair().await;
    stream.write_all(b"head").await.unwrap();
    Shutdown::shutdown(&mut stream).await;
    client.set_nonblocking(false).unwrap();
    let mut read = String::new();
    (&client).read_to_string(&mut read).unwrap();
    assert_eq!(read, "head");
}
