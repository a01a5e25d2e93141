//! How does a schema become the schema? It is compiled, judged against those before it, and said by an event.

use serde_json::Value;

use crate::engine::{Caller, Engine};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EntityId, EventDraft, Expected, Position, nearest, quote};
use crate::schema::{
    CONFIGURED, Change, Checker, Enforcement, Entry, Mode, REGISTERED, Registry, SCHEMA_ENTITY_PREFIX,
    Subject, Verdict, judge,
};
use crate::store::Append;

/// The most versions of a subject: 1,000.
const VERSIONS_MAX: usize = 1_000;

/// What is to be registered.
pub(crate) struct Registration {
    /// Whose schema it is.
    pub subject: Subject,
    /// What changes.
    pub change: Change,
    /// Say what would happen, store nothing.
    pub dry_run: bool,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Registered {
    /// The newest version, after it.
    pub version: u32,
    /// Whether that is a new one.
    pub is_new: bool,
    /// Whether anything changed at all.
    pub is_changed: bool,
    pub mode: Mode,
    pub enforcement: Enforcement,
    /// What speaks against it; only a dry run gives any.
    pub verdicts: Vec<Verdict>,
    /// The branch's last position.
    pub head: Position,
}

impl Engine {
    /// Registers a version of a schema, or changes how a subject is kept:
    ///
    /// 1. refuses a caller that may not change the branch; 2. compiles the schema; 3. judges it against the versions before, by the
    ///    mode that will hold; 4. stores one event, unless nothing changes.
    ///
    /// # Errors
    /// `Denied` (`writes_denied`); `NotFound` (`unknown_subject`) when there is no schema to change; `Invalid`: those of
    /// [`Checker::compile`], `bad_upcast`, `incompatible_schema` with `breaking`; `Exhausted` (`too_many_versions`);
    /// `Conflict` (`version_conflict`) when another registered meanwhile.
    pub(crate) fn register_schema(&self, asked: Registration, caller: &Caller) -> Result<Registered> {
        self.check_writes(caller)?;
        let snapshot = self.store().snapshot();
        let registry = self.schemas(&snapshot)?;
        let Registration { subject, mut change, dry_run } = asked;
        let entry = registry.entry(&subject);
        if let Some(schema) = &change.schema {
            Checker::compile(&schema.to_string())?;
        }
        drop_what_holds(&mut change, entry);
        check_possible(&subject, &change, entry, &registry)?;
        let mode = change.mode.or(entry.map(|entry| entry.mode)).unwrap_or_default();
        let enforcement = change.enforcement.or(entry.map(|entry| entry.enforcement)).unwrap_or_default();
        let verdicts = verdicts(&change, entry, mode);
        let before = entry.map_or(0, |entry| entry.versions.len());
        let is_new = change.schema.is_some();
        let version = u32::try_from(before + usize::from(is_new)).unwrap_or(u32::MAX);
        let is_changed = change != Change::default();
        let head = snapshot.head();
        let mut registered = Registered { version, is_new, is_changed, mode, enforcement, verdicts, head };
        if dry_run || !is_changed {
            return Ok(registered);
        }
        if !registered.verdicts.is_empty() {
            return Err(incompatible(&subject, &registered));
        }
        let entity = EntityId::new(format!("{SCHEMA_ENTITY_PREFIX}{subject}"))?;
        let known = snapshot.entity_head(&entity)?;
        let event_type = if is_new { REGISTERED } else { CONFIGURED };
        let payload = Value::Object(change.to_payload(&subject, version)).to_string();
        let append = Append {
            events: vec![EventDraft::new(entity.as_str(), event_type, payload)?],
            expected: vec![(entity, known.map_or(Expected::New, |head| Expected::Exactly(head.version)))],
            ..Append::default()
        };
        registered.head = self.append_own(append, caller)?.head;
        Ok(registered)
    }
}

/// Leaves of a change what is not so already.
fn drop_what_holds(change: &mut Change, entry: Option<&Entry>) {
    let Some(entry) = entry else { return };
    let newest = entry.newest();
    let is_same = |schema: &Value| newest.is_some_and(|newest| *newest.schema == *schema);
    change.schema = change.schema.take().filter(|schema| !is_same(schema));
    change.mode = change.mode.filter(|mode| *mode != entry.mode);
    change.enforcement = change.enforcement.filter(|enforcement| *enforcement != entry.enforcement);
    if change.schema.is_none() {
        let is_known = |upcast: &Vec<_>| newest.is_some_and(|newest| newest.upcast == *upcast);
        change.upcast = change.upcast.take().filter(|upcast| !is_known(upcast));
    }
}

fn check_possible(
    subject: &Subject,
    change: &Change,
    entry: Option<&Entry>,
    registry: &Registry,
) -> Result<()> {
    let versions = entry.map_or(0, |entry| entry.versions.len());
    if versions == 0 && change.schema.is_none() {
        return Err(unknown_subject(subject, registry));
    }
    if versions >= VERSIONS_MAX && change.schema.is_some() {
        let message = format!(
            "register a schema for {}: it has {VERSIONS_MAX} versions already; give new shapes a new event type",
            quote(&subject.to_string())
        );
        return Err(Error::new(ErrorKind::Exhausted, "too_many_versions", message));
    }
    let has_before = versions > usize::from(change.schema.is_none());
    if change.upcast.as_ref().is_some_and(|upcast| !upcast.is_empty()) && !has_before {
        let message = format!(
            "register an upcast for {}: it has no version before this one to come from; give upcast with the version after it",
            quote(&subject.to_string())
        );
        return Err(Error::invalid("bad_upcast", message).with("argument", "upcast"));
    }
    Ok(())
}

/// There is no such subject; those that are like it are named.
fn unknown_subject(subject: &Subject, registry: &Registry) -> Error {
    /// The most subjects that an error names.
    const NAMED_MAX: usize = 5;
    let names: Vec<String> = registry.entries().map(|entry| entry.subject.to_string()).collect();
    let asked = subject.to_string();
    let near = nearest(&asked, names.iter().map(String::as_str), NAMED_MAX);
    let remedy = match near.first() {
        Some(near) => format!("; nearest: {}", quote(near)),
        None => "; give schema, or infer: true".to_owned(),
    };
    let message = format!("change the schema of {}: none is registered{remedy}", quote(&asked));
    Error::new(ErrorKind::NotFound, "unknown_subject", message).with("nearest", near)
}

fn verdicts(change: &Change, entry: Option<&Entry>, mode: Mode) -> Vec<Verdict> {
    let (Some(schema), Some(entry)) = (&change.schema, entry) else { return Vec::new() };
    let earlier: Vec<(u32, &Value)> =
        entry.versions.iter().map(|version| (version.number, version.schema.as_ref())).collect();
    judge(&earlier, schema, mode)
}

fn incompatible(subject: &Subject, registered: &Registered) -> Error {
    /// The most reasons that an error gives.
    const REASONS_MAX: usize = 10;
    let verdicts = &registered.verdicts;
    let breaking: Vec<Value> = verdicts.iter().take(REASONS_MAX).map(Verdict::to_value).collect();
    let first = verdicts.first().map(|verdict| {
        let reads = if verdict.is_forward {
            format!("version {} would refuse what it takes", verdict.version)
        } else {
            format!("it would refuse what version {} took", verdict.version)
        };
        format!("{reads}: at {} {}", quote(&verdict.difference.path), verdict.difference.reason)
    });
    let message = format!(
        "register version {} of {}: {} ({} in all); change the schema, or register it with mode none, and an upcast for older events",
        registered.version,
        quote(&subject.to_string()),
        first.unwrap_or_default(),
        verdicts.len()
    );
    Error::invalid("incompatible_schema", message)
        .with("mode", registered.mode.name())
        .with("breaking_count", verdicts.len())
        .with("breaking", breaking)
}
