//! What did the caller give? Decodes a call's arguments by the tool's table, and names every mistake with its remedy.
//!
//! Some clients send arrays, objects, numbers and booleans as strings; those are decoded where the table declares
//! one. **Invariant:** nothing inside a payload or metadata is ever decoded.

use serde_json::{Value, json};

use super::argument::{Argument, Kind};
use super::budget::{TOKENS_DEFAULT, TOKENS_MAX, TOKENS_MIN};
use super::{Object, Tool};

use crate::error::{Error, Result};
use crate::event::{nearest, quote};

/// The most argument names that an error names.
const NEAREST_MAX: usize = 5;

/// A call's arguments: each of its declared type and within its bounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Arguments(Object);

impl Arguments {
    /// Decodes what the caller gave; `null` counts as not given.
    ///
    /// # Errors
    /// `Invalid`: `unknown_argument`, `missing_argument` or `bad_argument`, each with an example call.
    pub(crate) fn decode(tool: &Tool, given: &Object) -> Result<Self> {
        let mut decoded = Object::new();
        for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
            let argument = tool.argument(name).ok_or_else(|| unknown(tool, name))?;
            let value = decode(argument.kind, value, name).map_err(|error| with_example(error, tool))?;
            decoded.insert(name.clone(), value);
        }
        Ok(Self(decoded))
    }

    /// Takes arguments that were decoded before.
    pub(crate) fn trusted(object: Object) -> Self {
        Self(object)
    }

    /// Checks that every required argument is there.
    ///
    /// # Errors
    /// `Invalid` (`missing_argument`) naming the first that is not.
    pub(crate) fn check_required(&self, tool: &Tool) -> Result<()> {
        let mut required = tool.arguments.iter().copied().flatten().filter(|argument| argument.required);
        match required.find(|argument| !self.has(argument.name)) {
            None => Ok(()),
            Some(missing) => {
                let message = format!("call {}: {} is missing; {}", tool.name, missing.name, missing.about);
                Err(with_example(Error::invalid("missing_argument", message), tool))
            }
        }
    }

    /// All of them.
    pub(crate) fn object(&self) -> &Object {
        &self.0
    }

    /// All of them, to change.
    pub(crate) fn object_mut(&mut self) -> &mut Object {
        &mut self.0
    }

    /// Whether it was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A list of strings; empty when it was not given.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        let items = self.0.get(name).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// A whole number.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    /// A whole number that is not negative.
    pub(crate) fn count(&self, name: &str) -> Option<usize> {
        self.integer(name).and_then(|number| usize::try_from(number).ok())
    }

    /// A position.
    pub(crate) fn ordinal(&self, name: &str) -> Option<u64> {
        self.integer(name).and_then(|number| u64::try_from(number).ok())
    }

    /// A number from 0 to 1.
    #[expect(clippy::cast_possible_truncation, reason = "a share needs no more digits")]
    pub(crate) fn share(&self, name: &str) -> Option<f32> {
        self.0.get(name).and_then(Value::as_f64).map(|share| share as f32)
    }

    /// True or false; false when it was not given.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A list of objects; empty when it was not given.
    pub(crate) fn items(&self, name: &str) -> &[Value] {
        self.0.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// An object.
    pub(crate) fn map(&self, name: &str) -> Option<&Object> {
        self.0.get(name).and_then(Value::as_object)
    }

    /// The size of the answer in tokens, and a warning when more was asked for than is given.
    pub(crate) fn tokens_max(&self) -> (usize, Option<String>) {
        match self.count("max_tokens") {
            None => (TOKENS_DEFAULT, None),
            Some(asked) if asked > TOKENS_MAX => {
                (TOKENS_MAX, Some(format!("max_tokens {asked} was lowered to {TOKENS_MAX}")))
            }
            Some(asked) => (asked, None),
        }
    }
}

/// An example call as an error shows it.
pub(crate) fn example(tool: &Tool) -> Value {
    let arguments: Value = serde_json::from_str(tool.example).unwrap_or_default();
    json!({"tool": tool.name, "arguments": arguments})
}

fn with_example(error: Error, tool: &Tool) -> Error {
    error.with("example", example(tool))
}

fn unknown(tool: &Tool, name: &str) -> Error {
    let known: Vec<&str> = tool.arguments.iter().copied().flatten().map(|argument| argument.name).collect();
    let near = nearest(name, known.iter().copied(), NEAREST_MAX);
    let remedy = if near.is_empty() {
        let some: Vec<&str> = known.iter().copied().take(NEAREST_MAX).collect();
        let beyond = match known.len().saturating_sub(some.len()) {
            0 => String::new(),
            beyond => format!(" and {beyond} more"),
        };
        format!("it takes {}{beyond}", some.join(", "))
    } else {
        format!("nearest: {}", near.join(", "))
    };
    let message = format!("call {}: it has no argument {}; {remedy}", tool.name, quote(name));
    with_example(Error::invalid("unknown_argument", message), tool)
}

