//! What the agent does in the demo: looks around, asks, follows one entity through time, writes, meets a conflict.

use std::path::Path;

use serde_json::{Value, json};

use super::session::{Reply, Session};
use super::stage::Stage;
use crate::cli::open;
use crate::cli::outcome::Ended;
use crate::door::Host;
use crate::engine::Caller;
use crate::error::{Error, ErrorKind};
use crate::event::EventDraft;
use crate::store::Options;
use crate::tools::Object;

/// What the session is about; the steps are the same for every kind of events.
pub(super) struct Plot {
    /// What the agent wonders.
    question: &'static str,
    /// How it asks.
    query: Value,
    /// What it says about the answer.
    finding: &'static str,
    /// What it looks for by meaning, in words.
    wonder: &'static str,
    /// How it asks for that.
    sought: Value,
    /// What it counts in SQL, and what it makes of that.
    counted: (&'static str, &'static str, &'static str),
    /// The entity that it follows; `None` takes the most frequent one of the answer.
    entity: Option<String>,
    /// Why that one.
    because: &'static str,
    /// What the agent wants to see of its events.
    fields: Value,
    /// The version whose time the agent goes back to.
    back_to: u64,
    /// What the agent wants to write.
    intent: Note,
    /// What a colleague writes in between.
    between: Note,
    /// What the agent writes instead, now that it knows.
    amended: Note,
    /// What the agent tries on a fork.
    tried: Note,
    use_case: &'static str,
    context: &'static str,
}

/// An event that is written during the session.
struct Note {
    event_type: &'static str,
    payload: Value,
    actor: &'static str,
    why: &'static str,
}

impl Plot {
    /// The story of a repository.
    pub(super) fn history() -> Self {
        Self {
            question: "Where did large changes go in lately?",
            query: json!({"event_type": "file.modified", "where": ["payload.insertions >= 20"],
                "fields": ["payload.insertions", "payload.deletions"], "limit": 5}),
            finding: "Conditions run inside the store; the cursor goes on where the page ended, without gap or repeat.",
            wonder: "Has data ever been lost or damaged here? No commit need have used these words.",
            sought: json!({"semantic_query": "a mistake that lost or damaged data", "event_type": "commit.created",
                "limit": 5, "wait_for_position": -1}),
            counted: (
                "Which folders changed most, and by how many people?",
                "SELECT split_part(entity_id, '/', 2) || '/' || split_part(entity_id, '/', 3) AS folder, count(*) AS changes, sum(insertions) AS added, \
                 count(DISTINCT payload.author) AS people FROM file.modified GROUP BY folder ORDER BY changes DESC LIMIT 5",
                "Each event type is a table; what its payloads hold are columns.",
            ),
            entity: None,
            because: "It is the file that comes up most.",
            fields: json!(["payload.insertions", "payload.deletions", "payload.author"]),
            back_to: 1,
            intent: Note {
                event_type: "file.reviewed",
                payload: json!({"review": {"by": "agent", "verdict": "looks fine"}}),
                actor: "agent",
                why: "The agent notes its review, and says which version it has read.",
            },
            between: Note {
                event_type: "file.reviewed",
                payload: json!({"review": {"by": "colleague", "verdict": "needs tests"}}),
                actor: "colleague",
                why: "Meanwhile a colleague, in a process of its own on the same directory, has written one too.",
            },
            amended: Note {
                event_type: "file.reviewed",
                payload: json!({"review": {"by": "agent", "verdict": "agree: needs tests"}}),
                actor: "agent",
                why: "Having read what came in between, the agent agrees with it, and expects the version it was told.",
            },
            tried: Note {
                event_type: "file.reviewed",
                payload: json!({"review": {"by": "agent", "verdict": "closed: tests were added"}}),
                actor: "agent",
                why: "Should the review be closed? The agent tries it on a fork, which copies nothing.",
            },
            use_case: "audit_trail",
            context: "who changed what, when and why",
        }
    }

