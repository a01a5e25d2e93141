//! Ready ways of working, as prompts: each is a page of Markdown with places for arguments and for what the store holds.
//!
//! The syntax of the pages: `{{name}}` is the value of an argument or a fact (`{{store.events}}`);
//! `{{#name}}…{{/name}}` stays only where the argument was given, `{{^name}}…{{/name}}` only where it was not. Sections
//! may lie inside each other. What is put in is never read as syntax.

use serde_json::Value;

use super::Object;
use crate::engine::{Engine, Profile, Role};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{nearest, quote};

/// The most event types that a prompt names.
const TYPES_MAX: usize = 12;
/// The most characters of an argument.
const ARGUMENT_CHARS_MAX: usize = 2_000;

/// A way of working.
pub(crate) struct Workflow {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) arguments: &'static [WorkflowArgument],
    template: &'static str,
}

/// What a workflow is told: name, description, whether it must be.
pub(crate) struct WorkflowArgument {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) required: bool,
}

const fn argument(name: &'static str, description: &'static str, required: bool) -> WorkflowArgument {
    WorkflowArgument { name, description, required }
}

const SINCE: WorkflowArgument = argument("since", "From this time: RFC 3339, a date, now-7d", false);
const QUESTION: WorkflowArgument = argument("question", "What you want to know", false);
const ENTITY: WorkflowArgument = argument("entity_id", "An entity that shows it", false);

static WORKFLOWS: [Workflow; 6] = [
    Workflow {
        name: "audit_trail",
        title: "Audit trail of an entity",
        description: "Who did what to an entity, when, and what they knew",
        arguments: &[argument("entity_id", "The entity", true), SINCE, QUESTION],
        template: include_str!("../../prompts/workflows/audit_trail.md"),
    },
    Workflow {
        name: "user_analytics",
        title: "User analytics",
        description: "What people do, in which order, and where they stop",
        arguments: &[QUESTION, SINCE],
        template: include_str!("../../prompts/workflows/user_analytics.md"),
    },
    Workflow {
        name: "debugging",
        title: "Debugging with the log",
        description: "From a symptom to the first wrong event and its cause",
        arguments: &[argument("symptom", "What is wrong", true), ENTITY, SINCE],
        template: include_str!("../../prompts/workflows/debugging.md"),
    },
    Workflow {
        name: "compliance",
        title: "Compliance check",
        description: "Whether a rule held, with proof that can be repeated",
        arguments: &[argument("rule", "What must hold", true), SINCE],
        template: include_str!("../../prompts/workflows/compliance.md"),
    },
    Workflow {
        name: "performance_analysis",
        title: "Performance analysis",
        description: "Where time and volume go",
        arguments: &[QUESTION, SINCE],
        template: include_str!("../../prompts/workflows/performance_analysis.md"),
    },
    Workflow {
        name: "data_modelling",
        title: "Modelling events",
        description: "Streams, event types and payloads for a domain",
        arguments: &[argument("domain", "What the events are about", true)],
        template: include_str!("../../prompts/workflows/data_modelling.md"),
    },
];

/// What every agent is told about this server, in at most 2,000 characters.
const INSTRUCTIONS: &str = include_str!("../../prompts/instructions/server.md");
const WRITING: &str = include_str!("../../prompts/instructions/writing.md");

/// How to work with a server, for the model's context: with the part on writing only where something can be written.
pub(crate) fn instructions(can_write: bool) -> String {
    let page = INSTRUCTIONS.trim_end();
    match page.rsplit_once("\n\n").filter(|_| can_write) {
        Some((before, after)) => format!("{before}\n\n{}\n\n{after}", WRITING.trim_end()),
        None => page.to_owned(),
    }
}

/// Every workflow.
pub(crate) fn workflows() -> &'static [Workflow] {
    &WORKFLOWS
}

