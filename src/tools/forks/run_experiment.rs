//! `run_experiment`: several what-ifs in one call, measured side by side.

use serde_json::{Value, json};

use crate::engine::{Engine, check_fork_writes};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{nearest, quote};
use crate::store::{ForkId, NewFork};
use crate::tools::answer::Reply;
use crate::tools::append_events::EVENT;
use crate::tools::argument::{Argument, BUDGET, Field, Kind, LIMIT_DEFAULT};
use crate::tools::call::Call;
use crate::tools::packing::Rows;
use crate::tools::{Answer, Hints, Object, TOOLS, Tool};

/// The most variants of one experiment: 8.
const VARIANTS_MAX: usize = 8;
/// The most measures of one experiment: 20.
const MEASURES_MAX: usize = 20;
/// What a measuring call may answer, in tokens: its value is picked out of that.
const MEASURE_TOKENS: u64 = 10_000;

const VARIANT: &[Argument] = &[
    Argument::required("name", Kind::Text, "Its name in the table"),
    Argument::required("events", Kind::Items(EVENT), "What it appends, as append_events takes it"),
    Argument::optional("expected_versions", Kind::Integers, "As append_events takes them"),
];

const MEASURE: &[Argument] = &[
    Argument::required("name", Kind::Text, "Its name in the table"),
    Argument::required("tool", Kind::Text, "A reading tool, such as get_entity_state"),
    Argument::optional("arguments", Kind::Raw, "Its arguments, without branch"),
    Argument::optional("path", Kind::Text, "What of the answer counts, such as state.total"),
];

const ARGUMENTS: &[Argument] = &[
    Argument::required("variants", Kind::Items(VARIANT), "1 to 8 things to try, each on its own fork"),
    Argument::required("measures", Kind::Items(MEASURE), "1 to 20 values to compare"),
    Argument::optional("from_branch", Kind::Text, "Branch to fork: main, a fork, or name@tag"),
    Argument::optional("keep", Kind::Flag, "Keep the forks, to go on with"),
];

/// The tool.
pub(in crate::tools) const TOOL: Tool = Tool {
    name: "run_experiment",
    title: "Run experiment",
    toolset: "lab",
    description: "Compare what-ifs in one call: each variant appends its events to a fork of its own; the same measures (calls of \
                  reading tools, each with the path of the value that counts) run on the parent and on every fork; the answer is one \
                  table, a row per measure. The forks are removed unless keep is true. A variant that fails says where, and nothing \
                  is left behind. Main never changes.",
    hints: Hints { read_only: false, destructive: false, idempotent: false, open_world: false },
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[Field::new("fork_ids", "object"), Field::new("table", "object")],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"variants": [{"name": "discount", "events": [{"entity_id": "order-7", "event_type": "order.discounted", "payload": {"total": 30}}]}], "measures": [{"name": "total of order-7", "tool": "get_entity_state", "arguments": {"entity_id": "order-7"}, "path": "state.total"}]}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    check_fork_writes(call.caller)?;
    let (variants, measures) = (call.arguments.items("variants"), call.arguments.items("measures"));
    check_count("variants", variants, VARIANTS_MAX)?;
    check_count("measures", measures, MEASURES_MAX)?;
    let measures =
        measures.iter().enumerate().map(|(at, one)| Measure::read(at, one)).collect::<Result<Vec<_>>>()?;
    let mut trial = Trial { call, forks: Vec::new(), is_kept: false };
    // The parent as it is where the forks are cut off, whatever is appended to it meanwhile.
    let base = call.snapshot()?.head();
    let parent = format!("{}@{base}", call.engine.store().branch_name());
    let mut columns = vec![trial.measure(&parent, &measures)?];
    let branches = variants.len() as u64 + 1;
    for (at, variant) in variants.iter().enumerate() {
        trial.call.caller.progress.tell(at as u64 + 1, Some(branches), "branches measured");
        let named = |error: Error| error.context(format!("variants[{at}] {}", quote(text(variant, "name"))));
        let id = trial.make(variant, base).map_err(named)?;
        columns.push(trial.measure(id.as_str(), &measures).map_err(named)?);
    }
    trial.is_kept = call.arguments.flag("keep");
    let mut reply = Reply { head_position: Some(call.engine.store().snapshot().head()), ..Reply::default() };
    if trial.is_kept {
        let named = variants.iter().zip(&trial.forks);
        let ids: Object =
            named.map(|(variant, id)| (text(variant, "name").to_owned(), id.as_str().into())).collect();
        reply.field("fork_ids", ids);
    }
    let names = ["measure", "parent"].into_iter().chain(variants.iter().map(|variant| text(variant, "name")));
    let row = |(at, measure): (usize, &Measure<'_>)| {
        let values = columns.iter().map(|column| column.get(at).cloned().unwrap_or_default());
        [Value::from(measure.name)].into_iter().chain(values).collect()
    };
    reply.untrusted.push("/table");
    reply.rows = Some(Rows {
        columns: Some(names.map(str::to_owned).collect()),
        name: "table",
        items: measures.iter().enumerate().map(row).collect(),
        paging: None,
    });
    Ok(reply)
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn check_count(name: &str, items: &[Value], max: usize) -> Result<()> {
    if (1..=max).contains(&items.len()) {
        return Ok(());
    }
    let message = format!("run an experiment with {} {name}: give 1 to {max}", items.len());
    Err(Error::invalid("bad_argument", message).with("argument", name))
}

