//! What was learned, as somebody reads it and changes it before it is applied.

use super::{LearnedHost, LearnedRule, Lesson};
use crate::Who;
use lychgate_ir::GatewayId;
use std::fmt::Write;

/// An EgressPolicy in shadow, with what was seen as comments. `None` if no Gateway is known that it could be attached to.
pub fn as_yaml(lesson: &Lesson) -> Option<String> {
    let name = lesson.policy()?;
    if lesson.gateways.is_empty() {
        return None;
    }
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "# Learned from what left for {who}. Read it, then apply it: in shadow it changes nothing, and tells what it would refuse.\n\
         apiVersion: lychgate.dev/v1alpha1\n\
         kind: EgressPolicy\n\
         metadata:\n\
         \x20 name: {name}\n\
         \x20 namespace: {namespace}\n\
         spec:\n\
         \x20 targetRefs:\n",
        who = lesson.who,
        name = scalar(&name.name),
        namespace = scalar(&name.namespace),
    );
    for GatewayId(gateway) in &lesson.gateways {
        let _ = write!(
            text,
            "  - group: gateway.networking.k8s.io\n    kind: Gateway\n    name: {}\n",
            scalar(&gateway.name)
        );
        if gateway.namespace != name.namespace {
            let _ = writeln!(text, "    namespace: {}", scalar(&gateway.namespace));
        }
    }
    match &lesson.who {
        Who::ServiceAccount { namespace: _, name } => {
            let _ = write!(text, "  subjects:\n  - serviceAccount: {}\n", scalar(name));
        }
        // Absent: all workloads of the policy's namespace.
        Who::Namespace(_) => {}
        Who::Identity(identity) => {
            let _ = write!(text, "  subjects:\n  - identity: {}\n", scalar(identity));
        }
        Who::Unknown => text.push_str("  subjects:\n  - unknown: {}\n"),
    }
    text.push_str("  mode: Shadow\n  rules:\n");
    lesson.rules.iter().for_each(|one| rule(&mut text, one));
    Some(text)
}

fn rule(text: &mut String, LearnedRule { name, to, by_address, within, ports, protocol }: &LearnedRule) {
    let what = if *by_address { "networks" } else { "hosts" };
    let _ = write!(text, "  - name: {}\n    action: Allow\n    to:\n      {what}:\n", scalar(name));
    for LearnedHost { text: host, seen, lacks, class } in to {
        let class = class.as_ref().map(|class| format!("; {class}")).unwrap_or_default();
        let _ = writeln!(text, "      - {}  # {seen}{class}", scalar(host));
        for (lack, count) in lacks {
            let _ = writeln!(text, "        # {count} of them would be refused without `exceptions: [{lack}]`");
        }
    }
    if !within.is_empty() {
        let _ = writeln!(text, "      within:");
        for net in within {
            let _ = writeln!(text, "      - {}", scalar(net));
        }
    }
    if !ports.is_empty() {
        let ports: Vec<String> = ports.iter().map(|port| format!("\"{port}\"")).collect();
        let _ = writeln!(text, "    ports: [{}]", ports.join(", "));
    }
    let _ = writeln!(text, "    protocols:\n    - type: {protocol}");
}

/// A scalar of YAML: plain where everybody reads it as the same text, else quoted.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/'))
        && !matches!(text, "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n");
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