    /// The story of the shop: a payment that was charged twice and that nobody has dealt with.
    pub(super) fn shop(events: &[EventDraft], host: &Host, caller: &Caller) -> Self {
        Self {
            question: "31 payments timed out. When, and where?",
            query: json!({"event_type": "payment.timed_out", "fields": ["payload.gateway", "payload.waited_ms"],
                "limit": 5}),
            finding: "All on one afternoon, all at the gateway eu-2; the cursor goes on where the page ended.",
            wonder: "Who wanted their money back? No event need have used these words.",
            sought: json!({"semantic_query": "the customer wants the money back", "limit": 5, "wait_for_position": -1}),
            counted: (
                "How long do payments take that go through, and how many do, by gateway?",
                "SELECT p.payload.gateway AS gateway, count(*) AS captured, round(median(extract(epoch FROM c.timestamp) - \
                 extract(epoch FROM p.timestamp)), 1) AS median_s FROM events p JOIN events c ON c.entity_id = p.entity_id \
                 AND c.event_type = 'payment.captured' WHERE p.version = 1 AND p.entity_id LIKE 'payment/%' \
                 GROUP BY gateway ORDER BY captured DESC LIMIT 5",
                "One statement joins each payment's beginning with its end.",
            ),
            entity: Some(waiting(events, host, caller)),
            because: "One of those payments: it timed out, was tried again, and then the first try went through too.",
            fields: json!(["payload.attempt", "payload.reason"]),
            back_to: 2,
            intent: Note {
                event_type: "payment.refunded",
                payload: json!({"status": "refunded", "reason": "charged twice"}),
                actor: "agent",
                why: "Charged twice, so the agent refunds one charge, if nothing has happened since it looked.",
            },
            between: Note {
                event_type: "payment.refunded",
                payload: json!({"status": "refunded", "reason": "customer called"}),
                actor: "support",
                why: "Meanwhile support, in a process of its own on the same directory, has refunded it already.",
            },
            amended: Note {
                event_type: "payment.reviewed",
                payload: json!({"review": "charged twice on 2025-04-30, refunded by support"}),
                actor: "agent",
                why: "No second refund, then: the agent notes what it found, and expects the version it was told.",
            },
            tried: Note {
                event_type: "payment.closed",
                payload: json!({"status": "closed"}),
                actor: "agent",
                why: "Should the payment be closed now? The agent tries it on a fork, which copies nothing.",
            },
            use_case: "debugging",
            context: "payments that were charged twice",
        }
    }
}

/// A payment of the shop that was charged twice and not dealt with, neither in the data nor by an earlier demo.
fn waiting(events: &[EventDraft], host: &Host, caller: &Caller) -> String {
    let of = |entity: &str| events.iter().filter(|event| event.entity_id.as_str() == entity).count();
    let timed_out = events.iter().filter(|event| event.event_type.as_str() == "payment.timed_out");
    let entities: Vec<&str> =
        timed_out.map(|event| event.entity_id.as_str()).filter(|entity| of(entity) == 4).collect();
    let untouched = |entity: &&&str| {
        let mut arguments = Object::new();
        arguments.insert("entity_id".to_owned(), Value::from(**entity));
        let state = host.call("get_entity_state", &arguments, caller);
        state.body.get("version").and_then(Value::as_u64).is_none_or(|version| version <= 4)
    };
    entities
        .iter()
        .find(untouched)
        .or(entities.last())
        .map_or_else(|| "payment/20000".to_owned(), ToString::to_string)
}

/// Plays the session.
pub(super) fn play(
    plot: &Plot,
    dir: &Path,
    caller: &Caller,
    session: &mut Session,
    stage: &mut Stage<'_, '_>,
) -> Ended<()> {
    let mut act = Act { session, stage };
    act.look_around()?;
    let found = act.ask(plot)?;
    act.search(plot)?;
    act.count(plot)?;
    let entity = match &plot.entity {
        Some(entity) => entity.clone(),
        None => most_frequent(&found).ok_or_else(nothing_found)?,
    };
    let version = act.follow(&entity, plot)?;
    act.collide(&entity, version, plot, dir, caller)?;
    act.try_out(&entity, plot)?;
    act.stage.scene("10 · It asks for advice")?;
    act.call("get_query_advice", &json!({"use_case": plot.use_case, "context": plot.context}))?;
    Ok(())
}

struct Act<'a, 's, 't> {
    session: &'a mut Session,
    stage: &'a mut Stage<'s, 't>,
}

