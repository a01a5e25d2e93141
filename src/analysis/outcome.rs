//! What an analysis found: a table, what is to be said beside it, and how it can be drawn.

use serde_json::{Map, Value};

use crate::event::{Position, visible};

/// A table with what is to be said beside it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, what matters most first, or in order of time.
    pub rows: Vec<Vec<Value>>,
    /// Single values, by name.
    pub facts: Map<String, Value>,
    /// What was counted, in words.
    pub definition: String,
    /// What the reader should know.
    pub notes: Vec<String>,
    /// How it is drawn; `None` when there is nothing to draw.
    pub drawing: Option<Drawing>,
    /// Ways through the events that are worth a call of their own: the steps of each.
    pub paths: Vec<Vec<String>>,
    /// For each row the event to look at, where there is one.
    pub places: Vec<Position>,
}

impl Outcome {
    /// An outcome with these columns.
    pub(crate) fn with_columns(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|name| (*name).to_owned()).collect(), ..Self::default() }
    }

    /// Adds a single value.
    pub(crate) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }
}

/// Which columns are drawn, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drawing {
    /// The columns whose cells name what is drawn.
    pub labels: Vec<usize>,
    /// The columns whose numbers are drawn.
    pub values: Vec<usize>,
    /// Along time: a line. Else bars.
    pub is_line: bool,
}

impl Drawing {
    /// A bar for each row.
    pub(crate) fn bars(labels: &[usize], value: usize) -> Self {
        Self { labels: labels.to_vec(), values: vec![value], is_line: false }
    }

    /// A line for each of these columns, over the first.
    pub(crate) fn lines(values: impl IntoIterator<Item = usize>) -> Self {
        Self { labels: vec![0], values: values.into_iter().collect(), is_line: true }
    }

    /// What a row is called, in at most `chars_max` characters; of two names each gets its half.
    pub(crate) fn label(&self, row: &[Value], chars_max: usize) -> String {
        let each = chars_max / self.labels.len().max(1);
        let each = if self.labels.len() > 1 { each.saturating_sub(2) } else { each };
        let text = |at: &usize| {
            let cell = row.get(*at)?;
            Some(short(&cell.as_str().map_or_else(|| cell.to_string(), str::to_owned), each))
        };
        self.labels.iter().filter_map(text).collect::<Vec<_>>().join(" → ")
    }
}

/// The text in at most `chars_max` characters, hidden ones made visible.
pub(super) fn short(text: &str, chars_max: usize) -> String {
    let text = visible(text);
    if text.chars().count() <= chars_max {
        return text;
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}