/// A value that is compared.
struct Measure<'a> {
    name: &'a str,
    tool: &'a str,
    arguments: Option<&'a Object>,
    path: &'a str,
}

impl<'a> Measure<'a> {
    fn read(at: usize, given: &'a Value) -> Result<Self> {
        let tool = text(given, "tool");
        let reading =
            || TOOLS.iter().filter(|tool| tool.hints.read_only && tool.argument("branch").is_some());
        if !reading().any(|known| known.name == tool) {
            let near = nearest(tool, reading().map(|tool| tool.name), 3);
            let message = format!(
                "measures[{at}].tool is {}: a measure only reads a branch; it takes {}",
                quote(tool),
                reading().map(|tool| tool.name).collect::<Vec<_>>().join(", ")
            );
            return Err(Error::invalid("bad_argument", message)
                .with("argument", "measures")
                .with("nearest", near));
        }
        let path = match (text(given, "path"), tool) {
            ("", "get_entity_state") => "state",
            ("", "quick_stats") => "counts.events",
            ("", "query_events") => "matched.count",
            (path, _) => path,
        };
        Ok(Self {
            name: text(given, "name"),
            tool,
            arguments: given.get("arguments").and_then(Value::as_object),
            path,
        })
    }

    /// What of an answer counts; all of it without a path.
    fn pick(&self, answer: &Answer) -> Value {
        let whole = Value::Object(answer.body.clone());
        if self.path.is_empty() {
            return whole;
        }
        let steps = self.path.split(['.', '[']).map(|step| step.trim_end_matches(']'));
        let picked = steps.filter(|step| !step.is_empty()).try_fold(&whole, |value, step| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            value => value.get(step),
        });
        picked.cloned().unwrap_or_default()
    }
}

/// An experiment under way: its forks are removed when it ends, unless they are to be kept.
struct Trial<'a> {
    call: &'a Call<'a>,
    forks: Vec<ForkId>,
    is_kept: bool,
}