impl Act<'_, '_, '_> {
    /// Calls a tool in front of the audience; an error ends the demo.
    fn call(&mut self, tool: &str, arguments: &Value) -> Ended<Reply> {
        let reply = self.attempt(tool, arguments)?;
        if reply.is_error {
            let said = reply.body.get("error").map(ToString::to_string).unwrap_or_default();
            let message = format!("play the session: {tool} answered {said}");
            return Err(Error::new(ErrorKind::Internal, "demo_failed", message).into());
        }
        Ok(reply)
    }

    fn attempt(&mut self, tool: &str, arguments: &Value) -> Ended<Reply> {
        self.stage.call(tool, arguments)?;
        let reply = self.session.call(tool, arguments)?;
        self.stage.answer(&reply)?;
        Ok(reply)
    }

    fn look_around(&mut self) -> Ended<()> {
        self.stage.scene("3 · It looks around")?;
        self.stage.say("What is in this store?")?;
        self.call("quick_stats", &json!({}))?;
        self.stage.say("And what do the events look like? One of each type.")?;
        self.call("sample_events", &json!({"stratified_by": "event_type", "sample_size": 20, "seed": 7}))?;
        Ok(())
    }

    /// Asks the question, page after page; gives all rows.
    fn ask(&mut self, plot: &Plot) -> Ended<Vec<Reply>> {
        self.stage.scene("4 · It asks a question")?;
        self.stage.say(plot.question)?;
        let mut page = self.call("query_events", &plot.query)?;
        if most_frequent(std::slice::from_ref(&page)).is_none() {
            self.stage.say("None; the answer says how to go on:")?;
            let (tool, arguments) = next_step(&page)?;
            page = self.call(&tool, &arguments)?;
        }
        self.stage.say(plot.finding)?;
        let next = page.body.get("next_cursor").cloned();
        let mut pages = vec![page];
        if let Some(cursor) = next {
            pages.push(self.call("query_events", &json!({"cursor": cursor}))?);
        }
        Ok(pages)
    }

    /// Looks for something in other words than the events use.
    fn search(&mut self, plot: &Plot) -> Ended<()> {
        self.stage.scene("5 · It searches by meaning")?;
        self.stage.say(plot.wonder)?;
        self.call("hybrid_search", &plot.sought)?;
        self.stage.say("The model is part of the program; the events were indexed while they came in.")?;
        Ok(())
    }

    /// Counts over all events.
    fn count(&mut self, plot: &Plot) -> Ended<()> {
        let (question, sql, remark) = plot.counted;
        self.stage.scene("6 · It asks in SQL")?;
        self.stage.say(question)?;
        self.call("run_sql", &json!({"sql": sql}))?;
        self.stage.say(remark)?;
        Ok(())
    }

    /// Reads an entity's history, its state now and as it was; gives its version.
    fn follow(&mut self, entity: &str, plot: &Plot) -> Ended<u64> {
        self.stage.scene(&format!("7 · It follows {entity} through time"))?;
        self.stage.say(plot.because)?;
        let question = json!({"entity_id": entity, "order": "asc", "fields": plot.fields, "limit": 20});
        let history = self.call("query_events", &question)?;
        self.stage.say("Its state now, folded from those events, and which event set each field:")?;
        let now = self.call("get_entity_state", &json!({"entity_id": entity, "provenance": true}))?;
        let at = usize::try_from(plot.back_to.saturating_sub(1)).unwrap_or(0);
        if let Some(time) = cell(&history, at, "timestamp") {
            self.stage.say("And what it was at an earlier time:")?;
            self.call("get_entity_state", &json!({"entity_id": entity, "as_of": time}))?;
        }
        number(&now.body, "version").ok_or_else(|| nothing_found().into())
    }

    /// Writes with an expected version that a colleague has made stale, and recovers from what the answer says.
    fn collide(&mut self, entity: &str, version: u64, plot: &Plot, dir: &Path, caller: &Caller) -> Ended<()> {
        self.stage.scene("8 · It writes, and meets a conflict")?;
        self.stage.say(plot.between.why)?;
        let colleague = open(dir, Options::default(), self.stage.terminal())?;
        let answer = colleague.call("append_events", &object(append(entity, &plot.between, None)), caller);
        drop(colleague);
        if answer.is_error {
            let said = Value::Object(answer.body).to_string();
            return Err(Error::internal(format!("play the colleague: append_events answered {said}")).into());
        }
        self.stage.say(plot.intent.why)?;
        let refused = self.attempt("append_events", &append(entity, &plot.intent, Some(version)))?;
        let current =
            refused.body.get("error").and_then(|error| number(error.as_object()?, "current_version"));
        let current = current.ok_or_else(nothing_found)?;
        self.stage
            .say("The answer carries the current version, and the call that shows what came in between:")?;
        let (tool, arguments) = next_step(&refused)?;
        self.call(&tool, &arguments)?;
        self.stage.say(plot.amended.why)?;
        self.call("append_events", &append(entity, &plot.amended, Some(current)))?;
        Ok(())
    }

    /// Changes something where main does not notice, looks at the difference, and makes it real.
    fn try_out(&mut self, entity: &str, plot: &Plot) -> Ended<()> {
        self.stage.scene("9 · It tries something on a fork")?;
        self.stage.say(plot.tried.why)?;
        let made = self.call("create_sandbox_fork", &json!({"purpose": format!("close {entity}")}))?;
        let fork = made.body.get("fork_id").cloned().ok_or_else(nothing_found)?;
        let mut attempt = object(append(entity, &plot.tried, None));
        attempt.insert("branch".to_owned(), fork.clone());
        self.call("append_events", &attempt.into())?;
        self.stage.say("Main has not noticed. What would change?")?;
        let diff = self.call("diff_fork", &json!({"fork_id": fork}))?;
        let token = diff.body.get("confirmation_token").cloned().ok_or_else(nothing_found)?;
        self.stage.say(
            "That is what was meant. The token stands for exactly this difference; a client that can ask its user would ask now.",
        )?;
        self.call("promote_fork", &json!({"fork_id": fork, "confirmation_token": token}))?;
        Ok(())
    }
}

