//! What of a statement's conditions can the store's indexes use? Entities, types, times and positions; each condition is
//! also applied to the rows, so what is not understood here costs time and nothing else.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Like, Operator, TableProviderFilterPushDown};

use super::columns::{Columns, Origin};
use crate::event::{NamePattern, Position, Timestamp};
use crate::store::{Column, Scan};

/// One condition that an index can use.
#[derive(Clone, Debug, PartialEq)]
enum Use {
    Named(Column, NamePattern),
    /// From this value on.
    From(Column, i64),
    /// Before this value.
    Before(Column, i64),
}

/// Whether indexes can use a condition.
pub(super) fn is_usable(columns: &Columns, condition: &Expr) -> bool {
    !uses(columns, condition).is_empty()
}

/// What is promised of a condition: at most that fewer rows come.
pub(super) const fn support(is_usable: bool) -> TableProviderFilterPushDown {
    if is_usable { TableProviderFilterPushDown::Inexact } else { TableProviderFilterPushDown::Unsupported }
}

/// The scan of what may fulfil all conditions.
pub(super) fn scan_of(columns: &Columns, conditions: &[Expr]) -> Scan {
    let mut scan = Scan::default();
    for found in conditions.iter().flat_map(|condition| uses(columns, condition)) {
        match found {
            Use::Named(Column::EntityId, pattern) => narrow(&mut scan.filter.entity_id, pattern),
            Use::Named(_, pattern) => narrow(&mut scan.filter.event_type, pattern),
            Use::From(Column::Timestamp, from) => {
                let from = Timestamp::from_micros(from);
                scan.filter.since = scan.filter.since.max(Some(from));
            }
            Use::Before(Column::Timestamp, before) => {
                let before = Timestamp::from_micros(before);
                scan.filter.until = Some(scan.filter.until.map_or(before, |known| known.min(before)));
            }
            Use::From(_, from) => {
                let before_it = u64::try_from(from.saturating_sub(1)).unwrap_or_default();
                scan.after = scan.after.max(Position::new(before_it));
            }
            Use::Before(_, before) => {
                let before = Position::new(u64::try_from(before).unwrap_or_default());
                scan.before = Some(scan.before.map_or(before, |known| known.min(before)));
            }
        }
    }
    scan
}

/// An exact name says more than a prefix; what is said twice is still applied to the rows.
fn narrow(known: &mut Option<NamePattern>, found: NamePattern) {
    if known.is_none() || matches!(found, NamePattern::Exact(_)) {
        *known = Some(found);
    }
}

