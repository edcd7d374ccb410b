use super::*;
use lychgate_ir::egress::{
    Destination, EgressAction, EgressCredential, EgressDns, EgressExceptions, EgressHandling, EgressMode, EgressRule,
    EgressSubject,
};
use lychgate_ir::{ObjectName, Redacted};

fn id() -> GatewayId {
    GatewayId(ObjectName::new("egress", "out"))
}

fn secret_id(name: &str) -> SecretId {
    SecretId { object: ObjectName::new("shop", name), key: "token".into() }
}

fn secret(snapshot: &mut Snapshot, name: &str, text: &str) {
    let id = secret_id(name);
    let secret = Secret { id: id.clone(), text: Redacted::new(text.to_owned()) };
    snapshot.secrets.insert(id, Arc::new(secret));
}

/// A rule that uses the Secret `used`.
fn snapshot() -> Snapshot {
    let credential = EgressCredential {
        header: http::header::AUTHORIZATION,
        prefix: "Bearer ".into(),
        secret: Ok(secret_id("used")),
    };
    let rule = EgressRule {
        name: None,
        action: EgressAction::Allow,
        destination: Destination::Any,
        ports: vec![],
        protocols: vec![],
        windows: vec![],
        exceptions: EgressExceptions::default(),
        reason: None,
        handling: Arc::new(EgressHandling { credential: Some(credential), ..EgressHandling::default() }),
    };
    let policy = EgressPolicy {
        generation: 1,
        mode: EgressMode::Enforce,
        subjects: vec![EgressSubject::Everyone],
        rules: vec![rule],
    };
    let policy_id = EgressPolicyId(ObjectName::new("shop", "a"));
    let gateway = EgressGateway {
        default: EgressMode::Enforce,
        cluster: vec![],
        policies: vec![policy_id.clone()],
        logins: BTreeMap::new(),
        trust_domains: Default::default(),
        dns: EgressDns::default(),
        inspection: None,
    };
    let mut snapshot = Snapshot {
        egress: [(id(), Arc::new(gateway))].into(),
        egress_policies: [(policy_id, Arc::new(policy))].into(),
        ..Snapshot::default()
    };
    secret(&mut snapshot, "used", "one");
    secret(&mut snapshot, "of somebody else", "one");
    snapshot
}

fn text(gates: &HashMap<GatewayId, Arc<Gate>>, name: &str) -> Option<String> {
    gates.get(&id())?.secret(&secret_id(name)).map(|text| text.expose().to_owned())
}

#[test]
fn without_one_of_its_policies_nothing_leaves() {
    use lychgate_egress::{Ask, Because, Called, Reached, Source, Spoken, Verdict};
    let mut snapshot = snapshot();
    Arc::make_mut(snapshot.egress.get_mut(&id()).unwrap()).policies.push(EgressPolicyId(ObjectName::new("shop", "b")));
    let gates = compile(&snapshot, &HashMap::new(), &Limits::default());
    let address = "192.0.2.1".parse().unwrap();
    let ask = Ask { called: Called::Address(address), port: 443, spoken: Spoken::Tcp, unix_seconds: 0, draw: 0 };
    let decision =
        gates.get(&id()).unwrap().policies.of(&Source::Unknown).decide(&ask, &Reached { address, answer: &[] });
    assert_eq!(decision.verdict, Verdict::Deny);
    assert!(matches!(decision.because, Because::Rule { rule, .. } if *rule.policy.0.name == *"b"));
}

#[test]
fn what_others_do_with_their_secrets_changes_nothing() {
    let (mut snapshot, limits) = (snapshot(), Limits::default());
    let first = compile(&snapshot, &HashMap::new(), &limits);
    secret(&mut snapshot, "of somebody else", "two");
    let second = compile(&snapshot, &first, &limits);
    assert!(Arc::ptr_eq(first.get(&id()).unwrap(), second.get(&id()).unwrap()));
    assert_eq!((text(&second, "used").as_deref(), text(&second, "of somebody else")), (Some("one"), None));
    // One that is used is another Gateway, of the same policies.
    secret(&mut snapshot, "used", "two");
    let third = compile(&snapshot, &second, &limits);
    let (before, after) = (second.get(&id()).unwrap(), third.get(&id()).unwrap());
    assert!(!Arc::ptr_eq(before, after) && Arc::ptr_eq(&before.policies, &after.policies));
    assert_eq!(text(&third, "used").as_deref(), Some("two"));
}
