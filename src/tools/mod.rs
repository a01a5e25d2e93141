//! *What can an agent ask for?* One file per tool; [`TOOLS`] is the table that MCP, the command line and the door
//! between processes all render. [`operations`] holds what the command line asks for and no agent sees.
//!
//! Useful for: everything about an answer: its arguments, size, order, pages and next steps. Not for: deciding what
//! is allowed or how an event is found ([`engine`](crate::engine)).
//!
//! **Invariant:** knows no protocol. A tool takes a JSON object and gives a JSON object.

mod advice;
mod analysis;
mod answer;
mod append_events;
mod argument;
mod arguments;
mod budget;
mod call;
mod compare;
mod cursor;
mod cut_texts;
mod damage;
mod events_from_sql;
mod fields;
mod forks;
mod get_query_advice;
mod get_entity_state;
mod hybrid_search;
mod import_events;
mod operations;
mod packing;
#[cfg(test)]
mod fixture;
mod query_events;
mod quick_stats;
mod reading;
mod record;
mod related;
mod refusal;
mod run_sql;
mod sample_events;
mod schemas;
mod searching;
mod semantic_search_events;
mod table;
mod waiting;
mod workflows;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use argument::{Argument, Field, Kind};
pub use budget::tokens;
pub use operations::{OPERATIONS, Operation, operate};
pub(crate) use workflows::{Workflow, instructions, workflows};

use crate::engine::{Caller, Engine};
use crate::error::{Error, Result};
use answer::Reply;
use call::Call;

/// A JSON object.
pub type Object = Map<String, Value>;

/// What a client may assume about a tool before it calls it (MCP `ToolAnnotations`).
#[expect(clippy::struct_excessive_bools, reason = "the protocol has four independent hints")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: bool,
    /// It may overwrite or remove.
    pub destructive: bool,
    /// Calling it twice with the same arguments does no more than once.
    pub idempotent: bool,
    /// It reaches beyond the store.
    pub open_world: bool,
}

impl Hints {
    /// The hints of a tool that only reads the store.
    pub(crate) const READ: Self =
        Self { read_only: true, destructive: false, idempotent: true, open_world: false };
}

/// One tool of the table.
pub struct Tool {
    /// Its name, a verb and its object.
    pub name: &'static str,
    /// Its title for people.
    pub title: &'static str,
    /// The set it belongs to.
    pub toolset: &'static str,
    /// What, when, when not, limits; at most 500 characters.
    pub description: &'static str,
    /// What a client may assume.
    pub hints: Hints,
    /// Its arguments, in groups that several tools share.
    pub arguments: &'static [&'static [Argument]],
    /// The fields of its answer beyond those that every answer has.
    pub fields: &'static [Field],
    /// The rows of an answer when nothing else is asked for.
    pub limit_default: usize,
    /// Arguments of a call that works, as JSON; errors show it.
    pub example: &'static str,
    /// Does it.
    pub(crate) run: fn(&mut Call<'_>) -> Result<Reply>,
}

impl Tool {
    /// JSON Schema of the arguments: flat, no `$ref`, no union.
    pub fn input_schema(&self) -> Object {
        argument::object_schema(self.arguments)
    }

    /// JSON Schema of the answer: an object with `error` among its properties, nothing required.
    pub fn output_schema(&self) -> Object {
        argument::answer_schema(self.fields)
    }

    /// The argument with that name.
    pub fn argument(&self, name: &str) -> Option<&'static Argument> {
        self.arguments.iter().copied().flatten().find(|argument| argument.name == name)
    }
}

/// What a tool answers: the object that becomes `structuredContent`, and whether it is an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer's fields in the order that the tool rules give.
    pub body: Object,
    /// The caller made a mistake or the store refused: `body.error` says what and what next.
    pub is_error: bool,
    /// A picture beside it, for people; the body says everything without it.
    pub image: Option<Box<Image>>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its kind, such as `image/svg+xml`.
    pub mime_type: String,
    /// The picture itself, in a format that is text.
    pub text: String,
}

impl Image {
    /// An SVG document.
    pub(crate) fn svg(text: String) -> Self {
        Self { mime_type: "image/svg+xml".to_owned(), text }
    }
}

impl Answer {
    /// The answer to a call that failed before a tool could see it.
    pub(crate) fn refused(error: &Error) -> Self {
        answer::error_answer(error, &[], budget::TOKENS_DEFAULT)
    }
}

/// Sets that are offered only when somebody names them or one of their tools: a list of tools costs every conversation.
pub(crate) const ON_REQUEST: [&str; 2] = ["lab", "schema"];

/// Every tool, in the order in which a newcomer meets them.
pub static TOOLS: &[Tool] = &[
    quick_stats::TOOL,
    sample_events::TOOL,
    query_events::TOOL,
    hybrid_search::TOOL,
    semantic_search_events::TOOL,
    get_entity_state::TOOL,
    run_sql::TOOL,
    analysis::ANALYZE_EVENTS,
    append_events::TOOL,
    import_events::TOOL,
    forks::CREATE_SANDBOX_FORK,
    forks::LIST_FORKS,
    forks::DIFF_FORK,
    forks::PROMOTE_FORK,
    forks::DISCARD_FORK,
    forks::UPDATE_FORK,
    forks::RUN_EXPERIMENT,
    schemas::REGISTER_SCHEMA,
    schemas::LIST_SCHEMAS,
    schemas::VALIDATE_EVENTS,
    get_query_advice::TOOL,
];

