//! `get_query_advice`: which calls answer a question in this store, and what to beware of.

use super::advice::{Facts, Question, advise};
use super::answer::Reply;
use super::argument::{Argument, BRANCH, BUDGET, Field, Kind, LIMIT_DEFAULT};
use super::call::Call;
use super::{Hints, Tool};
use crate::engine::Profile;
use crate::error::{Error, Result};
use crate::event::EntityId;
use crate::store::Snapshot;

/// The most characters of the question and of its context.
const WORDS_CHARS_MAX: usize = 2_000;
/// The most words that are tried as the name of an entity.
const ENTITY_WORDS_MAX: usize = 40;

const ARGUMENTS: &[Argument] = &[
    Argument::required("use_case", Kind::Text, "Use case, or what you want to know"),
    Argument::optional("context", Kind::Text, "More words: entities, types, fields"),
    BRANCH,
];

/// The tool.
pub(super) const TOOL: Tool = Tool {
    name: "get_query_advice",
    title: "Get query advice",
    toolset: "explore",
    description: "How to answer a question from this store: a short plan of calls that can be sent as they are, with the \
                  store's real types, paths and entities, why each, about how many rows, tokens and ms; what would mislead here; the \
                  craft behind it. use_case is audit_trail, user_analytics, debugging, compliance, performance_analysis \
                  or a question in plain words. Use it when you do not know where to begin; not for the answer itself.",
    hints: Hints::READ,
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("use_case", "string"),
        Field::new("plan", "array"),
        Field::new("pitfalls", "array"),
        Field::new("craft", "array"),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"use_case": "debugging", "context": "payments that were declined"}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let use_case = words(call, "use_case")?;
    let context = words(call, "context")?;
    let snapshot = call.snapshot()?;
    let profile = Profile::of(&snapshot, call.engine.clock().as_ref())?;
    let mut facts = Facts::new(&profile);
    facts.spoken_of = entity_in(&snapshot, &format!("{context} {use_case}"))?;
    let question = Question::new(use_case, context, &profile);
    let advice = advise(&facts, &question);

    let mut reply = Reply::default();
    if question.is_free {
        reply.field("use_case", question.use_case.name());
    }
    reply.untrusted.push("/plan");
    reply.field("plan", advice.plan);
    if !advice.pitfalls.is_empty() {
        reply.untrusted.push("/pitfalls");
        reply.field("pitfalls", advice.pitfalls);
    }
    if !advice.craft.is_empty() {
        reply.field("craft", advice.craft);
    }
    Ok(reply)
}

fn words<'c>(call: &'c Call<'_>, name: &'static str) -> Result<&'c str> {
    let text = call.arguments.text(name).unwrap_or_default();
    let characters = text.chars().count();
    if characters > WORDS_CHARS_MAX {
        let message = format!(
            "advise: {name} has {characters} characters, but at most {WORDS_CHARS_MAX} are read; say it in a sentence or two"
        );
        return Err(Error::invalid("bad_argument", message).with("argument", name));
    }
    Ok(text)
}

