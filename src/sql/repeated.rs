//! What is `m + 1 AS m` over `m + 1 AS m`? Twice one. The optimiser of `DataFusion` 55 takes two equal projections that follow each
//! other for one, and gives `m + 1` (fixed there by pull request 24686, in no release yet); marks on the names tell them apart.

use std::collections::BTreeMap;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use datafusion::optimizer::AnalyzerRule;

/// The mark: how many equal projections lie below.
const MARK: &str = "equal_below";

/// The rule.
#[derive(Debug)]
pub(super) struct RepeatedProjections;

impl AnalyzerRule for RepeatedProjections {
    fn name(&self) -> &'static str {
        "repeated_projections"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        // From above: what lies below is not marked yet, and compares as it was written.
        let told_apart = plan.transform_down_with_subqueries(tell_apart)?;
        if !told_apart.transformed {
            return Ok(told_apart.data);
        }
        let renewed = |node: LogicalPlan| node.recompute_schema().map(Transformed::yes);
        Ok(told_apart.data.transform_up_with_subqueries(renewed)?.data)
    }
}

fn tell_apart(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Projection(projection) = plan else { return Ok(Transformed::no(plan)) };
    let gives_new_meaning = projection.expr.iter().any(|expr| matches!(expr, Expr::Alias(_)));
    let below = if gives_new_meaning { equal_below(&projection)? } else { 0 };
    if below == 0 {
        return Ok(Transformed::no(LogicalPlan::Projection(projection)));
    }
    let mark = BTreeMap::from([(MARK.to_owned(), below.to_string())]);
    let marked = |expr: Expr| match expr {
        Expr::Alias(alias) => Expr::Alias(alias.with_metadata(Some(FieldMetadata::from(mark.clone())))),
        other => other,
    };
    let exprs = projection.expr.into_iter().map(marked).collect();
    Projection::try_new(exprs, projection.input).map(LogicalPlan::Projection).map(Transformed::yes)
}

fn equal_below(projection: &Projection) -> Result<usize> {
    let mut count = 0;
    projection.input.apply(|node| {
        if let LogicalPlan::Projection(inner) = node {
            count += usize::from(inner.expr == projection.expr);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(count)
}
