//! Every rule of compatibility, as a pair of schemas, the mode, the verdict and the reason.
//!
//! The rules are those that the Confluent Schema Registry documents for JSON Schema; a row says what this store answers. A verdict
//! is empty where the newer schema may follow the older, else `KIND path` of the first difference against it.

use allsource::schema::{Mode, judge};
use serde_json::Value;

/// The fact, the mode, the older schema, the newer one, the verdict.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

#[track_caller]
fn check((fact, mode, old, new, expected): &Case) {
    let schema = |text: &str| {
        serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{fact}: {text}: {error}"))
    };
    let mode = Mode::from_name(mode).expect("a mode");
    let (old, new) = (schema(old), schema(new));
    let verdicts = judge(&[(1, &old)], &new, mode);
    let told: Vec<String> = verdicts
        .iter()
        .map(|verdict| format!("{} {}", verdict.difference.kind.name(), verdict.difference.path))
        .collect();
    let first = told.first().map_or("", String::as_str);
    assert_eq!(first, *expected, "{fact}\n old {old}\n new {new}\n all {told:?}");
    assert!(verdicts.iter().all(|verdict| !verdict.difference.reason.is_empty()), "{fact}");
}

const OPEN: &str = r#"{"type":"object","properties":{"a":{"type":"string"}}}"#;
const OPEN_AB: &str = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}}}"#;
const OPEN_A_ANY: &str = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{}}}"#;
const CLOSED: &str = r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#;
const CLOSED_AB: &str = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"additionalProperties":false}"#;
const CLOSED_AB_REQUIRED: &str = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["b"],"additionalProperties":false}"#;
const CLOSED_AB_DEFAULT: &str = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer","default":0}},"required":["b"],"additionalProperties":false}"#;
const PARTLY: &str =
    r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":{"type":"integer"}}"#;
const PARTLY_AB: &str = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"additionalProperties":{"type":"integer"}}"#;
const PARTLY_A_TEXT: &str = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"additionalProperties":{"type":"integer"}}"#;

