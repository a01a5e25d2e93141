//! *What must every answer over a damaged store say?* Where it cannot be read, once, before anything else.
//!
//! **Invariant:** while damage is known no count is called exact, and no answer says "there is none" without the
//! warning that damage may be why.

use super::answer::Reply;
use crate::error::{Error, ErrorKind};
use crate::store::{Damage, Store};

/// How the warning begins.
const PREFIX: &str = "damaged: ";

/// The damage that opening a store found, as its answers tell it.
pub(super) struct Damaged {
    warning: Option<String>,
}

impl Damaged {
    /// What the store knows.
    pub(super) fn of(store: &Store) -> Self {
        Self { warning: warning(store.damage()) }
    }

    /// The warning of every answer.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> + use<> {
        self.warning.clone().into_iter()
    }

    /// A reply whose count is not exact any more.
    pub(super) fn temper(&self, reply: &mut Reply) {
        if let (Some(_), Some(matched)) = (&self.warning, &mut reply.matched) {
            matched.exact = false;
        }
    }

    /// A refusal that says when damage may be why something was not found.
    pub(super) fn explain(&self, error: Error) -> Error {
        match &self.warning {
            Some(warning) if error.kind() == ErrorKind::NotFound => {
                let place = warning.strip_prefix(PREFIX).unwrap_or(warning);
                error.caused_by(format!("it may be there but damaged: {place}"))
            }
            _ => error,
        }
    }
}

fn warning(damage: &[Damage]) -> Option<String> {
    let worst = damage.iter().find(|place| place.loses_positions()).or(damage.first())?;
    let Damage { file, first_position, last_position, reason, .. } = worst;
    let others = match damage.len() {
        1 => String::new(),
        2 => " and 1 more place".to_owned(),
        count => format!(" and {} more places", count - 1),
    };
    let place = if worst.loses_positions() {
        let positions = if first_position == last_position {
            format!("position {first_position}")
        } else {
            format!("positions {first_position} to {last_position}")
        };
        format!("{positions} of {file}{others} cannot be read")
    } else {
        format!("{file}{others}: {reason}")
    };
    Some(format!(
        "{PREFIX}{place}; counts, states and searches leave out what cannot be read; see allsource verify"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::event::EventDraft;
    use crate::tools::TOOLS;
    use crate::tools::fixture::Shop;

    /// Four entities of one event each, of which the second can no longer be read.
    fn damaged() -> Shop {
        let shop = Shop::empty();
        for name in ["order-1", "order-lost", "order-3", "order-4"] {
            let payload = json!({"of": name}).to_string();
            shop.append(vec![EventDraft::new(name, "order.placed", payload).expect("a draft")]);
        }
        shop.damaged(br#"{"of":"order-lost"}"#)
    }

    #[track_caller]
    fn warns(answer: &Value) {
        let first = answer["warnings"][0].as_str().unwrap_or_default();
        assert!(first.starts_with("damaged: position 2 of 00000000000000000001.log"), "{answer}");
        assert!(first.contains("allsource verify"), "{answer}");
    }

    /// With one flipped byte in the log a store of this kind answered `matched 3, exact` for a type that had four
    /// events, counted the lost one among all, and said that its entity had never been.
    #[test]
    fn every_answer_over_a_damaged_store_says_so() {
        let shop = damaged();
        for tool in TOOLS.iter().filter(|tool| tool.hints.read_only) {
            let arguments: Value = serde_json::from_str(tool.example).expect("an example");
            warns(&Value::Object(shop.answer(tool.name, &arguments).body));
        }
        warns(&Value::Object(shop.answer("query_events", &json!({"nonsense": 1})).body));
    }

    #[test]
    fn a_count_over_a_damaged_store_is_not_exact() {
        let shop = damaged();
        for arguments in [json!({}), json!({"event_type": "order.placed"}), json!({"entity_id": "order-*"})] {
            let mut arguments = arguments;
            arguments["limit"] = 1.into();
            let answer = shop.ask("query_events", &arguments);
            assert_eq!(answer["matched"], json!({"count": 3, "exact": false}), "{answer}");
        }
        let stats = shop.ask("quick_stats", &json!({}));
        assert_eq!(stats["counts"], json!({"events": 3, "entities": 3, "types": 1}));
        assert_eq!(stats["types"]["order.placed"], 3);
    }

    #[test]
    fn what_is_not_found_may_be_damaged() {
        let shop = damaged();
        let body = shop.refused("get_entity_state", &json!({"entity_id": "order-lost"}), "unknown_entity");
        let message = body["error"]["message"].as_str().expect("a message");
        assert!(message.contains("it may be there but damaged: position 2"), "{message}");
        warns(&shop.ask("query_events", &json!({"entity_id": "order-lost"})));
    }

    #[test]
    fn a_whole_store_has_nothing_to_say() {
        let answer = Shop::with_orders().ask("query_events", &json!({"limit": 1}));
        assert!(answer.get("warnings").is_none(), "{answer}");
        assert_eq!(answer["matched"]["exact"], true);
    }
}
