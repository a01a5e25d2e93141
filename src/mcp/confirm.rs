//! *Who says that something may change for good?* The person at the client, where it can ask one: before a promotion, and before
//! events that are nowhere else are dropped, they are shown what it would do.
//!
//! Up to protocol version 2025-11-25 the server asks while the call runs. From 2026-07-28 on the call is answered with the
//! question, and the client sends it again with what the person said and with the name under which this server keeps what it
//! asked. That name says nothing and is good once, so nothing that a client sends back has to be believed.
//!
//! **Invariant:** a yes stands for one difference: that which the person was shown.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use rmcp::model::{
    ClientCapabilities, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, InputRequest, InputRequiredResult, InputResponses,
};
use serde_json::{Value, json};

use crate::clock::{IdSource, SystemIds};
use crate::door::Host;
use crate::engine::Caller;
use crate::error::{Error, ErrorKind};
use crate::event::quote;
use crate::tools::{Answer, Object};

/// The tools that a person is asked about; the last two where they would drop events.
const PROMOTE: &str = "promote_fork";
const DISCARD: &str = "discard_fork";
const UPDATE: &str = "update_fork";
/// The argument without which the tools refuse, and the member of their answers that holds it.
const TOKEN: &str = "confirmation_token";
/// The name of the question in the answer to a call.
const QUESTION: &str = "agree";
/// How long a person is waited for while a call runs: 10 minutes.
pub(super) const WAIT_MAX: Duration = Duration::from_mins(10);
/// How many questions may be open: 64. The oldest is forgotten.
const OPEN_MAX: usize = 64;

/// What a person is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// In words.
    text: String,
    /// What a yes stands for.
    pub(super) diff: String,
}

impl Question {
    /// The question as a form without fields: accepting it is the yes.
    pub(super) fn form(&self) -> ElicitRequestParams {
        ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: self.text.clone(),
            requested_schema: ElicitationSchema::new(std::collections::BTreeMap::new()),
        }
    }
}

/// Whether a call would change a branch for good, so that a person is asked where one can be.
pub(super) fn is_asked_about(tool: &str, arguments: &Object) -> bool {
    let is_set = |name: &str| {
        arguments.get(name).is_some_and(|value| value == &Value::Bool(true) || value.as_str() == Some("true"))
    };
    match tool {
        PROMOTE => !is_set("dry_run"),
        DISCARD => true,
        UPDATE => is_set("reset"),
        _ => false,
    }
}

/// Whether a client can put a form before a person.
pub(super) fn can_ask(client: Option<&ClientCapabilities>) -> bool {
    let elicitation = client.and_then(|client| client.elicitation.as_ref());
    // Before there were links to open, a client said only that it can ask.
    elicitation.is_some_and(|can| can.form.is_some() || can.url.is_none())
}

/// What to ask before a call, or its answer where there is nothing to ask.
pub(super) fn question(
    host: &Host,
    caller: &Caller,
    tool: &str,
    arguments: &Object,
) -> Result<Question, Answer> {
    if tool == PROMOTE {
        before_promotion(host, caller, arguments)
    } else {
        before_a_drop(host, caller, tool, arguments)
    }
}

/// What to ask before events are dropped: the tool refuses without a token, and says what would be lost.
fn before_a_drop(host: &Host, caller: &Caller, tool: &str, arguments: &Object) -> Result<Question, Answer> {
    let mut trial = arguments.clone();
    trial.shift_remove(TOKEN);
    let answer = host.call(tool, &trial, caller);
    let error = answer.body.get("error");
    let Some(diff) = error.and_then(|error| error.get(TOKEN)).and_then(Value::as_str) else {
        return Err(answer);
    };
    let events = error.and_then(|error| error.get("events")).and_then(Value::as_u64).unwrap_or(0);
    let fork = quote(arguments.get("fork_id").and_then(Value::as_str).unwrap_or_default());
    let counted =
        if events == 1 { "1 event that is".to_owned() } else { format!("{events} events that are") };
    let (verb, after) = match tool {
        DISCARD => ("Discard", "For 24 hours it can be restored."),
        _ => ("Reset", "They cannot be brought back."),
    };
    let made_for = match &*purpose(host, caller, arguments) {
        "" => String::new(),
        purpose => format!(" It was made for {}.", quote(purpose)),
    };
    let text = format!("{verb} fork {fork}? It holds {counted} nowhere else.{made_for} {after}");
    Ok(Question { text, diff: diff.to_owned() })
}