/// Members of objects, under open, closed and partially open content models.
const MEMBERS: &[Case] = &[
    ("the same schema may follow itself", "full", CLOSED_AB, CLOSED_AB, ""),
    (
        "an optional member added to an open model could be anything before",
        "backward",
        OPEN,
        OPEN_AB,
        "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b",
    ),
    ("a member that may be anything can be added to an open model", "backward", OPEN, OPEN_A_ANY, ""),
    ("an old reader of an open model bears a new member", "forward", OPEN, OPEN_AB, ""),
    ("a member removed from an open model is read as anything", "backward", OPEN_AB, OPEN, ""),
    (
        "an old reader does not bear what took the place of a removed member",
        "forward",
        OPEN_AB,
        OPEN,
        "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b",
    ),
    ("an optional member can be added to a closed model", "backward", CLOSED, CLOSED_AB, ""),
    (
        "an old reader of a closed model refuses a new member",
        "forward",
        CLOSED,
        CLOSED_AB,
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/b",
    ),
    (
        "a member removed from a closed model is refused",
        "backward",
        CLOSED_AB,
        CLOSED,
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/b",
    ),
    ("an old reader of a closed model does without an optional member", "forward", CLOSED_AB, CLOSED, ""),
    (
        "neither way a member of a closed model comes and goes",
        "full",
        CLOSED,
        CLOSED_AB,
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/b",
    ),
    (
        "a required member added to a closed model is not in old data",
        "backward",
        CLOSED,
        CLOSED_AB_REQUIRED,
        "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/b",
    ),
    (
        "a required member with a default can be added to a closed model",
        "backward",
        CLOSED,
        CLOSED_AB_DEFAULT,
        "",
    ),
    (
        "a member with schema false can leave a closed model",
        "backward",
        r#"{"properties":{"a":{},"b":false},"additionalProperties":false}"#,
        r#"{"properties":{"a":{}},"additionalProperties":false}"#,
        "",
    ),
    ("a member that others cover can be added", "backward", PARTLY, PARTLY_AB, ""),
    (
        "a member that others do not cover cannot be added",
        "backward",
        PARTLY,
        PARTLY_A_TEXT,
        "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/b",
    ),
    ("a member that others cover can be removed", "backward", PARTLY_AB, PARTLY, ""),
    (
        "a member that others do not cover cannot be removed",
        "backward",
        PARTLY_A_TEXT,
        PARTLY,
        "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/b",
    ),
    (
        "a pattern covers members whose name matches",
        "backward",
        r#"{"patternProperties":{"^n_":{"type":"integer"}},"additionalProperties":false}"#,
        r#"{"properties":{"n_a":{"type":"number"}},"patternProperties":{"^n_":{"type":"integer"}},"additionalProperties":false}"#,
        "",
    ),
    (
        "a pattern does not cover members of another type",
        "backward",
        r#"{"patternProperties":{"^n_":{"type":"integer"}},"additionalProperties":false}"#,
        r#"{"properties":{"n_a":{"type":"string"}},"patternProperties":{"^n_":{"type":"integer"}},"additionalProperties":false}"#,
        "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/n_a",
    ),
    (
        "a pattern added to an open model",
        "backward",
        "{}",
        r#"{"patternProperties":{"^n_":{"type":"integer"}}}"#,
        "PATTERN_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/patternProperties/^n_",
    ),
    (
        "a pattern removed from a closed model",
        "backward",
        r#"{"patternProperties":{"^n_":{"type":"integer"}},"additionalProperties":false}"#,
        r#"{"additionalProperties":false}"#,
        "PATTERN_PROPERTY_REMOVED_FROM_UNOPEN_CONTENT_MODEL #/patternProperties/^n_",
    ),
    (
        "what was optional must be there",
        "backward",
        OPEN,
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#,
        "REQUIRED_ATTRIBUTE_ADDED #/required/a",
    ),
    (
        "what was optional must be there but has a default",
        "backward",
        OPEN,
        r#"{"type":"object","properties":{"a":{"type":"string","default":""}},"required":["a"]}"#,
        "",
    ),
    (
        "what had to be there may be absent",
        "backward",
        r#"{"properties":{"a":{}},"required":["a"]}"#,
        r#"{"properties":{"a":{}}}"#,
        "",
    ),
    (
        "an old reader asks for what may be absent now",
        "forward",
        r#"{"properties":{"a":{}},"required":["a"]}"#,
        r#"{"properties":{"a":{}}}"#,
        "REQUIRED_ATTRIBUTE_ADDED #/required/a",
    ),
    (
        "a member that nobody names must be there",
        "backward",
        "{}",
        r#"{"required":["z"]}"#,
        "REQUIRED_ATTRIBUTE_ADDED #/required/z",
    ),
    (
        "others were taken and are refused",
        "backward",
        OPEN,
        CLOSED,
        "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties",
    ),
    ("others were refused and are taken", "backward", CLOSED, OPEN, ""),
    (
        "others could be anything and must fit a schema",
        "backward",
        OPEN,
        PARTLY,
        "ADDITIONAL_PROPERTIES_NARROWED #/additionalProperties",
    ),
    ("others had to fit a schema and may be anything", "backward", PARTLY, OPEN, ""),
    (
        "others must fit a narrower schema",
        "backward",
        r#"{"additionalProperties":{"type":"number"}}"#,
        r#"{"additionalProperties":{"type":"integer"}}"#,
        "TYPE_NARROWED #/additionalProperties/type",
    ),
    (
        "others may fit a wider schema",
        "backward",
        r#"{"additionalProperties":{"type":"integer"}}"#,
        r#"{"additionalProperties":{"type":"number"}}"#,
        "",
    ),
    (
        "fewer members are taken",
        "backward",
        r#"{"maxProperties":5}"#,
        r#"{"maxProperties":4}"#,
        "MAX_PROPERTIES_DECREASED #/maxProperties",
    ),
    (
        "more members must be there",
        "backward",
        r#"{"minProperties":1}"#,
        r#"{"minProperties":2}"#,
        "MIN_PROPERTIES_INCREASED #/minProperties",
    ),
    (
        "names of members are restricted",
        "backward",
        "{}",
        r#"{"propertyNames":{"pattern":"^[a-z]"}}"#,
        "KEYWORD_ADDED #/propertyNames",
    ),
    (
        "a member must be there with another",
        "backward",
        "{}",
        r#"{"dependentRequired":{"a":["b"]}}"#,
        "DEPENDENCY_ARRAY_ADDED #/dependencies/a",
    ),
    (
        "one more must be there with another",
        "backward",
        r#"{"dependencies":{"a":["b"]}}"#,
        r#"{"dependencies":{"a":["b","c"]}}"#,
        "DEPENDENCY_ARRAY_EXTENDED #/dependencies/a",
    ),
    (
        "one less must be there with another",
        "backward",
        r#"{"dependentRequired":{"a":["b","c"]}}"#,
        r#"{"dependentRequired":{"a":["b"]}}"#,
        "",
    ),
    (
        "both spellings of a dependency are one",
        "full",
        r#"{"dependencies":{"a":["b"]}}"#,
        r#"{"dependentRequired":{"a":["b"]}}"#,
        "",
    ),
    (
        "a schema must fit with a member",
        "backward",
        "{}",
        r#"{"dependentSchemas":{"a":{"required":["b"]}}}"#,
        "DEPENDENCY_SCHEMA_ADDED #/dependencies/a",
    ),
    (
        "a nested member is told by its whole path",
        "backward",
        r#"{"properties":{"o":{"properties":{"n":{"type":"number"}}}}}"#,
        r#"{"properties":{"o":{"properties":{"n":{"type":"integer"}}}}}"#,
        "TYPE_NARROWED #/properties/o/properties/n/type",
    ),
    (
        "a slash in a name is escaped in the path",
        "backward",
        r#"{"properties":{"a/b":{"type":"number"}}}"#,
        r#"{"properties":{"a/b":{"type":"integer"}}}"#,
        "TYPE_NARROWED #/properties/a~1b/type",
    ),
];

