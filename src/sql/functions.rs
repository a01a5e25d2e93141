//! Tables that a statement names with arguments: `events_at(branch)`, `state_at(time [, branch])`, `search_events(text [, limit])`.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{Float64Array, Int64Array, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{MemTable, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;

use super::entities::EntitiesTable;
use super::events::EventsTable;
use super::ground::Ground;
use super::mistake::stored;
use crate::engine::{RANKED_MAX, Sought};
use crate::error::{Error, Result as StoreResult};
use crate::event::Timestamp;
use crate::search::{Fusion, KeywordQuery};

/// How long `search_events` waits for what was appended before it: 2 s.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// How many events `search_events` gives when nothing else is asked for.
const HITS: usize = 50;

/// A table with arguments.
#[derive(Debug)]
pub(super) struct Function {
    pub kind: Kind,
    pub ground: Ground,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    EventsAt,
    StateAt,
    SearchEvents,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::EventsAt, Self::StateAt, Self::SearchEvents];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::EventsAt => "events_at",
            Self::StateAt => "state_at",
            Self::SearchEvents => "search_events",
        }
    }

    const fn usage(self) -> &'static str {
        match self {
            Self::EventsAt => "events_at('main'), events_at('f-k7m2x9qa') or events_at('main@1200')",
            Self::StateAt => "state_at('2026-03-01') or state_at('2026-03-01', 'f-k7m2x9qa')",
            Self::SearchEvents => "search_events('refund late') or search_events('refund late', 100)",
        }
    }
}

impl TableFunctionImpl for Function {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        self.table(args.exprs()).map_err(stored)
    }
}

impl Function {
    fn table(&self, arguments: &[Expr]) -> StoreResult<Arc<dyn TableProvider>> {
        let first = arguments.first().and_then(text).ok_or_else(|| self.misused())?;
        let second = arguments.get(1);
        match (self.kind, second) {
            (_, _) if arguments.len() > 2 => Err(self.misused()),
            (Kind::EventsAt, None) => {
                let ground = self.ground.on(first)?;
                Ok(Arc::new(EventsTable::all(ground.snapshot, ground.as_of, ground.notes)))
            }
            (Kind::StateAt, branch) => {
                let time = Timestamp::parse(first, self.ground.now, self.ground.zone)
                    .map_err(|error| error.context("state_at"))?;
                let ground = match branch {
                    None => self.ground.clone(),
                    Some(branch) => self.ground.on(text(branch).ok_or_else(|| self.misused())?)?,
                };
                Ok(Arc::new(EntitiesTable::new(ground.at(time))))
            }
            (Kind::SearchEvents, limit) => {
                let limit = match limit {
                    None => HITS,
                    Some(limit) => number(limit).ok_or_else(|| self.misused())?.clamp(1, RANKED_MAX),
                };
                Ok(Arc::new(self.search(first, limit)?))
            }
            _ => Err(self.misused()),
        }
    }

    fn misused(&self) -> Error {
        let (name, usage) = (self.kind.name(), self.kind.usage());
        let message = format!("read the table {name}: its arguments are constants, as in {usage}");
        Error::invalid("bad_argument", message)
    }

    /// What speaks of the text, by its words and by its meaning, with scores from 0 to 1.
    fn search(&self, words: &str, limit: usize) -> StoreResult<MemTable> {
        let Ground { engine, snapshot, .. } = &self.ground;
        let indexer = engine.indexer()?;
        let published = indexer.wait_for(snapshot.on_main(), WAIT_MAX)?;
        let published = indexer.on_branch(published, engine.store())?;
        let keywords = KeywordQuery::parse(words)?;
        // A text without a word that the model knows (an id, a hash) is found by its letters alone, and so is
        // every text where nothing is embedded.
        let meaning = engine.meaning_of(words, &published).ok();
        let sought = Sought {
            keywords: Some(keywords),
            meaning,
            like: None,
            threshold: 0.0,
            fusion: Fusion::default(),
            limit,
        };
        let found = engine.search(&sought, &self.ground.view(), &published)?;
        let hits = found.hits.iter().take(limit);
        let schema = Arc::new(Schema::new(vec![
            Field::new("position", DataType::Int64, false),
            Field::new("score", DataType::Float64, false),
            Field::new("entity_id", DataType::Utf8View, false),
            Field::new("event_type", DataType::Utf8View, false),
        ]));
        let positions = hits.clone().map(|hit| hit.event.position.get().cast_signed());
        let scores = hits.clone().map(|hit| f64::from(hit.score));
        let entities = hits.clone().map(|hit| hit.event.entity_id.as_str());
        let types = hits.map(|hit| hit.event.event_type.as_str());
        let table = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                Arc::new(Int64Array::from_iter_values(positions)),
                Arc::new(Float64Array::from_iter_values(scores)),
                Arc::new(StringViewArray::from_iter_values(entities)),
                Arc::new(StringViewArray::from_iter_values(types)),
            ],
        );
        let table = table.map_err(Into::into).and_then(|batch| MemTable::try_new(schema, vec![vec![batch]]));
        table.map_err(|error| Error::internal("make a table of what was found").caused_by(error))
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) => Some(text),
        _ => None,
    }
}

fn number(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(number)), _) => usize::try_from(*number).ok(),
        _ => None,
    }
}
