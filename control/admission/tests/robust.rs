//! No text makes the reader panic, take long, or lose what is whole.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use lychgate_admission::read_text;
use proptest::prelude::*;

const VALID: &str = r#"apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: shop
  labels: {app.kubernetes.io/name: "shop"}
spec:
  parentRefs: [{name: gate}]
  hostnames: ["*.example.com"]
  rules:
  - &rule
    matches:
    - path: {type: Exact, value: /a}
      headers: [{name: x, value: 'y'}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{name: a, value: "b\u0065"}]
    backendRefs: [{name: shop, port: 0x50}]
  - *rule
  - <<: *rule
    timeouts: {request: 10s}
---
apiVersion: v1
kind: Secret
metadata: {name: cert}
type: kubernetes.io/tls
data:
  tls.crt: |
    aHVudGVyMg==
  tls.key: >-
    aHVudGVyMg==
"#;

#[test]
fn every_truncation_is_survived() {
    assert!(read_text("a.yaml", VALID).diagnostics.is_empty(), "{:?}", read_text("a.yaml", VALID).diagnostics);
    for (end, _) in VALID.char_indices() {
        let text = &VALID[..end];
        let admitted = read_text("a.yaml", text);
        let is_whole = text.contains("\n---\n");
        assert!(!is_whole || admitted.objects.iter().any(|each| each.object.metadata().name == "shop"), "{text}");
        let _ = read_text("a.json", text);
    }
}

/// Each line refers to the one before nine times.
#[test]
fn a_billion_laughs_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let before = format!("*a{}", n - 1);
        let _ = writeln!(text, "a{n}: &a{n} [{}]", vec![before; 9].join(", "));
    }
    let admitted = read_text("a.yaml", &text);
    assert_eq!(admitted.unread.len(), 1);
    assert!(admitted.diagnostics[0].message.contains("once aliases are followed"), "{:?}", admitted.diagnostics);
}

#[test]
fn depth_is_limited() {
    for text in ["[".repeat(100_000), "a:\n".repeat(3), "- ".repeat(100_000), "{a: ".repeat(5000), "? ".repeat(5000)] {
        let admitted = read_text("a.yaml", &text);
        assert!(admitted.has_errors());
        let _ = read_text("a.json", &text);
    }
    let mut text = "a0: &a0 [x]\n".to_owned();
    for n in 1..100 {
        let _ = writeln!(text, "a{n}: &a{n} [*a{}]", n - 1);
    }
    assert!(read_text("a.yaml", &text).diagnostics[0].message.contains("nested more than"));
    let itself = read_text("a.yaml", "a: &a [*a]\n");
    assert!(itself.has_errors());
}

/// Each problem is looked up in the text, so there must not be too many of them.
#[test]
fn problems_without_number_are_summed_up() {
    let mut text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n".to_owned();
    for n in 0..50_000 {
        let _ = writeln!(text, "  k{n}: {n}");
    }
    let admitted = read_text("a.yaml", &text);
    assert_eq!(admitted.diagnostics.len(), 51);
    let last = admitted.diagnostics.last().map(ToString::to_string);
    let expected = "a.yaml:1:1: ConfigMap/default/a: has 49950 more problems, which are not shown";
    assert_eq!(last.as_deref(), Some(expected));
}

/// Pieces that mean something to YAML or to us.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "apiVersion: v1",
        "kind: Secret",
        "metadata:",
        "name: a",
        "spec:",
        "- ",
        "  ",
        "\n",
        "---\n",
        "...\n",
        "{",
        "}",
        "[",
        "]",
        ": ",
        ", ",
        "&a ",
        "*a",
        "<<: ",
        "|\n",
        ">-\n",
        "\"",
        "'",
        "\\u12",
        "!!int ",
        "!x ",
        "? ",
        "#",
        "%YAML 1.1\n",
        "\t",
        "\u{feff}",
        "é",
        "\u{0}",
        "yes",
        "0x1",
        ".inf",
        "~",
        "items:",
        "kind: List",
        "rules",
        "data: {a: b}",
        "null",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![any::<String>(), pieces()]) {
        let _ = read_text("a.yaml", &text);
        let _ = read_text("a.json", &text);
    }

    /// A broken document before and after a whole one harms neither.
    #[test]
    fn a_whole_document_survives_any_neighbour(noise in pieces()) {
        let noise = noise.replace("---", "").replace('%', "");
        let whole = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: whole}\n---\n";
        let admitted = read_text("a.yaml", &format!("{noise}\n{whole}{noise}"));
        prop_assert!(admitted.objects.iter().any(|each| each.object.metadata().name == "whole"), "{:?}", admitted);
    }

    /// One changed character is never a panic, and leaves the other document alone.
    #[test]
    fn one_changed_character_is_survived(at in 0..VALID.len(), with in any::<char>()) {
        prop_assume!(VALID.is_char_boundary(at));
        let rest = VALID[at..].chars().next().map_or("", |c| &VALID[at + c.len_utf8()..]);
        let _ = read_text("a.yaml", &format!("{}{with}{rest}", &VALID[..at]));
    }

    #[test]
    fn objects_of_any_shape_are_refused_or_admitted(value in json()) {
        for kind in ["HTTPRoute", "Gateway", "BackendTLSPolicy"] {
            let mut object = serde_json::json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": {"name": "a"},
            });
            object["spec"] = value.clone();
            let _ = lychgate_admission::admit(object);
        }
    }
}

/// JSON of words that the schemas know.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let word =
        prop::sample::select(vec!["name", "type", "path", "value", "PathPrefix", "HTTP", "tls", "10s", "/", "*"]);
    let key = prop::sample::select(vec![
        "name",
        "type",
        "path",
        "value",
        "rules",
        "matches",
        "filters",
        "listeners",
        "port",
        "protocol",
        "tls",
        "hostname",
        "validation",
        "targetRefs",
        "backendRefs",
        "timeouts",
        "request",
        "parentRefs",
        "cors",
        "addresses",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        word.prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            prop::collection::btree_map(key.clone(), inner, 0..6).prop_map(|map| {
                map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<serde_json::Map<_, _>>().into()
            }),
        ]
    })
}
