//! What people are told about typical mistakes, word for word.
//!
//! Each golden in `snapshots/` shows the text, with line numbers, and the messages. `INSTA_UPDATE=always` rewrites them.

use std::fmt::Write as _;

use lychgate_admission::{Severity, read_text};

/// A file with a route whose rules are these lines.
fn route(rules: &str) -> String {
    let head = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  name: shop\nspec:\n  parentRefs:\n  - name: gate\n  rules:\n";
    let mut text = head.to_owned();
    for line in rules.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (number, line) in text.lines().enumerate() {
        let _ = writeln!(shown, "{:3} | {line}", number + 1);
    }
    let admitted = read_text("shop.yaml", text);
    for diagnostic in &admitted.diagnostics {
        let severity = match diagnostic.severity {
            Severity::Note => "note: ",
            Severity::Warning => "warning: ",
            Severity::Error => "",
        };
        let _ = write!(shown, "\n{severity}{diagnostic}");
    }
    for object in &admitted.objects {
        let _ = write!(shown, "\nadmitted {} at {}", object.object.reference(), object.position);
    }
    for refused in &admitted.refused {
        let _ = write!(shown, "\nrefused {}/{} at {}", refused.kind, refused.key, refused.position);
    }
    for unread in &admitted.unread {
        let _ = write!(shown, "\nunread from {}", unread.position);
    }
    shown
}

macro_rules! golden {
    ($($name:ident: $text:expr;)+) => {
        $(#[test]
        fn $name() {
            let shown = shown(&$text);
            insta::assert_snapshot!(stringify!($name), shown);
        })+
    };
}

golden! {
    unknown_field: route("- match:\n  - path: {type: Exact, value: /a}\n  backendrefs:\n  - name: shop\n    port: 80");
    unknown_enum_word: route("- matches:\n  - path: {type: Prefix, value: /a}\n    method: get");
    unquoted_words: route("- name: on\n  matches:\n  - headers:\n    - {name: version, value: 2}\n    - {name: beta, value: yes}");
    quoted_number: route("- backendRefs:\n  - name: shop\n    port: \"80\"");
    port_out_of_range: route("- backendRefs:\n  - name: shop\n    port: 80800\n    weight: -1");
    missing_port: route("- backendRefs:\n  - name: shop");
    path_without_slash: route("- matches:\n  - path: {value: shop}\n  - path: {type: Exact, value: /a//b}");
    redirect_and_backend: route("- filters:\n  - type: RequestRedirect\n    requestRedirect: {scheme: https}\n  backendRefs:\n  - {name: shop, port: 80}");
    filter_of_another_type: route("- filters:\n  - type: RequestMirror\n    urlRewrite: {hostname: a.example}");
    timeouts: route("- timeouts: {request: 1s, backendRequest: 2s}\n- timeouts: {request: 1.5s}");
    too_many_headers_with_one_name: route("- filters:\n  - type: RequestHeaderModifier\n    requestHeaderModifier:\n      set:\n      - {name: a, value: b}\n      - {name: a, value: c}");
    bad_hostname: route("- {}").replace("  rules:", "  hostnames: [\"*\", Shop.example, a.example:80]\n  rules:");
    wrong_group: route("- {}").replace("gateway.networking.k8s.io/v1", "gateway.networking.k8s/v1");
    wrong_version: route("- {}").replace("gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1alpha2");
    misspelt_kind: route("- {}").replace("HTTPRoute", "HttpRoute");
    another_kind: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop, namespace: prod}\n";
    bad_names: "apiVersion: v1\nkind: Service\nmetadata:\n  name: 1shop\n  namespace: Prod\n  labels:\n    app kubernetes: \"-\"\n  annotation: {}\nspec:\n  ports:\n  - port: 80\n";
    no_name: "apiVersion: v1\nkind: Namespace\nmetadata:\n  generateName: team-\n";
    namespace_of_a_class: "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: lychgate, namespace: default}\nspec: {controllerName: lychgate.dev/gateway-controller}\n";
    broken_yaml_harms_itself: format!("{}---\nkind: [\n---\n{}", route("- {}"), route("- {}").replace("name: shop", "name: cart"));
    tabs: "apiVersion: v1\nkind: Namespace\nmetadata:\n\tname: a\n";
    duplicate_key: "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  name: b\n";
    duplicate_object: format!("{}---\n{}", route("- {}"), route("- {}").replace("k8s.io/v1", "k8s.io/v1beta1"));
    no_object: "listen: 8080\n---\n- a\n---\ntext\n";
    unrendered_template: "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {{ .Values.name }}\n";
    alias_by_mistake: "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}\nspec:\n  hostnames:\n  - *.example.com\n";
    secret_without_key: "apiVersion: v1\nkind: Secret\nmetadata: {name: cert}\ntype: kubernetes.io/tls\ndata:\n  tls.crt: aHVudGVyMg==\n";
    secret_values_do_not_show: "apiVersion: v1\nkind: Secret\nmetadata: {name: cert}\ndata:\n  password: hunter2\n  pin: 1234\nstringData: {other: 5678}\n";
    service_fields: "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec:\n  selektor: {app: shop}\n  ports:\n  - port: 80\n    targetport: 8080\n  - port: 81\n    protocol: tcp\n";
    endpoint_addresses: "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: shop-1\n  labels: {kubernetes.io/service-name: shop}\naddressType: IPv4\nendpoints:\n- addresses: [127.0.0.1]\n- addresses: [\"::1\"]\nports:\n- port: 8080\n";
    gateway_listeners: "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gate}\nspec:\n  gatewayClassName: lychgate\n  listeners:\n  - {name: a, port: 80, protocol: HTTP}\n  - {name: a, port: 80, protocol: HTTP}\n  - {name: b, port: 443, protocol: HTTPS}\n  - {name: c, port: 444, protocol: HTTPS, tls: {mode: Passthrough}}\n";
    gateway_address: "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gate}\nspec:\n  gatewayClassName: lychgate\n  addresses:\n  - value: gate.example\n  listeners:\n  - {name: a, port: 80, protocol: HTTP}\n";
    lists: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: B}\n---\napiVersion: v1\nkind: NamespaceList\nitems:\n- metadata: {name: c}\n- c\n";
}
