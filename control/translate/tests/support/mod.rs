//! Reads fixtures, and prints translations so that people can read them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod outward;

use lychgate_api::{Kind, Object, Objects};
use lychgate_ir::egress::{EgressHandling, EgressTls};
use lychgate_ir::{BackendTls, ClientIdentity, Endpoints, Filter, ListenerFilter, Resolution, Snapshot, Target};
use lychgate_translate::{ObjectStatus, Options, Translation};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What stands between the objects and what becomes of them.
const MARKER: &str = "# ==== what becomes of it; LYCHGATE_BLESS=1 cargo test -p lychgate-translate writes it ====\n";

/// A fixture: objects, how to translate them, and what is to become of them.
pub(crate) struct Fixture {
    pub(crate) path: PathBuf,
    input: String,
    pub(crate) expected: String,
    pub(crate) objects: Objects,
    pub(crate) options: Options,
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Every fixture, in the order of their names.
pub(crate) fn all() -> Vec<Fixture> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths.into_iter().map(Fixture::read).collect()
}

impl Fixture {
    pub(crate) fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let (input, expected) = text.split_once(MARKER).unwrap_or((&text, ""));
        let objects = objects(input, &path);
        let standalone = !input.lines().any(|line| line == "# options: cluster");
        let options = Options { standalone, node_addresses: vec!["192.0.2.10".parse().unwrap()] };
        Self { input: input.to_owned(), expected: expected.to_owned(), objects, options, path }
    }

    pub(crate) fn name(&self) -> String {
        self.path.file_stem().unwrap().to_string_lossy().into_owned()
    }

    pub(crate) fn bless(&self, actual: &str) {
        let mut input = self.input.clone();
        if !input.ends_with('\n') {
            input.push('\n');
        }
        fs::write(&self.path, format!("{input}{MARKER}{actual}")).unwrap();
    }
}

/// The objects of a text and of the files that it includes.
fn objects(text: &str, path: &Path) -> Objects {
    let mut objects = Objects::default();
    for include in text.lines().filter_map(|line| line.strip_prefix("# include: ")) {
        for object in shared(include) {
            objects = objects.insert(object);
        }
    }
    for object in parse(text, path) {
        objects = objects.insert(object);
    }
    objects
}

/// The objects of one file that fixtures share.
pub(crate) fn shared(name: &str) -> Vec<Object> {
    let path = folder().join("shared").join(name);
    parse(&fs::read_to_string(&path).unwrap(), &path)
}

/// What an API server would store. A fixture about what it would refuse says so, and is decoded as it is: objects may
/// have been stored before a rule existed.
fn parse(text: &str, path: &Path) -> Vec<Object> {
    if text.lines().any(|line| line == "# admission: none") {
        return decode(text, path);
    }
    let admitted = lychgate_admission::read_text(&path.display().to_string(), text);
    let errors: Vec<_> = admitted.diagnostics.iter().map(ToString::to_string).collect();
    assert!(!admitted.has_errors(), "{}", errors.join("\n"));
    admitted.objects.into_iter().map(|admitted| admitted.object).collect()
}

fn decode(text: &str, path: &Path) -> Vec<Object> {
    let documents = serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    let objects = documents.filter(|value| !value.is_null()).map(|value| {
        let api_version = value["apiVersion"].as_str().unwrap_or_default();
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let kind = value["kind"].as_str().unwrap_or_default();
        let kind = Kind::find(group, kind).unwrap_or_else(|| panic!("{}: unknown kind {kind}", path.display()));
        Object::decode(kind, value).unwrap_or_else(|error| panic!("{}: {kind}: {error}", path.display()))
    });
    objects.collect()
}

/// All of a translation, as text.
pub(crate) fn print(translation: &Translation) -> String {
    let statuses: BTreeMap<String, Value> =
        translation.statuses.iter().map(|(object, status)| (object.to_string(), status_value(status))).collect();
    let mut whole = Map::new();
    whole.insert("snapshot".into(), serde_json::to_value(&*translation.snapshot).unwrap());
    whole.insert("endpoints".into(), serde_json::to_value(&translation.endpoints).unwrap());
    whole.insert("statuses".into(), serde_json::to_value(statuses).unwrap());
    serde_yaml::to_string(&short(Value::Object(whole))).unwrap()
}

fn status_value(status: &ObjectStatus) -> Value {
    let value = match status {
        ObjectStatus::GatewayClass(status) => {
            let mut value = serde_json::to_value(status).unwrap();
            value["supportedFeatures"] = format!("{} features", status.supported_features.len()).into();
            value
        }
        ObjectStatus::Gateway(status) => serde_json::to_value(status).unwrap(),
        ObjectStatus::ListenerSet(status) => serde_json::to_value(status).unwrap(),
        ObjectStatus::Route(status) => serde_json::to_value(status).unwrap(),
        ObjectStatus::Policy(status) => serde_json::to_value(status).unwrap(),
        ObjectStatus::XBackend(status) => serde_json::to_value(status).unwrap(),
    };
    if value.as_object().is_some_and(Map::is_empty) { "nothing is said".into() } else { value }
}

/// Leaves out what is null or empty, writes conditions as lines and PEM by its size.
fn short(value: Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("lastTransitionTime") => condition(&map).into(),
        Value::Object(map) if is_kind(&map) => map["kind"].clone(),
        Value::Object(map) => {
            let map = map.into_iter().filter(|(key, _)| key != "controllerName");
            let map = map.map(|(key, value)| (key, short(value))).filter(|(_, value)| !value.is_null());
            Value::Object(map.collect())
        }
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Array(items) => items.into_iter().map(short).collect(),
        Value::String(text) if text.contains("-----BEGIN") => format!("PEM of {} bytes", text.len()).into(),
        other => other,
    }
}

