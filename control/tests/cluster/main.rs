//! The control plane against a real API server: `make test-cluster`, with KUBECONFIG set. Each test has a namespace, a class
//! and a revision of its own, so that they disturb neither each other nor a control plane that is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bed;
mod replicas;

use bed::{Bed, fast, ours, parents};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_gateway_and_its_route_have_statuses() {
    Bed::run(|bed| async move {
        let _control = bed.control("one", fast()).await;
        bed.gateway("gw", json!([{"name": "http", "protocol": "HTTP", "port": 80}])).await;
        bed.route("r", &["gw"]).await;
        let class = bed.until("GatewayClass", &bed.name, |status| status["conditions"][0]["status"] == "True").await;
        assert!(class["status"]["supportedFeatures"].as_array().unwrap().len() > 20);
        let gateway = bed.until("Gateway", "gw", |status| status["listeners"][0]["attachedRoutes"] == 1).await;
        let says = |kind: &str| {
            let conditions = gateway["status"]["conditions"].as_array().unwrap();
            let found = conditions.iter().find(|condition| condition["type"] == kind).unwrap();
            assert_eq!(found["observedGeneration"], 1);
            (found["status"].as_str().unwrap().to_owned(), found["reason"].as_str().unwrap().to_owned())
        };
        assert_eq!(says("Accepted"), ("True".to_owned(), "Accepted".to_owned()));
        // Nobody serves it, and it says so.
        assert_eq!(says("Programmed"), ("False".to_owned(), "Pending".to_owned()));
        let route = bed.until("HTTPRoute", "r", |status| ours(status).len() == 1).await;
        let conditions = &ours(&route["status"])[0]["conditions"];
        assert!(conditions.as_array().unwrap().iter().any(|it| it["type"] == "Accepted" && it["status"] == "True"));
        // A change is seen in every condition, and the time of those that say the same stays.
        let before = gateway["status"]["conditions"][0]["lastTransitionTime"].clone();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        bed.gateway("gw", json!([{"name": "http", "protocol": "HTTP", "port": 81}])).await;
        let gateway = bed.until("Gateway", "gw", |status| status["conditions"][0]["observedGeneration"] == 2).await;
        let accepted = gateway["status"]["conditions"].as_array().unwrap().iter().find(|it| it["type"] == "Accepted");
        assert_eq!(accepted.unwrap()["lastTransitionTime"], before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn what_others_say_stays_and_what_we_said_goes() {
    Bed::run(|bed| async move {
        let _control = bed.control("one", fast()).await;
        bed.gateway("a", json!([{"name": "http", "protocol": "HTTP", "port": 80}])).await;
        bed.gateway("b", json!([{"name": "http", "protocol": "HTTP", "port": 80}])).await;
        bed.route("r", &["a", "b"]).await;
        bed.until("HTTPRoute", "r", |status| ours(status).len() == 2).await;
        // Another controller writes its entry, and throws ours away.
        let theirs = json!({
            "parentRef": {"name": "theirs"}, "controllerName": "other.example/controller",
            "conditions": [{
                "type": "Accepted", "status": "True", "reason": "Fine", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        });
        bed.say("HTTPRoute", "r", json!({"parents": [theirs]})).await;
        let route = bed.until("HTTPRoute", "r", |status| ours(status).len() == 2).await;
        assert_eq!(parents(&route["status"])[0]["controllerName"], "other.example/controller");
        bed.route("r", &["b"]).await;
        let route = bed.until("HTTPRoute", "r", |status| ours(status).len() == 1).await;
        assert_eq!(ours(&route["status"])[0]["parentRef"]["name"], "b");
        bed.route("r", &["elsewhere"]).await;
        let route = bed.until("HTTPRoute", "r", |status| ours(status).is_empty()).await;
        assert_eq!(parents(&route["status"]).len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_failover_writes_what_is_missing_and_nothing_else() {
    Bed::run(|bed| async move {
        let one = bed.control("one", fast()).await;
        bed.gateway("gw", json!([{"name": "http", "protocol": "HTTP", "port": 80}])).await;
        bed.route("r", &["gw"]).await;
        bed.until("HTTPRoute", "r", |status| ours(status).len() == 1).await;
        bed.until("Gateway", "gw", |status| status["listeners"][0]["attachedRoutes"] == 1).await;
        let before = (bed.version("HTTPRoute", "r").await, bed.version("Gateway", "gw").await);
        let two = bed.control("two", fast()).await;
        // It goes without a word, as a process does that is killed.
        drop(one);
        bed.route("late", &["gw"]).await;
        bed.until("HTTPRoute", "late", |status| ours(status).len() == 1).await;
        assert_eq!(bed.version("HTTPRoute", "r").await, before.0, "it said the same already");
        bed.until("Gateway", "gw", |status| status["listeners"][0]["attachedRoutes"] == 2).await;
        // One that ends in order leaves its place at once, and loses nothing on its way.
        let three = bed.control("three", bed::slow()).await;
        two.stop().await;
        bed.route("later", &["gw"]).await;
        bed.until("HTTPRoute", "later", |status| ours(status).len() == 1).await;
        // Who has just begun to lead takes a moment before it speaks for data planes that it has not heard yet.
        bed.until("Gateway", "gw", |status| status["listeners"][0]["attachedRoutes"] == 3).await;
        three.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_burst_of_routes_is_few_writes_of_their_gateway() {
    Bed::run(|bed| async move {
        let control = bed.control("one", fast()).await;
        bed.gateway("gw", json!([{"name": "http", "protocol": "HTTP", "port": 80}])).await;
        let routes = 200;
        for at in 0..routes {
            bed.route(&format!("r{at}"), &["gw"]).await;
        }
        bed.until("Gateway", "gw", |status| status["listeners"][0]["attachedRoutes"] == routes).await;
        for at in 0..routes {
            bed.until("HTTPRoute", &format!("r{at}"), |status| ours(status).len() == 1).await;
        }
        let written = bed.writes(&control, "Gateway").await;
        assert!(written <= 50, "{written} writes for {routes} routes");
        assert_eq!(bed.writes(&control, "HTTPRoute").await, routes);
    })
    .await;
}
