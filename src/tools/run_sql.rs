//! `run_sql`: one SELECT over a branch as of a moment.

use serde_json::{Value, json};

use super::answer::{Matched, Reply, Step};
use super::argument::{Argument, BRANCH, BUDGET, Field, Kind, LIMIT_DEFAULT, POSITION};
use super::budget::{CONCISE_CHARS_MAX, cut};
use super::call::Call;
use super::cut_texts::{has_cut, shown_of};
use super::packing::Rows;
use super::{Hints, Object, Tool};
use crate::error::Result;
use crate::event::TimeZone;
use crate::sql::{Outcome, RunLimits, run as run_statement, type_name, value};

/// The most rows of an answer.
const ROWS_MAX: usize = 1_000;
/// Up to this many rows show long texts.
const FEW_ROWS: usize = 20;
/// The most characters of a text where there are few rows.
const FEW_CHARS_MAX: usize = 2_000;
/// The longest statement that is said again to read on in its texts, in bytes.
const REPEATED_BYTES_MAX: usize = 400;

const ARGUMENTS: &[Argument] = &[
    Argument::required("sql", Kind::Text, "One SELECT (or EXPLAIN SELECT)"),
    Argument::optional("as_of", Kind::Text, "What had happened by this time"),
    Argument::optional("known_at", Kind::Text, "What was recorded by this time"),
    Argument::optional("as_of_position", POSITION, "Up to this position"),
    BRANCH,
    Argument::optional("time_zone", Kind::Text, "IANA zone of times in the answer; UTC"),
    Argument::optional("explain", Kind::Flag, "Say types, plan and what was read"),
];

/// The tool.
pub(super) const TOOL: Tool = Tool {
    name: "run_sql",
    title: "Run SQL",
    toolset: "sql",
    description: "One read-only SELECT (DataFusion, Postgres-like; names case-sensitive). Tables: events(position, \
                  timestamp, entity_id, event_type, version, payload, metadata); a view per event type with its payload \
                  fields as columns, like \"order.placed\"; entities(entity_id, version, state, last_event_type, \
                  last_timestamp); event_types; events_at('f-…'), state_at('2026-01-31'), search_events('text'). \
                  payload.total or payload->>'total' reads a field. Aggregate here; page events with query_events.",
    hints: Hints::READ,
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("types", "array"),
        Field::new("plan", "array"),
        Field::new("examined", "integer"),
        Field::new("pages_decoded", "integer"),
        Field::new("table", "object"),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"sql": "SELECT event_type, count(*) AS n FROM events GROUP BY event_type ORDER BY n DESC"}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let view = call.wish().over(call.snapshot()?, call.now)?;
    let sql = call.arguments.text("sql").unwrap_or_default();
    let limits = RunLimits { rows_max: ROWS_MAX, ..RunLimits::AGENT };
    let outcome = run_statement(&call.engine, &view, call.now, sql, limits, call.arguments.flag("explain"))?;
    let mut reply = reply(&outcome, view.zone);
    read_on(call, &mut reply);
    Ok(reply)
}

/// Says how the rest of a text is read where texts were cut: with one row by a ready call, else in words, because the rows of a
/// statement have no names.
fn read_on(call: &Call<'_>, reply: &mut Reply) {
    let Some(Rows { columns: Some(columns), items, .. }) = &reply.rows else { return };
    if !items.iter().any(has_cut) {
        return;
    }
    let sql = call.arguments.text("sql").unwrap_or_default().trim().trim_end_matches(';');
    let cut = items.first().and_then(Value::as_array).and_then(|cells| {
        let mut named = columns.iter().zip(cells);
        named.find_map(|(column, cell)| Some((column.replace('"', "\"\""), shown_of(cell.as_str()?)?)))
    });
    match cut.filter(|_| items.len() == 1 && sql.len() <= REPEATED_BYTES_MAX) {
        Some((column, shown)) => {
            let (begin, middle) =
                (format!("SELECT substr(CAST(\"{column}\" AS VARCHAR), "), format!(") AS \"{column}\" FROM ("));
            let (from, sql) = already_read(sql, &begin, &middle).unwrap_or((1, sql));
            let rest = format!("{begin}{}{middle}{sql})", from + shown);
            let mut arguments = call.arguments.object().clone();
            arguments.insert("sql".to_owned(), json!(rest));
            reply.next_steps.push(Step::new("run_sql", Value::Object(arguments), "the rest of the text"));
            reply.untrusted.push("/next_steps");
        }
        None => reply.warnings.push(format!(
            "texts that end in …+N were cut; up to {FEW_ROWS} rows show {FEW_CHARS_MAX} characters, and substr(column, N) reads on"
        )),
    }
}

