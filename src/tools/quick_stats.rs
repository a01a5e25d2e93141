//! `quick_stats`: what there is, for someone who knows nothing yet.

use serde_json::{Value, json};

use super::answer::Reply;
use super::argument::{Argument, BUDGET, FILTER, Field, Kind, LIMIT_DEFAULT, LIMIT_MAX};
use super::budget::cut;
use super::call::Call;
use super::compare::{self, COMPARE};
use super::fields::{every_field, fields};
use super::operations::told_of;
use super::reading::nearest_entities;
use super::{Hints, Object, Tool};
use crate::engine::{Tally, Values, View, tally};
use crate::error::{Error, Result};
use crate::event::filter::Path;
use crate::event::{Filter, Position, limits, nearest, quote};
use crate::store::{SegmentStats, StoreStats};

/// Names in a section when nothing else is asked for.
const NAMES_DEFAULT: usize = 20;
/// Nearest names of each kind for `find`.
const FOUND_MAX: usize = 5;
/// Paths whose values one call counts.
const TOP_PATHS_MAX: usize = 4;
/// Values shown of each.
const TOP_MAX: usize = 10;
/// Characters shown of a value.
const TOP_CHARS_MAX: usize = 80;
/// From this many events on that cannot be searched yet it is news: 10,000.
const LAG_TOLD_MIN: u64 = 10_000;
/// The most characters of `find`: every word is compared with every name, so its length is time.
const FIND_CHARS_MAX: usize = 2_000;
/// The most words of `find` that count, besides the whole of it.
const FIND_WORDS_MAX: usize = 16;

const SECTIONS: &[&str] = &["counts", "types", "fields", "time_range", "forks", "indexes", "limits"];
/// The sections of an answer when nothing else is asked for.
const DEFAULT_SECTIONS: [&str; 4] = ["counts", "types", "fields", "time_range"];

const ARGUMENTS: &[Argument] = &[
    Argument::optional("find", Kind::Text, "Words: the nearest types, paths, entities"),
    Argument::optional("metrics", Kind::Choices(SECTIONS), "Only these sections"),
    Argument::optional("top_values", Kind::Texts, "Paths (4): their commonest values, counted"),
    Argument::optional("limit", Kind::Integer { min: 1, max: LIMIT_MAX }, "Most names per section; 20"),
    COMPARE,
];

/// The tool.
pub(super) const TOOL: Tool = Tool {
    name: "quick_stats",
    title: "Quick stats",
    toolset: "explore",
    description: "Start here: what time it is, how many events and entities there are, which event types and paths, \
                  over which time. With filters it counts only the events that match, by type. top_values counts \
                  values, as in GROUP BY: who or what most. find takes words and gives the nearest types, paths and \
                  entities. Answers at once however large the store is, unless it has to look at every event \
                  (2 s at most). To see events use sample_events or query_events.",
    hints: Hints::READ,
    arguments: &[FILTER, ARGUMENTS, BUDGET],
    fields: &[
        Field::new("now", "string"),
        Field::new("found", "object"),
        Field::new("counts", "object"),
        Field::new("compare", "object"),
        Field::new("top_values", "object"),
        Field::new("types", "object"),
        Field::new("fields", "object"),
        Field::new("time_range", "object"),
        Field::new("indexed_through", "integer"),
        Field::new("forks", "integer"),
        Field::new("indexes", "object"),
        Field::new("limits", "object"),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"find": "late payment"}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let view = call.wish().over(call.snapshot()?, call.now)?;
    let stats = view.snapshot.stats()?;
    let paths = top_paths(call)?;
    let mut reply = Reply { head_position: Some(view.snapshot.head()), ..Reply::default() };
    reply.field("now", call.now.in_zone(view.zone).to_string());
    if let Some(words) = call.arguments.text("find") {
        let found = find(&view, &stats, words)?;
        if found.is_empty() {
            let said = quote(words);
            reply.warnings.push(format!("nothing is like {said}; without find you see what there is"));
        } else {
            reply.untrusted.push("/found");
            reply.field("found", Value::Object(found));
        }
        if !call.arguments.has("metrics") {
            return Ok(reply);
        }
    }
    let everything = view.filter == Filter::default() && !view.is_cut;
    let mut counted = if everything && paths.is_empty() {
        counted_by_index(&stats)
    } else {
        tally(&view, &paths, call.engine.clock().as_ref())?
    };
    reply.scanned_to = counted.scanned_to;
    reply.incomplete = counted.scanned_to.is_some();
    put_top_values(&mut reply, &paths, std::mem::take(&mut counted.values));
    call.warn_of_unknown_paths(&mut reply, &view, &[], &paths)?;
    compare::add(call, &view, &mut reply)?;
    if everything {
        counted = counted_by_index(&stats);
    }
    for section in sections(call) {
        put_section(call, &view, &stats, &counted, section, &mut reply)?;
    }
    if let Some(progress) = call.engine.running_indexer().and_then(|indexer| indexer.progress())
        && progress.lag() > LAG_TOLD_MIN
    {
        reply.field("indexed_through", progress.indexed_through.get());
    }
    if everything && view.snapshot.head() == Position::ZERO {
        reply.warnings.push("the store is empty; append_events or allsource import fills it".to_owned());
    } else if counted.events == 0 && !reply.incomplete {
        call.explain_nothing(&mut reply, &view)?;
    }
    Ok(reply)
}

