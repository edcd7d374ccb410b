//! What plain (unquoted) scalars mean.
//!
//! Kubernetes' tools read YAML 1.1 words and numbers: `yes` and `on` are booleans, `010` is eight, `1_000` is a
//! thousand. Reading them otherwise would give objects another meaning here than in a cluster.

use serde_json::Number;

use super::node::NodeValue;

/// Why a scalar has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoValue(pub(super) String);

/// The value of a plain scalar.
pub(super) fn plain(text: &str) -> Result<NodeValue, NoValue> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(NodeValue::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Ok(NodeValue::Bool(true, text.into()));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Ok(NodeValue::Bool(false, text.into()));
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return Err(NoValue(format!("{text} has no place in an object: JSON has no such number"))),
        _ => {}
    }
    let looks_like_a_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if looks_like_a_number && let Some(number) = number(text) {
        return Ok(NodeValue::Number(number, text.into()));
    }
    Ok(NodeValue::String(text.to_owned()))
}

fn number(text: &str) -> Option<Number> {
    if text.starts_with('.') {
        return is_float(text).then(|| text.parse().ok().and_then(Number::from_f64)).flatten();
    }
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    integer(&digits).or_else(|| is_float(&digits).then(|| digits.parse().ok().and_then(Number::from_f64)).flatten())
}

/// An integer with a prefix for its base; a leading zero alone means octal, as in YAML 1.1.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..)?),
        [b'+', ..] => (false, text.get(1..)?),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary)
    } else if let Some(octal) = lower.strip_prefix('0').filter(|rest| !rest.is_empty()) {
        (8, octal)
    } else {
        (10, lower.as_str())
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative { 0_i64.checked_sub_unsigned(magnitude).map(Number::from) } else { Some(Number::from(magnitude)) }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..)),
        None => (rest, None),
    };
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_ok = all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_ok = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    mantissa_ok && exponent_ok
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::plain;
    use crate::yaml::{Mark, Node};
    use serde_json::{Value, json};

    fn value(text: &str) -> Value {
        Node { mark: Mark::default(), value: plain(text).unwrap() }.to_json()
    }

    #[test]
    fn reads_yaml_1_1_as_kubernetes_does() {
        for (text, expected) in [
            ("yes", json!(true)),
            ("off", json!(false)),
            ("y", json!(true)),
            ("yEs", json!("yEs")),
            ("~", json!(null)),
            ("010", json!(8)),
            ("08", json!(8.0)),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("0o17", json!(15)),
            ("1_000", json!(1000)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.50", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("1.", json!(1.0)),
            ("-", json!("-")),
            ("+", json!("+")),
            (".", json!(".")),
            ("0x", json!("0x")),
            ("1.2.3", json!("1.2.3")),
            ("10.0.0.0/8", json!("10.0.0.0/8")),
            ("2026-01-01", json!("2026-01-01")),
            ("10s", json!("10s")),
            ("-+5", json!("-+5")),
            ("0x-1", json!("0x-1")),
            ("1e", json!("1e")),
            ("80:80", json!("80:80")),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn has_no_infinite_numbers() {
        assert!(plain(".inf").is_err());
        assert!(plain("-.INF").is_err());
        assert_eq!(value("1e999"), json!("1e999"));
    }
}