/// The call that an answer offers first.
fn next_step(reply: &Reply) -> Ended<(String, Value)> {
    let step = reply.body.get("next_steps").and_then(|steps| steps.get(0));
    let step =
        step.and_then(|step| Some((step.get("tool")?.as_str()?.to_owned(), step.get("arguments")?.clone())));
    step.ok_or_else(|| nothing_found().into())
}

fn append(entity: &str, note: &Note, expected: Option<u64>) -> Value {
    let event = json!({"entity_id": entity, "event_type": note.event_type, "payload": note.payload,
        "metadata": {"actor": note.actor}});
    let mut call = json!({"branch": "main", "events": [event]});
    if let (Some(version), Some(fields)) = (expected, call.as_object_mut()) {
        fields.insert("expected_versions".to_owned(), json!({entity: version}));
    }
    call
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

fn number(body: &Object, name: &str) -> Option<u64> {
    body.get(name).and_then(Value::as_u64)
}

fn nothing_found() -> Error {
    Error::internal("play the session: an answer lacks what the next step needs; please report it")
}

/// A cell of an answer's table; a column that has one value throughout stands under `constant`.
fn cell(reply: &Reply, row: usize, column: &str) -> Option<Value> {
    let table = reply.body.get("table")?;
    let columns = table.get("columns")?.as_array()?;
    match columns.iter().position(|name| name == column) {
        Some(at) => table.get("rows")?.get(row)?.get(at).cloned(),
        None => reply.body.get("constant")?.get(column).cloned(),
    }
}

/// The entity that has most rows in the pages.
fn most_frequent(pages: &[Reply]) -> Option<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    let rows =
        |page: &Reply| page.body.get("table").and_then(|table| table.get("rows")?.as_array().map(Vec::len));
    for page in pages {
        for row in 0..rows(page).unwrap_or(0) {
            let Some(Value::String(entity)) = cell(page, row, "entity_id") else { continue };
            match counts.iter_mut().find(|(known, _)| *known == entity) {
                Some((_, count)) => *count += 1,
                None => counts.push((entity, 1)),
            }
        }
    }
    // The first of those with the same count: the most recent.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(entity, _)| entity)
}
