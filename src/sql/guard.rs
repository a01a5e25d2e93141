//! What may a function make? Some make much of little (`repeat('x', 1e9)`), outside of what `DataFusion` counts as memory, and
//! a process that runs out of it is gone with everybody else's work. Before such a function is called it is estimated how
//! much it would make.
//!
//! **Invariant:** every call in a plan of a function named here goes through a [`Guarded`] one, constant folding included:
//! the rule that puts it there is the last of the analysis, and the optimizer comes behind it.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, FieldRef, Int32Type, Int64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::optimizer::AnalyzerRule;

use super::concat::{CONCAT, Concat};
use super::mistake::stored;
use crate::error::{Error, ErrorKind};

/// The most bytes of one value that a function makes: 128 KiB.
const VALUE_BYTES_MAX: u128 = 128 << 10;
/// The most bytes that a function makes of one batch of rows: 64 MiB.
const BATCH_BYTES_MAX: u128 = 64 << 20;
/// The most bytes of a regular expression that is given to a function: 1,000. The groups of a longer one take gigabytes.
const PATTERN_BYTES_MAX: u128 = 1_000;
/// The most characters of the text between the parts of `string_agg`.
const SEPARATOR_CHARS_MAX: usize = 1_000;

/// How much a function makes of what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Growth {
    /// The first argument, as often as the second says.
    Times,
    /// As long as the second argument says.
    Padded,
    /// The first argument, in which the second is replaced by the third.
    Replaced,
    /// All arguments together.
    Sum,
    /// All arguments together, and the one that separates the others between them.
    Joined { separator: usize },
    /// A number for each step from the first to the second argument.
    Counted,
    /// As many values as the second argument says.
    Resized,
    /// A part of the first argument.
    Part,
}

const GROWTHS: [(&str, Growth); 24] = [
    ("repeat", Growth::Times),
    ("array_repeat", Growth::Times),
    ("lpad", Growth::Padded),
    ("rpad", Growth::Padded),
    ("replace", Growth::Replaced),
    ("regexp_replace", Growth::Replaced),
    ("concat", Growth::Sum),
    ("overlay", Growth::Sum),
    ("make_array", Growth::Sum),
    ("array_append", Growth::Sum),
    ("array_prepend", Growth::Sum),
    ("array_concat", Growth::Sum),
    ("array_union", Growth::Sum),
    ("named_struct", Growth::Sum),
    ("struct", Growth::Sum),
    ("map", Growth::Sum),
    ("concat_ws", Growth::Joined { separator: 0 }),
    ("array_to_string", Growth::Joined { separator: 1 }),
    ("range", Growth::Counted),
    ("generate_series", Growth::Counted),
    ("array_resize", Growth::Resized),
    ("string_to_array", Growth::Sum),
    ("regexp_match", Growth::Part),
    ("regexp_instr", Growth::Part),
];

/// Functions that remember the groups of a regular expression, their second argument.
const PATTERNED: [&str; 3] = ["regexp_replace", "regexp_match", "regexp_instr"];

/// Aggregates whose value grows with each row.
const COLLECTORS: [&str; 2] = ["string_agg", "array_agg"];

/// Functions that are not offered: they make types that nothing here counts, or tell of the machine.
pub(super) const WITHHELD: [&str; 3] = ["arrow_cast", "arrow_try_cast", "version"];

/// The rule that puts a guard before every function that makes much of little.
#[derive(Debug)]
pub(super) struct Guards;

impl AnalyzerRule for Guards {
    fn name(&self) -> &'static str {
        "guards"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(guarded_plan)?.data)
    }
}

fn guarded_plan(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    let guarded = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let guarded = expr.transform_up(|expr| guarded_expr(expr, &schema))?;
        Ok(guarded.update_data(|expr| name.restore(expr)))
    })?;
    guarded.map_data(LogicalPlan::recompute_schema)
}

