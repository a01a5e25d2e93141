//! The questions as data: `questions.jsonl` holds one a line.

use serde::Deserialize;
use serde_json::{Map, Value};

const QUESTIONS: &str = include_str!("questions.jsonl");

/// A question, its answer, and calls that find it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Its name.
    pub id: String,
    /// The data set that it is about.
    pub data: String,
    /// As a person asks it.
    #[serde(rename = "question")]
    pub _text: String,
    /// The values that answer it, computed by another program (`scripts/check_questions.py`).
    pub answer: Vec<Value>,
    /// The calls, in order; they may use what earlier ones answered.
    pub calls: Vec<Call>,
    /// Where each value of `answer` is read, as [`pointer`](crate::pointer) has it.
    pub read: Vec<String>,
}

/// One call of a tool.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

impl Question {
    /// Every question.
    pub fn all() -> Vec<Self> {
        QUESTIONS.lines().map(|line| serde_json::from_str(line).expect("a question")).collect()
    }
}