/// From where a statement of [`read_on`] reads which other statement: one is not put into the other.
fn already_read<'s>(sql: &'s str, begin: &str, middle: &str) -> Option<(usize, &'s str)> {
    let (from, rest) = sql.strip_prefix(begin)?.split_once(middle)?;
    Some((from.parse().ok()?, rest.strip_suffix(')')?))
}

fn reply(outcome: &Outcome, zone: TimeZone) -> Reply {
    let mut reply = Reply::default();
    if outcome.misfits > 0 {
        reply.warnings.push(format!(
            "{} values did not have the type of their column and read as NULL; payload->>'field' gives them as text",
            outcome.misfits
        ));
    }
    if outcome.damaged > 0 {
        reply.warnings.push(format!("{} events are damaged and were left out", outcome.damaged));
    }
    let kept = u64::try_from(outcome.kept()).unwrap_or(u64::MAX);
    if outcome.rows > kept {
        reply.matched = Some(Matched { count: outcome.rows, exact: outcome.is_exact });
        reply.says_matched = true;
        reply.warnings.push(format!(
            "the first {kept} rows are shown; aggregate, or use ORDER BY with LIMIT and OFFSET"
        ));
    }
    if let Some(explained) = &outcome.explained {
        let fields = outcome.schema.fields().iter();
        reply.field("types", fields.map(|field| type_name(field.data_type())).collect::<Vec<_>>());
        reply.field("plan", explained.plan.lines().map(str::to_owned).collect::<Vec<_>>());
        reply.field("examined", explained.examined);
        reply.field("pages_decoded", explained.pages_decoded);
    }
    reply.untrusted.push("/table");
    let columns = outcome.schema.fields().iter().map(|field| field.name().clone()).collect();
    let items = rows(outcome, zone);
    reply.rows = Some(Rows { columns: Some(columns), name: "table", items, paging: None });
    reply
}

/// The rows that were kept, each an array.
fn rows(outcome: &Outcome, zone: TimeZone) -> Vec<Value> {
    let chars_max = if outcome.kept() <= FEW_ROWS { FEW_CHARS_MAX } else { CONCISE_CHARS_MAX };
    let row = |batch: &datafusion::arrow::array::RecordBatch, row: usize| {
        let cells = batch.columns().iter().map(|column| short(value(column.as_ref(), row, zone), chars_max));
        Value::Array(cells.collect())
    };
    outcome.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |at| row(batch, at))).collect()
}