fn sections(call: &Call<'_>) -> Vec<&'static str> {
    let asked = call.arguments.texts("metrics");
    if asked.is_empty() && call.arguments.has("top_values") {
        return vec!["counts"];
    }
    if asked.is_empty() {
        return DEFAULT_SECTIONS.to_vec();
    }
    SECTIONS.iter().copied().filter(|section| asked.contains(section)).collect()
}

/// The paths of `top_values`.
fn top_paths(call: &Call<'_>) -> Result<Vec<Path>> {
    let named = call.arguments.texts("top_values");
    if named.len() > TOP_PATHS_MAX {
        let message = format!(
            "count top_values: {} paths are given but at most {TOP_PATHS_MAX} are counted",
            named.len()
        );
        return Err(Error::invalid("bad_argument", message).with("argument", "top_values"));
    }
    let parse = |(index, text): (usize, &&str)| {
        Path::parse(text).map_err(|error| error.context(format!("top_values[{index}]")))
    };
    named.iter().enumerate().map(parse).collect()
}

fn put_top_values(reply: &mut Reply, paths: &[Path], values: Vec<Values>) {
    let mut shown = Object::new();
    for (path, Values { counts, is_partial }) in paths.iter().zip(values) {
        if is_partial {
            reply
                .warnings
                .push(format!("{} has too many different values to count all", quote(&path.to_string())));
        }
        let counts: Vec<(String, Value)> =
            counts.into_iter().map(|(value, count)| (cut(&value, TOP_CHARS_MAX), count.into())).collect();
        let pairs = counts.iter().map(|(value, count)| (value.as_str(), count.clone()));
        shown.insert(path.to_string(), some_of(pairs, TOP_MAX));
    }
    if !shown.is_empty() {
        reply.untrusted.push("/top_values");
        reply.field("top_values", Value::Object(shown));
    }
}

fn counted_by_index(stats: &StoreStats) -> Tally {
    Tally {
        events: stats.events,
        entities: stats.entities,
        types: stats.event_types.iter().map(|one| (one.event_type.clone(), one.count)).collect(),
        time_range: stats.time_range,
        ..Tally::default()
    }
}

fn put_section(
    call: &Call<'_>,
    view: &View,
    stats: &StoreStats,
    counted: &Tally,
    section: &'static str,
    reply: &mut Reply,
) -> Result<()> {
    let names_max = call.arguments.count("limit").unwrap_or(NAMES_DEFAULT);
    match section {
        "counts" => {
            reply.field(section, Value::Object(counts(view, stats, counted)));
            let forks = call.engine.live_forks()?.len();
            if forks > 0 && view.filter == Filter::default() {
                reply.field("forks", forks);
            }
        }
        "types" if !counted.types.is_empty() => {
            reply.untrusted.push("/types");
            let names = counted.types.iter().map(|(name, count)| (name.as_str(), Value::from(*count)));
            reply.field(section, some_of(names, names_max));
        }
        "fields" if counted.events > 0 => {
            let fields = fields(view, counted)?;
            reply.untrusted.push("/fields");
            let names = fields.iter().map(|(path, kinds)| (path.as_str(), Value::from(kinds.as_str())));
            reply.field(section, some_of(names, names_max));
        }
        "time_range" => {
            if let Some((first, last)) = counted.time_range {
                let (first, last) =
                    (first.in_zone(view.zone).to_string(), last.in_zone(view.zone).to_string());
                reply.field(section, json!({"first": first, "last": last}));
            }
        }
        "forks" => reply.field(section, call.engine.live_forks()?.len()),
        "indexes" => {
            let mut bytes = Object::new();
            bytes.insert("log_bytes".to_owned(), stats.log_bytes.into());
            bytes.insert("index_bytes".to_owned(), stats.index_bytes.into());
            let SegmentStats { count, bytes: segment_bytes, events, .. } = stats.segments;
            if count > 0 {
                let segments = json!({"count": count, "bytes": segment_bytes, "events": events});
                bytes.insert("segments".to_owned(), segments);
            }
            if let Some(progress) = call.engine.running_indexer().and_then(|indexer| indexer.progress()) {
                bytes.insert("search".to_owned(), Value::Object(told_of(&progress)));
            }
            reply.field(section, Value::Object(bytes));
        }
        "limits" => reply.field(section, limits_of_an_event()),
        _ => {}
    }
    Ok(())
}

/// The numbers; where the bytes lie is news once some lie in segments.
fn counts(view: &View, stats: &StoreStats, counted: &Tally) -> Object {
    let mut counts = Object::new();
    let mut put = |name: &str, value: Value| counts.insert(name.to_owned(), value);
    put("events", counted.events.into());
    put("entities", counted.entities.into());
    put("types", counted.types.len().into());
    let segments = stats.segments;
    if segments.count > 0 && view.filter == Filter::default() {
        if segments.emptied > 0 {
            put("emptied", segments.emptied.into());
        }
        let log = stats.log_bytes;
        put("bytes", json!({"log": log, "parquet": segments.bytes, "index": stats.index_bytes}));
    }
    counts
}

/// The event types, paths and entities whose names are nearest to the words.
fn find(view: &View, stats: &StoreStats, words: &str) -> Result<Object> {
    let chars = words.chars().count();
    if chars > FIND_CHARS_MAX {
        let message =
            format!("find: {chars} characters, but at most {FIND_CHARS_MAX} are taken; give a few words");
        return Err(Error::invalid("too_long", message)
            .with("argument", "find")
            .with("characters", chars)
            .with("characters_max", FIND_CHARS_MAX));
    }
    let paths = every_field(&view.snapshot)?;
    let types = || stats.event_types.iter().map(|one| one.event_type.as_str());
    // Each word counts for itself, the whole phrase first.
    let mut terms = vec![words];
    for word in words.split_whitespace() {
        if terms.len() > FIND_WORDS_MAX {
            break;
        }
        if !terms.contains(&word) {
            terms.push(word);
        }
    }
    let mut found = Object::new();
    let mut put = |name: &str, near: Vec<String>| {
        if !near.is_empty() {
            found.insert(name.to_owned(), near.into());
        }
    };
    put(
        "types",
        best(&terms, |term| nearest(term, types(), FOUND_MAX).into_iter().map(str::to_owned).collect()),
    );
    put("fields", best(&terms, |term| nearest_paths(term, &paths)));
    let mut entities = Vec::new();
    for term in &terms {
        entities.extend(nearest_entities(&view.snapshot, term, FOUND_MAX)?);
    }
    put("entities", best(&[""], |_| entities.clone()));
    Ok(found)
}

/// What the terms find, in their order, each name once.
fn best(terms: &[&str], search: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in terms.iter().flat_map(|term| search(term)) {
        if all.len() < FOUND_MAX && !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// The paths that are like the term, or one step of which is.
fn nearest_paths(term: &str, paths: &[(String, String)]) -> Vec<String> {
    // What every path begins with says nothing.
    let bare = |path: &str| {
        ["payload", "metadata"].iter().find_map(|root| path.strip_prefix(root).map(str::to_owned))
    };
    let names: Vec<(String, &str)> =
        paths.iter().filter_map(|(path, _)| Some((bare(path)?, path.as_str()))).collect();
    let near = nearest(term, names.iter().map(|(name, _)| name.as_str()), FOUND_MAX);
    let with_name = |near: &str| {
        let same = names.iter().filter(|(name, _)| name == near);
        same.map(|(_, path)| (*path).to_owned()).collect::<Vec<_>>()
    };
    near.into_iter().flat_map(with_name).collect()
}

/// The first names with their values; how many are left out is the last member.
fn some_of<'a>(names: impl ExactSizeIterator<Item = (&'a str, Value)>, max: usize) -> Value {
    let beyond = names.len().saturating_sub(max);
    let mut shown: Object = names.take(max).map(|(name, value)| (name.to_owned(), value)).collect();
    if beyond > 0 {
        shown.insert("…".to_owned(), format!("+{beyond}").into());
    }
    Value::Object(shown)
}

fn limits_of_an_event() -> Value {
    json!({
        "name_bytes": limits::NAME_BYTES_MAX,
        "payload_bytes": limits::PAYLOAD_BYTES_MAX,
        "metadata_bytes": limits::METADATA_BYTES_MAX,
        "batch_events": limits::BATCH_EVENTS_MAX,
        "batch_bytes": limits::BATCH_BYTES_MAX,
        "where_items": limits::CONDITIONS_MAX,
        "where_chars": limits::CONDITION_CHARS_MAX,
        "rows": LIMIT_MAX,
        "max_tokens": super::budget::TOKENS_MAX,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::tools::budget::tokens_of;
    use crate::tools::fixture::{NOW, Shop};

    #[track_caller]
    fn check(arguments: &Value, pointer: &str, expected: &Value) {
        let answer = Shop::with_orders().ask("quick_stats", arguments);
        assert_eq!(answer.pointer(pointer), Some(expected), "{answer}");
    }

    #[test]
    fn a_newcomer_sees_what_there_is() {
        check(&json!({}), "/counts", &json!({"events": 270, "entities": 90, "types": 3}));
        check(&json!({}), "/types", &json!({"order.paid": 90, "order.placed": 90, "order.shipped": 90}));
        check(&json!({}), "/time_range/last", &json!(NOW.to_string()));
        check(&json!({}), "/fields/payload.total", &json!("number"));
        check(&json!({}), "/now", &json!("2024-03-10T12:00:00Z"));
        check(&json!({"time_zone": "Europe/Berlin"}), "/now", &json!("2024-03-10T13:00:00+01:00"));
    }

    #[test]
    fn filters_count_what_matches() {
        check(
            &json!({"event_type": "order.paid"}),
            "/counts",
            &json!({"events": 90, "entities": 90, "types": 1}),
        );
        check(&json!({"entity_id": "order-4"}), "/counts", &json!({"events": 3, "entities": 1, "types": 3}));
        check(&json!({"since": "now-2h"}), "/counts/events", &json!(3));
        check(&json!({"as_of_position": 10}), "/counts/events", &json!(10));
        check(&json!({"where": ["payload.customer.id = 'c-3'"]}), "/counts/events", &json!(13));
    }

    #[test]
    fn only_the_sections_that_are_asked_for_are_there() {
        let answer = Shop::with_orders().ask("quick_stats", &json!({"metrics": ["limits", "indexes"]}));
        let names: Vec<&String> = answer.as_object().expect("an object").keys().collect();
        assert_eq!(names, ["query_id", "head_position", "now", "indexes", "limits"]);
        check(&json!({"metrics": ["types"], "limit": 2}), "/types/…", &json!("+1"));
    }

    #[test]
    fn words_find_names() {
        check(&json!({"find": "shiped"}), "/found/types/0", &json!("order.shipped"));
        check(&json!({"find": "customer"}), "/found/fields/0", &json!("payload.customer.id"));
        check(&json!({"find": "ordr-44"}), "/found/entities/0", &json!("order-44"));
        check(&json!({"find": "orders paid late"}), "/found/types/0", &json!("order.paid"));
    }

    #[test]
    fn values_are_counted_where_somebody_asks() {
        let paid = json!({"event_type": "order.paid", "top_values": ["payload.method", "metadata.actor"]});
        check(&paid, "/top_values/payload.method", &json!({"card": 90}));
        check(&paid, "/counts/events", &json!(90));
        let customers = json!({"top_values": ["payload.customer.id", "event_type"], "metrics": ["types"]});
        check(&customers, "/top_values/payload.customer.id/c-0", &json!(13));
        check(&customers, "/top_values/event_type/order.paid", &json!(90));
        check(&json!({"top_values": ["payload.parcel"]}), "/top_values/payload.parcel/…", &json!("+80"));
        let unknown = Shop::with_orders().ask("quick_stats", &json!({"top_values": ["payload.metod"]}));
        assert!(
            unknown["warnings"][0].as_str().is_some_and(|text| text.contains("payload.method")),
            "{unknown}"
        );
        let five = json!({"top_values": ["payload.a", "payload.b", "payload.c", "payload.d", "payload.e"]});
        Shop::empty().refused("quick_stats", &five, "bad_argument");
    }

    #[test]
    fn metadata_is_found_and_shown() {
        let shop = Shop::with_orders();
        shop.append_as("order-1", r#"{"actor":"ann","$client":{"name":"x"}}"#);
        let answer = shop.ask("quick_stats", &json!({}));
        assert_eq!(answer["fields"]["metadata.actor"], "string");
        assert!(!answer.to_string().contains("$client"), "{answer}");
        let found = shop.ask("quick_stats", &json!({"find": "actr"}));
        assert_eq!(found["found"]["fields"][0], "metadata.actor");
    }

    #[test]
    fn what_is_like_nothing_is_said_to_be() {
        let answer = Shop::with_orders().ask("quick_stats", &json!({"find": "xyzzy"}));
        assert!(answer["warnings"][0].as_str().is_some_and(|text| text.contains("\"xyzzy\"")), "{answer}");
        assert!(answer.get("found").is_none());
    }

    #[test]
    fn nothing_leads_on_and_empty_says_so() {
        let shop = Shop::with_orders();
        let found = shop.follow(&shop.ask("quick_stats", &json!({"event_type": "order.pad"})));
        assert_eq!(found["counts"]["events"], 90);
        let empty = Shop::empty().ask("quick_stats", &json!({}));
        assert_eq!(empty["counts"]["events"], 0);
        assert!(empty["warnings"][0].as_str().is_some_and(|text| text.contains("empty")));
    }

    #[test]
    fn a_query_id_is_refined_by_another_tool() {
        let shop = Shop::with_orders();
        let stats = shop.ask("quick_stats", &json!({"event_type": "order.paid", "find": "x", "limit": 1}));
        let events = shop.ask("query_events", &json!({"refine": stats["query_id"]}));
        assert_eq!(events["table"]["rows"][0][3], "order.paid");
        assert_eq!(events["table"]["rows"].as_array().map(Vec::len), Some(50), "limit is not a filter");
        assert!(events.get("warnings").is_none());
    }

    #[test]
    fn more_than_a_few_words_to_find_are_refused() {
        let shop = Shop::with_orders();
        let body = shop.refused("quick_stats", &json!({"find": "x ".repeat(1_001)}), "too_long");
        assert_eq!(body["error"]["argument"], "find");
        shop.ask("quick_stats", &json!({"find": "x ".repeat(1_000)}));
    }

    #[test]
    fn the_overview_is_small() {
        for shop in [Shop::with_orders(), Shop::with_orders().in_segments()] {
            let answer = shop.ask("quick_stats", &json!({}));
            assert!(tokens_of(&answer) <= 280, "{} {answer}", tokens_of(&answer));
        }
    }

    #[test]
    fn where_the_bytes_lie_is_told_once_some_lie_in_segments() {
        let asked = json!({"metrics": ["counts", "indexes"]});
        let shop = Shop::with_orders();
        let hot = shop.ask("quick_stats", &asked);
        assert_eq!((hot["counts"].get("bytes"), hot["indexes"].get("segments")), (None, None));
        let shop = shop.in_segments();
        let cold = shop.ask("quick_stats", &asked);
        let bytes = &cold["counts"]["bytes"];
        assert_eq!(
            cold["indexes"]["segments"],
            json!({"count": 1, "bytes": bytes["parquet"], "events": 270})
        );
        assert_eq!(
            (&bytes["log"], &bytes["index"]),
            (&cold["indexes"]["log_bytes"], &cold["indexes"]["index_bytes"])
        );
        assert_eq!(cold["counts"]["events"], 270);
        assert!(cold["counts"].get("emptied").is_none());
        let filtered = shop.ask("quick_stats", &json!({"event_type": "order.paid", "metrics": ["counts"]}));
        assert_eq!(filtered["counts"], json!({"events": 90, "entities": 90, "types": 1}));
    }
}
