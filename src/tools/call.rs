//! What happens between a call and its answer, whatever the tool: arguments, refining, cursors, the branch, the budget.

use std::borrow::Cow;

use serde_json::Value;

use super::answer::{Step, error_answer};
use super::argument::{Argument, Kind};
use super::arguments::{Arguments, decode, example};
use super::budget::{TOKENS_DEFAULT, TOKENS_MAX};
use super::cursor::Cursor;
use super::damage::Damaged;
use super::record::called;
use super::refusal::{at_home, explained, unknown_tool};
use super::{Answer, Object, TOOLS, Tool};
use crate::engine::{Caller, Engine, MAIN, Query, QueryId};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Position, Timestamp, quote};
use crate::store::Snapshot;

/// Arguments that shape an answer and say nothing about which events: another tool's refinement leaves them behind.
const SHAPES: [&str; 27] = [
    "wait_ms",
    "related",
    "limit",
    "order",
    "fields",
    "response_format",
    "explain",
    "text_offset",
    "sample_size",
    "stratified_by",
    "seed",
    "metrics",
    "top_values",
    "find",
    "threshold",
    "wait_for_position",
    "analysis",
    "steps",
    "key",
    "window",
    "bucket",
    "by",
    "value",
    "aggregate",
    "approximate",
    "plot",
    "format",
];

/// One call of a tool, its arguments decoded, refined and complete.
pub(crate) struct Call<'a> {
    /// The store and its rules, seen from the branch that is asked for.
    pub engine: Cow<'a, Engine>,
    /// The position of the branch at which it is looked at, when that is not its last.
    pub branch_point: Option<Position>,
    /// Who calls.
    pub caller: &'a Caller,
    /// The tool.
    pub tool: &'static Tool,
    /// The arguments, without `cursor`, `refine`, `clear` and `max_tokens`, which are dealt with.
    pub arguments: Arguments,
    /// The page that is asked for, when it is not the first.
    pub cursor: Option<Cursor>,
    /// The query's name.
    pub query: QueryId,
    /// What `now` means in this call.
    pub now: Timestamp,
    /// The size of the answer in tokens.
    pub tokens_max: usize,
    /// What the reader should know, so far.
    pub warnings: Vec<String>,
}

/// Calls the tool with that name.
pub(super) fn call(engine: &Engine, name: &str, given: &Object, caller: &Caller) -> Answer {
    let Some(tool) = TOOLS.iter().find(|tool| tool.name == name) else {
        return error_answer(&unknown_tool(name), &[], TOKENS_DEFAULT);
    };
    let started = engine.clock().elapsed();
    let answer = run(&engine.on_behalf_of(caller), tool, given, caller);
    engine.record(caller, || called(tool, given, &answer, engine.clock().elapsed().saturating_sub(started)));
    answer
}

/// Calls a tool.
pub(super) fn run(engine: &Engine, tool: &'static Tool, given: &Object, caller: &Caller) -> Answer {
    let damaged = Damaged::of(engine.store());
    let mut warnings: Vec<String> = damaged.warnings().collect();
    let mut call = match Call::prepare(engine, tool, given, caller) {
        Ok(call) => call,
        Err(error) => {
            let error = explained(at_home(error, engine), engine, given);
            return error_answer(&error, &warnings, tokens_asked(given));
        }
    };
    let mut reply = (tool.run)(&mut call);
    if tool.hints.read_only {
        // What it found until then is whole to nobody. A write tells what it did.
        reply = caller.check_waits().and(reply);
    }
    let given = call.arguments.object();
    let reply = reply.map_err(|error| explained(error, engine, given));
    warnings.append(&mut call.warnings);
    match reply {
        Err(error) => error_answer(&damaged.explain(error), &warnings, call.tokens_max),
        Ok(mut reply) => {
            damaged.temper(&mut reply);
            reply.warnings.splice(0..0, warnings);
            let query = call.remember();
            reply.again = call.with_all_room();
            reply.finish(query, call.tokens_max)
        }
    }
}

/// The size of an answer to arguments that may have mistakes: what is asked for, where that can be told.
fn tokens_asked(given: &Object) -> usize {
    let asked = given.get("max_tokens").and_then(|asked| decode(Kind::Budget, asked, "max_tokens").ok());
    let asked = asked.and_then(|asked| asked.as_u64()).and_then(|asked| usize::try_from(asked).ok());
    asked.map_or(TOKENS_DEFAULT, |asked| asked.min(TOKENS_MAX))
}