/// The value, its texts cut.
fn short(value: Value, chars_max: usize) -> Value {
    match value {
        Value::String(text) => cut(&text, chars_max).into(),
        Value::Array(items) => items.into_iter().map(|item| short(item, chars_max)).collect(),
        Value::Object(members) => {
            let short = members.into_iter().map(|(name, member)| (name, short(member, chars_max)));
            Value::Object(short.collect::<Object>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::event::EventDraft;
    use crate::tools::budget::tokens_of;
    use crate::tools::fixture::Shop;

    #[test]
    fn a_count_costs_sixty_tokens_at_most() {
        let answer = Shop::with_orders().ask("run_sql", &json!({"sql": "SELECT count(*) FROM events"}));
        assert_eq!(answer["table"]["rows"], json!([[270]]), "{answer}");
        assert!(tokens_of(&answer) <= 60, "{}: {answer}", tokens_of(&answer));
    }

    #[test]
    fn cut_texts_are_read_on() {
        let shop = Shop::empty();
        let text = (0..900).map(|word| format!("word{word} ")).collect::<Vec<_>>().concat();
        let payload = json!({"text": text}).to_string();
        let draft = |entity: usize| {
            EventDraft::new(&format!("e-{entity}"), "note", payload.as_str()).expect("a draft")
        };
        shop.append((0..30).map(draft).collect());
        let mut answer =
            shop.ask("run_sql", &json!({"sql": "SELECT text AS \"the text\" FROM note LIMIT 1;"}));
        let mut read = String::new();
        loop {
            let shown = answer["table"]["rows"][0][0].as_str().expect("a text");
            let Some((begin, _)) = shown.split_once("…+") else {
                read.push_str(shown);
                break;
            };
            read.push_str(begin);
            answer = shop.follow(&answer);
        }
        assert_eq!(read, text);
        let many = shop.ask("run_sql", &json!({"sql": "SELECT text FROM note"}));
        assert!(many["warnings"].to_string().contains("substr"), "{many}");
        assert!(many.get("next_steps").is_none());
    }

    #[test]
    fn time_and_branch_are_arguments_of_the_call() {
        #[track_caller]
        fn check(shop: &Shop, mut arguments: serde_json::Value, expected: u64) {
            arguments["sql"] = "SELECT count(*) FROM events".into();
            assert_eq!(shop.ask("run_sql", &arguments)["table"]["rows"], json!([[expected]]), "{arguments}");
        }
        for shop in [Shop::with_orders(), Shop::with_orders().in_segments()] {
            check(&shop, json!({"as_of_position": 100}), 100);
            check(&shop, json!({"as_of": "2024-03-10T11:00:00Z"}), 269);
            check(&shop, json!({"as_of": "2024-02-01"}), 0);
            check(&shop, json!({"branch": "main@7"}), 7);
            let fork = shop.fork();
            check(&shop, json!({"branch": fork}), 270);
            let event = json!([{"entity_id": "order-7", "event_type": "order.cancelled", "payload": {"why": "late"}}]);
            shop.ask("append_events", &json!({"branch": fork, "events": event}));
            check(&shop, json!({"branch": fork}), 271);
            check(&shop, json!({}), 270);
            let entities =
                json!({"sql": "SELECT count(*) FROM entities WHERE version = 2", "as_of_position": 5});
            assert_eq!(shop.ask("run_sql", &entities)["table"]["rows"], json!([[1]]));
        }
    }

    #[test]
    fn explain_says_what_the_indexes_left() {
        let shop = Shop::with_orders();
        let sql = "SELECT payload->>'total' FROM events WHERE event_type = 'order.placed' AND position <= 30";
        let answer = shop.ask("run_sql", &json!({"sql": sql, "explain": true}));
        let plan = answer["plan"].to_string();
        assert!(plan.contains("index=EventType") && plan.contains("candidates=10"), "{plan}");
        assert_eq!((&answer["examined"], &answer["types"]), (&json!(10), &json!(["text"])), "{answer}");
        let explained = shop.ask("run_sql", &json!({"sql": format!("EXPLAIN {sql}")}));
        assert!(explained.to_string().contains("candidates=10"), "{explained}");
    }

    #[test]
    fn rows_beyond_the_answer_are_counted() {
        let shop = Shop::with_orders();
        let sql = "SELECT a.position FROM events a CROSS JOIN events b";
        let answer = shop.ask("run_sql", &json!({"sql": sql}));
        assert_eq!(answer["matched"]["count"], 72_900, "{answer}");
        assert!(answer["warnings"].to_string().contains("LIMIT"), "{answer}");
    }

    #[test]
    fn a_value_of_another_type_is_told() {
        let shop = Shop::empty();
        let draft = |number: usize, payload: &str| {
            EventDraft::new(&format!("e-{number}"), "t", payload).expect("a draft")
        };
        let mut events: Vec<_> = (0..400).map(|number| draft(number, r#"{"n": 1}"#)).collect();
        events.insert(200, draft(400, r#"{"n": "many"}"#));
        shop.append(events);
        let answer = shop.ask("run_sql", &json!({"sql": "SELECT sum(n) FROM t"}));
        assert_eq!(answer["table"]["rows"], json!([[400]]), "{answer}");
        assert!(answer["warnings"].to_string().contains("1 values"), "{answer}");
    }

    #[test]
    fn damaged_events_are_left_out_and_told() {
        let shop = Shop::with_orders();
        shop.append_as("order-unreadable", r#"{"actor":"ann"}"#);
        let shop = shop.damaged(b"order-unreadable");
        let answer = shop.ask("run_sql", &json!({"sql": "SELECT count(payload) FROM events"}));
        assert_eq!(answer["table"]["rows"], json!([[270]]), "{answer}");
        assert!(answer["warnings"].to_string().contains("damaged"), "{answer}");
    }

    #[test]
    fn a_mistake_comes_with_the_statement_as_it_might_be() {
        let shop = Shop::with_orders();
        let answer = shop.answer("run_sql", &json!({"sql": "SELECT entitty_id FROM events"}));
        let error = &answer.body["error"];
        assert_eq!((&error["code"], &error["column"]), (&json!("unknown_column"), &json!(8)), "{error}");
        let example = &error["example"]["arguments"];
        assert_eq!(example["sql"], "SELECT entity_id FROM events");
        shop.ask("run_sql", example);
    }
}
