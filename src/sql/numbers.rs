//! What is `payload->>'amount' > 100`? A text beside a number: it is compared as a number, and not at all when it is none, as
//! conditions of other tools do. SQL's own rule would turn the number into text, by which 9 is more than 100.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{InList, TryCast};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::optimizer::AnalyzerRule;

/// The rule; it comes before types are made equal.
#[derive(Debug)]
pub(super) struct NumbersInText;

impl AnalyzerRule for NumbersInText {
    fn name(&self) -> &'static str {
        "numbers_in_text"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(read_plan)?.data)
    }
}

fn read_plan(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let read = expr.transform_up(|expr| Ok(read_expr(expr, &schema)))?;
        Ok(read.update_data(|expr| name.restore(expr)))
    })
}

fn read_expr(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) || is_arithmetic(op) => {
            let (left, right) = if is_text(&left, schema) && is_number(&right, schema) {
                (Box::new(as_number(left)), right)
            } else if is_number(&left, schema) && is_text(&right, schema) {
                (left, Box::new(as_number(right)))
            } else {
                return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
            };
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::Between(Between { expr, negated, low, high })
            if is_text(&expr, schema) && is_number(&low, schema) && is_number(&high, schema) =>
        {
            Transformed::yes(Expr::Between(Between { expr: Box::new(as_number(expr)), negated, low, high }))
        }
        Expr::InList(InList { expr, list, negated })
            if is_text(&expr, schema) && list.iter().all(|item| is_number(item, schema)) =>
        {
            Transformed::yes(Expr::InList(InList { expr: Box::new(as_number(expr)), list, negated }))
        }
        other => Transformed::no(other),
    }
}

const fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
    )
}

const fn is_arithmetic(op: Operator) -> bool {
    matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo)
}

/// Whether it is text that is read from somewhere: what a text in the statement is, is for SQL to say.
fn is_text(expr: &Expr, schema: &DFSchema) -> bool {
    !matches!(expr, Expr::Literal(..))
        && expr
            .get_type(schema)
            .is_ok_and(|known| matches!(known, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8))
}

fn is_number(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|known| known.is_numeric())
}

fn as_number(expr: Box<Expr>) -> Expr {
    Expr::TryCast(TryCast::new(expr, DataType::Float64))
}
