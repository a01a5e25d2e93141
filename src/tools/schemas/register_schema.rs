//! `register_schema`: says what payloads must look like, from here on.

use serde_json::{Value, json};

use super::told::{fails, inferred, stored};
use crate::engine::{Measure, Registered, Registration};
use crate::error::{Error, Result};
use crate::schema::{Change, Checker, Enforcement, Mode, Operation, Subject, Verdict};
use crate::tools::answer::{Reply, Step};
use crate::tools::argument::{Argument, BUDGET, Field, Kind, LIMIT_DEFAULT};
use crate::tools::call::Call;
use crate::tools::{Hints, Tool};

/// The events that are looked at for misfits: 1,000,000.
const EVENTS_MAX: u64 = 1_000_000;
/// The misfits that are given as examples.
const EXAMPLES: usize = 3;

const ARGUMENTS: &[Argument] = &[
    Argument::required("branch", Kind::Text, "Branch to write: main, or a fork's id"),
    Argument::required("subject", Kind::Text, "Event type; a trailing * means prefix"),
    Argument::optional("schema", Kind::Raw, "JSON Schema; without: settings only"),
    Argument::optional("infer", Kind::Flag, "Make the schema from what is stored"),
    Argument::optional("mode", Kind::Choice(Mode::NAMES), "What a new version must be compatible with"),
    Argument::optional("enforcement", Kind::Choice(Enforcement::NAMES), "What misfits meet on append"),
    Argument::optional("upcast", Kind::Objects, "From the version before: rename, move, default"),
    Argument::optional("dry_run", Kind::Flag, "Judge it, store nothing"),
];

/// The tool.
pub(in crate::tools) const TOOL: Tool = Tool {
    name: "register_schema",
    title: "Register schema",
    toolset: "schema",
    description: "Give an event type (or prefix) a JSON Schema, or its next version; the same again changes nothing. It must be \
                  compatible by mode, rules of the Confluent registry: members can be added only where additionalProperties is \
                  false. Appends that do not fit are warned of, or refused (enforcement reject). The answer counts stored events \
                  that would fail. upcast: [{\"rename\": [\"payload.a\", \"b\"]}, {\"move\": [..]}, {\"default\": [path, 0]}, \
                  {\"drop\": path}]. At most 64 KiB; no remote $ref.",
    hints: Hints { read_only: false, destructive: false, idempotent: true, open_world: false },
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("dry_run", "boolean"),
        Field::new("unchanged", "boolean"),
        Field::new("version", "integer"),
        Field::new("mode", "string"),
        Field::new("enforcement", "string"),
        Field::new("compatible", "boolean"),
        Field::new("breaking", "array"),
        Field::new("fails", "object"),
        Field::new("notes", "array"),
        Field::new("schema", "object"),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"branch": "main", "subject": "order.placed", "schema": {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}, "enforcement": "reject", "dry_run": true}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    // Who may not write learns that first, whatever else is wrong.
    call.engine.check_writes(call.caller)?;
    call.check_is_head()?;
    let subject = Subject::parse(call.arguments.text("subject").unwrap_or_default())?;
    let view = stored(call.snapshot()?, &subject);
    let mut reply = Reply::default();
    let schema = match (call.arguments.map("schema"), call.arguments.flag("infer")) {
        (Some(_), true) => {
            let message = "register a schema: both schema and infer are given; give one of them";
            return Err(Error::invalid("bad_argument", message).with("argument", "infer"));
        }
        (Some(schema), false) => Some(Value::Object(schema.clone())),
        (None, true) => {
            let schema = inferred(call, &view, &subject, &mut reply)?.schema();
            reply.untrusted.push("/schema");
            reply.field("schema", schema.clone());
            Some(schema)
        }
        (None, false) => None,
    };
    let change = Change {
        schema: schema.clone(),
        mode: call.arguments.text("mode").and_then(Mode::from_name),
        enforcement: call.arguments.text("enforcement").and_then(Enforcement::from_name),
        upcast: call
            .arguments
            .has("upcast")
            .then(|| Operation::read_all(call.arguments.items("upcast")))
            .transpose()?,
    };
    let dry_run = call.arguments.flag("dry_run");
    let asked = Registration { subject: subject.clone(), change, dry_run };
    let registered =
        call.engine.register_schema(asked, call.caller).map_err(|error| with_way_out(error, &subject))?;
    put(&mut reply, &registered, dry_run);
    if let Some(schema) = schema {
        let registry = call.engine.schemas(&view.snapshot)?;
        let checker = Checker::compile(&schema.to_string())?;
        let measure = Measure::Of { subject: &subject, registry: &registry, checker: &checker };
        let survey = call.engine.survey(&view, &measure, None, EVENTS_MAX, EXAMPLES)?;
        if survey.scanned_to.is_some() {
            reply.incomplete = true;
            reply.scanned_to = survey.scanned_to;
        }
        if survey.failed > 0 {
            reply.untrusted.push("/fails");
            let arguments =
                json!({"subject": subject.to_string(), "branch": call.engine.store().branch_name()});
            if !dry_run {
                reply.next_steps.push(Step::new(
                    "validate_events",
                    arguments,
                    "which stored events do not fit",
                ));
                reply.untrusted.push("/next_steps");
            }
        }
        reply.field("fails", fails(&survey));
    }
    Ok(reply)
}

fn put(reply: &mut Reply, registered: &Registered, dry_run: bool) {
    reply.head_position = Some(registered.head);
    if dry_run {
        reply.field("dry_run", true);
    }
    if !registered.is_changed {
        reply.field("unchanged", true);
    }
    reply.field("version", registered.version);
    reply.field("mode", registered.mode.name());
    reply.field("enforcement", registered.enforcement.name());
    if registered.is_new {
        reply.field("compatible", registered.verdicts.is_empty());
    }
    if !registered.verdicts.is_empty() {
        reply.untrusted.push("/breaking");
        let breaking: Vec<Value> = registered.verdicts.iter().map(Verdict::to_value).collect();
        reply.field("breaking", breaking);
    }
}

/// An error with the call that shows what is registered.
fn with_way_out(error: Error, subject: &Subject) -> Error {
    let step = match error.code() {
        "incompatible_schema" => Step::new(
            "list_schemas",
            json!({"subject": subject.to_string()}),
            "the version it must be compatible with",
        ),
        "version_conflict" => Step::new(
            "list_schemas",
            json!({"subject": subject.to_string()}),
            "what was registered meanwhile",
        ),
        "unknown_subject" => Step::new("list_schemas", json!({}), "the subjects there are"),
        _ => return error,
    };
    error.with("next_steps", vec![step.to_value()])
}