fn guarded_expr(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            let growth = GROWTHS.into_iter().find(|(name, _)| *name == func.name());
            match growth {
                Some((_, growth)) => {
                    let func = Arc::new(ScalarUDF::new_from_impl(Guarded { inner: func, growth }));
                    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args })))
                }
                None => Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }))),
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
            // Both are of one type by now. A chain of them becomes one call, not one inside the other.
            let data_type = left.get_type(schema)?;
            let args = match *left {
                Expr::ScalarFunction(ScalarFunction { func, mut args }) if func.name() == CONCAT => {
                    args.push(*right);
                    args
                }
                left => vec![left, *right],
            };
            let inner = Arc::new(ScalarUDF::new_from_impl(Concat::new(data_type)));
            let func = Arc::new(ScalarUDF::new_from_impl(Guarded { inner, growth: Growth::Sum }));
            Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args })))
        }
        Expr::AggregateFunction(AggregateFunction { func, params }) => {
            if func.name() == "string_agg" {
                let separators = params.args.get(1..).unwrap_or_default();
                separators.iter().try_for_each(check_separator)?;
            }
            Ok(Transformed::no(Expr::AggregateFunction(AggregateFunction { func, params })))
        }
        Expr::WindowFunction(window) if COLLECTORS.contains(&window.fun.name()) => {
            let message = format!(
                "collect values with {} over a window: each row would hold all of them; use GROUP BY",
                window.fun.name()
            );
            Err(stored(Error::invalid("sql_unsupported", message)))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn check_separator(separator: &Expr) -> Result<()> {
    match separator {
        Expr::Literal(value, _) if value.size() <= SEPARATOR_CHARS_MAX + size_of::<ScalarValue>() => Ok(()),
        _ => {
            let message = format!(
                "join texts with string_agg: the text between them is a constant of at most {SEPARATOR_CHARS_MAX} characters"
            );
            Err(stored(Error::invalid("bad_argument", message)))
        }
    }
}

/// A function that is called only if it would not make too much.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Guarded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl ScalarUDFImpl for Guarded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check(&args)?;
        self.inner.invoke_with_args(args)
    }
}

impl Guarded {
    fn check(&self, args: &ScalarFunctionArgs) -> Result<()> {
        // What is the same for all rows is made once.
        let is_constant = args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let mut total = 0_u128;
        let pattern = args.args.get(1).filter(|_| PATTERNED.contains(&self.name()));
        for row in 0..rows {
            let pattern_bytes = pattern.map_or(0, |pattern| bytes_at(pattern, row));
            if pattern_bytes > PATTERN_BYTES_MAX {
                let message = format!(
                    "call {}: its pattern has {pattern_bytes} bytes, and the limit is {PATTERN_BYTES_MAX}; write it shorter, \
                     or use LIKE",
                    self.name()
                );
                return Err(stored(Error::new(ErrorKind::Exhausted, "too_large", message)));
            }
            let bytes = self.growth.bytes(&args.args, row);
            total = total.saturating_add(bytes);
            if bytes > VALUE_BYTES_MAX || total > BATCH_BYTES_MAX {
                let (what, limit) = if bytes > VALUE_BYTES_MAX {
                    (bytes, "128 KiB a value")
                } else {
                    (total, "64 MiB a batch of rows")
                };
                let message = format!(
                    "call {}: it would make up to {what} bytes, and the limit is {limit}; give it less",
                    self.name()
                );
                return Err(stored(Error::new(ErrorKind::Exhausted, "too_large", message)));
            }
        }
        Ok(())
    }
}

