//! The keywords that nearly every schema is made of, as data for one walk over the payload's text.
//!
//! A schema with any other keyword (`$ref`, `oneOf`, `patternProperties`, `if` …) has no plan. What depends on the draft is
//! read strictly: a plan may be stricter than the schema, never laxer.

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The most alternatives inside alternatives: their texts are walked again and again.
const NESTED_ALTERNATIVES_MAX: usize = 2;
/// The most members that a plan keeps account of: the bits of a word.
const REQUIRED_MAX: usize = 64;

pub(super) const NULL: u8 = 1;
pub(super) const BOOLEAN: u8 = 2;
pub(super) const STRING: u8 = 4;
pub(super) const OBJECT: u8 = 8;
pub(super) const ARRAY: u8 = 16;
pub(super) const INTEGER: u8 = 32;
pub(super) const NUMBER: u8 = 64;
const EVERY_TYPE: u8 = 127;

/// What a value must be.
pub(super) struct Plan {
    /// The types that it may have, as bits.
    pub types: u8,
    /// The values that it may have, of those that are quickly compared.
    pub values: Option<Vec<Scalar>>,
    pub number: Option<NumberRule>,
    pub text: Option<TextRule>,
    pub object: Option<Box<ObjectRule>>,
    pub array: Option<Box<ArrayRule>>,
    /// Of each list one must fit.
    pub any: Vec<Vec<Plan>>,
    /// All of these must fit.
    pub all: Vec<Plan>,
}

/// A value that is compared as it is written.
#[derive(PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Text(String),
}

#[derive(Default)]
pub(super) struct NumberRule {
    pub least: Option<f64>,
    pub most: Option<f64>,
    pub above: Option<f64>,
    pub below: Option<f64>,
    pub multiple_of: Option<u64>,
}

#[derive(Default)]
pub(super) struct TextRule {
    pub chars_min: Option<u64>,
    pub chars_max: Option<u64>,
    pub checks: Vec<TextCheck>,
}

pub(super) enum TextCheck {
    Date,
    DateTime,
    Uuid,
    /// A validator of one keyword.
    Other(Box<Validator>),
}

#[derive(Default)]
pub(super) struct ObjectRule {
    pub members: Vec<Member>,
    /// The bits of all required members.
    pub required: u64,
    pub others: Others,
    pub members_max: Option<u64>,
}

pub(super) struct Member {
    pub name: String,
    /// Its bit among the required ones; 0 when it is not required.
    pub bit: u64,
    /// Without one it is a member like any other.
    pub plan: Option<Plan>,
}

/// Members that are not named.
#[derive(Default)]
pub(super) enum Others {
    #[default]
    Free,
    Refused,
    Planned(Box<Plan>),
}

#[derive(Default)]
pub(super) struct ArrayRule {
    pub item: Option<Plan>,
    pub items_min: Option<u64>,
    pub items_max: Option<u64>,
}

/// Makes the validator of one keyword about text.
type Leaf<'a> = &'a dyn Fn(Value) -> Option<Validator>;

impl Plan {
    /// The plan of a schema; `None` when it holds a keyword that no plan knows.
    pub(super) fn of(schema: &Value, leaf: Leaf<'_>) -> Option<Self> {
        let mut root = schema.as_object()?.clone();
        // At the root these say which draft and name it is; further inside they would change what `$ref` means.
        for name in ["$schema", "$id", "id"] {
            if root.get(name).is_some_and(Value::is_string) {
                root.shift_remove(name);
            }
        }
        Self::of_object(&root, 0, leaf)
    }

    fn any_value() -> Self {
        Self {
            types: EVERY_TYPE,
            values: None,
            number: None,
            text: None,
            object: None,
            array: None,
            any: Vec::new(),
            all: Vec::new(),
        }
    }

    fn of_any(schema: &Value, depth: usize, leaf: Leaf<'_>) -> Option<Self> {
        match schema {
            Value::Bool(true) => Some(Self::any_value()),
            Value::Bool(false) => Some(Self { types: 0, ..Self::any_value() }),
            Value::Object(members) => Self::of_object(members, depth, leaf),
            _ => None,
        }
    }

    fn of_object(schema: &Map<String, Value>, depth: usize, leaf: Leaf<'_>) -> Option<Self> {
        let mut plan = Self::any_value();
        for (keyword, value) in schema {
            match keyword.as_str() {
                "title" | "description" | "default" | "examples" | "$comment" | "deprecated" | "readOnly"
                | "writeOnly" | "$defs" | "definitions" => {}
                "type" => plan.types = types(value)?,
                "enum" => plan.set_values(value.as_array()?)?,
                "const" => plan.set_values(std::slice::from_ref(value))?,
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
                    plan.number.get_or_insert_default().set(keyword, value)?;
                }
                "minLength" | "maxLength" | "format" | "pattern" => {
                    plan.text.get_or_insert_default().set(keyword, value, leaf)?;
                }
                "properties" | "required" | "additionalProperties" | "maxProperties" => {
                    plan.object.get_or_insert_default().set(keyword, value, depth, leaf)?;
                }
                "items" | "minItems" | "maxItems" => {
                    plan.array.get_or_insert_default().set(keyword, value, depth, leaf)?;
                }
                "uniqueItems" if *value == Value::Bool(false) => {}
                "anyOf" => plan.any.push(alternatives(value, depth, leaf)?),
                "allOf" => plan.all.extend(alternatives(value, depth, leaf)?),
                _ => return None,
            }
        }
        Some(plan)
    }

    fn set_values(&mut self, values: &[Value]) -> Option<()> {
        if self.values.is_some() {
            return None;
        }
        let scalar = |value: &Value| match value {
            Value::Null => Some(Scalar::Null),
            Value::Bool(flag) => Some(Scalar::Bool(*flag)),
            Value::String(text) => Some(Scalar::Text(text.clone())),
            // Numbers are equal in many spellings: the validator compares them.
            _ => None,
        };
        self.values = Some(values.iter().filter_map(scalar).collect());
        Some(())
    }
}