impl<'a> Call<'a> {
    fn prepare(engine: &'a Engine, tool: &'static Tool, given: &Object, caller: &'a Caller) -> Result<Self> {
        let mut arguments = Arguments::decode(tool, given)?;
        let (tokens_max, warning) = arguments.tokens_max();
        let mut call = Self {
            engine: Cow::Borrowed(engine),
            branch_point: None,
            caller,
            tool,
            cursor: None,
            query: QueryId::from_number(0),
            now: engine.clock().now(),
            tokens_max,
            warnings: warning.into_iter().collect(),
            arguments: Arguments::default(),
        };
        arguments.object_mut().shift_remove("max_tokens");
        call.arguments = if let Some(cursor) = arguments.object_mut().shift_remove("cursor") {
            call.continued(cursor.as_str().unwrap_or_default(), arguments)?
        } else if arguments.has("refine") || arguments.has("clear") {
            call.refined(arguments)?
        } else {
            arguments
        };
        call.arguments.check_required(tool)?;
        call.lower_rows();
        call.find_branch()?;
        let canonical = canonical(tool, call.arguments.object());
        call.query = QueryId::of(tool.name, &Value::Object(canonical).to_string());
        Ok(call)
    }

    /// The arguments of the query that a cursor continues.
    fn continued(&mut self, text: &str, beside: Arguments) -> Result<Arguments> {
        let cursor = Cursor::decode(text)?;
        self.now = cursor.now.unwrap_or(self.now);
        self.cursor = Some(cursor.clone());
        let given = canonical(self.tool, beside.object());
        if QueryId::of(self.tool.name, &Value::Object(given.clone()).to_string()) == cursor.query {
            return Ok(beside);
        }
        let known = self.engine.queries().recall(&cursor.query.to_string(), self.engine.clock().now());
        let Some(query) = known else {
            let message = "go on from the cursor: its query is no longer remembered (7 days); send the query's \
                           arguments beside it, or start again without cursor";
            return Err(Error::new(ErrorKind::NotFound, "cursor_expired", message));
        };
        if query.tool != self.tool.name {
            let message = format!("go on from the cursor: it belongs to {}; call that", quote(&query.tool));
            return Err(Error::invalid("cursor_mismatch", message).with("argument", "cursor"));
        }
        // Defaults are in neither: one that is spelled out beside the cursor is no difference.
        let differs = |name: &&String| given.get(*name) != query.arguments.get(*name);
        let named = beside.object().keys().find(differs);
        match named {
            None => Ok(Arguments::trusted(query.arguments)),
            Some(name) => {
                let message = format!(
                    "go on from the cursor: {name} differs from the query it continues; send cursor alone, or \
                     start again without it"
                );
                Err(Error::invalid("cursor_mismatch", message).with("argument", name.as_str()))
            }
        }
    }

    /// The arguments that come from refining an earlier query: given ones replace, `where` adds, `clear` drops.
    fn refined(&mut self, mut given: Arguments) -> Result<Arguments> {
        let Some(id) = given.text("refine").map(str::to_owned) else {
            let message = "clear arguments: there is no query to clear them from; give refine a query_id";
            return Err(Error::invalid("nothing_to_refine", message).with("argument", "clear"));
        };
        let query = self.engine.queries().recall(&id, self.engine.clock().now()).ok_or_else(|| {
            let message = format!(
                "refine {}: no such query_id is remembered (7 days); send the arguments themselves",
                quote(&id)
            );
            Error::new(ErrorKind::NotFound, "unknown_query_id", message).with("example", example(self.tool))
        })?;
        let clear: Vec<String> = given.texts("clear").into_iter().map(str::to_owned).collect();
        for name in &clear {
            if self.tool.argument(name).is_none() {
                let message = format!("clear {}: {} has no such argument", quote(name), self.tool.name);
                return Err(Error::invalid("unknown_argument", message).with("argument", "clear"));
            }
        }
        given.object_mut().shift_remove("refine");
        given.object_mut().shift_remove("clear");
        let mut refined = Object::new();
        for (name, value) in query.arguments {
            let is_dropped = clear.contains(&name);
            if is_dropped || (query.tool != self.tool.name && SHAPES.contains(&name.as_str())) {
                continue;
            }
            if self.tool.argument(&name).is_none() {
                self.warnings
                    .push(format!("{name} of {id} was left out: {} has no such argument", self.tool.name));
                continue;
            }
            refined.insert(name, value);
        }
        for (name, value) in given.object().clone() {
            match (refined.get_mut(&name), value) {
                (Some(Value::Array(before)), Value::Array(added)) if name == "where" => before.extend(added),
                (_, value) => {
                    refined.insert(name, value);
                }
            }
        }
        Ok(Arguments::trusted(refined))
    }

    /// Goes to the branch that is asked for: `main`, a fork's id, or either as it was at a position or tag (`main@412`,
    /// `f-k7m2x9qa@before-import`).
    fn find_branch(&mut self) -> Result<()> {
        let asked = self.arguments.text("branch").or(self.arguments.text("from_branch"));
        let Some(asked) = asked.filter(|name| *name != MAIN) else { return Ok(()) };
        let (branch, point) = self.engine.branch_at(asked)?;
        if !self.tool.hints.read_only {
            branch.check_not_audit()?;
        }
        self.branch_point = point;
        self.engine = Cow::Owned(branch);
        Ok(())
    }

