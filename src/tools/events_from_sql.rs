//! Events that a statement makes: what `append_events` stores on a fork when it is given `from_sql`.

use std::collections::HashMap;

use datafusion::arrow::array::RecordBatch;
use serde_json::Value;

use super::Object;
use super::append_events::{draft, expectation};
use super::call::Call;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EntityId, EventDraft, Expected, TimeZone, quote};
use crate::sql::{RunLimits, run, value};

/// The most events of one statement: 100,000, as of one append.
const EVENTS_MAX: usize = 100_000;
/// The most bytes of rows: 256 MiB, of which the append takes 64.
const BYTES_MAX: usize = 256 << 20;

/// The columns that a row is read from.
const COLUMNS: [&str; 6] =
    ["entity_id", "event_type", "payload", "metadata", "timestamp", "expected_version"];
/// Those that it must have.
const REQUIRED: [&str; 3] = ["entity_id", "event_type", "payload"];

/// What a statement makes: events, and the versions that it expects.
type Made = (Vec<EventDraft>, Vec<(EntityId, Expected)>);

/// The events that a statement over the fork gives, a row each in their order, and which versions it expects.
///
/// # Errors
/// `Denied` (`forks_only`) on `main`, `Invalid` when a column is missing or strange or a row is no event, `Exhausted`
/// (`too_many_events`), and those of running it.
pub(super) fn events_of(call: &Call<'_>, sql: &str) -> Result<Made> {
    if !call.engine.store().is_fork() {
        let message = "append from_sql to branch main: a statement makes events on forks only; make one with create_sandbox_fork, look at it with diff_fork, then promote_fork";
        return Err(Error::new(ErrorKind::Denied, "forks_only", message).with("argument", "branch"));
    }
    let view = call.wish().over(call.snapshot()?, call.now)?;
    let limits = RunLimits { rows_max: EVENTS_MAX, bytes_max: BYTES_MAX, ..RunLimits::AGENT };
    let outcome =
        run(&call.engine, &view, call.now, sql, limits, false).map_err(|error| error.context("from_sql"))?;
    let names: Vec<String> = outcome.schema.fields().iter().map(|field| field.name().clone()).collect();
    check_columns(&names)?;
    if outcome.rows > u64::try_from(outcome.kept()).unwrap_or(u64::MAX) {
        let message = format!(
            "append from_sql: it gives {} rows and more than {} or 256 MiB are not taken in one call; do it in parts, such as WHERE entity_id < 'm'",
            outcome.rows, EVENTS_MAX
        );
        return Err(Error::new(ErrorKind::Exhausted, "too_many_events", message).with("rows", outcome.rows));
    }
    let mut events = Vec::with_capacity(outcome.kept());
    let mut expected: HashMap<EntityId, Expected> = HashMap::new();
    for item in outcome.batches.iter().flat_map(|batch| items(batch, &names)) {
        let row = events.len();
        let in_row = |error: Error| error.context(format!("row {row} of from_sql")).with("stored", 0);
        let mut item = item.map_err(in_row)?;
        let wanted = item.shift_remove("expected_version");
        let event = draft(&item, call.now).map_err(in_row)?;
        if let Some(wanted) = wanted.as_ref().and_then(Value::as_i64) {
            let wanted = expectation(wanted).map_err(in_row)?;
            let entity = event.entity_id.clone();
            expected.entry(entity).or_insert(wanted);
        }
        events.push(event);
    }
    if events.is_empty() {
        let message = "append from_sql: the statement gives no row, so there is nothing to append; run it with run_sql on the same branch";
        return Err(Error::invalid("empty_batch", message));
    }
    let mut expected: Vec<_> = expected.into_iter().collect();
    expected.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
    Ok((events, expected))
}

fn check_columns(names: &[String]) -> Result<()> {
    let missing: Vec<&str> =
        REQUIRED.into_iter().filter(|wanted| !names.iter().any(|name| name == wanted)).collect();
    let strange: Vec<String> =
        names.iter().filter(|name| !COLUMNS.contains(&name.as_str())).map(|name| quote(name)).collect();
    let what = match (missing.as_slice(), strange.as_slice()) {
        ([], []) => return Ok(()),
        ([], strange) => format!("it has the columns {}, which mean nothing here", strange.join(", ")),
        (missing, _) => format!("the column {} is missing", missing.join(", ")),
    };
    let message = format!(
        "append from_sql: {what}; give entity_id, event_type, payload and if you like metadata, timestamp, expected_version, each with AS; a payload is named_struct('key', value, …) or JSON text"
    );
    Err(Error::invalid("bad_columns", message).with("columns", names.to_vec()))
}

