//! docs/egress.md, as a reader follows it: learn, shadow, enforce, on traffic that is real.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lychgate_testkit::dns::hickory_proto::op::ResponseCode;
use lychgate_testkit::dns::hickory_proto::rr::RecordType;
use lychgate_testkit::dns::{addresses_in, ask_from, question};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use support::{Ended, Running, free_ports, is_there, lychgate, repository, run_to, text, until};

/// What the page says to run, in its order.
fn commands() -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("docs/egress.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// A copy of the example on ports and in folders of its own.
struct Copy {
    home: tempfile::TempDir,
    /// Of the origin, the proxy, the resolver, and the listener with routes.
    ports: [u16; 4],
}

impl Copy {
    fn new() -> Self {
        let copy = Self { home: tempfile::tempdir().unwrap(), ports: free_ports() };
        std::fs::create_dir(copy.config()).unwrap();
        let written = std::fs::read_to_string(repository().join("examples/egress/gateway.yaml")).unwrap();
        std::fs::write(copy.config().join("gateway.yaml"), copy.of(&written)).unwrap();
        copy
    }

    fn config(&self) -> PathBuf {
        self.home.path().join("egress")
    }

    fn audit(&self) -> PathBuf {
        self.home.path().join("audit")
    }

    /// The same, for the copy.
    fn of(&self, written: &str) -> String {
        let places = ["3000", "3128", "5353", "3080"];
        // In two steps: a port may have one of these in it.
        let marked = places
            .iter()
            .enumerate()
            .fold(written.to_owned(), |text, (n, place)| text.replace(place, &format!("<{n}>")));
        let moved = self
            .ports
            .iter()
            .enumerate()
            .fold(marked, |text, (n, port)| text.replace(&format!("<{n}>"), &port.to_string()));
        moved.replace("examples/egress", text(&self.config())).replace("/tmp/lychgate-audit", text(&self.audit()))
    }

    fn dns(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.ports[2]).into()
    }
}