/// Types, listed values, and whole schemas.
const TYPES: &[Case] = &[
    ("an integer may become a number", "backward", r#"{"type":"integer"}"#, r#"{"type":"number"}"#, ""),
    (
        "a number cannot become an integer",
        "backward",
        r#"{"type":"number"}"#,
        r#"{"type":"integer"}"#,
        "TYPE_NARROWED #/type",
    ),
    (
        "an old reader of integers refuses other numbers",
        "forward",
        r#"{"type":"integer"}"#,
        r#"{"type":"number"}"#,
        "TYPE_NARROWED #/type",
    ),
    (
        "text cannot become a number",
        "backward",
        r#"{"type":"string"}"#,
        r#"{"type":"number"}"#,
        "TYPE_CHANGED #/type",
    ),
    ("null may be taken too", "backward", r#"{"type":"string"}"#, r#"{"type":["string","null"]}"#, ""),
    (
        "null is not taken any more",
        "backward",
        r#"{"type":["string","null"]}"#,
        r#"{"type":"string"}"#,
        "TYPE_NARROWED #/type",
    ),
    (
        "a list of types may be in any order",
        "full",
        r#"{"type":["string","null"]}"#,
        r#"{"type":["null","string"]}"#,
        "",
    ),
    (
        "a list that names integer beside number is a list of numbers",
        "full",
        r#"{"type":["integer","number"]}"#,
        r#"{"type":"number"}"#,
        "",
    ),
    ("a type is asked for where none was", "backward", "{}", r#"{"type":"string"}"#, "TYPE_NARROWED #/type"),
    ("no type is asked for any more", "backward", r#"{"type":"string"}"#, "{}", ""),
    ("anything may become the schema that takes everything", "backward", CLOSED_AB_REQUIRED, "{}", ""),
    (
        "a title and a description change nothing",
        "full",
        r#"{"title":"A","type":"string"}"#,
        r#"{"description":"B","type":"string"}"#,
        "",
    ),
    (
        "a member cannot be forbidden",
        "backward",
        r#"{"properties":{"a":{"type":"string"}}}"#,
        r#"{"properties":{"a":false}}"#,
        "TYPE_NARROWED #/properties/a",
    ),
    (
        "a forbidden member may be allowed",
        "backward",
        r#"{"properties":{"a":false}}"#,
        r#"{"properties":{"a":{"type":"string"}}}"#,
        "",
    ),
    ("one more value is taken", "backward", r#"{"enum":["a"]}"#, r#"{"enum":["a","b"]}"#, ""),
    (
        "an old reader does not know the new value",
        "forward",
        r#"{"enum":["a"]}"#,
        r#"{"enum":["a","b"]}"#,
        "ENUM_ARRAY_NARROWED #/enum",
    ),
    (
        "a value is not taken any more",
        "backward",
        r#"{"enum":["a","b"]}"#,
        r#"{"enum":["a"]}"#,
        "ENUM_ARRAY_NARROWED #/enum",
    ),
    (
        "a value takes the place of another",
        "backward",
        r#"{"enum":["a","b"]}"#,
        r#"{"enum":["a","c"]}"#,
        "ENUM_ARRAY_CHANGED #/enum",
    ),
    ("values may be in any order", "full", r#"{"enum":["a","b"]}"#, r#"{"enum":["b","a"]}"#, ""),
    (
        "any text was taken and only listed values are",
        "backward",
        r#"{"type":"string"}"#,
        r#"{"type":"string","enum":["a"]}"#,
        "ENUM_ARRAY_NARROWED #/enum",
    ),
    ("listed values may become any text", "backward", r#"{"enum":["a","b"]}"#, r#"{"type":"string"}"#, ""),
    (
        "listed values are tried on what takes their place",
        "backward",
        r#"{"enum":["a","bc"]}"#,
        r#"{"type":"string","maxLength":2}"#,
        "",
    ),
    (
        "a listed value that does not fit is a break",
        "backward",
        r#"{"enum":["a","bcd"]}"#,
        r#"{"type":"string","maxLength":2}"#,
        "MAX_LENGTH_ADDED #/maxLength",
    ),
    ("a constant is another", "backward", r#"{"const":1}"#, r#"{"const":2}"#, "ENUM_ARRAY_CHANGED #/const"),
    (
        "a constant may become one of several values",
        "backward",
        r#"{"const":"a"}"#,
        r#"{"enum":["a","b"]}"#,
        "",
    ),
];

/// Text and numbers.
const SCALARS: &[Case] = &[
    (
        "a longest length is added",
        "backward",
        r#"{"type":"string"}"#,
        r#"{"type":"string","maxLength":5}"#,
        "MAX_LENGTH_ADDED #/maxLength",
    ),
    (
        "a longest length is removed",
        "backward",
        r#"{"type":"string","maxLength":5}"#,
        r#"{"type":"string"}"#,
        "",
    ),
    (
        "a longest length rises",
        "backward",
        r#"{"type":"string","maxLength":5}"#,
        r#"{"type":"string","maxLength":6}"#,
        "",
    ),
    (
        "a longest length falls",
        "backward",
        r#"{"type":"string","maxLength":5}"#,
        r#"{"type":"string","maxLength":4}"#,
        "MAX_LENGTH_DECREASED #/maxLength",
    ),
    (
        "a shortest length is added",
        "backward",
        r#"{"type":"string"}"#,
        r#"{"type":"string","minLength":1}"#,
        "MIN_LENGTH_ADDED #/minLength",
    ),
    (
        "a shortest length of none is no limit",
        "backward",
        r#"{"type":"string"}"#,
        r#"{"type":"string","minLength":0}"#,
        "",
    ),
    (
        "a shortest length falls",
        "backward",
        r#"{"type":"string","minLength":2}"#,
        r#"{"type":"string","minLength":1}"#,
        "",
    ),
    (
        "a shortest length rises",
        "backward",
        r#"{"type":"string","minLength":1}"#,
        r#"{"type":"string","minLength":2}"#,
        "MIN_LENGTH_INCREASED #/minLength",
    ),
    (
        "a pattern is added",
        "backward",
        r#"{"type":"string"}"#,
        r#"{"type":"string","pattern":"^a"}"#,
        "PATTERN_ADDED #/pattern",
    ),
    (
        "a pattern is another",
        "backward",
        r#"{"type":"string","pattern":"^a"}"#,
        r#"{"type":"string","pattern":"^b"}"#,
        "PATTERN_CHANGED #/pattern",
    ),
    ("a pattern is removed", "backward", r#"{"type":"string","pattern":"^a"}"#, r#"{"type":"string"}"#, ""),
    (
        "a format is added",
        "backward",
        r#"{"type":"string"}"#,
        r#"{"type":"string","format":"uuid"}"#,
        "FORMAT_ADDED #/format",
    ),
    (
        "a format is another",
        "backward",
        r#"{"type":"string","format":"date"}"#,
        r#"{"type":"string","format":"date-time"}"#,
        "FORMAT_CHANGED #/format",
    ),
    (
        "a limit of text says nothing of numbers",
        "backward",
        r#"{"type":"integer"}"#,
        r#"{"type":["integer","string"],"maxLength":5}"#,
        "",
    ),
    (
        "a maximum is added",
        "backward",
        r#"{"type":"number"}"#,
        r#"{"type":"number","maximum":5}"#,
        "MAXIMUM_ADDED #/maximum",
    ),
    (
        "a maximum rises",
        "backward",
        r#"{"type":"number","maximum":5}"#,
        r#"{"type":"number","maximum":6}"#,
        "",
    ),
    (
        "a maximum falls",
        "backward",
        r#"{"type":"number","maximum":5}"#,
        r#"{"type":"number","maximum":4}"#,
        "MAXIMUM_DECREASED #/maximum",
    ),
    (
        "a minimum rises",
        "backward",
        r#"{"type":"number","minimum":0}"#,
        r#"{"type":"number","minimum":1}"#,
        "MINIMUM_INCREASED #/minimum",
    ),
    (
        "an old reader has the higher minimum",
        "forward",
        r#"{"type":"number","minimum":1}"#,
        r#"{"type":"number","minimum":0}"#,
        "MINIMUM_INCREASED #/minimum",
    ),
    (
        "an exclusive bound is added",
        "backward",
        r#"{"type":"number"}"#,
        r#"{"type":"number","exclusiveMinimum":0}"#,
        "EXCLUSIVE_MINIMUM_ADDED #/exclusiveMinimum",
    ),
    (
        "an exclusive bound may become an inclusive one",
        "backward",
        r#"{"type":"number","exclusiveMinimum":0}"#,
        r#"{"type":"number","minimum":0}"#,
        "",
    ),
    (
        "an inclusive bound cannot become an exclusive one",
        "backward",
        r#"{"type":"number","minimum":0}"#,
        r#"{"type":"number","exclusiveMinimum":0}"#,
        "EXCLUSIVE_MINIMUM_ADDED #/exclusiveMinimum",
    ),
    (
        "draft 4 says exclusive by a flag",
        "full",
        r#"{"type":"number","minimum":0,"exclusiveMinimum":true}"#,
        r#"{"type":"number","exclusiveMinimum":0}"#,
        "",
    ),
    (
        "an exclusive maximum falls",
        "backward",
        r#"{"type":"number","exclusiveMaximum":10}"#,
        r#"{"type":"number","exclusiveMaximum":9}"#,
        "EXCLUSIVE_MAXIMUM_DECREASED #/exclusiveMaximum",
    ),
    (
        "multiples of four are multiples of two",
        "backward",
        r#"{"type":"integer","multipleOf":4}"#,
        r#"{"type":"integer","multipleOf":2}"#,
        "",
    ),
    (
        "multiples of two are not all multiples of four",
        "backward",
        r#"{"type":"integer","multipleOf":2}"#,
        r#"{"type":"integer","multipleOf":4}"#,
        "MULTIPLE_OF_EXPANDED #/multipleOf",
    ),
    (
        "multiples of two are not all multiples of three",
        "backward",
        r#"{"type":"integer","multipleOf":2}"#,
        r#"{"type":"integer","multipleOf":3}"#,
        "MULTIPLE_OF_CHANGED #/multipleOf",
    ),
];

/// Arrays and tuples.
const ITEMS: &[Case] = &[
    (
        "items become narrower",
        "backward",
        r#"{"items":{"type":"number"}}"#,
        r#"{"items":{"type":"integer"}}"#,
        "TYPE_NARROWED #/items/type",
    ),
    (
        "items become wider",
        "backward",
        r#"{"items":{"type":"integer"}}"#,
        r#"{"items":{"type":"number"}}"#,
        "",
    ),
    (
        "items must fit a schema",
        "backward",
        r#"{"type":"array"}"#,
        r#"{"type":"array","items":{"type":"integer"}}"#,
        "SCHEMA_ADDED #/items",
    ),
    (
        "items may be anything",
        "backward",
        r#"{"type":"array","items":{"type":"integer"}}"#,
        r#"{"type":"array"}"#,
        "",
    ),
    (
        "fewer items are taken",
        "backward",
        r#"{"maxItems":5}"#,
        r#"{"maxItems":4}"#,
        "MAX_ITEMS_DECREASED #/maxItems",
    ),
    (
        "an item must be there",
        "backward",
        r#"{"type":"array"}"#,
        r#"{"type":"array","minItems":1}"#,
        "MIN_ITEMS_ADDED #/minItems",
    ),
    (
        "no item need be there",
        "backward",
        r#"{"minItems":1}"#,
        r#"{"type":["array","null","boolean","string","number","object"]}"#,
        "",
    ),
    (
        "items must differ",
        "backward",
        r#"{"type":"array"}"#,
        r#"{"type":"array","uniqueItems":true}"#,
        "UNIQUE_ITEMS_ADDED #/uniqueItems",
    ),
    ("items need not differ", "backward", r#"{"uniqueItems":true}"#, r#"{"uniqueItems":false}"#, ""),
    (
        "an item of a tuple becomes narrower",
        "backward",
        r#"{"prefixItems":[{"type":"number"}]}"#,
        r#"{"prefixItems":[{"type":"integer"}]}"#,
        "TYPE_NARROWED #/items/0/type",
    ),
    (
        "an item is added to an open tuple",
        "backward",
        r#"{"prefixItems":[{}]}"#,
        r#"{"prefixItems":[{},{"type":"integer"}]}"#,
        "ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/items/1",
    ),
    (
        "an item that may be anything is added to an open tuple",
        "backward",
        r#"{"prefixItems":[{}]}"#,
        r#"{"prefixItems":[{},{}]}"#,
        "",
    ),
    (
        "an item is added to a closed tuple",
        "backward",
        r#"{"prefixItems":[{}],"items":false}"#,
        r#"{"prefixItems":[{},{"type":"integer"}],"items":false}"#,
        "",
    ),
    (
        "an item leaves a closed tuple",
        "backward",
        r#"{"prefixItems":[{},{"type":"integer"}],"items":false}"#,
        r#"{"prefixItems":[{}],"items":false}"#,
        "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/1",
    ),
    (
        "an item leaves an open tuple",
        "backward",
        r#"{"prefixItems":[{},{"type":"integer"}]}"#,
        r#"{"prefixItems":[{}]}"#,
        "",
    ),
    (
        "an item that others cover leaves a tuple",
        "backward",
        r#"{"prefixItems":[{},{"type":"integer"}],"items":{"type":"number"}}"#,
        r#"{"prefixItems":[{}],"items":{"type":"number"}}"#,
        "",
    ),
    (
        "an item that others do not cover leaves a tuple",
        "backward",
        r#"{"prefixItems":[{},{"type":"string"}],"items":{"type":"number"}}"#,
        r#"{"prefixItems":[{}],"items":{"type":"number"}}"#,
        "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1",
    ),
    (
        "an item that others do not cover is added",
        "backward",
        r#"{"prefixItems":[{}],"items":{"type":"number"}}"#,
        r#"{"prefixItems":[{},{"type":"integer"}],"items":{"type":"number"}}"#,
        "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1",
    ),
    (
        "an open tuple is closed",
        "backward",
        r#"{"prefixItems":[{}]}"#,
        r#"{"prefixItems":[{}],"items":false}"#,
        "ADDITIONAL_ITEMS_REMOVED #/additionalItems",
    ),
    (
        "both spellings of a tuple are one",
        "full",
        r#"{"items":[{"type":"string"}],"additionalItems":false}"#,
        r#"{"prefixItems":[{"type":"string"}],"items":false}"#,
        "",
    ),
    (
        "an item of a kind must be there",
        "backward",
        r#"{"type":"array"}"#,
        r#"{"type":"array","contains":{"type":"string"}}"#,
        "KEYWORD_ADDED #/contains",
    ),
];

/// Schemas made of schemas, and references.
const COMBINED: &[Case] = &[
    (
        "one more alternative",
        "backward",
        r#"{"oneOf":[{"type":"string"}]}"#,
        r#"{"oneOf":[{"type":"string"},{"type":"null"}]}"#,
        "",
    ),
    (
        "one alternative less",
        "backward",
        r#"{"oneOf":[{"type":"string"},{"type":"null"}]}"#,
        r#"{"oneOf":[{"type":"string"}]}"#,
        "SUM_TYPE_NARROWED #/oneOf",
    ),
    (
        "an alternative is another",
        "backward",
        r#"{"oneOf":[{"type":"string"},{"type":"null"}]}"#,
        r#"{"oneOf":[{"type":"string"},{"type":"boolean"}]}"#,
        "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/oneOf",
    ),
    (
        "alternatives may be in any order",
        "full",
        r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#,
        r#"{"anyOf":[{"type":"null"},{"type":"string"}]}"#,
        "",
    ),
    (
        "exactly one may become any",
        "backward",
        r#"{"oneOf":[{"type":"string"},{"type":"null"}]}"#,
        r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#,
        "",
    ),
    (
        "any cannot become exactly one",
        "backward",
        r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#,
        r#"{"oneOf":[{"type":"string"},{"type":"null"}]}"#,
        "COMBINED_TYPE_CHANGED #/oneOf",
    ),
    (
        "one shape may become one of several",
        "backward",
        r#"{"type":"string"}"#,
        r#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#,
        "",
    ),
    (
        "one shape that is none of several",
        "backward",
        r#"{"type":"boolean"}"#,
        r#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#,
        "TYPE_CHANGED #/anyOf",
    ),
    (
        "a list of types may become alternatives",
        "backward",
        r#"{"type":["string","null"]}"#,
        r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#,
        "",
    ),
    (
        "alternatives may become a list of types",
        "backward",
        r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#,
        r#"{"type":["string","null"]}"#,
        "",
    ),
    (
        "several shapes cannot become one",
        "backward",
        r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#,
        r#"{"type":"string"}"#,
        "SUM_TYPE_NARROWED #",
    ),
    (
        "one more schema must fit",
        "backward",
        r#"{"allOf":[{"type":"string"}]}"#,
        r#"{"allOf":[{"type":"string"},{"maxLength":3}]}"#,
        "PRODUCT_TYPE_EXTENDED #/allOf",
    ),
    (
        "one schema less must fit",
        "backward",
        r#"{"allOf":[{"type":"string"},{"maxLength":3}]}"#,
        r#"{"allOf":[{"type":"string"}]}"#,
        "",
    ),
    (
        "what must fit may be said without allOf",
        "full",
        r#"{"allOf":[{"type":"string"},{"maxLength":3}]}"#,
        r#"{"type":"string","maxLength":3}"#,
        "",
    ),
    (
        "not is added",
        "backward",
        r#"{"type":"string"}"#,
        r#"{"type":"string","not":{"const":"x"}}"#,
        "NOT_TYPE_EXTENDED #/not",
    ),
    ("not is removed", "backward", r#"{"type":"string","not":{"const":"x"}}"#, r#"{"type":"string"}"#, ""),
    ("not refuses less", "backward", r#"{"not":{"enum":["x","y"]}}"#, r#"{"not":{"enum":["x"]}}"#, ""),
    (
        "not refuses more",
        "backward",
        r#"{"not":{"enum":["x"]}}"#,
        r#"{"not":{"enum":["x","y"]}}"#,
        "NOT_TYPE_EXTENDED #/not",
    ),
    (
        "a condition is added",
        "backward",
        "{}",
        r#"{"if":{"required":["a"]},"then":{"required":["b"]}}"#,
        "KEYWORD_ADDED #/if",
    ),
    (
        "a reference is what it leads to",
        "full",
        r##"{"$defs":{"n":{"type":"integer"}},"properties":{"a":{"$ref":"#/$defs/n"}}}"##,
        r#"{"properties":{"a":{"type":"integer"}}}"#,
        "",
    ),
    (
        "what a reference leads to became narrower",
        "backward",
        r##"{"$defs":{"n":{"type":"number"}},"properties":{"a":{"$ref":"#/$defs/n"}}}"##,
        r##"{"$defs":{"n":{"type":"integer"}},"properties":{"a":{"$ref":"#/$defs/n"}}}"##,
        "TYPE_NARROWED #/properties/a/type",
    ),
    (
        "a schema that refers to itself is compared once",
        "full",
        r##"{"type":"object","properties":{"next":{"$ref":"#"},"n":{"type":"integer"}}}"##,
        r##"{"type":"object","properties":{"next":{"$ref":"#"},"n":{"type":"integer"}}}"##,
        "",
    ),
    (
        "a schema that refers to itself may break inside",
        "backward",
        r##"{"type":"object","properties":{"next":{"$ref":"#"},"n":{"type":"number"}}}"##,
        r##"{"type":"object","properties":{"next":{"$ref":"#"},"n":{"type":"integer"}}}"##,
        "TYPE_NARROWED #/properties/n/type",
    ),
    ("mode none takes any change", "none", r#"{"type":"string"}"#, r#"{"type":"integer"}"#, ""),
];

#[test]
fn members_come_and_go_by_the_content_model() {
    MEMBERS.iter().for_each(check);
}

#[test]
fn types_and_values_widen_and_never_narrow() {
    TYPES.iter().for_each(check);
}

#[test]
fn limits_of_text_and_numbers_loosen_and_never_tighten() {
    SCALARS.iter().for_each(check);
}

#[test]
fn arrays_and_tuples_follow_their_content_model() {
    ITEMS.iter().for_each(check);
}

#[test]
fn combined_schemas_and_references_are_followed() {
    COMBINED.iter().for_each(check);
}

#[test]
fn there_are_at_least_eighty_cases_and_each_says_something_else() {
    let all: Vec<&Case> = [MEMBERS, TYPES, SCALARS, ITEMS, COMBINED].into_iter().flatten().collect();
    let facts: std::collections::HashSet<&str> = all.iter().map(|case| case.0).collect();
    assert!(facts.len() == all.len() && all.len() >= 80, "{} cases", all.len());
}

#[test]
fn transitive_modes_look_at_every_earlier_version() {
    let schema = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let (first, second) = (schema(r#"{"type":"number"}"#), schema(r#"{"type":"integer"}"#));
    let third = schema(r#"{"type":"integer"}"#);
    let earlier = [(1, &first), (2, &second)];
    let versions =
        |mode| judge(&earlier, &third, mode).iter().map(|verdict| verdict.version).collect::<Vec<_>>();
    assert_eq!(versions(Mode::Backward), [] as [u32; 0]);
    assert_eq!(versions(Mode::BackwardTransitive), [1]);
    assert_eq!(versions(Mode::FullTransitive), [1]);
    let fourth = schema(r#"{"type":"number"}"#);
    let forward: Vec<(u32, bool)> = judge(&earlier, &fourth, Mode::ForwardTransitive)
        .iter()
        .map(|one| (one.version, one.is_forward))
        .collect();
    assert_eq!(forward, [(2, true)]);
}

#[test]
fn a_comparison_that_would_explode_ends_as_a_break() {
    let mut wide = r#"{"type":"string"}"#.to_owned();
    for _ in 0..12 {
        wide = format!(r#"{{"anyOf":[{{"items":{wide}}},{{"items":{wide}}}]}}"#);
        if wide.len() > 40_000 {
            break;
        }
    }
    let old: Value = serde_json::from_str(&wide).expect("JSON");
    let new: Value = serde_json::from_str(&wide.replace("string", "integer")).expect("JSON");
    assert!(!judge(&[(1, &old)], &new, Mode::Backward).is_empty());
}