fn uses(columns: &Columns, condition: &Expr) -> Vec<Use> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            let mut both = uses(columns, left);
            both.extend(uses(columns, right));
            both
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            match (column(columns, left), column(columns, right)) {
                (Some(column), None) => compared(column, *op, right),
                (None, Some(column)) => op.swap().map_or_else(Vec::new, |op| compared(column, op, left)),
                _ => Vec::new(),
            }
        }
        Expr::Between(Between { expr, negated: false, low, high }) => {
            let Some(column) = column(columns, expr) else { return Vec::new() };
            let mut both = compared(column, Operator::GtEq, low);
            both.extend(compared(column, Operator::LtEq, high));
            both
        }
        Expr::Like(Like { negated: false, expr, pattern, escape_char: None, case_insensitive: false }) => {
            match (column(columns, expr), text(pattern)) {
                (Some(column), Some(pattern)) => {
                    prefix(pattern).map(|prefix| Use::Named(column, prefix)).into_iter().collect()
                }
                _ => Vec::new(),
            }
        }
        Expr::InList(list) if !list.negated && list.list.len() == 1 => {
            match (column(columns, &list.expr), list.list.first()) {
                (Some(column), Some(only)) => compared(column, Operator::Eq, only),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// What every match of a pattern begins with, when that is all the pattern says in front of its first wildcard.
fn prefix(pattern: &str) -> Option<NamePattern> {
    if pattern.contains('\\') {
        return None;
    }
    match pattern.find(['%', '_']) {
        None => Some(NamePattern::Exact(pattern.to_owned())),
        Some(0) => None,
        Some(at) => pattern.get(..at).map(|prefix| NamePattern::Prefix(prefix.to_owned())),
    }
}

fn compared(column: Column, op: Operator, value: &Expr) -> Vec<Use> {
    if matches!(column, Column::EntityId | Column::EventType) {
        let named = text(value).filter(|_| op == Operator::Eq);
        return named
            .map(|name| Use::Named(column, NamePattern::Exact(name.to_owned())))
            .into_iter()
            .collect();
    }
    let Some(value) = number(value) else { return Vec::new() };
    let behind = value.saturating_add(1);
    match op {
        Operator::Eq => vec![Use::From(column, value), Use::Before(column, behind)],
        Operator::Gt => vec![Use::From(column, behind)],
        Operator::GtEq => vec![Use::From(column, value)],
        Operator::Lt => vec![Use::Before(column, value)],
        Operator::LtEq => vec![Use::Before(column, behind)],
        _ => Vec::new(),
    }
}

/// The column that an expression is, if an index knows it.
fn column(columns: &Columns, expr: &Expr) -> Option<Column> {
    let Expr::Column(named) = expr else { return None };
    let at = columns.schema.index_of(&named.name).ok()?;
    match columns.origins.get(at)? {
        Origin::Stored(
            column @ (Column::EntityId | Column::EventType | Column::Timestamp | Column::Position),
        ) => Some(*column),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)),
            _,
        ) => Some(text),
        _ => None,
    }
}

/// A whole number, or a time in microseconds.
fn number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(
            ScalarValue::Int64(Some(number)) | ScalarValue::TimestampMicrosecond(Some(number), Some(_)),
            _,
        ) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    fn time(micros: i64) -> Expr {
        lit(ScalarValue::TimestampMicrosecond(Some(micros), Some(super::super::columns::UTC.into())))
    }

    #[track_caller]
    fn check(conditions: &[Expr], filter: &str, after: u64, before: Option<u64>) {
        let scan = scan_of(&Columns::of_events(), conditions);
        assert_eq!(scan.filter.to_string(), filter);
        assert_eq!((scan.after.get(), scan.before.map(Position::get)), (after, before));
    }

    #[test]
    fn what_indexes_know_reaches_them() {
        check(&[col("event_type").eq(lit("a.b"))], r#"event_type="a.b""#, 0, None);
        check(&[lit("x*").eq(col("entity_id"))], r#"entity_id="x\\*""#, 0, None);
        check(&[col("entity_id").like(lit("order-%"))], r#"entity_id="order-*""#, 0, None);
        check(
            &[col("timestamp").gt_eq(time(1_000_000)).and(col("timestamp").lt(time(2_000_000)))],
            r#"since="1970-01-01T00:00:01Z" until="1970-01-01T00:00:02Z""#,
            0,
            None,
        );
        check(&[col("position").gt(lit(5_i64)), lit(9_i64).gt_eq(col("position"))], "", 5, Some(10));
        check(&[col("position").between(lit(5_i64), lit(9_i64))], "", 4, Some(10));
        check(&[col("event_type").in_list(vec![lit("a")], false)], r#"event_type="a""#, 0, None);
    }

    #[test]
    fn what_they_do_not_know_is_left_to_the_rows() {
        let unknown = [
            col("payload").eq(lit("x")),
            col("event_type").not_eq(lit("x")),
            col("event_type").like(lit("%x")),
            col("event_type").like(lit("a\\%b")),
            col("event_type").eq(lit("x")).or(col("position").eq(lit(1_i64))),
            col("version").eq(lit(1_i64)),
            col("entity_id").eq(col("event_type")),
        ];
        for condition in unknown {
            assert!(!is_usable(&Columns::of_events(), &condition), "{condition}");
            check(&[condition], "", 0, None);
        }
    }
}
