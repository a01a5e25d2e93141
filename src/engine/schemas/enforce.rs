//! Does what is appended fit? Refused, warned of, or let through, as its subject says.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::event::{EventDraft, quote};
use crate::schema::{Checker, Enforcement, Entry, Violation, is_reserved};
use crate::store::Append;

/// The most events that a refusal or its warnings name one by one: 10.
const NAMED_MAX: usize = 10;

/// How events of one type are checked.
struct Rule<'r> {
    entry: &'r Entry,
    checker: Arc<Checker>,
}

/// An event that does not fit.
struct Misfit<'r> {
    index: usize,
    entry: &'r Entry,
    violation: Violation,
}

impl Engine {
    /// Refuses names that the registry alone writes.
    ///
    /// # Errors
    /// `Invalid` (`reserved_name`).
    pub(in crate::engine) fn check_names(events: &[EventDraft]) -> Result<()> {
        let is_claimed =
            |draft: &EventDraft| is_reserved(draft.entity_id.as_str(), draft.event_type.as_str());
        let Some((index, draft)) = events.iter().enumerate().find(|(_, draft)| is_claimed(draft)) else {
            return Ok(());
        };
        let message = format!(
            "append events[{index}]: entity {} and type {} are written by register_schema alone; call that, or use other names",
            quote(draft.entity_id.as_str()),
            quote(draft.event_type.as_str())
        );
        Err(Error::invalid("reserved_name", message).with("index", index))
    }

    /// Checks what is to be appended by the schemas of the branch; gives what to warn of.
    ///
    /// A retry of what is stored already is let through: it was checked by the schemas of its time.
    ///
    /// # Errors
    /// `Invalid` (`schema_violation`) when a subject rejects, with `index`, `subject`, `version`, `path` and `reason`;
    /// `Corrupt` when stored bytes are not what was written.
    pub(in crate::engine) fn check_payloads(&self, append: &Append) -> Result<Vec<String>> {
        let registry = self.schemas(&self.store().snapshot())?;
        if registry.is_empty() {
            return Ok(Vec::new());
        }
        let mut rules: HashMap<&str, Option<Rule<'_>>> = HashMap::new();
        let (mut refused, mut warned) = (Vec::new(), Vec::new());
        for (index, draft) in append.events.iter().enumerate() {
            let event_type = draft.event_type.as_str();
            let rule = rules.entry(event_type).or_insert_with(|| {
                let entry =
                    registry.of_type(event_type).filter(|entry| entry.enforcement != Enforcement::Off)?;
                Some(Rule { entry, checker: self.checker(entry.newest()?)? })
            });
            let Some(rule) = rule else { continue };
            let found = rule.checker.violations(draft.payload().as_str()).into_iter().next();
            let Some(violation) = found else { continue };
            let is_refused = rule.entry.enforcement == Enforcement::Reject;
            let misfits = if is_refused { &mut refused } else { &mut warned };
            misfits.push(Misfit { index, entry: rule.entry, violation });
        }
        if !refused.is_empty() && !self.is_stored(append, &refused) {
            return Err(refusal(&append.events, &refused));
        }
        Ok(warnings(&append.events, &warned))
    }

    /// Whether all of these events are stored already, by their ids or the call's key.
    fn is_stored(&self, append: &Append, misfits: &[Misfit<'_>]) -> bool {
        let has_names = append.idempotency_key.is_some()
            || misfits
                .iter()
                .all(|one| append.events.get(one.index).is_some_and(|draft| draft.event_id.is_some()));
        if !has_names {
            return false;
        }
        let trial = Append { dry_run: true, ..append.clone() };
        self.store().append(trial).is_ok_and(|told| {
            let is_known =
                |one: &Misfit<'_>| told.events.get(one.index).is_some_and(|event| event.already_stored);
            told.duplicate || misfits.iter().all(is_known)
        })
    }
}

impl Misfit<'_> {
    fn sentence(&self, drafts: &[EventDraft]) -> String {
        let event_type = drafts.get(self.index).map_or("", |draft| draft.event_type.as_str());
        format!(
            "events[{}] of type {} does not fit schema {} version {}: {}",
            self.index,
            quote(event_type),
            quote(&self.entry.subject.to_string()),
            self.entry.versions.len(),
            self.violation.sentence("the payload")
        )
    }
}

fn refusal(drafts: &[EventDraft], misfits: &[Misfit<'_>]) -> Error {
    let Some(first) = misfits.first() else { return Error::internal("nothing was refused") };
    let message = format!(
        "append {}; fix the payload, or register a schema version that takes it; nothing was stored",
        first.sentence(drafts)
    );
    let error = Error::invalid("schema_violation", message)
        .with("index", first.index)
        .with("subject", first.entry.subject.to_string())
        .with("version", first.entry.versions.len())
        .with("path", first.violation.path.as_str())
        .with("keyword", first.violation.keyword.as_str())
        .with("reason", first.violation.reason.as_str())
        .with("stored", 0);
    if misfits.len() == 1 {
        return error;
    }
    let problems: Vec<String> = misfits.iter().take(NAMED_MAX).map(|one| one.sentence(drafts)).collect();
    error.with("failed", misfits.len()).with("problems", problems)
}

fn warnings(drafts: &[EventDraft], misfits: &[Misfit<'_>]) -> Vec<String> {
    /// The most warnings of one answer.
    const WARNED_MAX: usize = 5;
    let mut warnings: Vec<String> = misfits.iter().take(WARNED_MAX).map(|one| one.sentence(drafts)).collect();
    if misfits.len() > WARNED_MAX {
        warnings.push(format!("and {} more events do not fit their schemas", misfits.len() - WARNED_MAX));
    }
    warnings
}