/// The rows of a batch as events of a call; what is NULL is left out.
fn items<'b>(batch: &'b RecordBatch, names: &'b [String]) -> impl Iterator<Item = Result<Object>> + 'b {
    (0..batch.num_rows()).map(move |row| {
        let mut item = Object::new();
        for (name, column) in names.iter().zip(batch.columns()) {
            let cell = value(column.as_ref(), row, TimeZone::UTC);
            let cell = match (name.as_str(), cell) {
                (_, Value::Null) => continue,
                ("payload" | "metadata", Value::String(text)) => document(name, &text)?,
                (_, cell) => cell,
            };
            item.insert(name.clone(), cell);
        }
        Ok(item)
    })
}

fn document(name: &str, text: &str) -> Result<Value> {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Error::invalid("not_an_object", format!("{name}: {} is no JSON object", quote(text)))),
        Err(mistake) => {
            let message = format!(
                "{name}: {} is no JSON ({mistake}); named_struct('key', value) makes it",
                quote(text)
            );
            Err(Error::invalid("not_json", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::tools::fixture::Shop;

    fn append(shop: &Shop, sql: &str) -> Value {
        shop.ask("append_events", &json!({"branch": shop.fork(), "from_sql": sql}))
    }

    #[track_caller]
    fn refused(shop: &Shop, arguments: &Value, code: &str) {
        let answer = shop.answer("append_events", arguments);
        assert_eq!(answer.body["error"]["code"], code, "{:?}", answer.body);
    }

    #[test]
    fn the_rows_of_a_statement_become_events_of_a_fork() {
        let shop = Shop::with_orders();
        let fork = shop.fork();
        let sql = "SELECT entity_id, 'order.flagged' AS event_type, named_struct('total', total, 'rule', 'large') AS payload, \
                   named_struct('actor', 'rule-1') AS metadata, timestamp, 3 AS expected_version \
                   FROM order.placed WHERE total >= 800";
        let arguments = json!({"branch": fork, "from_sql": sql});
        let mut dry = arguments.clone();
        dry["dry_run"] = true.into();
        assert_eq!(shop.ask("append_events", &dry)["dry_run"], true);
        let answer = shop.ask("append_events", &arguments);
        assert_eq!(answer["positions"].as_array().expect("positions").len(), 10, "{answer}");
        let check = "SELECT count(*), min(payload.rule), min(metadata.actor), sum(total) FROM order.flagged";
        let rows = &shop.ask("run_sql", &json!({"sql": check, "branch": fork}))["table"]["rows"];
        assert_eq!(*rows, json!([[10, "large", "rule-1", 8450]]));
        let nothing = shop.answer("run_sql", &json!({"sql": check}));
        assert_eq!(nothing.body["error"]["code"], "unknown_table", "main knows nothing of it");
        refused(&shop, &arguments, "version_conflict");
    }

    #[test]
    fn many_events_are_told_by_their_ends() {
        let shop = Shop::with_orders();
        let sql = "SELECT entity_id, 'order.seen' AS event_type, '{\"seen\":true}' AS payload FROM entities ORDER BY entity_id";
        let answer = append(&shop, sql);
        assert_eq!((&answer["appended"], &answer["positions"]), (&json!(90), &json!([271, 360])), "{answer}");
    }

    #[test]
    fn what_is_no_event_is_refused_whole() {
        let shop = Shop::with_orders();
        let fork = shop.fork();
        let with = |sql: &str| json!({"branch": fork, "from_sql": sql});
        refused(&shop, &json!({"branch": "main", "from_sql": "SELECT 1"}), "forks_only");
        refused(&shop, &with("SELECT entity_id FROM events"), "bad_columns");
        refused(
            &shop,
            &with("SELECT 'a' AS entity_id, 'b' AS event_type, '{}' AS payload, 1 AS x"),
            "bad_columns",
        );
        refused(&shop, &with("SELECT 'a' AS entity_id, 'b' AS event_type, 'x' AS payload"), "not_json");
        refused(
            &shop,
            &with("SELECT 'a' AS entity_id, 'b' AS event_type, '[1]' AS payload"),
            "not_an_object",
        );
        refused(&shop, &with("SELECT '' AS entity_id, 'b' AS event_type, '{}' AS payload"), "empty_name");
        refused(&shop, &with("SELECT entity_id, event_type, payload FROM events WHERE false"), "empty_batch");
        refused(&shop, &with("SELECT nothing FROM events"), "unknown_column");
        let many =
            "SELECT 'a' AS entity_id, 'b' AS event_type, '{}' AS payload FROM generate_series(1, 100001)";
        refused(&shop, &with(many), "too_many_events");
        let both = json!({"branch": fork, "from_sql": "SELECT 1", "events": []});
        refused(&shop, &both, "bad_argument");
        let count = json!({"sql": "SELECT count(*) FROM events", "branch": fork});
        assert_eq!(shop.ask("run_sql", &count)["table"]["rows"], json!([[270]]));
    }
}