/// Decodes one value; `name` is the path by which errors name it.
pub(crate) fn decode(kind: Kind, value: &Value, name: &str) -> Result<Value> {
    let unstrung = match (kind, value) {
        (Kind::Text | Kind::Choice(_) | Kind::Raw, _) => None,
        (_, Value::String(text)) => serde_json::from_str::<Value>(text.trim()).ok(),
        _ => None,
    };
    let value = unstrung.as_ref().unwrap_or(value);
    let decoded = match kind {
        Kind::Text => match value {
            Value::String(text) => Some(text.clone().into()),
            // A number that names something (an entity, a day) is taken as it is written.
            Value::Number(number) => Some(number.to_string().into()),
            _ => None,
        },
        Kind::Choice(choices) => value.as_str().filter(|text| choices.contains(text)).map(Value::from),
        Kind::Integer { min, max } => {
            whole(value).filter(|number| (min..=max).contains(number)).map(Value::from)
        }
        Kind::Budget => {
            let least = i64::try_from(TOKENS_MIN).unwrap_or_default();
            whole(value).filter(|number| *number >= least).map(Value::from)
        }
        Kind::Share => value.as_f64().filter(|share| (0.0..=1.0).contains(share)).map(|_| value.clone()),
        Kind::Flag => value.as_bool().map(Value::from),
        Kind::Texts => list(value, Value::is_string),
        Kind::Choices(choices) => {
            list(value, |item| item.as_str().is_some_and(|text| choices.contains(&text)))
        }
        Kind::Integers => return decode_integers(value, name),
        Kind::Items(fields) => return decode_items(fields, value, name),
        Kind::Raw => value.as_object().cloned().map(Value::Object),
        Kind::Objects => list(value, Value::is_object),
    };
    decoded.ok_or_else(|| bad(kind, value, name))
}

fn list(value: &Value, is_good: impl Fn(&Value) -> bool) -> Option<Value> {
    value.as_array().filter(|items| items.iter().all(is_good)).map(|_| value.clone())
}

/// The number, when it is whole; `50.0` is.
fn whole(value: &Value) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15)?;
    format!("{number:.0}").parse().ok()
}

fn decode_integers(value: &Value, name: &str) -> Result<Value> {
    let members = value.as_object().ok_or_else(|| bad(Kind::Integers, value, name))?;
    let mut decoded = Object::new();
    for (key, member) in members {
        let unstrung = member.as_str().and_then(|text| serde_json::from_str::<Value>(text.trim()).ok());
        let number = whole(unstrung.as_ref().unwrap_or(member));
        let inner = format!("{name}[{}]", quote(key));
        let number = number.ok_or_else(|| bad_words("a whole number", member, &inner))?;
        decoded.insert(key.clone(), number.into());
    }
    Ok(Value::Object(decoded))
}

fn decode_items(fields: &[Argument], value: &Value, name: &str) -> Result<Value> {
    let items = value.as_array().ok_or_else(|| bad(Kind::Items(&[]), value, name))?;
    let mut decoded = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let path = format!("{name}[{index}]");
        let members = item.as_object().ok_or_else(|| bad_words("an object", item, &path))?;
        for (key, member) in members.iter().filter(|(_, member)| !member.is_null()) {
            let Some(field) = fields.iter().find(|field| field.name == key) else {
                let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
                let message = format!("{path} has no field {}; it takes {}", quote(key), known.join(", "));
                return Err(Error::invalid("unknown_argument", message).with("nearest", known));
            };
            if let Kind::Items(inner) = field.kind {
                decode_items(inner, member, &format!("{path}.{key}"))?;
                continue;
            }
            // Writes never guess: nothing in here is unstrung, and a number is not a name.
            let is_good = match field.kind {
                Kind::Raw | Kind::Integers => member.is_object(),
                _ => member.is_string(),
            };
            if !is_good {
                return Err(bad(field.kind, member, &format!("{path}.{key}")));
            }
        }
        if let Some(missing) =
            fields.iter().find(|field| field.required && members.get(field.name).is_none_or(Value::is_null))
        {
            let message = format!("{path}.{} is missing; {}", missing.name, missing.about);
            return Err(Error::invalid("missing_argument", message));
        }
        decoded.push(item.clone());
    }
    Ok(Value::Array(decoded))
}

fn bad(kind: Kind, value: &Value, name: &str) -> Error {
    bad_words(&kind.words(), value, name)
}