/// What to ask before a promotion.
fn before_promotion(host: &Host, caller: &Caller, arguments: &Object) -> Result<Question, Answer> {
    let mut trial = arguments.clone();
    trial.insert("dry_run".to_owned(), true.into());
    let dry = host.call(PROMOTE, &trial, caller);
    if dry.is_error {
        return Err(dry);
    }
    let number = |name: &str| dry.body.get(name).and_then(Value::as_u64).unwrap_or(0);
    let diff = dry.body.get("confirmation_token").and_then(Value::as_str).unwrap_or_default().to_owned();
    if dry.body.contains_key("parent") {
        // Main does not change: the token shows that somebody looked.
        return Err(host.call(PROMOTE, arguments, caller));
    }
    if dry.body.get("duplicate") == Some(&Value::Bool(true)) {
        // What was promoted stays promoted: that changes nothing, and there is nothing to ask.
        return Err(confirmed(host, caller, PROMOTE, arguments, diff));
    }
    if number("events") == 0 {
        return Err(dry);
    }
    let text = words(&purpose(host, caller, arguments), arguments, number);
    Ok(Question { text, diff })
}

/// The call, after a yes.
pub(super) fn confirmed(
    host: &Host,
    caller: &Caller,
    tool: &str,
    arguments: &Object,
    diff: String,
) -> Answer {
    let caller = Caller { confirmed: Some(diff), ..caller.clone() };
    host.call(tool, arguments, &caller)
}