impl Growth {
    /// The most bytes that are made of a row.
    fn bytes(self, args: &[ColumnarValue], row: usize) -> u128 {
        let size = |at: usize| args.get(at).map_or(0, |value| bytes_at(value, row));
        let number = |at: usize| args.get(at).and_then(|value| number_at(value, row));
        let sum = || (0..args.len()).map(size).fold(0, u128::saturating_add);
        match self {
            Self::Times => {
                let (unit, count) = if args.first().is_some_and(is_text) || number(0).is_none() {
                    (size(0), number(1))
                } else {
                    (8, number(1))
                };
                unit.max(1).saturating_mul(unsigned(count))
            }
            Self::Padded => size(0).saturating_add(unsigned(number(1)).saturating_mul(4)),
            Self::Part => size(0),
            Self::Replaced => size(0).saturating_add(1).saturating_mul(size(2).saturating_add(1)),
            Self::Sum => sum(),
            Self::Joined { separator } => {
                let parts =
                    (0..args.len()).filter(|at| *at != separator).map(size).fold(0, u128::saturating_add);
                let parts = parts.saturating_add(u128::try_from(args.len()).unwrap_or_default());
                parts.saturating_mul(size(separator).saturating_add(1))
            }
            Self::Counted => match (args.len(), number(0), number(1), number(2)) {
                (1, Some(to), ..) => unsigned(Some(to)).saturating_mul(8),
                (2, Some(from), Some(to), _) => to.abs_diff(from).saturating_add(1).saturating_mul(8),
                (3, Some(from), Some(to), Some(step)) => {
                    to.abs_diff(from).saturating_mul(8) / step.unsigned_abs().max(1)
                }
                // Steps of time can be of any size: such a list is made row by row, in FROM.
                _ if args
                    .iter()
                    .any(|value| matches!(value, ColumnarValue::Scalar(value) if value.is_null())) =>
                {
                    0
                }
                _ => u128::MAX,
            },
            Self::Resized => unsigned(number(1)).saturating_mul(16).saturating_add(size(0)),
        }
    }
}

fn unsigned(number: Option<i128>) -> u128 {
    u128::try_from(number.unwrap_or_default()).unwrap_or_default()
}

fn is_text(value: &ColumnarValue) -> bool {
    matches!(value.data_type(), DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)
}

/// The bytes of a value in a row; of a list all its elements.
fn bytes_at(value: &ColumnarValue, row: usize) -> u128 {
    let bytes = match value {
        ColumnarValue::Scalar(
            ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text),
        ) => text.as_ref().map_or(0, String::len),
        ColumnarValue::Scalar(ScalarValue::List(list)) => list.values().get_array_memory_size(),
        ColumnarValue::Scalar(scalar) => scalar.size(),
        ColumnarValue::Array(array) => bytes_in(array, row),
    };
    u128::try_from(bytes).unwrap_or(u128::MAX)
}

/// The bytes of the value of a row; of a list all its elements.
pub(super) fn bytes_in(array: &ArrayRef, row: usize) -> usize {
    if row >= array.len() || array.is_null(row) {
        return 0;
    }
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().value(row).len(),
        DataType::Utf8 => array.as_string::<i32>().value(row).len(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).len(),
        DataType::List(_) => array.as_list::<i32>().value(row).get_slice_memory(),
        _ => array.get_array_memory_size() / array.len().max(1),
    }
}

trait SliceMemory {
    fn get_slice_memory(&self) -> usize;
}

impl SliceMemory for ArrayRef {
    /// The bytes of the elements of a list, not of the array it is cut from.
    fn get_slice_memory(&self) -> usize {
        self.to_data().get_slice_memory_size().unwrap_or_else(|_| self.get_array_memory_size())
    }
}

fn number_at(value: &ColumnarValue, row: usize) -> Option<i128> {
    match value {
        ColumnarValue::Scalar(ScalarValue::Int64(number)) => number.map(i128::from),
        ColumnarValue::Scalar(ScalarValue::UInt64(number)) => number.map(i128::from),
        ColumnarValue::Scalar(ScalarValue::Int32(number)) => number.map(i128::from),
        ColumnarValue::Scalar(_) => None,
        ColumnarValue::Array(array) if row >= array.len() || array.is_null(row) => Some(0),
        ColumnarValue::Array(array) => {
            let large = array.as_primitive_opt::<Int64Type>().map(|array| i128::from(array.value(row)));
            large.or_else(|| array.as_primitive_opt::<Int32Type>().map(|array| i128::from(array.value(row))))
        }
    }
}
