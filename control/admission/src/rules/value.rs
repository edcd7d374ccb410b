//! JSON values as CEL values, without copying text.
//!
//! CEL clones each item of a list into the variable of a comprehension, so lists and maps are shared and not copied.

use std::sync::Arc;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as ValIterator, Sizer};
use cel::common::types::{CelBool, CelDouble, CelInt, CelNull, CelString, CelUInt, LIST_TYPE, MAP_TYPE, Type};
use cel::common::value::{CowVal, Val};
use serde_json::Value;

/// A JSON value.
#[derive(Debug, Clone)]
pub(super) enum Item<'v> {
    Null(CelNull),
    Bool(CelBool),
    Int(CelInt),
    Double(CelDouble),
    String(CelString<'v>),
    List(List<'v>),
    Map(Map<'v>),
}

/// A JSON array.
#[derive(Debug, Clone)]
pub(super) struct List<'v>(Arc<[Item<'v>]>);

/// A JSON object, sorted by key.
#[derive(Debug, Clone)]
pub(super) struct Map<'v>(Arc<[(CelString<'v>, Item<'v>)]>);

impl<'v> Item<'v> {
    pub(super) fn new(value: &'v Value) -> Self {
        match value {
            Value::Null => Self::Null(CelNull),
            Value::Bool(value) => Self::Bool(CelBool::from(*value)),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::Int(CelInt::from(integer)),
                None => Self::Double(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
            },
            Value::String(text) => Self::String(CelString::from(text.as_str())),
            Value::Array(items) => Self::List(List(items.iter().map(Self::new).collect())),
            // serde_json keeps objects sorted.
            Value::Object(map) => Self::Map(Map(map
                .iter()
                .map(|(key, value)| (CelString::from(key.as_str()), Self::new(value)))
                .collect())),
        }
    }

    fn as_val<'b>(&'b self) -> &'b (dyn Val + 'v) {
        match self {
            Self::Null(value) => value,
            Self::Bool(value) => value,
            Self::Int(value) => value,
            Self::Double(value) => value,
            Self::String(value) => value,
            Self::List(value) => value,
            Self::Map(value) => value,
        }
    }

    /// The value, to be bound to a variable.
    pub(super) fn to_val(&self) -> Box<dyn Val + 'v> {
        self.as_val().clone_as_boxed()
    }
}

impl<'v> List<'v> {
    pub(super) fn items(&self) -> &[Item<'v>] {
        &self.0
    }
}

impl<'v> Map<'v> {
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Item<'v>)> {
        self.0.iter().map(|(key, value)| (key.inner(), value))
    }

    fn exactly(&self, key: &str) -> Option<&Item<'v>> {
        let at = self.0.binary_search_by(|(known, _)| known.inner().cmp(key)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// A field. Rules write names that are CEL's own words, or are no identifiers, escaped: `__namespace__`.
    fn find(&self, name: &str) -> Option<&Item<'v>> {
        self.exactly(name).or_else(|| self.exactly(&unescape(name)?))
    }
}

/// The property that an escaped name stands for, as in Kubernetes' `x-kubernetes-validations`.
fn unescape(name: &str) -> Option<String> {
    if !name.contains("__") {
        return None;
    }
    let word = name.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"));
    if let Some(word) = word.filter(|word| RESERVED.contains(word)) {
        return Some(word.to_owned());
    }
    let plain = name.replace("__dot__", ".").replace("__dash__", "-").replace("__slash__", "/");
    Some(plain.replace("__underscores__", "__"))
}

const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

impl Val for List<'_> {
    fn get_type(&self) -> &Type {
        &LIST_TYPE
    }

    fn cel_type() -> &'static Type {
        &LIST_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        let (Some(size), Some(theirs)) = (other.as_sizer(), other.as_iterable()) else { return false };
        let mut theirs = theirs.iter();
        *other.get_type() == LIST_TYPE
            && size.size() == self.size()
            && self.0.iter().all(|mine| theirs.next().is_some_and(|their| mine.as_val().equals(their)))
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.clone())
    }
}

impl Container for List<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.0.iter().any(|item| item.as_val().equals(value)))
    }
}

impl Indexer for List<'_> {
    fn get<'b, 'w>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        let signed = index.downcast_ref::<CelInt>().map(|int| *int.inner());
        let unsigned = index.downcast_ref::<CelUInt>().and_then(|uint| i64::try_from(*uint.inner()).ok());
        let Some(at) = signed.or(unsigned) else {
            let got = index.get_type().name().to_owned();
            return Err(ExecutionError::UnexpectedType { got, want: "int".to_owned() });
        };
        match usize::try_from(at).ok().and_then(|at| self.0.get(at)) {
            Some(item) => Ok(CowVal::Borrowed(item.as_val())),
            None => Err(ExecutionError::IndexOutOfBounds(cel::Value::Int(at))),
        }
    }

    fn steal<'w>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

impl Iterable for List<'_> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn ValIterator<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        Box::new(Items(self.0.iter()))
    }
}

struct Items<'b, 'v>(std::slice::Iter<'b, Item<'v>>);

impl<'b, 'v: 'w, 'w> ValIterator<'b, 'w> for Items<'b, 'v> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        self.0.next().map(|item| item.as_val() as &'b (dyn Val + 'w))
    }
}

impl Sizer for List<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.0.len()).unwrap_or(i64::MAX))
    }
}

impl Val for Map<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        let (Some(size), Some(theirs)) = (other.as_sizer(), other.as_indexer()) else { return false };
        *other.get_type() == MAP_TYPE
            && size.size() == self.size()
            && self.0.iter().all(|(key, mine)| theirs.get(key).is_ok_and(|their| mine.as_val().equals(their.as_ref())))
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.clone())
    }
}

impl Container for Map<'_> {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(key.downcast_ref::<CelString<'_>>().is_some_and(|key| self.exactly(key.inner()).is_some()))
    }
}

impl Indexer for Map<'_> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        let Some(name) = key.downcast_ref::<CelString<'_>>() else {
            let got = key.get_type().name().to_owned();
            return Err(ExecutionError::UnexpectedType { got, want: "string".to_owned() });
        };
        match self.find(name.inner()) {
            Some(item) => Ok(CowVal::Borrowed(item.as_val())),
            None => Err(ExecutionError::no_such_key(name.inner())),
        }
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

impl Iterable for Map<'_> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn ValIterator<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        Box::new(Keys(self.0.iter()))
    }
}

struct Keys<'b, 'v>(std::slice::Iter<'b, (CelString<'v>, Item<'v>)>);

impl<'b, 'v: 'w, 'w> ValIterator<'b, 'w> for Keys<'b, 'v> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        self.0.next().map(|(key, _)| key as &'b (dyn Val + 'w))
    }
}

impl Sizer for Map<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.0.len()).unwrap_or(i64::MAX))
    }
}