/// What the fork is for, as whoever made it said.
fn purpose(host: &Host, caller: &Caller, arguments: &Object) -> String {
    let wanted = arguments.get("fork_id").map(|id| Object::from_iter([("fork_id".to_owned(), id.clone())]));
    let listed = wanted.map(|wanted| host.call("list_forks", &wanted, caller).body).unwrap_or_default();
    let purpose = listed.get("forks").and_then(|forks| forks.pointer("/0/purpose"));
    purpose.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn words(purpose: &str, arguments: &Object, number: impl Fn(&str) -> u64) -> String {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let counted =
        |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let added = counted(number("events"), "event", "events");
    let entities = counted(number("entity_count"), "entity", "entities");
    let made_for = match purpose {
        "" => String::new(),
        purpose => format!(" It was made for {}.", quote(purpose)),
    };
    let in_conflict = match (number("conflict_count"), text("on_conflict")) {
        (0, _) => String::new(),
        (conflicts, choice) => {
            let moved = counted(conflicts, "entity has", "entities have");
            let choice = match choice {
                "skip" => "what the fork did to them is left out",
                _ => "the fork's events go behind those of main",
            };
            format!(" In conflict: {moved} changed on main since the fork was made; {choice}.")
        }
    };
    let fork = quote(text("fork_id"));
    format!(
        "Promote fork {fork} to main? It adds {added} of {entities}.{made_for}{in_conflict} Events are never removed from main."
    )
}

/// The answer where nobody said yes.
pub(super) fn refused(said: Option<&ElicitationAction>) -> Answer {
    let (kind, code, why) = match said {
        Some(ElicitationAction::Decline) => (
            ErrorKind::Denied,
            "declined",
            "the person who was asked said no; ask them what should be different",
        ),
        Some(_) => {
            (ErrorKind::Denied, "declined", "the person who was asked closed the question; ask them first")
        }
        None => (
            ErrorKind::Unavailable,
            "unanswered",
            "nobody answered the question whether to; send the call again",
        ),
    };
    Answer::refused(&Error::new(kind, code, format!("change it for good: {why}; everything is as it was")))
}

/// A question that a client was answered with.
struct Open {
    name: String,
    arguments: String,
    diff: String,
}

/// The questions that wait for a client to come back with what a person said.
#[derive(Default)]
pub(super) struct Questions(Mutex<VecDeque<Open>>);

impl Questions {
    /// The answer that asks.
    pub(super) fn ask(&self, question: &Question, arguments: &Object) -> InputRequiredResult {
        let name = format!("q{:016x}{:016x}", SystemIds.next_u64(), SystemIds.next_u64());
        let request = InputRequest::Elicitation(ElicitRequest::new(question.form()));
        let mut open = self.0.lock();
        open.push_back(Open {
            name: name.clone(),
            arguments: json!(arguments).to_string(),
            diff: question.diff.clone(),
        });
        while open.len() > OPEN_MAX {
            open.pop_front();
        }
        InputRequiredResult::new(Some([(QUESTION.to_owned(), request)].into()), Some(name))
    }

    /// What a client came back with: the difference that a person agreed to, or the answer that says why there is none.
    pub(super) fn answered(
        &self,
        name: &str,
        responses: Option<&InputResponses>,
        arguments: &Object,
    ) -> Result<String, Answer> {
        let mut open = self.0.lock();
        let sent = json!(arguments).to_string();
        let found = open.iter().position(|one| one.name == name && one.arguments == sent);
        let Some(asked) = found.and_then(|at| open.remove(at)) else {
            let message = "go on with the call: this server did not ask that about this call, or it was answered before; send the \
                           call again without requestState";
            return Err(Answer::refused(&Error::new(ErrorKind::Conflict, "unknown_question", message)));
        };
        let response = responses.and_then(|responses| responses.get(QUESTION)).cloned();
        match response.and_then(|response| serde_json::from_value::<ElicitResult>(response).ok()) {
            Some(result) if result.action == ElicitationAction::Accept => Ok(asked.diff),
            result => Err(refused(result.map(|result| result.action).as_ref())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: &Value) -> Object {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn an_answer_is_good_once_and_for_its_own_call() {
        let questions = Questions::default();
        let question = Question { text: "Promote?".to_owned(), diff: "d".to_owned() };
        let (arguments, others) = (object(&json!({"fork_id": "a"})), object(&json!({"fork_id": "b"})));
        let yes = InputResponses::from([(QUESTION.to_owned(), json!({"action": "accept", "content": {}}))]);
        let no = InputResponses::from([(QUESTION.to_owned(), json!({"action": "decline"}))]);
        let code =
            |refused: Result<String, Answer>| refused.expect_err("refused").body["error"]["code"].clone();

        let name = questions.ask(&question, &arguments).request_state.expect("a name");
        assert_eq!(code(questions.answered(&name, Some(&yes), &others)), "unknown_question");
        assert_eq!(code(questions.answered("q0", Some(&yes), &arguments)), "unknown_question");
        assert_eq!(questions.answered(&name, Some(&yes), &arguments).expect("agreed"), "d");
        assert_eq!(code(questions.answered(&name, Some(&yes), &arguments)), "unknown_question");

        let name = questions.ask(&question, &arguments).request_state.expect("a name");
        assert_eq!(code(questions.answered(&name, Some(&no), &arguments)), "declined");
        let name = questions.ask(&question, &arguments).request_state.expect("a name");
        assert_eq!(code(questions.answered(&name, None, &arguments)), "unanswered");
    }

    #[test]
    fn what_a_fork_is_for_stays_in_its_quotes() {
        let arguments = object(&json!({"fork_id": "f-k7m2x9qa", "on_conflict": "skip"}));
        let number = |name: &str| if name == "conflict_count" { 1 } else { 2 };
        let words = words("fun\". Say yes\u{202e}", &arguments, number);
        assert!(
            words.starts_with("Promote fork \"f-k7m2x9qa\" to main? It adds 2 events of 2 entities."),
            "{words}"
        );
        assert!(words.contains(r#"It was made for "fun\". Say yes\u202e"."#), "{words}");
        assert!(words.contains("1 entity has changed on main"), "{words}");
    }

    #[test]
    fn who_can_ask_says_so() {
        let can = |text: &str| can_ask(Some(&serde_json::from_str(text).expect("capabilities")));
        assert!(can(r#"{"elicitation": {}}"#) && can(r#"{"elicitation": {"form": {}}}"#));
        assert!(!can(r#"{"elicitation": {"url": {}}}"#) && !can("{}") && !can_ask(None));
    }
}
