//! Any bytes in a directory of config: nothing panics, and what is admitted stays admitted.
//!
//! The corpus is beside this, in `__fuzz__`. CONTRIBUTING.md says how to look for longer.

#![allow(clippy::unwrap_used)]

use lychgate_admission::{Admitted, admit, read_text};
use lychgate_api::Kind;

/// What means something to YAML or to us, and what breaks that.
const PIECES: &[&str] = &[
    "apiVersion: v1\n",
    "apiVersion: gateway.networking.k8s.io/v1\n",
    "kind: Secret\n",
    "kind: Gateway\n",
    "kind: HTTPRoute\n",
    "kind: TCPRoute\n",
    "kind: Service\n",
    "kind: Namespace\n",
    "kind: List\nitems:\n",
    "metadata: {name: a}\n",
    "metadata:\n  name: b\n",
    "spec:\n",
    "data: {a: b}\n",
    "  gatewayClassName: c\n",
    "  listeners: [{name: l, port: 80, protocol: HTTP}]\n",
    "  parentRefs: [{name: g}]\n",
    "  rules:\n",
    "  - ",
    "  ports: [{port: 80}]\n",
    "    backendRefs: [{name: s, port: 80}]\n",
    "    matches: [{path: {value: /a}}]\n",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "\n",
    "  ",
    "\t",
    "- ",
    "? ",
    ": ",
    ", ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: *a\n",
    "|\n",
    ">-\n",
    "\"",
    "'",
    "\\u12",
    "!!int ",
    "#",
    "~",
    "0x1",
    ".inf",
    "é",
    "\u{feff}",
    "\u{0}",
    "\"a\":",
    "null",
];

/// What holds for any text.
fn read(text: &str) {
    for file in ["a.yaml", "a.json"] {
        let admitted = read_text(file, text);
        assert_eq!(admitted, read_text(file, text), "the same text is read the same");
        says_where(&admitted);
        for found in &admitted.objects {
            // A Secret shows no values, so that what it shows is not what it is.
            if found.object.kind() != Kind::Secret {
                let again = admit(found.object.to_value().unwrap());
                assert_eq!(again.as_ref(), Ok(&found.object), "what was admitted is admitted again, as it is");
            }
        }
    }
}

/// Nothing is lost without a word.
fn says_where(admitted: &Admitted) {
    let lost = admitted.refused.len() + admitted.unread.len();
    assert!(lost == 0 || admitted.has_errors(), "something was lost, and nothing says so: {admitted:?}");
}

#[test]
fn fuzz_config() {
    bolero::check!().for_each(|bytes| read(&String::from_utf8_lossy(bytes)));
}

#[test]
fn fuzz_config_of_pieces() {
    bolero::check!().with_max_len(40).for_each(|choices: &[u8]| read(&pieces(choices)));
}

fn pieces(choices: &[u8]) -> String {
    choices.iter().map(|choice| PIECES[usize::from(*choice) % PIECES.len()]).collect()
}
