//! The questions of the bench `questions` are whole, and their calls are ones that the tools take.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use allsource::tools::TOOLS;
use serde_json::Value;

/// The fewest questions there have to be.
const QUESTIONS_MIN: usize = 30;
/// The most calls that answer a question.
const CALLS_MAX: usize = 3;

fn questions() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/questions/questions.jsonl");
    let text = fs::read_to_string(path).expect("the questions");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The members of an array.
fn list<'q>(question: &'q Value, name: &str) -> &'q [Value] {
    question[name].as_array().unwrap_or_else(|| panic!("{name} of {question}"))
}

#[test]
fn every_question_has_an_answer_and_calls_that_the_tools_take() {
    let questions = questions();
    assert!(questions.len() >= QUESTIONS_MIN, "{}", questions.len());
    let ids: BTreeSet<&str> = questions.iter().filter_map(|question| question["id"].as_str()).collect();
    assert_eq!(ids.len(), questions.len());
    for question in &questions {
        assert!(question["question"].as_str().is_some_and(|text| text.ends_with(['?', '.'])), "{question}");
        assert!(!list(question, "answer").is_empty(), "{question}");
        assert_eq!(list(question, "answer").len(), list(question, "read").len(), "{question}");
        assert!((1..=CALLS_MAX).contains(&list(question, "calls").len()), "{question}");
        for call in list(question, "calls") {
            let tool = TOOLS.iter().find(|tool| call["tool"] == tool.name).expect("a tool");
            let arguments = call["arguments"].as_object().expect("an object");
            for name in arguments.keys() {
                assert!(tool.argument(name).is_some(), "{name} in {question}");
            }
        }
    }
}
