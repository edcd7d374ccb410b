//! The YAML that tests need.

/// A Gateway of this name on loopback, with listeners as `(name, protocol, port)`.
pub(crate) fn gateway(name: &str, listeners: &[(&str, &str, u16)]) -> String {
    let mut text = format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: \
         default}}\nspec:\n  gatewayClassName: lychgate\n  addresses: [{{type: IPAddress, value: 127.0.0.1}}]\n  \
         listeners:\n"
    );
    for (listener, protocol, port) in listeners {
        text += &format!("    - {{name: {listener}, protocol: {protocol}, port: {port}");
        if *protocol == "HTTPS" {
            text += ", tls: {certificateRefs: [{name: pair}]}";
        }
        text += "}\n";
    }
    text + "---\n"
}

/// An HTTPRoute of this name and parent that moves `/old` and refuses nothing.
pub(crate) fn route(name: &str, parent: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: \
         default}}\nspec:\n  parentRefs: [{{name: {parent}}}]\n  rules:\n    - name: moved\n      matches: [{{path: \
         {{type: PathPrefix, value: /old}}}}]\n      filters: [{{type: RequestRedirect, requestRedirect: {{path: \
         {{type: ReplaceFullPath, replaceFullPath: /new}}}}}}]\n---\n"
    )
}

/// A Service of this name with one endpoint on loopback, and an HTTPRoute of the same name that sends everything to it.
pub(crate) fn backed(name: &str, parent: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\nspec: {{ports: [{{name: http, port: \
         80}}]}}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}-1, namespace: default, \
         labels: {{kubernetes.io/service-name: {name}}}}}\naddressType: IPv4\nendpoints: [{{addresses: \
         [127.0.0.1]}}]\nports: [{{name: http, port: {port}}}]\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: \
         HTTPRoute\nmetadata: {{name: {name}, namespace: default}}\nspec:\n  parentRefs: [{{name: {parent}}}]\n  rules: \
         [{{backendRefs: [{{name: {name}, port: 80}}]}}]\n---\n"
    )
}

/// A Service of this name with one endpoint on loopback, and a TCPRoute or UDPRoute of the same name from a listener to it.
pub(crate) fn stream_route(kind: &str, name: &str, parent: &str, listener: &str, port: u16) -> String {
    let protocol = kind.strip_suffix("Route").unwrap();
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\nspec: {{ports: [{{name: it, port: 1, \
         protocol: {protocol}}}]}}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}-1, \
         namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}\naddressType: IPv4\nendpoints: [{{addresses: \
         [127.0.0.1]}}]\nports: [{{name: it, port: {port}, protocol: {protocol}}}]\n---\napiVersion: \
         gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: default}}\nspec:\n  parentRefs: \
         [{{name: {parent}, sectionName: {listener}}}]\n  rules: [{{backendRefs: [{{name: {name}, port: 1}}]}}]\n---\n"
    )
}
