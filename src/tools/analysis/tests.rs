//! The tool over a small store: what it is asked, and what it says.

use serde_json::{Value, json};

use crate::analysis::Analysis;
use crate::event::EventDraft;
use crate::tools::budget::tokens_of;
use crate::tools::fixture::{NOW, Shop, rows};

#[track_caller]
fn ask(shop: &Shop, arguments: &Value) -> Value {
    shop.ask("analyze_events", arguments)
}

#[track_caller]
fn refused(arguments: &Value, code: &str, part: &str) {
    let body = Shop::with_orders().refused("analyze_events", arguments, code);
    assert!(body["error"].to_string().contains(part), "{body:?}");
}

#[test]
fn every_analysis_answers_with_a_table_and_how_it_was_counted() {
    let shop = Shop::with_orders();
    for name in Analysis::NAMES {
        let answer = ask(&shop, &json!({"analysis": name}));
        assert!(answer.get("warnings").is_none(), "{answer:#}");
        assert!(answer["sql"].is_string() != answer["definition"].is_string(), "{answer:#}");
        // Ninety equal orders an hour apart hold no anomaly.
        let is_empty = answer["table"]["rows"].as_array().is_none_or(Vec::is_empty);
        assert_eq!(is_empty, ["anomalies", "profile"].contains(&name), "{name}: {answer:#}");
    }
}

#[test]
fn types_are_counted_and_the_answer_costs_little() {
    let shop = Shop::with_orders();
    let answer = ask(&shop, &json!({"analysis": "frequency", "event_type": "order.p*"}));
    assert_eq!(
        rows(&answer),
        [[json!("order.paid"), json!(90), json!(0.5)], [json!("order.placed"), json!(90), json!(0.5)]]
    );
    let sql = "SELECT event_type, count(*) FROM events WHERE starts_with(event_type, 'order.p') GROUP BY 1 ORDER BY 2 DESC";
    assert_eq!(answer["sql"], sql);
    assert!(tokens_of(&answer) <= 130, "{} {answer}", tokens_of(&answer));
}

#[test]
fn a_path_groups_and_a_path_is_measured() {
    let shop = Shop::with_orders();
    let answer = ask(
        &shop,
        &json!({"analysis": "frequency", "event_type": "order.placed", "by": "payload.customer.id", "value": "payload.total"}),
    );
    assert_eq!(answer["table"]["columns"][3], "mean(payload.total)");
    assert_eq!(rows(&answer)[0], [json!("c-0"), json!(13), json!(0.1444), json!(420)]);
    let sql = answer["sql"].as_str().expect("SQL");
    assert!(
        sql.contains("payload->'customer'->>'id', count(*), avg(TRY_CAST(payload->>'total' AS DOUBLE))"),
        "{sql}"
    );
}

#[test]
fn steps_are_followed_and_the_worst_is_marked() {
    let shop = Shop::with_orders();
    let late = ["order-90", "order-91"]
        .map(|order| EventDraft::new(order, "order.placed", "{}").expect("a draft").at(NOW));
    shop.append(late.to_vec());
    let steps = ["order.placed", "order.paid", "order.shipped"];
    let answer = ask(&shop, &json!({"analysis": "funnel", "steps": steps}));
    let reached: Vec<_> = rows(&answer).into_iter().map(|row| row[2].clone()).collect();
    assert_eq!(reached, [json!(92), json!(90), json!(90)]);
    assert_eq!(answer["worst_step"]["event_type"], "order.paid");
    assert_eq!(rows(&answer)[1][7], json!(["order-90", "order-91"]));
    let within = json!({"analysis": "funnel", "steps": steps, "window": "30m"});
    assert_eq!(rows(&ask(&shop, &within))[1][2], 0);
}

#[test]
fn without_steps_the_commonest_paths_are_ready_calls() {
    let shop = Shop::with_orders();
    let answer = ask(&shop, &json!({"analysis": "funnel", "until": "now"}));
    assert_eq!(
        rows(&answer)[0],
        [json!("order.placed > order.paid > order.shipped"), json!(89), json!(0.9889)]
    );
    let funnel = shop.follow(&answer);
    assert_eq!(rows(&funnel).len(), 3);
    // The filter went with it.
    assert_eq!(rows(&funnel)[2][2], 89);
}