/// Runs a line of the page.
fn shell(line: &str) -> Ended {
    let line = line.replacen("lychgate ", &format!("{} ", env!("CARGO_BIN_EXE_lychgate")), 1);
    let line = line.replacen("curl ", "curl --silent --show-error --max-time 20 --write-out '%{http_code}' ", 1);
    Command::new("sh").args(["-c", &line]).current_dir(repository()).output().unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_can_be_followed_from_learning_to_enforcing() {
    if !is_there("curl") {
        eprintln!("skipped: there is no curl");
        return;
    }
    let copy = Copy::new();
    let mut lines = commands().into_iter().map(|line| copy.of(&line));
    let mut next = |start: &str| {
        let line = lines.next().unwrap();
        assert!(line.starts_with(start), "the page goes another way: {line} instead of {start}");
        line
    };
    let started = |line: String, more: &[&str], ready: &str| {
        let arguments: Vec<&str> = line.split_whitespace().skip(1).chain(more.iter().copied()).collect();
        Running::start(lychgate(&arguments), ready)
    };
    let _origin = started(next("lychgate echo"), &[], " as ");
    let gateway = started(next("lychgate run"), &["--admin", "127.0.0.1:0", "--poll", "50"], "/livez");

    // Shadow: it leaves, and is told.
    for way in ["curl --interface 127.0.0.2 -x", "curl --interface 127.0.0.2 -H"] {
        let through = shell(&next(way));
        assert!(through.stdout.ends_with("200"), "{through:#?}");
    }
    let source: SocketAddr = ([127, 0, 0, 2], 0).into();
    let asked = async |name| ask_from(source, copy.dns(), &question(name, RecordType::A)).await;
    assert!(!addresses_in(&asked("pay.localhost").await).is_empty());
    let report = next("lychgate egress report");
    until("the request is in the log", || shell(&report).stdout.contains("pay.localhost"));
    let report = shell(&report);
    assert_eq!(report.code, Some(1), "{report:#?}");
    assert!(report.stdout.contains("shop/cart"), "{report:#?}");

    let learned = shell(&next("lychgate egress learn"));
    assert_eq!(learned.code, Some(0), "{learned:#?}");
    let checked = run_to(0, &["check", text(&copy.config())]);
    assert!(checked.stdout.ends_with("Everything is served as written.\n"), "{}", checked.stdout);

    // Enforced: the list of what may be reached.
    assert_eq!(shell(&next("sed")).code, Some(0));
    let diff = shell(&next("lychgate egress diff"));
    assert_eq!(diff.code, Some(0), "{diff:#?}");
    for code in [0, 1] {
        let answer = shell(&next("lychgate egress test"));
        assert_eq!(answer.code, Some(code), "{answer:#?}");
    }
    let (allowed, refused) = (next("curl"), next("curl"));
    until("the policy is live", || shell(&refused).stdout.ends_with("403"));
    let through = shell(&allowed);
    assert!(through.stdout.ends_with("200"), "{through:#?}");
    assert_eq!(asked("tracker.localhost").await.metadata.response_code, ResponseCode::Refused);
    assert!(!addresses_in(&asked("pay.localhost").await).is_empty());

    let verify = next("lychgate audit verify");
    assert_eq!(gateway.end().code, Some(0));
    let verified = shell(&verify);
    assert_eq!(verified.code, Some(0), "{verified:#?}");
    assert!(verified.stdout.starts_with("whole: "), "{verified:#?}");
}

/// Rules with limits, from a file to a client that is refused, and a new number that counts at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_lets_only_so_much_leave() {
    if !is_there("curl") {
        eprintln!("skipped: there is no curl");
        return;
    }
    let copy = Copy::new();
    let [origin, proxy, _, _] = copy.ports;
    let policy = |bytes: u32| {
        let policy = format!(
            "apiVersion: lychgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: bounded, namespace: shop}}\nspec:\n  \
             targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}}]\n  \
             subjects: [{{serviceAccount: cart}}]\n  rules:\n    - name: pay\n      action: Allow\n      \
             to: {{hosts: [pay.localhost], within: [127.0.0.0/8, '::1']}}\n      reason: ask the payments team\n      \
             limits: {{per: Source, bytesPerDay: {bytes}}}\n"
        );
        std::fs::write(copy.config().join("bounded.yaml"), policy).unwrap();
    };
    policy(50_000);
    let checked = run_to(0, &["check", text(&copy.config())]);
    assert!(checked.stdout.ends_with("Everything is served as written.\n"), "{}", checked.stdout);
    let address = format!("127.0.0.1:{origin}");
    let _origin = Running::start(lychgate(&["echo", "--http", &address]), " as ");
    let (config, audit) = (copy.config(), copy.audit());
    let run = ["run", "--config", text(&config), "--audit-dir", text(&audit), "--admin", "127.0.0.1:0", "--poll", "50"];
    let gateway = Running::start(lychgate(&run), "/livez");
    let ask = |query: &str| {
        shell(&format!(
            "curl --include --interface 127.0.0.2 -x http://127.0.0.1:{proxy} http://pay.localhost:{origin}/?{query}"
        ))
    };
    assert!(ask("").stdout.ends_with("200"));
    let cut = ask("size=100000");
    assert_eq!(cut.code, Some(18), "{}", cut.stderr);
    let refused = ask("");
    assert!(refused.stdout.ends_with("429") && refused.stdout.contains("retry-after: "), "{refused:#?}");
    let said = "(egress_limit): no more than 50000 bytes a day may leave for each source: ask the payments team";
    assert!(refused.stdout.contains(said), "{refused:#?}");
    policy(1_000_000);
    until("the new number is live", || ask("size=100000").stdout.ends_with("200"));
    assert_eq!(gateway.end().code, Some(0));
    assert_eq!(run_to(0, &["audit", "verify", text(&audit)]).code, Some(0));
}

/// A rule that asks for what its Gateway cannot do lets nothing leave, and that is what is said beforehand.
#[test]
fn what_a_gateway_cannot_do_is_no_yes() {
    let copy = Copy::new();
    let policy = |more: &str| {
        let policy = format!(
            "apiVersion: lychgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: looks, namespace: shop}}\nspec:\n  \
             targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}}]\n  \
             subjects: [{{serviceAccount: cart}}]\n  rules:\n    - action: Allow\n      \
             to: {{hosts: [pay.localhost], within: [127.0.0.0/8, '::1']}}\n      {more}\n"
        );
        std::fs::write(copy.config().join("looks.yaml"), policy).unwrap();
    };
    let config = copy.config();
    let test = |code: i32, more: &[&str]| {
        let asked = ["egress", "test", "--config", text(&config), "--as", "shop/cart", "https://pay.localhost/"];
        run_to(code, &[&asked[..], more].concat()).stdout
    };
    policy("ports: ['443']");
    assert!(test(0, &[]).starts_with("Yes: "));
    policy("tls: {mode: Inspect}");
    let answer = test(1, &[]);
    assert!(answer.starts_with("No: "), "{answer}");
    let why =
        "refused, though it is allowed: the Gateway has no authority to look into TLS; see spec.egress.inspection";
    assert!(answer.contains(why), "{answer}");
    assert!(test(1, &["--output", "json"]).contains(r#""allowed": false"#));
    policy("via: {type: HTTP, host: proxy.localhost, port: 3128, credentialsRef: {name: missing}}");
    let answer = test(1, &[]);
    assert!(answer.contains("refused, though it is allowed: ") && answer.contains("missing"), "{answer}");
}