/// The workflow's page for this store, with the arguments put in.
///
/// # Errors
/// `NotFound` (`unknown_prompt`) with the names there are; `Invalid` (`missing_argument`, `unknown_argument`,
/// `bad_argument`).
pub(crate) fn prompt(engine: &Engine, name: &str, arguments: &Object) -> Result<String> {
    let Some(workflow) = WORKFLOWS.iter().find(|workflow| workflow.name == name) else {
        let names: Vec<&str> = WORKFLOWS.iter().map(|workflow| workflow.name).collect();
        let near = nearest(name, names.iter().copied(), 1);
        let remedy = near.first().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        let message = format!("get prompt {}: there is none of that name{remedy}", quote(name));
        return Err(Error::new(ErrorKind::NotFound, "unknown_prompt", message).with("prompts", names));
    };
    let mut values = workflow.values(arguments)?;
    let snapshot = engine.store().snapshot();
    values.extend(facts(&Profile::of(&snapshot, engine.clock().as_ref())?));
    Ok(render(workflow.template, &values))
}

impl Workflow {
    fn values(&self, given: &Object) -> Result<Vec<(&'static str, String)>> {
        if let Some(unknown) =
            given.keys().find(|name| self.arguments.iter().all(|known| known.name != *name))
        {
            let known: Vec<&str> = self.arguments.iter().map(|known| known.name).collect();
            let message = format!(
                "get prompt {}: it takes no {}; it takes {}",
                self.name,
                quote(unknown),
                known.join(", ")
            );
            return Err(Error::invalid("unknown_argument", message).with("arguments", known));
        }
        let mut values = Vec::new();
        for argument in self.arguments {
            let value = given.get(argument.name).filter(|value| !value.is_null());
            let text = match value {
                Some(Value::String(text)) => text.trim().to_owned(),
                Some(other) => other.to_string(),
                None => String::new(),
            };
            if text.is_empty() && argument.required {
                let message = format!(
                    "get prompt {}: {} is missing: {}",
                    self.name, argument.name, argument.description
                );
                return Err(Error::invalid("missing_argument", message).with("argument", argument.name));
            }
            let characters = text.chars().count();
            if characters > ARGUMENT_CHARS_MAX {
                let message = format!(
                    "get prompt {}: {} has {characters} characters, but at most {ARGUMENT_CHARS_MAX} are taken",
                    self.name, argument.name
                );
                return Err(Error::invalid("bad_argument", message).with("argument", argument.name));
            }
            if !text.is_empty() {
                values.push((argument.name, text));
            }
        }
        Ok(values)
    }
}

/// What the store holds, in words; stored names are quoted.
fn facts(profile: &Profile) -> Vec<(&'static str, String)> {
    let stats = &profile.stats;
    let types: Vec<String> = stats
        .event_types
        .iter()
        .take(TYPES_MAX)
        .map(|one| format!("{} ({})", quote(one.event_type.as_str()), one.count))
        .collect();
    let beyond = stats.event_types.len().saturating_sub(types.len());
    let more = if beyond > 0 { format!(" and {beyond} more") } else { String::new() };
    let (first, last) = match stats.time_range {
        Some((first, last)) => (first.to_string(), last.to_string()),
        None => ("no time".to_owned(), "no time".to_owned()),
    };
    let amounts: Vec<String> = profile
        .fields()
        .into_iter()
        .filter(|(_, field)| field.role == Role::Amount)
        .take(5)
        .map(|(_, field)| quote(&field.path))
        .collect();
    let or = |text: String, none: &str| if text.is_empty() { none.to_owned() } else { text };
    vec![
        ("store.events", stats.events.to_string()),
        ("store.entities", stats.entities.to_string()),
        ("store.types", or(types.join(", ") + &more, "none yet")),
        ("store.first", first),
        ("store.last", last),
        ("store.amounts", or(amounts.join(", "), "none found")),
        ("store.actor", profile.actor().map_or("no field names one".to_owned(), |field| quote(&field.path))),
    ]
}