#[test]
fn buckets_follow_the_calendar_of_the_zone() {
    let shop = Shop::with_orders();
    let answer = ask(
        &shop,
        &json!({"analysis": "time_series", "bucket": "day", "time_zone": "Europe/Berlin", "by": "event_type"}),
    );
    assert_eq!(answer["table"]["columns"][0], "day");
    assert_eq!(rows(&answer)[1], [json!("2024-02-29"), json!(8), json!(8), json!(8)]);
    assert!(answer["definition"].as_str().is_some_and(|said| said.contains("Europe/Berlin")), "{answer}");
    assert_eq!(answer["facts"]["unfinished"], "2024-03-10");
}

#[test]
fn what_is_asked_on_a_fork_or_of_the_past_is_answered_there() {
    let shop = Shop::with_orders();
    let fork = shop.fork();
    let events = json!([{"entity_id": "order-1", "event_type": "order.returned", "payload": {}}]);
    shop.ask("append_events", &json!({"branch": fork, "events": events}));
    let count = |beside: Value| {
        let mut arguments = json!({"analysis": "frequency", "entity_id": "order-1"});
        arguments.as_object_mut().expect("an object").extend(beside.as_object().cloned().expect("an object"));
        rows(&ask(&shop, &arguments)).len()
    };
    assert_eq!((count(json!({})), count(json!({"branch": fork}))), (3, 4));
    assert_eq!(count(json!({"as_of_position": 5})), 2);
}

#[test]
fn a_plot_and_a_chart_are_given_where_they_are_asked_for() {
    let shop = Shop::with_orders();
    let arguments = json!({"analysis": "time_series", "plot": true, "format": "svg"});
    let answer = shop.answer("analyze_events", &arguments);
    let plot = answer.body["plot"].as_str().expect("a plot");
    assert!(plot.lines().all(|line| line.chars().count() <= 60), "{plot}");
    let image = answer.image.expect("a chart");
    assert!(image.mime_type == "image/svg+xml" && image.text.contains("<polyline"), "{}", image.text);
    let without = json!({"analysis": "duration", "format": "svg"});
    let answer = shop.answer("analyze_events", &without);
    assert!(
        answer.image.is_none() && answer.body["warnings"][0] == "duration has nothing to draw",
        "{:?}",
        answer.body
    );
}

#[test]
fn a_sketch_says_how_far_off_it_may_be() {
    let shop = Shop::with_orders();
    let arguments =
        json!({"analysis": "frequency", "value": "payload.total", "aggregate": "p90", "approximate": true});
    let answer = ask(&shop, &arguments);
    assert!(answer["facts"]["error"].as_str().is_some_and(|error| error.contains("1 %")), "{answer}");
    let exact = json!({"analysis": "frequency", "value": "payload.total", "aggregate": "p90"});
    assert!(ask(&shop, &exact).pointer("/facts/error").is_none());
}

#[test]
fn pages_follow_each_other_while_events_arrive() {
    let shop = Shop::with_orders();
    let arguments = json!({"analysis": "frequency", "by": "entity_id", "limit": 40, "max_tokens": 600});
    let whole = ask(&shop, &json!({"analysis": "frequency", "by": "entity_id", "limit": 100}));
    let mut answer = ask(&shop, &arguments);
    assert_eq!(answer["total_rows"], 90);
    let (mut seen, mut pages) = (rows(&answer), 1);
    while let Some(cursor) = answer["next_cursor"].as_str() {
        shop.append_as("order-1", "{}");
        answer = ask(&shop, &json!({"cursor": cursor, "max_tokens": 600}));
        assert!(answer.get("sql").is_none());
        seen.extend(rows(&answer));
        pages += 1;
    }
    assert!(pages >= 3, "{pages}");
    assert_eq!(seen, rows(&whole));
}