fn alternatives(value: &Value, depth: usize, leaf: Leaf<'_>) -> Option<Vec<Plan>> {
    if depth >= NESTED_ALTERNATIVES_MAX {
        return None;
    }
    value.as_array()?.iter().map(|one| Plan::of_any(one, depth + 1, leaf)).collect()
}

fn types(value: &Value) -> Option<u8> {
    let one = |name: &Value| {
        Some(match name.as_str()? {
            "null" => NULL,
            "boolean" => BOOLEAN,
            "string" => STRING,
            "object" => OBJECT,
            "array" => ARRAY,
            "integer" => INTEGER,
            "number" => NUMBER | INTEGER,
            _ => return None,
        })
    };
    match value {
        Value::Array(names) => names.iter().try_fold(0, |types, name| Some(types | one(name)?)),
        name => one(name),
    }
}

impl NumberRule {
    fn set(&mut self, keyword: &str, value: &Value) -> Option<()> {
        let place = match keyword {
            "minimum" => &mut self.least,
            "maximum" => &mut self.most,
            "exclusiveMinimum" => &mut self.above,
            "exclusiveMaximum" => &mut self.below,
            _ => {
                self.multiple_of = Some(value.as_u64().filter(|multiple| *multiple > 0)?);
                return Some(());
            }
        };
        // A limit of many digits is none that a float can stand for. (Draft 4 has booleans here: no number either.)
        let number = value.as_number().filter(|number| number.to_string().len() <= 15)?;
        *place = Some(number.as_f64()?);
        Some(())
    }
}

impl TextRule {
    fn set(&mut self, keyword: &str, value: &Value, leaf: Leaf<'_>) -> Option<()> {
        match (keyword, value.as_str()) {
            ("minLength", _) => self.chars_min = Some(value.as_u64()?),
            ("maxLength", _) => self.chars_max = Some(value.as_u64()?),
            ("format", Some("date")) => self.checks.push(TextCheck::Date),
            ("format", Some("date-time")) => self.checks.push(TextCheck::DateTime),
            ("format", Some("uuid")) => self.checks.push(TextCheck::Uuid),
            _ => {
                let validator = leaf(json!({keyword: value}))?;
                self.checks.push(TextCheck::Other(Box::new(validator)));
            }
        }
        Some(())
    }
}

impl ObjectRule {
    fn set(&mut self, keyword: &str, value: &Value, depth: usize, leaf: Leaf<'_>) -> Option<()> {
        match keyword {
            "properties" => {
                for (name, schema) in value.as_object()? {
                    let plan = Plan::of_any(schema, depth, leaf)?;
                    self.member(name).plan = Some(plan);
                }
            }
            "required" => {
                for (at, name) in value.as_array()?.iter().enumerate() {
                    let bit = 1_u64.checked_shl(u32::try_from(at).ok().filter(|_| at < REQUIRED_MAX)?)?;
                    self.required |= bit;
                    self.member(name.as_str()?).bit |= bit;
                }
            }
            "additionalProperties" => {
                self.others = match value {
                    Value::Bool(true) => Others::Free,
                    Value::Bool(false) => Others::Refused,
                    schema => Others::Planned(Box::new(Plan::of_any(schema, depth, leaf)?)),
                }
            }
            _ => self.members_max = Some(value.as_u64()?),
        }
        Some(())
    }

    fn member(&mut self, name: &str) -> &mut Member {
        let at = self.members.iter().position(|member| member.name == name).unwrap_or(self.members.len());
        if at == self.members.len() {
            self.members.push(Member { name: name.to_owned(), bit: 0, plan: None });
        }
        #[expect(clippy::indexing_slicing, reason = "it was just found or put there")]
        &mut self.members[at]
    }

    /// The member of that name: documents of one kind have their members in one order, so the search goes on where the last
    /// one ended.
    pub(super) fn find(&self, name: &str, from: &mut usize) -> Option<&Member> {
        let (before, behind) = self.members.split_at_checked(*from)?;
        let places = behind.iter().chain(before).enumerate();
        let (steps, member) = places.into_iter().find(|(_, member)| member.name == name)?;
        *from = (*from + steps + 1) % self.members.len().max(1);
        Some(member)
    }
}

impl ArrayRule {
    fn set(&mut self, keyword: &str, value: &Value, depth: usize, leaf: Leaf<'_>) -> Option<()> {
        match keyword {
            "items" => self.item = Some(Plan::of_any(value, depth, leaf)?),
            "minItems" => self.items_min = Some(value.as_u64()?),
            _ => self.items_max = Some(value.as_u64()?),
        }
        Some(())
    }
}