fn is_kind(map: &Map<String, Value>) -> bool {
    map.len() == 2 && map.contains_key("kind") && map.contains_key("group")
}

fn condition(map: &Map<String, Value>) -> String {
    let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
    let generation = map.get("observedGeneration").map(|generation| format!(" @{generation}")).unwrap_or_default();
    format!("{} {} {}{generation}: {}", text("type"), text("status"), text("reason"), text("message"))
}

/// Whether everything that a snapshot mentions is in it.
pub(crate) fn check_closed(translation: &Translation, name: &str) {
    let snapshot = &translation.snapshot;
    let filters = |filters: &[Filter]| {
        for filter in filters {
            let target = match filter {
                Filter::Mirror(mirror) => &mirror.target,
                Filter::ExternalAuth(auth) => &auth.target,
                _ => continue,
            };
            if let Target::Backend(id) = target {
                assert!(snapshot.backends.contains_key(id), "{name}: {id} is mirrored to or asked, and not there");
            }
        }
    };
    for route in snapshot.routes.values() {
        for attachment in &*route.attachments {
            assert!(snapshot.listeners.contains_key(&attachment.listener), "{name}: {}", attachment.listener);
            assert!(!attachment.hostnames.is_empty(), "{name}");
        }
        assert!(!route.attachments.is_empty(), "{name}: {} is attached to nothing", route.id);
        for rule in &route.rules {
            assert!(!rule.matches.is_empty(), "{name}: {} matches nothing", rule.id);
            filters(&rule.filters);
            for backend in rule.forward.iter().flat_map(|forward| &forward.backends) {
                filters(&backend.filters);
                if let Target::Backend(id) = &backend.target {
                    assert!(snapshot.backends.contains_key(id), "{name}: {id} is not there");
                }
            }
        }
    }
    for route in snapshot.stream_routes.values() {
        for attachment in &*route.attachments {
            assert!(snapshot.listeners.contains_key(&attachment.listener), "{name}: {}", attachment.listener);
            assert!(!attachment.hostnames.is_empty(), "{name}");
        }
        assert!(!route.attachments.is_empty(), "{name}: {} is attached to nothing", route.id);
        for backend in route.forward.iter().flatten() {
            if let Target::Backend(id) = &backend.target {
                assert!(snapshot.backends.contains_key(id), "{name}: {id} is not there");
            }
        }
    }
    for (id, backend) in &snapshot.backends {
        assert_eq!(backend.resolution == Resolution::Endpoints, translation.endpoints.contains_key(id), "{name}: {id}");
        if let BackendTls::Tls(tls) = &backend.tls
            && let ClientIdentity::Certificate(id) = &tls.identity
        {
            assert!(snapshot.certificates.contains_key(id), "{name}: {id} is not there");
        }
    }
    for gateway in snapshot.egress.values() {
        assert!(gateway.policies.iter().all(|id| snapshot.egress_policies.contains_key(id)), "{name}");
        assert!(gateway.logins.values().all(|login| snapshot.secrets.contains_key(&login.password)), "{name}");
        let authority = gateway.inspection.iter().flat_map(|inspection| &inspection.authority);
        authority
            .into_iter()
            .for_each(|id| assert!(snapshot.certificates.contains_key(id), "{name}: {id} is not there"));
    }
    for rule in snapshot.egress_policies.values().flat_map(|policy| &policy.rules) {
        let EgressHandling { tls, credential, via, leave_from: _, limits: _ } = &*rule.handling;
        if let EgressTls::Originate(Ok(origin)) | EgressTls::Inspect(Ok(origin)) = tls
            && let ClientIdentity::Certificate(id) = &origin.identity
        {
            assert!(snapshot.certificates.contains_key(id), "{name}: {id} is not there");
        }
        let credential = credential.iter().filter_map(|credential| credential.secret.as_ref().ok());
        let logins = via.iter().filter_map(|via| via.login.as_ref()?.as_ref().ok());
        for id in credential.chain(logins.flat_map(|login| [&login.user, &login.password])) {
            assert!(snapshot.secrets.contains_key(id), "{name}: {id} is not there");
        }
    }
    for listener in snapshot.listeners.values() {
        for ListenerFilter::ExternalAuth(auth) in &listener.filters {
            filters(&[Filter::ExternalAuth(auth.clone())]);
        }
        for id in listener.tls.iter().flat_map(|tls| &tls.certificates).chain(&listener.upstream_identity) {
            assert!(snapshot.certificates.contains_key(id), "{name}: {id} is not there");
        }
    }
}

/// Whether a dump can be read back: all but the keys, which no dump shows.
pub(crate) fn check_dump(translation: &Translation, name: &str) {
    let Translation { snapshot, endpoints, .. } = translation;
    let dump = serde_json::to_string(&**snapshot).unwrap();
    let mut back: Snapshot = serde_json::from_str(&dump).unwrap_or_else(|error| panic!("{name}: {error}: {dump}"));
    assert_eq!(serde_json::to_string(&back).unwrap(), dump, "{name}");
    assert!(back.certificates.values().all(|certificate| certificate.key_pem.expose() == "[redacted]"), "{name}");
    back.certificates = snapshot.certificates.clone();
    assert!(back.secrets.values().all(|secret| secret.text.expose() == "[redacted]"), "{name}");
    back.secrets = snapshot.secrets.clone();
    assert!(back == **snapshot, "{name}: another snapshot is read than was written: {dump}");
    let dump = serde_json::to_string(endpoints).unwrap();
    let back: Endpoints = serde_json::from_str(&dump).unwrap_or_else(|error| panic!("{name}: {error}: {dump}"));
    assert!(back == *endpoints, "{name}: other endpoints are read than were written: {dump}");
}
