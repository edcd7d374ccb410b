//! `x-kubernetes-validations`: CEL rules, as the API server evaluates them on create.
//!
//! Rules that mention `oldSelf` compare with an older version of the object and are not evaluated, as on create.

mod duration;
mod formats;
mod functions;
mod regexes;
mod value;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use cel::{Context, Env, Program};
use serde_json::Value;

use crate::Violation;
use crate::path::{FieldPath, Segment};
use crate::schema::{Schema, Violations};

/// One rule of a schema. It is compiled when it is needed first, once for all schemas that have the same text.
#[derive(Debug)]
pub(crate) struct Rule {
    source: String,
    message: Option<String>,
    message_expression: Option<String>,
    field: FieldPath,
    /// Whether the rule compares with an older version of the object.
    is_transition: bool,
    program: OnceLock<Compiled>,
    message_program: OnceLock<Compiled>,
}

type Compiled = Result<Shared, String>;

/// A compiled expression, shared by all rules of its text.
#[derive(Clone)]
struct Shared(Arc<Program>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Program")
    }
}

/// The functions that Kubernetes gives to rules.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(functions::environment()));

impl Rule {
    /// Reads one entry of `x-kubernetes-validations`.
    pub(crate) fn parse(json: &Value) -> Result<Self, String> {
        let map = json.as_object().ok_or("a rule must be an object")?;
        let known = ["rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf"];
        if let Some(unknown) = map.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!("unknown keyword {unknown} in a rule"));
        }
        let text = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
        let field = text("fieldPath").unwrap_or_default();
        let names: Vec<_> = field.split('.').filter(|name| !name.is_empty()).collect();
        let source = text("rule").ok_or("a rule must have a text")?;
        Ok(Self {
            is_transition: source.contains("oldSelf"),
            source,
            message: text("message"),
            message_expression: text("messageExpression"),
            field: FieldPath::of(&names),
            program: OnceLock::new(),
            message_program: OnceLock::new(),
        })
    }

    fn check(&self, context: &Context<'_, '_>) -> Result<bool, String> {
        let program = self.program.get_or_init(|| compile(&self.source)).as_ref().map_err(Clone::clone)?;
        match program.0.execute(context) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("the rule gives {:?} and not a boolean", other.type_of())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn message(&self, context: &Context<'_, '_>) -> String {
        let computed = self.message_expression.as_ref().and_then(|source| {
            let program = self.message_program.get_or_init(|| compile(source)).as_ref().ok()?;
            match program.0.execute(context) {
                Ok(cel::Value::String(text)) => Some(text.to_string()),
                Ok(_) | Err(_) => None,
            }
        });
        computed.or_else(|| self.message.clone()).unwrap_or_else(|| format!("must satisfy {}", self.source.trim()))
    }
}

/// Compiles a text, or gives what was compiled of it before.
fn compile(source: &str) -> Compiled {
    static COMPILED: LazyLock<Mutex<HashMap<String, Compiled>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = compiled.get(source) {
        return known.clone();
    }
    let program = ENVIRONMENT.compile(source).map(|program| Shared(Arc::new(program))).map_err(|e| e.to_string());
    compiled.insert(source.to_owned(), program.clone());
    program
}

/// Adds a violation for each rule of the schema, and of those below it, that does not hold. The value must fit the
/// schema otherwise: rules may rely on it.
pub(crate) fn evaluate(schema: &Schema, value: &Value, found: &mut Violations) {
    if !schema.has_rules {
        return;
    }
    let item = value::Item::new(value);
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    let mut walk = Walk { path: FieldPath::default(), found };
    walk.value(schema, &item, &mut context);
}

struct Walk<'f> {
    path: FieldPath,
    found: &'f mut Violations,
}

impl Walk<'_> {
    fn value<'v>(&mut self, schema: &Schema, item: &value::Item<'v>, context: &mut Context<'_, 'v>) {
        if !schema.has_rules {
            return;
        }
        if schema.rules.iter().any(|rule| !rule.is_transition) {
            context.add_variable_as_val("self", item.to_val());
        }
        for rule in schema.rules.iter().filter(|rule| !rule.is_transition) {
            let message = match rule.check(context) {
                Ok(true) => continue,
                Ok(false) => rule.message(context),
                // As in an API server, a rule that cannot be evaluated does not hold.
                Err(error) => format!("{} (the rule could not be evaluated: {error})", rule.message(context)),
            };
            let mut path = self.path.clone();
            rule.field.segments().iter().for_each(|segment| path.push(segment.clone()));
            self.found.push(Violation { path, message, hint: None });
        }
        match item {
            value::Item::Map(map) => {
                for (key, child) in map.entries() {
                    let (schema, segment) = match (schema.properties.get(key), &schema.additional) {
                        (Some(property), _) => (&**property, Segment::Field(key.to_owned())),
                        (None, Some(additional)) => (additional.as_ref(), Segment::Key(key.to_owned())),
                        (None, None) => continue,
                    };
                    self.below(schema, segment, child, context);
                }
            }
            value::Item::List(list) => {
                let Some(schema) = schema.items.as_deref().filter(|schema| schema.has_rules) else { return };
                for (index, child) in list.items().iter().enumerate() {
                    self.below(schema, Segment::Index(index), child, context);
                }
            }
            value::Item::Null(_)
            | value::Item::Bool(_)
            | value::Item::Int(_)
            | value::Item::Double(_)
            | value::Item::String(_) => {}
        }
    }

    fn below<'v>(&mut self, schema: &Schema, segment: Segment, item: &value::Item<'v>, context: &mut Context<'_, 'v>) {
        if schema.has_rules {
            self.path.push(segment);
            self.value(schema, item, context);
            self.path.pop();
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! For the test that every embedded rule compiles and can be evaluated.

    use super::{Context, ENVIRONMENT, Rule, compile, value};
    use std::sync::Arc;

    impl Rule {
        pub(crate) fn source(&self) -> &str {
            &self.source
        }

        pub(crate) fn compiles(&self) -> Result<(), String> {
            compile(&self.source).map(|_| ())
        }
    }

    /// What a rule says about `json`, where it is about the value itself.
    pub(crate) fn holds(rule: &str, json: &serde_json::Value) -> Result<bool, String> {
        let rule = Rule::parse(&serde_json::json!({"rule": rule}))?;
        let item = value::Item::new(json);
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.add_variable_as_val("self", item.to_val());
        rule.check(&context)
    }
}
