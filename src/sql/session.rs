//! What does a statement run in? A session of its own with the tables of a branch, nothing that reaches a file or a network,
//! and limits.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use datafusion::catalog::TableFunction;
use datafusion::config::SqlParserOptions;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder, SessionStateDefaults};
use datafusion::optimizer::Analyzer;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement;
use tokio::runtime::{Builder, Runtime};

use super::catalog::{CATALOG, Catalog, SCHEMA, Tables};
use super::functions::{Function, Kind};
use super::ground::Ground;
use super::guard::{Guards, WITHHELD};
use super::meter::metered;
use super::mistake::{Known, told};
use super::numbers::NumbersInText;
use super::repeated::RepeatedProjections;
use super::statement::{Names, parse, resolve, tables};
use crate::error::{Error, ErrorKind, Result};

/// The memory that all statements have together: 256 MiB.
const MEMORY_BYTES_MAX: usize = 256 << 20;
/// The stack of a thread that plans statements: 16 MiB, for those that nest deep.
const STACK_BYTES: usize = 16 << 20;
/// The rows that are worked on at a time, and how many where functions make long texts.
const BATCH_ROWS: usize = 8_192;
const BATCH_ROWS_LONG: usize = 512;

/// The threads on which statements run.
///
/// # Errors
/// `Unavailable` when no thread can be started.
pub(super) fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let threads = processors();
    let made = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("sql")
        .thread_stack_size(STACK_BYTES)
        .enable_time()
        .build();
    let made = made.map_err(|error| {
        Error::new(ErrorKind::Unavailable, "no_thread", "start threads for statements").caused_by(error)
    })?;
    Ok(RUNTIME.get_or_init(|| made))
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Memory without a disk to spill to.
fn environment() -> Result<Arc<RuntimeEnv>> {
    static ENVIRONMENT: OnceLock<Arc<RuntimeEnv>> = OnceLock::new();
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(Arc::clone(environment));
    }
    let consumers = NonZeroUsize::new(3).unwrap_or(NonZeroUsize::MIN);
    let pool = TrackConsumersPool::new(GreedyMemoryPool::new(MEMORY_BYTES_MAX), consumers);
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let made = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(disk)
        .build_arc()
        .map_err(|error| Error::internal("make the room that statements run in").caused_by(error))?;
    Ok(Arc::clone(ENVIRONMENT.get_or_init(|| made)))
}

/// A statement that is ready to run.
pub(super) struct Prepared {
    context: SessionContext,
    pub plan: Arc<dyn ExecutionPlan>,
    sql: String,
    known: Known,
}

impl Names for Tables {
    fn is_table(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }
}

impl Prepared {
    /// Reads and plans a statement.
    ///
    /// # Errors
    /// `Invalid` when it cannot be read, is no SELECT, or names what is not there; `Corrupt` when stored bytes are not
    /// what was written.
    pub(super) async fn new(ground: Ground, sql: &str) -> Result<Self> {
        let mut statement = parse(sql)?;
        let tables = Arc::new(Tables::new(ground.clone())?);
        let columns = columns_of(&statement, &tables)?;
        resolve(&mut statement, tables.as_ref(), &columns);
        let context = session(&ground, &tables, sql)?;
        let known = known(&context, &tables);
        let plan = plan(&context, statement).await.map_err(|error| told(&error, sql, &known))?;
        Ok(Self { context, plan, sql: sql.to_owned(), known })
    }

    /// Starts it.
    ///
    /// # Errors
    /// Those of its first steps.
    pub(super) fn start(&self) -> Result<SendableRecordBatchStream> {
        execute_stream(Arc::clone(&self.plan), self.context.task_ctx()).map_err(|error| self.told(&error))
    }

    /// What went wrong, for whoever wrote the statement.
    pub(super) fn told(&self, error: &datafusion::common::DataFusionError) -> Error {
        told(error, &self.sql, &self.known)
    }
}

async fn plan(
    context: &SessionContext,
    statement: Statement,
) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
    let state = context.state();
    let plan = state.statement_to_plan(statement).await?;
    let read_only =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan)?;
    metered(state.create_physical_plan(&plan).await?)
}

/// The columns of the views that a statement names.
fn columns_of(statement: &Statement, known: &Tables) -> Result<HashSet<String>> {
    let mut columns = HashSet::new();
    for name in tables(statement) {
        if known.is_view(&name) {
            let view = known.view(&name)?;
            columns.extend(view.columns().schema.fields().iter().map(|field| field.name().clone()));
        }
    }
    Ok(columns)
}

fn known(context: &SessionContext, tables: &Tables) -> Known {
    let state = context.state();
    let mut functions: Vec<String> = state.scalar_functions().keys().cloned().collect();
    functions.extend(state.aggregate_functions().keys().cloned());
    functions.extend(state.window_functions().keys().cloned());
    functions.extend(state.table_functions().keys().cloned());
    functions.sort();
    functions.dedup();
    Known { tables: tables.names().map(str::to_owned).collect(), functions }
}

fn session(ground: &Ground, tables: &Arc<Tables>, sql: &str) -> Result<SessionContext> {
    let defaults = SessionStateDefaults::default_scalar_functions();
    let functions = defaults.into_iter().filter(|function| !WITHHELD.contains(&function.name())).collect();
    let mut rules = Analyzer::new().rules;
    rules.insert(0, Arc::new(NumbersInText));
    rules.push(Arc::new(Guards));
    rules.push(Arc::new(RepeatedProjections));
    let mut table_functions = SessionStateDefaults::default_table_functions();
    for kind in Kind::ALL {
        let function = Arc::new(Function { kind, ground: ground.clone() });
        table_functions.push(Arc::new(TableFunction::new(kind.name().to_owned(), function)));
    }
    let table_functions = table_functions.into_iter().map(|one| (one.name().to_owned(), one)).collect();
    let state = SessionStateBuilder::new()
        .with_config(config(sql))
        .with_runtime_env(environment()?)
        .with_scalar_functions(functions)
        .with_higher_order_functions(SessionStateDefaults::default_higher_order_functions())
        .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .with_table_functions(table_functions)
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_analyzer_rules(rules)
        .build();
    let mut context = SessionContext::new_with_state(state);
    datafusion_functions_json::register_all(&mut context)
        .map_err(|error| Error::internal("register functions of JSON").caused_by(error))?;
    context.register_catalog(CATALOG, Arc::new(Catalog(Arc::clone(tables))));
    Ok(context)
}

fn config(sql: &str) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true)
        .with_target_partitions(processors())
        .with_batch_size(batch_rows(sql));
    let options = config.options_mut();
    options.sql_parser = SqlParserOptions {
        enable_ident_normalization: false,
        collect_spans: true,
        ..SqlParserOptions::default()
    };
    options.explain.physical_plan_only = true;
    options.explain.format = datafusion::common::format::ExplainFormat::Indent;
    config
}

/// Long texts times many rows is what memory is made of.
fn batch_rows(sql: &str) -> usize {
    const MAKERS: [&str; 8] = ["repeat", "lpad", "rpad", "replace", "concat", "||", "array", "json"];
    let sql = sql.to_ascii_lowercase();
    if MAKERS.iter().any(|maker| sql.contains(maker)) { BATCH_ROWS_LONG } else { BATCH_ROWS }
}