    /// Refuses to write to what a branch was.
    ///
    /// # Errors
    /// `Invalid` (`bad_argument`).
    pub(crate) fn check_is_head(&self) -> Result<()> {
        let Some(point) = self.branch_point else { return Ok(()) };
        let name = self.engine.store().branch_name();
        let message = format!(
            "write to branch {name} as it was at position {point}: only its end can be written to; leave @ out, or make a fork \
             there with create_sandbox_fork"
        );
        Err(Error::invalid("bad_argument", message).with("argument", "branch"))
    }

    /// What the store holds now, or held when the first page was read.
    ///
    /// # Errors
    /// `Conflict` (`cursor_expired`) when positions were lost since that page was read.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        let snapshot = self.engine.store().snapshot().timed_by(self.engine.clock());
        let snapshot = self.branch_point.map_or(snapshot.clone(), |point| snapshot.up_to(point));
        match &self.cursor {
            None => Ok(snapshot),
            Some(cursor) if cursor.epoch == snapshot.epoch() => Ok(snapshot.up_to(cursor.bound)),
            Some(cursor) => {
                let message = format!(
                    "go on from the cursor: it is of epoch {} but the branch is at {}, because a crash lost \
                     unsynced events; start again without cursor",
                    cursor.epoch,
                    snapshot.epoch()
                );
                Err(Error::new(ErrorKind::Conflict, "cursor_expired", message))
            }
        }
    }

    /// A cursor for this query from the view `snapshot`; its place is still open.
    pub(crate) fn cursor_for(&self, snapshot: &Snapshot, descending: bool) -> Cursor {
        let is_relative = |name: &&str| self.arguments.text(name).is_some_and(|text| text.contains("now"));
        let relative = ["since", "until", "as_of", "known_at"].iter().any(is_relative);
        Cursor {
            query: self.query,
            epoch: snapshot.epoch(),
            bound: self.cursor.as_ref().map_or_else(|| snapshot.head(), |cursor| cursor.bound),
            place: Position::ZERO,
            descending,
            now: relative.then_some(self.now),
            ranked: Vec::new(),
        }
    }

    /// Asks for no more rows than the caller may have.
    fn lower_rows(&mut self) {
        let Some(max) = self.caller.limits.rows else { return };
        for name in ["limit", "sample_size"] {
            if let Some(asked) = self.arguments.ordinal(name).filter(|asked| *asked > max) {
                self.arguments.object_mut().insert(name.to_owned(), max.into());
                self.warnings.push(format!(
                    "{name} {asked} was lowered to the {max} rows that this server gives a client at a time (--max-rows)"
                ));
            }
        }
    }

    /// The most rows that were asked for.
    pub(crate) fn limit(&self) -> usize {
        let max = self.caller.limits.rows.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(usize::MAX);
        self.arguments.count("limit").unwrap_or(self.tool.limit_default).min(max)
    }

    /// Whether whole events were asked for.
    pub(crate) fn is_detailed(&self) -> bool {
        self.arguments.text("response_format") == Some("detailed")
    }

    /// The call with the largest answer there is, where reading again gives more. It takes the arguments.
    fn with_all_room(&mut self) -> Option<Step> {
        if self.tokens_max >= TOKENS_MAX || self.cursor.is_some() || !self.tool.hints.read_only {
            return None;
        }
        let mut arguments = std::mem::take(self.arguments.object_mut());
        arguments.insert("max_tokens".to_owned(), TOKENS_MAX.into());
        Some(Step::new(self.tool.name, Value::Object(arguments), "the same with more room"))
    }

    fn remember(&self) -> Option<QueryId> {
        let is_named = self.tool.argument("refine").is_some();
        self.tool.argument("refine").or(self.tool.argument("cursor"))?;
        let arguments = canonical(self.tool, self.arguments.object());
        let query = Query { tool: self.tool.name.to_owned(), arguments };
        self.engine.queries().remember(self.query, &query, self.engine.clock().now());
        is_named.then_some(self.query)
    }
}

/// The arguments in order of their names, without those that say what holds anyway.
fn canonical(tool: &Tool, arguments: &Object) -> Object {
    let mut members: Vec<(&String, &Value)> =
        arguments.iter().filter(|(name, value)| !is_default(tool, name, value)).collect();
    members.sort_by_key(|(name, _)| *name);
    members.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn is_default(tool: &Tool, name: &str, value: &Value) -> bool {
    match (name, value) {
        ("limit", value) => value.as_u64() == u64::try_from(tool.limit_default).ok(),
        ("branch", Value::String(text)) => text == MAIN,
        ("time_zone", Value::String(text)) => text == "UTC",
        (_, Value::Bool(flag)) => !flag,
        (_, Value::Array(items)) => items.is_empty(),
        (_, Value::String(text)) => match tool.argument(name).filter(|argument| !argument.required) {
            Some(Argument { kind: Kind::Choice(choices), .. }) => choices.first() == Some(&text.as_str()),
            _ => false,
        },
        _ => false,
    }
}
