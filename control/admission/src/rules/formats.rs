//! `format.<name>().validate(text)`: none where the text has the format, else what is wrong with it.

use std::any::Any;

use cel::common::types::{CelList, CelOptional, CelString, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError, add_member_overload};

use crate::schema::{is_dns_1035_label, is_dns_label, is_dns_subdomain, is_label_value, is_qualified_name};

/// A format of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameFormat {
    DnsLabel,
    DnsSubdomain,
    Dns1035Label,
    QualifiedName,
    LabelValue,
}

static TYPE: Type = Type::new_unspecified_type("kubernetes.NamedFormat");

impl Val for NameFormat {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Self>() == Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(*self)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for NameFormat {}

pub(super) fn register(env: &mut Env) -> Result<(), DeclarationError> {
    let define = |env: &mut Env, name: &str, function| env.add_overload(name, name, Vec::new(), function);
    define(env, "format.dns1123Label", |_| Ok(CowVal::owned(NameFormat::DnsLabel)))?;
    define(env, "format.dns1123Subdomain", |_| Ok(CowVal::owned(NameFormat::DnsSubdomain)))?;
    define(env, "format.dns1035Label", |_| Ok(CowVal::owned(NameFormat::Dns1035Label)))?;
    define(env, "format.qualifiedName", |_| Ok(CowVal::owned(NameFormat::QualifiedName)))?;
    define(env, "format.labelValue", |_| Ok(CowVal::owned(NameFormat::LabelValue)))?;
    add_member_overload!(env, fn validate: (NameFormat, CelString) -> Result<CelOptional>)
}

fn validate(format: &NameFormat, text: &CelString<'_>) -> Result<CelOptional<'static>, ExecutionError> {
    let text = text.inner();
    let (fits, what) = match format {
        NameFormat::DnsLabel => (is_dns_label(text), "an RFC 1123 label"),
        NameFormat::DnsSubdomain => (is_dns_subdomain(text), "an RFC 1123 subdomain"),
        NameFormat::Dns1035Label => (is_dns_1035_label(text), "an RFC 1035 label"),
        NameFormat::QualifiedName => (is_qualified_name(text), "a qualified name"),
        NameFormat::LabelValue => (is_label_value(text), "a label value"),
    };
    if fits {
        return Ok(CelOptional::none());
    }
    let message: Box<dyn Val> = Box::new(CelString::from(format!("must be {what}")));
    Ok(CelOptional::of(Box::new(CelList::from(vec![message]))))
}