fn bad_words(words: &str, value: &Value, name: &str) -> Error {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => super::budget::cut(&number.to_string(), 40),
        Value::String(text) => quote(text),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    };
    Error::invalid("bad_argument", format!("{name} must be {words} but is {found}")).with("argument", name)
}

#[cfg(test)]
mod tests {
    use super::super::argument::{BUDGET, FILTER, PAGE};
    use super::super::{Hints, Tool};
    use super::*;

    const OWN: &[Argument] = &[
        Argument::optional("explain", Kind::Flag, "Say how"),
        Argument::optional("expected_versions", Kind::Integers, "Versions"),
        Argument::optional("metrics", Kind::Choices(&["counts", "types"]), "Sections"),
        Argument::optional(
            "events",
            Kind::Items(&[
                Argument::required("entity_id", Kind::Text, "the entity"),
                Argument::optional("payload", Kind::Raw, "the payload"),
            ]),
            "Events",
        ),
    ];

    static TOOL: Tool = Tool {
        name: "look",
        title: "Look",
        toolset: "explore",
        description: "",
        hints: Hints::READ,
        arguments: &[FILTER, PAGE, OWN, BUDGET],
        fields: &[],
        limit_default: 50,
        example: r#"{"limit": 5}"#,
        run: |_| Err(Error::internal("not called")),
    };

    fn decode(given: &Value) -> Result<Arguments> {
        Arguments::decode(&TOOL, given.as_object().expect("an object"))
    }

    #[track_caller]
    fn check(given: &Value, expected: &Value) {
        let decoded = decode(given).expect("good arguments");
        assert_eq!(Value::Object(decoded.0), *expected);
    }

    #[track_caller]
    fn refused(given: &Value, code: &str, said: &str) {
        let error = decode(given).expect_err("bad arguments");
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().contains(said), "{error}");
    }

    #[test]
    fn strings_that_parse_as_declared_are_decoded() {
        check(&json!({"limit": "20"}), &json!({"limit": 20}));
        check(&json!({"limit": 20.0}), &json!({"limit": 20}));
        check(&json!({"where": "[\"payload.a = 1\"]"}), &json!({"where": ["payload.a = 1"]}));
        check(&json!({"explain": "true"}), &json!({"explain": true}));
        check(&json!({"expected_versions": "{\"a\": \"1\"}"}), &json!({"expected_versions": {"a": 1}}));
        check(&json!({"entity_id": 173_688}), &json!({"entity_id": "173688"}));
        check(&json!({"entity_id": null}), &json!({}));
    }

    #[test]
    fn nothing_inside_a_payload_is_decoded() {
        let events = json!([{"entity_id": "a", "payload": {"n": "1", "list": "[1]", "flag": "true"}}]);
        check(&json!({"events": events.to_string()}), &json!({"events": events}));
    }

    #[test]
    fn an_unknown_argument_names_the_nearest() {
        refused(&json!({"entityId": "a"}), "unknown_argument", "nearest: entity_id");
        let error = decode(&json!({"zzzzzz": 1})).expect_err("unknown");
        assert!(error.message().contains("entity_id, event_type, since, until, where and "), "{error}");
        assert!(error.details().get("nearest").is_none(), "names stand there once");
        assert_eq!(error.details()["example"]["arguments"]["limit"], 5);
        refused(&json!({"events": [{"entity_id": "a", "type": "b"}]}), "unknown_argument", "events[0]");
    }

    #[test]
    fn a_bad_value_is_named_with_what_it_must_be() {
        refused(&json!({"limit": 0}), "bad_argument", "limit must be a whole number from 1 to 1000 but is 0");
        refused(&json!({"limit": -1}), "bad_argument", "but is -1");
        refused(&json!({"limit": 1001}), "bad_argument", "but is 1001");
        refused(&json!({"limit": 1.5}), "bad_argument", "but is 1.5");
        refused(&json!({"where": "payload.a = 1"}), "bad_argument", "an array of strings");
        refused(&json!({"metrics": ["nothing"]}), "bad_argument", "counts, types");
        refused(
            &json!({"events": [{"entity_id": 7}]}),
            "bad_argument",
            "events[0].entity_id must be a string",
        );
        refused(&json!({"events": [{}]}), "missing_argument", "events[0].entity_id is missing");
        refused(
            &json!({"events": [{"entity_id": "a", "payload": "{}"}]}),
            "bad_argument",
            "events[0].payload",
        );
    }

    #[test]
    fn too_large_a_budget_is_lowered_with_a_warning() {
        let (tokens, warning) = decode(&json!({"max_tokens": 50_000})).expect("lowered").tokens_max();
        assert_eq!(tokens, TOKENS_MAX);
        assert!(warning.is_some_and(|warning| warning.contains("50000")));
        refused(&json!({"max_tokens": 10}), "bad_argument", "500");
    }
}