/// The first word that names an entity of the store, and how many events it has.
fn entity_in(snapshot: &Snapshot, text: &str) -> Result<Option<(EntityId, u64)>> {
    for word in text.split_whitespace().take(ENTITY_WORDS_MAX) {
        let word = word.trim_matches(['"', '\'', ',', '.', ';', '?', '!', '(', ')', '`']);
        let Ok(id) = EntityId::new(word) else { continue };
        if let Some(head) = snapshot.entity_head(&id)? {
            return Ok(Some((id, head.version.get())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::event::{EventDraft, Timestamp};
    use crate::tools::budget::tokens_of;
    use crate::tools::fixture::{NOW, Shop};

    const USE_CASES: [&str; 5] =
        ["audit_trail", "user_analytics", "debugging", "compliance", "performance_analysis"];

    /// Sensor readings: one huge entity, large payloads, an actor in metadata, times that jump back, a rare alarm.
    fn plant() -> Shop {
        let shop = Shop::empty();
        let bulk = "x".repeat(2_000);
        let events = (0..2_400_i64).map(|n| {
            let kind = if n == 1_200 { "sensor failed" } else { "Reading" };
            let payload = format!(
                r#"{{"celsius":{}.5,"state":"{}","raw":"{bulk}"}}"#,
                n % 97,
                ["ok", "warm"][usize::from(n % 5 == 0)]
            );
            let entity = if n % 2 == 0 { "boiler/1".to_owned() } else { format!("boiler/{}", n % 40) };
            let draft = EventDraft::new(&entity, kind, payload).expect("a draft");
            let back = if n % 10 == 0 { 90 } else { 0 };
            let at = Timestamp::from_micros(NOW.as_micros() - (2_400 - n + back) * 1_000_000);
            draft.with_metadata(r#"{"actor":"plc-4","causation_id":"c-1"}"#).expect("metadata").at(at)
        });
        shop.append(events.collect());
        shop
    }

    /// Every call of the plan is sent: all must be taken.
    #[track_caller]
    fn check(shop: &Shop, arguments: &Value) -> Value {
        let advice = shop.ask("get_query_advice", arguments);
        let plan = advice["plan"].as_array().expect("a plan");
        assert!((1..=6).contains(&plan.len()), "{advice:#}");
        for step in plan {
            let answer = shop.ask(step["tool"].as_str().expect("a tool"), &step["arguments"]);
            // That nothing is close is for the search to say, when it was done.
            let is_search = step["tool"] == "hybrid_search";
            assert!(is_search || answer.get("warnings").is_none(), "{step:#} {answer:#}");
            let (said, real) = (step["tokens"].as_u64().expect("an estimate"), tokens_of(&answer) as u64);
            let is_near = real <= 2 * said && (step.get("rows").is_none() || said <= 3 * real);
            assert!(is_near, "{said} tokens were estimated for {real}: {step:#}");
            assert!(step["why"].as_str().is_some_and(|why| why.len() < 200), "{step}");
        }
        assert!(tokens_of(&advice) < 1_200, "{} tokens: {advice:#}", tokens_of(&advice));
        advice
    }

    #[track_caller]
    fn says(advice: &Value, parts: &[&str]) {
        let text = advice.to_string();
        for part in parts {
            assert!(text.contains(part), "{part} is missing in {advice:#}");
        }
    }

    #[test]
    fn every_call_of_every_plan_can_be_sent() {
        for shop in [Shop::with_orders(), plant()] {
            for use_case in USE_CASES {
                check(&shop, &json!({"use_case": use_case}));
            }
            check(&shop, &json!({"use_case": "what is in here?"}));
        }
    }

    #[test]
    fn different_stores_get_different_advice() {
        let plant = check(&plant(), &json!({"use_case": "performance_analysis"}));
        says(&plant, &["boiler/1", "payload.celsius >=", "bytes on average", "alone has"]);
        assert!(!plant.to_string().contains("**Streams.**"), "{plant}");
        let shop = check(&Shop::with_orders(), &json!({"use_case": "audit_trail"}));
        says(&shop, &["order-", "nothing here says who acted", "**Two times.**"]);
        assert!(!shop.to_string().contains("boiler"));
    }

    #[test]
    fn debugging_begins_with_what_failed() {
        let advice = check(&plant(), &json!({"use_case": "debugging"}));
        assert_eq!(advice.pointer("/plan/0/arguments/event_type"), Some(&json!("sensor failed")));
        assert_eq!(advice.pointer("/plan/0/rows"), Some(&json!(1)));
        says(&advice, &["happened before their predecessor"]);
    }

    #[test]
    fn plain_words_find_their_use_case_and_the_stores_names() {
        let shop = Shop::with_orders();
        let advice = check(&shop, &json!({"use_case": "Why are some parcels shipped so late?"}));
        says(&advice, &["order.shipped", "payload.parcel"]);
        assert_eq!(advice["use_case"], "debugging");
        let advice = check(&shop, &json!({"use_case": "audit trail", "context": "of order-17, please"}));
        says(&advice, &["order-17"]);
        assert!(advice.get("use_case").is_none());
    }

    #[test]
    fn who_or_which_most_is_one_call() {
        let ask = |question: &str| check(&plant(), &json!({"use_case": question}))["plan"][0].clone();
        let step = ask("Who sent most readings?");
        assert_eq!(
            (&step["tool"], &step["arguments"]),
            (&json!("quick_stats"), &json!({"top_values": ["metadata.actor"], "event_type": "Reading"}))
        );
        let step = ask("Which state is most frequent?");
        assert_eq!(step["arguments"]["top_values"], json!(["payload.state"]));
    }

    #[test]
    fn what_many_events_add_up_to_is_one_call() {
        let shop = Shop::with_orders();
        let ask = |question: &str| check(&shop, &json!({"use_case": question}))["plan"][0].clone();
        for (question, arguments) in [
            (
                "How long does it take from order.paid to order.shipped?",
                json!({"analysis": "duration", "steps": ["order.paid", "order.shipped"]}),
            ),
            ("What is the conversion of orders?", json!({"analysis": "funnel"})),
            (
                "How many orders are placed per day?",
                json!({"analysis": "time_series", "event_type": "order.placed", "bucket": "day"}),
            ),
            ("Which process do orders follow?", json!({"analysis": "transitions"})),
            ("Is the number of parcels growing?", json!({"analysis": "trend"})),
        ] {
            let step = ask(question);
            assert_eq!(
                (&step["tool"], &step["arguments"]),
                (&json!("analyze_events"), &arguments),
                "{question}"
            );
        }
    }

    #[test]
    fn times_numbers_and_entities_of_the_words_are_used() {
        let shop = Shop::with_orders();
        let advice = check(&shop, &json!({"use_case": "What was order-7 on 2024-03-02?"}));
        let state = json!({"entity_id": "order-7", "as_of": "2024-03-02T23:59:59Z"});
        assert_eq!(advice["plan"][0]["arguments"], state, "{advice:#}");
        let advice = check(&shop, &json!({"use_case": "orders with a total over 500 in the last week"}));
        says(&advice, &["payload.total > 500", "\"since\":\"2024-03-03T12:00:00Z\""]);
    }

    #[test]
    fn the_craft_of_writing_is_for_who_asks_about_it() {
        let advice = check(&Shop::with_orders(), &json!({"use_case": "How should I model returns?"}));
        says(&advice, &["**Streams.**"]);
        let advice = check(&Shop::with_orders(), &json!({"use_case": "what is in here?"}));
        assert!(advice.get("craft").is_none(), "{advice:#}");
    }

    #[test]
    fn a_field_that_is_only_null_is_never_proposed() {
        let shop = Shop::with_orders();
        let events = (0..50)
            .map(|_| EventDraft::new("order-1", "order.noted", r#"{"refund":null}"#).expect("a draft"));
        shop.append(events.collect());
        let advice = check(&shop, &json!({"use_case": "what about the refund?"}));
        assert!(!advice.to_string().contains("payload.refund"), "{advice:#}");
    }

    #[test]
    fn an_empty_store_is_told_how_to_begin() {
        let advice = check(&Shop::empty(), &json!({"use_case": "compliance"}));
        assert_eq!(advice.pointer("/plan/0/tool"), Some(&json!("append_events")));
        assert!(advice.get("pitfalls").is_none());
    }

    #[test]
    fn a_novel_is_refused() {
        Shop::empty().refused("get_query_advice", &json!({"use_case": "x".repeat(2_001)}), "bad_argument");
        Shop::empty().refused("get_query_advice", &json!({}), "missing_argument");
    }
}