/// Calls the tool with that name; an unknown name is an error that lists the names there are.
pub fn call(engine: &Engine, name: &str, arguments: &Object, caller: &Caller) -> Answer {
    call::call(engine, name, arguments, caller)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::arguments::Arguments;
    use super::*;

    /// What the tools that are offered unasked cost a model that is given them, in estimated tokens.
    const LIST_TOKENS_MAX: usize = 9_500;
    /// What all tools together cost.
    const EVERYTHING_TOKENS_MAX: usize = 12_000;

    /// Calls `visit` with every object inside a schema.
    fn each_object(schema: &Value, visit: &mut dyn FnMut(&Object)) {
        match schema {
            Value::Object(members) => {
                visit(members);
                members.values().for_each(|member| each_object(member, visit));
            }
            Value::Array(items) => items.iter().for_each(|item| each_object(item, visit)),
            _ => {}
        }
    }

    #[track_caller]
    fn check(tool: &Tool) {
        let Tool { name, description, .. } = tool;
        assert!((1..=500).contains(&description.chars().count()), "{name}: {}", description.chars().count());
        assert!(!tool.title.is_empty() && !tool.toolset.is_empty(), "{name}");
        assert!(!tool.hints.read_only || !tool.hints.destructive, "{name}: reading destroys nothing");
        let input = Value::Object(tool.input_schema());
        assert_eq!(
            (&input["type"], &input["additionalProperties"]),
            (&json!("object"), &json!(false)),
            "{name}"
        );
        each_object(&input, &mut |object| {
            for word in ["$ref", "$defs", "anyOf", "oneOf", "allOf", "format", "nullable"] {
                // An argument may be called so; the keyword has no schema under it.
                assert!(object.get(word).is_none_or(Value::is_object), "{name}: {word}");
            }
            assert!(
                object.get("type").is_none_or(|kind| kind.is_string() || kind.is_object()),
                "{name}: {object:?}"
            );
        });
        for argument in tool.arguments.iter().copied().flatten() {
            let length = argument.about.chars().count();
            assert!((1..=50).contains(&length), "{name}.{}: {length} characters", argument.name);
        }
        let names: Vec<&str> =
            tool.arguments.iter().copied().flatten().map(|argument| argument.name).collect();
        let distinct: std::collections::HashSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), distinct.len(), "{name}: {names:?}");
        let output = Value::Object(tool.output_schema());
        assert!(output["type"] == "object" && output["properties"]["error"].is_object(), "{name}");
        assert!(output.get("required").is_none(), "{name}");
        let example: Value = serde_json::from_str(tool.example).expect("an example");
        let decoded =
            Arguments::decode(tool, example.as_object().expect("an object")).expect("a good example");
        decoded.check_required(tool).expect("a whole example");
    }

    #[test]
    fn every_tool_keeps_the_rules() {
        TOOLS.iter().for_each(check);
    }

    #[test]
    fn the_list_of_tools_costs_little() {
        let told = |tool: &Tool| {
            json!({
                "name": tool.name,
                "title": tool.title,
                "description": tool.description,
                "inputSchema": tool.input_schema(),
                "outputSchema": tool.output_schema(),
                "annotations": {"readOnlyHint": true, "destructiveHint": true, "idempotentHint": true, "openWorldHint": true},
            })
        };
        let check = |is_listed: &dyn Fn(&Tool) -> bool, max: usize| {
            let list: Vec<Value> = TOOLS.iter().filter(|tool| is_listed(tool)).map(told).collect();
            let each: Vec<_> =
                list.iter().map(|tool| (tool["name"].clone(), budget::tokens_of(tool))).collect();
            let tokens = budget::tokens_of(&Value::Array(list));
            assert!(tokens <= max, "{tokens}: {each:?}");
        };
        // import_events is offered only where somebody named a directory.
        let unasked = |tool: &Tool| !ON_REQUEST.contains(&tool.toolset) && tool.name != "import_events";
        check(&unasked, LIST_TOKENS_MAX);
        check(&|_| true, EVERYTHING_TOKENS_MAX);
    }

    #[test]
    fn every_example_works() {
        for tool in TOOLS {
            let shop = fixture::Shop::with_orders();
            shop.put_file("orders.jsonl", "{\"id\":\"order-1\",\"total\":5}\n");
            // A fork's name is chosen when it is made.
            let example = tool.example.replace("f-k7m2x9qa", &shop.fork());
            shop.ask(tool.name, &serde_json::from_str(&example).expect("an example"));
        }
    }

    #[test]
    fn no_argument_makes_a_reading_tool_fail() {
        for tool in TOOLS.iter().filter(|tool| tool.hints.read_only) {
            let required = tool.arguments.iter().copied().flatten().any(|argument| argument.required);
            // Of these it needs one of two.
            let needs_one = tool.toolset == "search";
            let shop = fixture::Shop::with_orders();
            let answer = shop.answer(tool.name, &json!({}));
            assert_eq!(answer.is_error, required || needs_one, "{}", tool.name);
            assert!(!answer.is_error || answer.body["error"]["code"] == "missing_argument", "{}", tool.name);
        }
    }
}
