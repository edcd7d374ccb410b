//! The functions that rules may call: CEL's standard library, its strings and lists extensions, and what Kubernetes adds.

use std::net::IpAddr;

use cel::common::types::{CelBool, CelString};
use cel::{DeclarationError, Env, add_member_overload, add_overload, extensions};

use super::duration::{CelDuration, parse};
use super::formats;
use super::regexes::matches;

/// The environment that rules are compiled and evaluated in.
pub(super) fn environment() -> Env {
    // Without Kubernetes' functions rules fail when evaluated, and refuse objects: closed, not open.
    kubernetes().unwrap_or_else(|_| Env::stdlib())
}

fn kubernetes() -> Result<Env, DeclarationError> {
    let mut env = Env::stdlib();
    env.add_extension(extensions::strings)?;
    env.add_extension(extensions::lists)?;
    add_member_overload!(env, fn matches: (CelString, CelString) -> Result<CelBool>, name = "matches")?;
    add_overload!(env, fn matches: (CelString, CelString) -> Result<CelBool>, name = "matches", id = "matches")?;
    add_overload!(env, fn parse: (CelString) -> Result<CelDuration>, name = "duration")?;
    add_overload!(env, fn is_ip: (CelString) -> CelBool, name = "isIP")?;
    formats::register(&mut env)?;
    Ok(env)
}

fn is_ip(text: &CelString<'_>) -> CelBool {
    text.inner().parse::<IpAddr>().is_ok().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::rules::testing::holds;
    use serde_json::json;

    #[test]
    fn declares_everything() {
        super::kubernetes().unwrap();
    }

    #[test]
    fn evaluates_as_kubernetes_does() {
        let value = json!({
            "namespace": "ns", "type": "Exact", "size": 3, "list": ["a", "b"], "map": {"a/b": "x"}, "wait": "1m30s",
            "items": [{"n": 1}, {"n": 2}, {"n": 2}], "ratio": 0.5, "a-b": true,
        });
        for rule in [
            "has(self.__namespace__) && self.__namespace__ == 'ns'",
            "!has(self.absent)",
            "self.size == 3 && self.list.size() == 2 && size(self.map) == 1",
            "self.type.matches('^E') && !matches(self.type, '^x')",
            "self.type in ['Exact', 'Prefix'] && 'a' in self.list && 'a/b' in self.map",
            "self.list[1] == 'b'",
            "self.map.all(key, key.split('/')[0] == 'a')",
            "self.items.exists_one(i, i.n == 1) && !self.items.exists_one(i, i.n == 2)",
            "self.items.filter(i, i.n == 2).size() == 2",
            "duration(self.wait) == duration('90s') && duration('0s') < duration('1ms')",
            "isIP('::1') && isIP('10.0.0.1') && !isIP('a')",
            "!format.dns1123Subdomain().validate('a.b').hasValue()",
            "format.dns1123Subdomain().validate('A').hasValue()",
            "format.qualifiedName().validate('a b').hasValue()",
            "'*.x'.substring(2) == 'x' && 'abc'.contains('b') && 'abc'.endsWith('c')",
            "self.ratio < 1.0 && self.__a__dash__b__ || self.a__dash__b",
            "self.list == ['a', 'b'] && self.items[0] == self.items[0] && self.items[0] != self.items[1]",
            "self.list.map(x, x + '!')[0] == 'a!'",
        ] {
            assert_eq!(holds(rule, &value), Ok(true), "{rule}");
        }
    }

    #[test]
    fn a_rule_that_cannot_be_evaluated_says_so() {
        assert!(holds("self.absent == 1", &json!({})).unwrap_err().contains("absent"));
        assert!(holds("1 + 1", &json!({})).is_err());
        assert!(holds("self ==", &json!({})).is_err());
        assert!(holds("duration('x') == duration('1s')", &json!({})).is_err());
        assert!(holds("'a'.matches('(')", &json!({})).is_err());
    }
}
