//! What the tools of schemas have in common: a subject's stored events, a schema proposed from them, misfits as objects.

use serde_json::{Value, json};

use crate::engine::{Failure, Survey, View, filter_of};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{TimeZone, quote};
use crate::schema::{Inference, Subject};
use crate::store::Snapshot;
use crate::tools::answer::Reply;
use crate::tools::call::Call;

/// The events that an answer gives as examples of misfits: 3.
const EXAMPLES: usize = 3;

/// A subject's stored events in a snapshot.
pub(super) fn stored(snapshot: Snapshot, subject: &Subject) -> View {
    View { snapshot, is_cut: false, filter: filter_of(subject), zone: TimeZone::UTC }
}

/// What the stored events of a subject look like.
///
/// # Errors
/// `NotFound` (`nothing_to_infer`) when there are none.
pub(super) fn inferred(
    call: &Call<'_>,
    view: &View,
    subject: &Subject,
    reply: &mut Reply,
) -> Result<Inference> {
    let (inference, scanned_to) = call.engine.infer(view, subject)?;
    if inference.looked_at() == 0 {
        let message = format!(
            "infer a schema for {}: no event of it is stored; give schema, or a subject that quick_stats lists",
            quote(&subject.to_string())
        );
        return Err(Error::new(ErrorKind::NotFound, "nothing_to_infer", message).with("argument", "subject"));
    }
    if scanned_to.is_some() {
        reply.incomplete = true;
        reply.scanned_to = scanned_to;
    }
    let notes = inference.notes();
    if !notes.is_empty() {
        reply.untrusted.push("/notes");
        let notes: Vec<Value> =
            notes.into_iter().map(|note| format!("{} {}", note.path, note.what).into()).collect();
        reply.field("notes", notes);
    }
    Ok(inference)
}

/// How many stored events do not fit, with up to three of them.
pub(super) fn fails(survey: &Survey) -> Value {
    let mut fails = json!({"checked": survey.checked, "failed": survey.failed});
    let examples: Vec<Value> = survey.failures.iter().take(EXAMPLES).map(example).collect();
    if let Some(members) = fails.as_object_mut().filter(|_| !examples.is_empty()) {
        members.insert("examples".to_owned(), Value::Array(examples));
    }
    fails
}

fn example(failure: &Failure) -> Value {
    json!({
        "position": failure.event.position.get(),
        "path": failure.violation.path,
        "reason": failure.violation.reason,
    })
}
