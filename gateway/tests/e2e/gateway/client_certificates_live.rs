//! Client validation that changes while clients are connected: no connection is closed, and none gives more than a new
//! one would. 421 tells the client to make a new one.

use super::blue;
use super::client_certificates::{client, frontend, told, validation};
use crate::support::{Site, gateway};
use crate::tls::{ca, https, secret};
use lychgate_testkit::{Authority, Connected, Dial, free_addr};

async fn status(connection: &mut Connected) -> u16 {
    connection.get("https://a.example/").await.unwrap().status.as_u16()
}

#[tokio::test]
async fn validation_that_is_turned_on_holds_for_connections_that_are_there() {
    let (_blue, files) = blue().await;
    let (servers, clients, address) = (Authority::new("servers"), Authority::new("clients"), free_addr());
    let alice = clients.client("alice");
    let rest = secret("cert", &servers.server(&["a.example"])) + &ca("clients", &clients) + &files;
    let listener = https("https", address.port(), "", &["cert"]);
    let site = Site::serve(&[("gateway.yaml", &gateway(&listener)), ("rest.yaml", &rest)]).await;
    let anonymous = Dial::tls(address, &client(&servers, None));
    let known = Dial::tls(address, &client(&servers, Some(&alice)));
    let mut before = anonymous.connect("a.example").await.unwrap();
    // Nobody asks for its certificate yet, so it shows none.
    let mut known_before = known.connect("a.example").await.unwrap();
    assert_eq!((status(&mut before).await, status(&mut known_before).await), (200, 200));

    let strict = gateway(&(listener.clone() + &frontend(&validation("clients", "AllowValidOnly"), &[])));
    site.write("gateway.yaml", &strict).await;
    assert_eq!((status(&mut before).await, status(&mut known_before).await), (421, 421));
    assert!(anonymous.get("https://a.example/").await.is_err());
    assert_eq!(told(&known.get("https://a.example/").await.unwrap()).len(), 1);

    let lenient = gateway(&(listener.clone() + &frontend(&validation("clients", "AllowInsecureFallback"), &[])));
    site.write("gateway.yaml", &lenient).await;
    assert_eq!(told(&before.get("https://a.example/").await.unwrap()), Vec::<String>::new());

    site.write("gateway.yaml", &gateway(&listener)).await;
    assert_eq!((status(&mut before).await, status(&mut known_before).await), (200, 200), "it was never closed");
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn trust_anchors_rotate_without_a_failed_request() {
    let (_blue, files) = blue().await;
    let (servers, old, new, address) =
        (Authority::new("servers"), Authority::new("clients"), Authority::new("clients"), free_addr());
    let (of_old, of_new) = (old.client("alice"), new.client("alice"));
    let listener =
        https("https", address.port(), "", &["cert"]) + &frontend(&validation("clients", "AllowValidOnly"), &[]);
    let rest = gateway(&listener) + &secret("cert", &servers.server(&["a.example"])) + &files;
    let both = {
        let pem: String = (old.pem() + &new.pem()).lines().map(|line| format!("    {line}\n")).collect();
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{namespace: default, name: clients}}\ndata:\n  ca.crt: |\n{pem}"
        )
    };
    let site = Site::serve(&[("rest.yaml", &rest), ("ca.yaml", &ca("clients", &old))]).await;
    let (dial_old, dial_new) =
        (Dial::tls(address, &client(&servers, Some(&of_old))), Dial::tls(address, &client(&servers, Some(&of_new))));
    let mut connection = dial_old.connect("a.example").await.unwrap();
    assert_eq!(status(&mut connection).await, 200);
    assert!(dial_new.get("https://a.example/").await.is_err());

    site.write("ca.yaml", &both).await;
    assert_eq!(told(&connection.get("https://a.example/").await.unwrap()).len(), 1);
    assert_eq!(told(&dial_new.get("https://a.example/").await.unwrap()).len(), 1);

    site.write("ca.yaml", &ca("clients", &new)).await;
    assert_eq!(status(&mut connection).await, 421);
    assert!(dial_old.get("https://a.example/").await.is_err(), "not even a session is resumed");
    assert_eq!(told(&dial_new.get("https://a.example/").await.unwrap()).len(), 1);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn trust_anchors_that_go_leave_nobody_let_in() {
    let (_blue, files) = blue().await;
    let (servers, clients, address) = (Authority::new("servers"), Authority::new("clients"), free_addr());
    let alice = clients.client("alice");
    let listener =
        https("https", address.port(), "", &["cert"]) + &frontend(&validation("clients", "AllowInsecureFallback"), &[]);
    let rest = gateway(&listener) + &secret("cert", &servers.server(&["a.example"])) + &files;
    let site = Site::serve(&[("rest.yaml", &rest), ("ca.yaml", &ca("clients", &clients))]).await;
    let dial = Dial::tls(address, &client(&servers, Some(&alice)));
    let mut connection = dial.connect("a.example").await.unwrap();
    assert_eq!(status(&mut connection).await, 200);
    assert!(!site.remove("ca.yaml").await.is_clean());
    assert_eq!(status(&mut connection).await, 421);
    assert!(dial.get("https://a.example/").await.unwrap_err().is_tls());
    assert_eq!(site.stop().await, 0);
}