#[test]
fn what_is_not_there_is_said() {
    let shop = Shop::with_orders();
    let answer = ask(&shop, &json!({"analysis": "frequency", "event_type": "order.payd"}));
    assert!(!rows(&shop.follow(&answer)).is_empty(), "{answer}");
    let answer = ask(&shop, &json!({"analysis": "frequency", "by": "payload.totl"}));
    assert!(answer["warnings"][0].as_str().is_some_and(|said| said.contains("payload.total")), "{answer}");
    let answer = ask(&shop, &json!({"analysis": "transitions", "key": "payload.customer.id"}));
    assert!(answer["warnings"][0].as_str().is_some_and(|said| said.starts_with("180 events")), "{answer}");
    let answer = ask(&shop, &json!({"analysis": "frequency", "value": "payload.currency"}));
    assert!(
        answer["warnings"][0].as_str().is_some_and(|said| said.contains("no event has a number")),
        "{answer}"
    );
    let nothing = ask(&Shop::empty(), &json!({"analysis": "profile"}));
    assert_eq!(nothing["matched"]["count"], 0);
}

#[test]
fn a_query_id_is_refined_whatever_the_analysis() {
    let shop = Shop::with_orders();
    let first = ask(&shop, &json!({"analysis": "frequency", "event_type": "order.paid"}));
    let again = ask(&shop, &json!({"refine": first["query_id"], "event_type": "order.shipped"}));
    assert_eq!(rows(&again)[0][0], "order.shipped");
    let found = shop.ask("query_events", &json!({"refine": first["query_id"], "limit": 1}));
    assert_eq!((&found["matched"]["count"], found.get("warnings")), (&json!(90), None));
}

#[test]
fn wrong_arguments_are_refused_with_what_is_right() {
    refused(&json!({"analysis": "funnels"}), "bad_argument", "funnel");
    refused(
        &json!({"analysis": "funnel", "steps": ["order.placed", "order.payed"]}),
        "unknown_event_type",
        "order.paid",
    );
    refused(&json!({"analysis": "funnel", "steps": ["order.placed"]}), "bad_argument", "2 to 20");
    refused(&json!({"analysis": "duration", "steps": ["order.placed"]}), "bad_argument", "give two");
    refused(
        &json!({"analysis": "trend", "steps": ["order.placed", "order.paid"]}),
        "bad_argument",
        "event_type",
    );
    refused(&json!({"analysis": "trend", "window": "1d"}), "bad_argument", "since");
    refused(&json!({"analysis": "funnel", "window": "soon"}), "bad_argument", "14d");
    refused(&json!({"analysis": "trend", "bucket": "fortnight"}), "bad_bucket", "week");
    refused(&json!({"analysis": "trend", "bucket": "1s"}), "too_many_buckets", "longer");
    refused(&json!({"analysis": "frequency", "aggregate": "average"}), "bad_aggregate", "mean");
    refused(&json!({"analysis": "frequency", "aggregate": "sum"}), "missing_argument", "payload.total");
    refused(&json!({"analysis": "frequency", "by": "status"}), "unknown_column", "payload.status");
    refused(&json!({"analysis": "frequency", "by": "payload.items[*].sku"}), "many_values", "[0]");
    refused(&json!({}), "missing_argument", "analysis");
}

#[test]
fn the_sql_of_an_answer_gives_its_rows() {
    #[track_caller]
    fn check(shop: &Shop, mut arguments: Value, columns: usize) {
        arguments["limit"] = 200.into();
        let answer = shop.ask("analyze_events", &arguments);
        let sql = answer["sql"].as_str().unwrap_or_else(|| panic!("no SQL: {answer:#}"));
        let again = shop.ask("run_sql", &json!({"sql": sql}));
        let rows = |answer: &Value| {
            let rows = answer["table"]["rows"].as_array().expect("rows").iter();
            let first = rows
                .map(|row| row.as_array().expect("a row").iter().take(columns).cloned().collect::<Vec<_>>());
            let mut rows: Vec<String> = first.map(|row| Value::Array(row).to_string()).collect();
            rows.sort();
            rows
        };
        assert_eq!(rows(&answer), rows(&again), "{sql}");
    }
    let shop = Shop::with_orders();
    check(&shop, json!({"analysis": "frequency"}), 2);
    check(
        &shop,
        json!({"analysis": "frequency", "by": "payload.customer.id", "event_type": "order.placed"}),
        2,
    );
    check(&shop, json!({"analysis": "frequency", "event_type": "order.p*", "as_of": "2024-03-09"}), 2);
    check(&shop, json!({"analysis": "transitions"}), 3);
}