impl Trial<'_> {
    fn engine(&self) -> &Engine {
        &self.call.engine
    }

    /// Makes the fork of a variant and appends what it tries.
    fn make(&mut self, variant: &Value, cut: crate::event::Position) -> Result<ForkId> {
        let purpose = format!("experiment: {}", text(variant, "name"));
        let creator = self.call.caller.client.clone();
        let new = NewFork { purpose, creator, cut: Some(cut), ..NewFork::default() };
        let id = self.engine().create_fork(new, self.call.caller)?.id;
        self.forks.push(id.clone());
        let mut arguments = Object::new();
        arguments.insert("branch".to_owned(), id.as_str().into());
        for name in ["events", "expected_versions"] {
            if let Some(given) = variant.get(name) {
                arguments.insert(name.to_owned(), given.clone());
            }
        }
        self.ask("append_events", &arguments)?;
        Ok(id)
    }

    /// The values of a branch.
    fn measure(&self, branch: &str, measures: &[Measure<'_>]) -> Result<Vec<Value>> {
        let value = |(at, measure): (usize, &Measure<'_>)| {
            let mut arguments = measure.arguments.cloned().unwrap_or_default();
            arguments.insert("branch".to_owned(), branch.into());
            arguments.insert("max_tokens".to_owned(), MEASURE_TOKENS.into());
            match self.ask(measure.tool, &arguments) {
                Ok(answer) => Ok(measure.pick(&answer)),
                // What is not there before a variant makes it is no failure: it is what differs.
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Value::Null),
                Err(error) => Err(error.context(format!("measures[{at}] {}", quote(measure.name)))),
            }
        };
        measures.iter().enumerate().map(value).collect()
    }

    fn ask(&self, tool: &str, arguments: &Object) -> Result<Answer> {
        let answer = crate::tools::call(self.engine(), tool, arguments, self.call.caller);
        if !answer.is_error {
            return Ok(answer);
        }
        let told = answer.body.get("error").cloned().unwrap_or_else(|| json!({}));
        let kind = ErrorKind::from_name(text(&told, "kind")).unwrap_or(ErrorKind::Invalid);
        Err(Error::new(kind, "experiment_failed", format!("{tool}: {}", text(&told, "message")))
            .with("cause", told))
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        for id in &self.forks {
            if let Err(error) = self.engine().store().erase_fork(id) {
                tracing::warn!("failed to remove fork {id} of an experiment: {error}; it expires");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::fixture::Shop;

    fn event(entity: &str, payload: &Value) -> Value {
        json!({"entity_id": entity, "event_type": "order.discounted", "payload": payload})
    }

    fn forks(shop: &Shop) -> usize {
        shop.engine.store().fork_ids().expect("listed").len()
    }

    #[test]
    fn variants_are_measured_side_by_side_and_leave_nothing_behind() {
        let shop = Shop::with_orders();
        let before = shop.engine.store().snapshot().head();
        let ask = json!({
            "variants": [
                {"name": "cheap", "events": [event("order-7", &json!({"total": 1}))]},
                {"name": "new", "events": [event("order-x", &json!({"total": 2})), event("order-x", &json!({"total": 3}))]},
            ],
            "measures": [
                {"name": "total", "tool": "get_entity_state", "arguments": {"entity_id": "order-7"}, "path": "state.total"},
                {"name": "x", "tool": "get_entity_state", "arguments": {"entity_id": "order-x"}, "path": "version"},
                {"name": "events", "tool": "quick_stats"},
            ],
        });
        let body = shop.ask("run_experiment", &ask);
        let table = &body["table"];
        assert_eq!(table["columns"], json!(["measure", "parent", "cheap", "new"]));
        let rows = table["rows"].as_array().expect("rows");
        assert_eq!((&rows[0][2], &rows[1]), (&json!(1), &json!(["x", null, null, 2])));
        let events = before.get();
        assert_eq!(rows[2], json!(["events", events, events + 1, events + 2]));
        assert_eq!((shop.engine.store().snapshot().head(), forks(&shop)), (before, 0));
    }

    #[test]
    fn a_variant_that_fails_says_where_and_leaves_nothing_behind() {
        let shop = Shop::with_orders();
        let ask = |events: Value, measure: Value| json!({"variants": [{"name": "v", "events": events}], "measures": [measure]});
        let stats = || json!({"name": "events", "tool": "quick_stats"});
        let bad = ask(json!([event("order-7", &json!({})), {"entity_id": "", "event_type": "x"}]), stats());
        let body = shop.refused("run_experiment", &bad, "experiment_failed");
        let message = body["error"]["message"].as_str().expect("a message");
        assert!(message.contains("variants[0] \"v\"") && message.contains("events[1]"), "{message}");
        let writes = json!({"name": "w", "tool": "append_events"});
        shop.refused("run_experiment", &ask(json!([event("order-7", &json!({}))]), writes), "bad_argument");
        let misspelt = json!({"name": "m", "tool": "query_events", "arguments": {"entity": "order-7"}});
        let body = shop.refused(
            "run_experiment",
            &ask(json!([event("order-7", &json!({}))]), misspelt),
            "experiment_failed",
        );
        assert!(
            body["error"]["message"].as_str().is_some_and(|message| message.contains("measures[0] \"m\""))
        );
        assert_eq!(forks(&shop), 0);
    }

    #[test]
    fn kept_forks_can_be_gone_on_with() {
        let shop = Shop::with_orders();
        let ask = json!({
            "variants": [{"name": "v", "events": [event("order-7", &json!({"total": 5}))]}],
            "measures": [{"name": "n", "tool": "query_events", "arguments": {"entity_id": "order-7"}}],
            "keep": true,
        });
        let body = shop.ask("run_experiment", &ask);
        let id = body["fork_ids"]["v"].as_str().expect("an id");
        let state = shop.ask("get_entity_state", &json!({"entity_id": "order-7", "branch": id}));
        assert_eq!(state["state"]["total"], 5);
    }
}