/// Puts the values into the page.
fn render(template: &str, values: &[(&str, String)]) -> String {
    let mut page = String::with_capacity(template.len());
    // For each open section whether it is shown.
    let mut shown = vec![true];
    let mut rest = template;
    while let Some((text, (tag, after))) =
        rest.split_once("{{").and_then(|(text, open)| open.split_once("}}").map(|inside| (text, inside)))
    {
        let is_shown = shown.iter().all(|shown| *shown);
        if is_shown {
            page.push_str(text);
        }
        rest = after;
        let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        match (tag.get(..1), tag.get(1..)) {
            (Some("#"), Some(name)) => shown.push(value(name).is_some()),
            (Some("^"), Some(name)) => shown.push(value(name).is_none()),
            (Some("/"), _) => drop(shown.pop()),
            _ if is_shown => page.push_str(value(tag).map_or("", String::as_str)),
            _ => {}
        }
    }
    page.push_str(rest);
    page
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::fixture::Shop;

    #[track_caller]
    fn check(template: &str, expected: &str) {
        let values = [("a", "A {{b}}".to_owned()), ("store.events", "7".to_owned())];
        assert_eq!(render(template, &values), expected);
    }

    #[test]
    fn values_and_sections_are_put_in_and_never_read_again() {
        check("x {{a}} y", "x A {{b}} y");
        check("{{#a}}yes {{store.events}}{{/a}}{{^a}}no{{/a}}.", "yes 7.");
        check("{{#b}}yes {{#a}}in{{/a}}{{/b}}{{^b}}no{{/b}}", "no");
        check("{{b}}", "");
        check("no tags {{ open", "no tags {{ open");
    }

    #[test]
    fn every_page_uses_what_it_declares_and_nothing_else() {
        const FACTS: [&str; 7] = [
            "store.events",
            "store.entities",
            "store.types",
            "store.first",
            "store.last",
            "store.amounts",
            "store.actor",
        ];
        for workflow in workflows() {
            let tags: Vec<&str> = workflow
                .template
                .split("{{")
                .skip(1)
                .map(|tag| tag.split("}}").next().expect("closed").trim_start_matches(['#', '^', '/']))
                .collect();
            for tag in &tags {
                let known =
                    workflow.arguments.iter().any(|argument| argument.name == *tag) || FACTS.contains(tag);
                assert!(known, "{}: {tag}", workflow.name);
            }
            for argument in workflow.arguments {
                assert!(tags.contains(&argument.name), "{} never uses {}", workflow.name, argument.name);
            }
            let count = |mark: &str| workflow.template.matches(mark).count();
            assert_eq!(count("{{#") + count("{{^"), count("{{/"), "{}", workflow.name);
        }
    }

    #[test]
    fn the_instructions_fit() {
        assert!(instructions(true).chars().count() <= 2_000);
        assert!(instructions(true).contains("\n\nWriting:\n"));
        assert!(!instructions(false).contains("append_events"));
    }

    #[track_caller]
    fn refused(name: &str, arguments: &Value, code: &str) {
        let shop = Shop::with_orders();
        let arguments = arguments.as_object().expect("an object");
        assert_eq!(prompt(&shop.engine, name, arguments).expect_err(code).code(), code);
    }

    #[test]
    fn a_page_speaks_of_this_store_and_this_call() {
        let shop = Shop::with_orders();
        let arguments = json!({"symptom": "paid twice {{store.events}}", "entity_id": "order-7"});
        let page =
            prompt(&shop.engine, "debugging", arguments.as_object().expect("an object")).expect("a page");
        for part in ["paid twice {{store.events}}", "Start with order-7", "270 events", "\"order.paid\" (90)"]
        {
            assert!(page.contains(part), "{page}");
        }
        assert!(!page.contains("`since:"), "{page}");
    }

    #[test]
    fn every_page_can_be_had_of_an_empty_store() {
        let shop = Shop::empty();
        for workflow in workflows() {
            let required = workflow.arguments.iter().filter(|argument| argument.required);
            let arguments: Object = required.map(|argument| (argument.name.to_owned(), "x".into())).collect();
            let page = prompt(&shop.engine, workflow.name, &arguments).expect(workflow.name);
            assert!(page.contains("none yet") && page.contains("0 events"), "{page}");
        }
    }

    #[test]
    fn wrong_calls_are_answered_with_what_is_right() {
        refused("debuging", &json!({}), "unknown_prompt");
        refused("debugging", &json!({}), "missing_argument");
        refused("debugging", &json!({"symptom": "x", "sincee": "now"}), "unknown_argument");
        refused("debugging", &json!({"symptom": "x".repeat(2_001)}), "bad_argument");
    }
}
