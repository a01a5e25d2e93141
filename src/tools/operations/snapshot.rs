//! `snapshot`: saves the folded states of entities, so that they are read at once from then on.

use serde_json::Value;

use super::Operation;
use crate::engine::{Caller, Engine};
use crate::error::{Error, Result};
use crate::event::{EntityId, NamePattern};
use crate::tools::Object;

/// The operation.
pub(super) const OPERATION: Operation = Operation { name: "snapshot", run };

/// The most entities that one prefix stands for: 10,000, in order of their names.
const ENTITIES_MAX: usize = 10_000;

/// What became of the entities so far.
#[derive(Default)]
struct Done {
    saved: u64,
    short: u64,
    failed: u64,
    missing: Vec<Value>,
    more: bool,
}

fn run(engine: &Engine, arguments: &Object, _caller: &Caller) -> Result<Object> {
    let given = arguments.get("entities").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let everything = [Value::from("*")];
    let mut done = Done::default();
    for name in if given.is_empty() { &everything[..] } else { given } {
        let name = name.as_str().ok_or_else(|| {
            Error::invalid("bad_argument", "entities holds something that is not a string")
                .with("argument", "entities")
        })?;
        match NamePattern::parse(name) {
            NamePattern::Exact(name) => named(engine, &name, &mut done)?,
            NamePattern::Prefix(prefix) => with_prefix(engine, &prefix, &mut done)?,
        }
    }
    let mut result = Object::new();
    for (name, count) in [("saved", done.saved), ("short", done.short), ("failed", done.failed)] {
        result.insert(name.to_owned(), count.into());
    }
    result.insert("missing".to_owned(), done.missing.into());
    result.insert("more".to_owned(), done.more.into());
    Ok(result)
}

/// An entity that was named is saved however short it is.
fn named(engine: &Engine, name: &str, done: &mut Done) -> Result<()> {
    let entity = EntityId::new(name)?;
    if engine.store().snapshot().entity_head(&entity)?.is_none() {
        done.missing.push(name.into());
        return Ok(());
    }
    save(engine, &entity, done)
}

/// Of the others only those for whom it is worth it.
fn with_prefix(engine: &Engine, prefix: &str, done: &mut Done) -> Result<()> {
    let snapshot = engine.store().snapshot();
    let entities = snapshot.entity_ids(prefix, ENTITIES_MAX + 1)?;
    done.more |= entities.len() > ENTITIES_MAX;
    let least = engine.store().state_every_events();
    for entity in entities.iter().take(ENTITIES_MAX) {
        match snapshot.entity_head(entity)? {
            Some(head) if head.version.get() >= least => save(engine, entity, done)?,
            _ => done.short += 1,
        }
    }
    Ok(())
}

fn save(engine: &Engine, entity: &EntityId, done: &mut Done) -> Result<()> {
    let count = if engine.save_state(entity)? { &mut done.saved } else { &mut done.failed };
    *count += 1;
    Ok(())
}
