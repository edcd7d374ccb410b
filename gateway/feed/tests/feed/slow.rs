//! A data plane that takes its time.

use crate::control::{Control, group, soon};
use crate::support::{Plane, endpoints, snapshot};
use lychgate_feed::client::{Client, Outcome};

#[tokio::test]
async fn it_delays_nobody_and_gets_the_last_alone() {
    let control = Control::start().await;
    let first = control.feed.publish(&group(), &snapshot(&["a"]), &endpoints(&[]));
    let slow = Client::start(control.options("slow")).await;
    let mut configs = slow.configs();
    let serial = soon(configs.wait_for(Option::is_some)).await.unwrap().clone().unwrap().serial;
    let quick = Plane::start(control.options("quick")).await;
    control.acknowledged("quick", |ack| ack.version == first).await;
    let mut last = first;
    for round in 0..20 {
        let names = ["a", "b", "c"];
        last =
            control.feed.publish(&group(), &snapshot(&names[..1 + round % 3]), &endpoints(&[("a", 1 + round as u16)]));
        control.acknowledged("quick", |ack| ack.version == last).await;
    }
    assert_eq!(slow.configs().borrow().clone().unwrap().serial, serial, "it has not answered yet");
    slow.tell(Outcome { serial, ..Outcome::default() });
    let config = soon(configs.wait_for(|config| config.as_ref().is_some_and(|config| config.serial > serial))).await;
    let config = config.unwrap().clone().unwrap();
    assert_eq!(config.endpoints, endpoints(&[("a", 20)]), "the last one, and nothing between");
    slow.tell(Outcome { serial: config.serial, ..Outcome::default() });
    control.acknowledged("slow", |ack| ack.version == last).await;
    assert_eq!(slow.link().borrow().updates, 2);
    drop(quick);
}
