//! What is different between two states of an entity?

use serde_json::Value;

use crate::event::filter::Step;

/// A difference between two states.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// The dotted path of what changed; empty when the whole state did.
    pub(crate) path: String,
    /// What was there; `None`: nothing.
    pub(crate) before: Option<Value>,
    /// What is there now; `None`: nothing.
    pub(crate) after: Option<Value>,
}

/// What changed from one state to another: the smallest fields that differ, arrays as a whole.
pub(crate) fn diff(before: Option<&Value>, after: Option<&Value>) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(before, after, &mut Vec::new(), &mut changes);
    changes
}

fn compare(before: Option<&Value>, after: Option<&Value>, path: &mut Vec<String>, to: &mut Vec<Change>) {
    if before == after {
        return;
    }
    let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after) else {
        to.push(Change { path: dotted(path), before: before.cloned(), after: after.cloned() });
        return;
    };
    let added = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(added) {
        path.push(key.clone());
        compare(old.get(key), new.get(key), path, to);
        path.pop();
    }
}

/// Keys as the rest of a `payload` path would have them: `customer.address["post code"]`.
pub(super) fn dotted(keys: &[String]) -> String {
    let steps: String = keys.iter().map(|key| Step::Key(key.clone()).to_string()).collect();
    steps.strip_prefix('.').map(str::to_owned).unwrap_or(steps)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_names_the_smallest_fields() {
        let before = json!({"a": {"b": 1, "c": [1]}, "d": true, "gone": null});
        let after = json!({"a": {"b": 2, "c": [1, 2]}, "d": true, "new": {"x": 1}});
        let changes: Vec<String> = diff(Some(&before), Some(&after))
            .into_iter()
            .map(|change| {
                let show = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
                format!("{} {} {}", change.path, show(change.before), show(change.after))
            })
            .collect();
        assert_eq!(changes, ["a.b 1 2", "a.c [1] [1,2]", "gone null -", "new - {\"x\":1}"]);
        assert_eq!(diff(Some(&before), Some(&before)), []);
        assert_eq!(diff(None, Some(&before)).len(), 1);
    }
}
