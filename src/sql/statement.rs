//! What may a statement be? One SELECT, or EXPLAIN of one; and what do its names mean here.
//!
//! Event types and paths hold dots, and agents write them without quotes: `order.placed` is one name where an event type has
//! it, `user.name` where a column has it, and `payload.amount` is what lies in the payload.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement as Parsed};
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Select, SelectItem, Statement as Ast, Value, Visit,
    VisitMut, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

use super::depth::{check_depth, check_words};
use super::mistake::syntax;
use crate::error::{Error, Result};
use crate::event::quote;

/// The longest statement: 32 KiB.
pub(super) const SQL_BYTES_MAX: usize = 32 << 10;
/// How deep a statement nests: 48 levels of parentheses, subqueries and calls.
const DEPTH_MAX: usize = 48;
/// The documents of an event, whose paths are written behind their names.
const DOCUMENTS: [&str; 3] = ["payload", "metadata", "state"];

/// Reads a statement.
///
/// # Errors
/// `Invalid` (`sql_too_long`, `sql_syntax`, `one_statement`, `not_a_select`).
pub(super) fn parse(sql: &str) -> Result<Parsed> {
    if sql.len() > SQL_BYTES_MAX {
        let message = format!(
            "read the statement: it is {} bytes long and {SQL_BYTES_MAX} is the most; put long lists of values into a join or a LIKE",
            sql.len()
        );
        return Err(Error::invalid("sql_too_long", message));
    }
    let dialect = PostgreSqlDialect {};
    check_words(sql)?;
    let parser = DFParserBuilder::new(sql).with_dialect(&dialect).with_recursion_limit(DEPTH_MAX).build();
    let parsed = parser.and_then(|mut parser| parser.parse_statements());
    let mut statements = parsed.map_err(|error| syntax(&error, sql))?;
    let found = statements.len();
    match (statements.pop_front(), found) {
        (Some(statement), 1) => {
            check_is_select(&statement)?;
            select_of(&statement).map_or(Ok(()), check_depth)?;
            Ok(statement)
        }
        (_, 0) => Err(Error::invalid("sql_syntax", "read the statement: it is empty; send one SELECT")),
        (_, found) => {
            let message = format!("read the statement: there are {found}, and one SELECT is taken at a time");
            Err(Error::invalid("one_statement", message))
        }
    }
}

fn check_is_select(statement: &Parsed) -> Result<()> {
    match statement {
        Parsed::Statement(ast) if matches!(&**ast, Ast::Query(query) if query.locks.is_empty()) => Ok(()),
        Parsed::Explain(explain) => check_is_select(&explain.statement),
        other => {
            let text = other.to_string();
            let verb: Vec<&str> = text.split_whitespace().take(2).collect();
            let message = format!(
                "run {}: only SELECT, WITH … SELECT and EXPLAIN are taken; the tables are read-only, and events are added with append_events",
                quote(&verb.join(" "))
            );
            Err(Error::invalid("not_a_select", message))
        }
    }
}

/// What names of a statement may stand for.
pub(super) trait Names {
    /// Whether a table has that name.
    fn is_table(&self, name: &str) -> bool;
}

/// The tables that a statement names: with its dots, in the order in which they come.
pub(super) fn tables(statement: &Parsed) -> Vec<String> {
    struct Tables(Vec<String>);
    impl Visitor for Tables {
        type Break = ();

        fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
            self.0.push(joined(name));
            ControlFlow::Continue(())
        }
    }
    let mut tables = Tables(Vec::new());
    if let Some(ast) = select_of(statement) {
        let _ = ast.visit(&mut tables);
    }
    tables.0
}

/// Makes one name of the parts of names that hold dots, and paths of what stands behind a document.
pub(super) fn resolve(statement: &mut Parsed, names: &dyn Names, columns: &HashSet<String>) {
    if let Some(ast) = select_of_mut(statement) {
        let _ = ast.visit(&mut Resolve { names, columns });
    }
}

fn select_of(statement: &Parsed) -> Option<&Ast> {
    match statement {
        Parsed::Statement(ast) => Some(ast),
        Parsed::Explain(explain) => select_of(&explain.statement),
        _ => None,
    }
}

fn select_of_mut(statement: &mut Parsed) -> Option<&mut Ast> {
    match statement {
        Parsed::Statement(ast) => Some(ast),
        Parsed::Explain(explain) => select_of_mut(&mut explain.statement),
        _ => None,
    }
}

fn joined(name: &ObjectName) -> String {
    let part =
        |part: &ObjectNamePart| part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone());
    name.0.iter().map(part).collect::<Vec<_>>().join(".")
}

struct Resolve<'a> {
    names: &'a dyn Names,
    columns: &'a HashSet<String>,
}

impl VisitorMut for Resolve<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
        let whole = joined(name);
        if name.0.len() > 1 && self.names.is_table(&whole) {
            *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('"', whole))]);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(read) = arrows(expr) {
            *expr = read;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && is_path(expr)
            {
                // The column keeps the name that it was written by.
                let alias = Ident::with_quote('"', expr.to_string().replace(' ', ""));
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let resolved = match &*expr {
            Expr::CompoundIdentifier(parts) => self.resolved(parts),
            Expr::Function(function) => {
                bare_word(function).filter(|word| self.columns.contains(&word.value)).map(Expr::Identifier)
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                parts_of(root, access_chain).and_then(|parts| self.resolved(&parts))
            }
            _ => None,
        };
        if let Some(resolved) = resolved {
            *expr = resolved;
        }
        ControlFlow::Continue(())
    }
}

/// The functions that read JSON: a value as it is, and as text.
const AS_JSON: &str = "json_get";
const AS_TEXT: &str = "json_as_text";

fn call(name: &str, arguments: impl Iterator<Item = Expr>) -> Expr {
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.map(argument).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// `a -> 'b' ->> 'c'` as one call. As one operator inside the other, the time to plan it would double with each.
fn arrows(expr: &Expr) -> Option<Expr> {
    let Expr::BinaryOp { left, op: op @ (BinaryOperator::Arrow | BinaryOperator::LongArrow), right } = expr
    else {
        return None;
    };
    let (mut document, mut keys) = (left, vec![right.as_ref().clone()]);
    while let Expr::BinaryOp { left, op: BinaryOperator::Arrow, right } = document.as_ref() {
        keys.push(right.as_ref().clone());
        document = left;
    }
    let name = if *op == BinaryOperator::Arrow { AS_JSON } else { AS_TEXT };
    Some(call(name, [document.as_ref().clone()].into_iter().chain(keys.into_iter().rev())))
}

/// Whether it is read from a document.
fn is_path(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryOp { op: BinaryOperator::Arrow | BinaryOperator::LongArrow, .. } => true,
        Expr::CompoundIdentifier(parts) => {
            let behind = parts.len().saturating_sub(1);
            parts.iter().take(behind.min(2)).any(|part| DOCUMENTS.contains(&part.value.as_str()))
        }
        _ => false,
    }
}

/// The word that a function without parentheses is, such as `user`: in SQL it tells who asks, in a payload it is a field.
fn bare_word(function: &Function) -> Option<Ident> {
    match (&function.args, function.name.0.as_slice()) {
        (FunctionArguments::None, [ObjectNamePart::Identifier(word)]) => {
            Some(Ident { quote_style: Some('"'), ..word.clone() })
        }
        _ => None,
    }
}

/// The parts of a name that begins with such a word.
fn parts_of(root: &Expr, chain: &[AccessExpr]) -> Option<Vec<Ident>> {
    let first = match root {
        Expr::Function(function) => bare_word(function),
        // It was found to be a column by itself a moment ago.
        Expr::Identifier(word) => Some(word.clone()),
        _ => None,
    };
    let rest = chain.iter().map(|step| match step {
        AccessExpr::Dot(Expr::Identifier(part)) => Some(part.clone()),
        _ => None,
    });
    [first].into_iter().chain(rest).collect()
}

impl Resolve<'_> {
    fn resolved(&self, parts: &[Ident]) -> Option<Expr> {
        let join =
            |parts: &[Ident]| parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
        let span = parts.first()?.span;
        let one = |name: String| Ident { value: name, quote_style: Some('"'), span };
        let whole = join(parts);
        if self.columns.contains(&whole) {
            return Some(Expr::Identifier(one(whole)));
        }
        // The table may itself have a name with dots.
        for at in 1..parts.len() {
            let (table, column) = parts.split_at(at);
            let (table, column) = (join(table), join(column));
            let is_path = column.contains('.') && self.columns.contains(&column);
            if is_path || (at > 1 && self.names.is_table(&table)) {
                return Some(Expr::CompoundIdentifier(vec![one(table), one(column)]));
            }
        }
        let document = |part: &Ident| DOCUMENTS.contains(&part.value.as_str());
        let at = parts.iter().take(2).position(document).filter(|at| at + 1 < parts.len())?;
        let (column, path) = parts.split_at(at + 1);
        let column = match column {
            [column] => Expr::Identifier(column.clone()),
            column => Expr::CompoundIdentifier(column.to_vec()),
        };
        let keys = path.iter().map(|key| Expr::Value(Value::SingleQuotedString(key.value.clone()).into()));
        Some(call(AS_TEXT, [column].into_iter().chain(keys)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known(&'static [&'static str]);

    impl Names for Known {
        fn is_table(&self, name: &str) -> bool {
            self.0.contains(&name)
        }
    }

    #[track_caller]
    fn check(sql: &str, expected: &str) {
        let mut statement = parse(sql).expect("a statement");
        let columns =
            HashSet::from(["user".to_owned(), "user.name".to_owned(), "payload.version".to_owned()]);
        resolve(&mut statement, &Known(&["order.placed", "events"]), &columns);
        assert_eq!(statement.to_string(), expected, "{sql}");
    }

    #[test]
    fn names_with_dots_are_one_name() {
        check("SELECT * FROM order.placed", r#"SELECT * FROM "order.placed""#);
        check("SELECT user.name FROM x", r#"SELECT "user.name" FROM x"#);
        check("SELECT user FROM x", r#"SELECT "user" FROM x"#);
        check("SELECT p.user.name FROM x AS p", r#"SELECT "p"."user.name" FROM x AS p"#);
        check(
            "SELECT order.placed.total FROM order.placed",
            r#"SELECT "order.placed"."total" FROM "order.placed""#,
        );
        check("SELECT e.position FROM events AS e", "SELECT e.position FROM events AS e");
    }

    #[test]
    fn what_stands_behind_a_document_is_a_path_in_it() {
        check(
            "SELECT 1 FROM t WHERE payload.amount > 1",
            "SELECT 1 FROM t WHERE json_as_text(payload, 'amount') > 1",
        );
        check(
            "SELECT e.payload.a.b FROM events AS e",
            r#"SELECT json_as_text(e.payload, 'a', 'b') AS "e.payload.a.b" FROM events AS e"#,
        );
        check(
            "SELECT payload->'a'->0->>'b' AS b FROM x",
            "SELECT json_as_text(payload, 'a', 0, 'b') AS b FROM x",
        );
        check("SELECT 1 FROM x GROUP BY payload->'a'", "SELECT 1 FROM x GROUP BY json_get(payload, 'a')");
        check("SELECT max(payload.version) FROM x", r#"SELECT max("payload.version") FROM x"#);
    }

    #[test]
    fn nothing_but_one_select_is_taken() {
        #[track_caller]
        fn refused(sql: &str, code: &str) {
            assert_eq!(parse(sql).expect_err("a refusal").code(), code, "{sql}");
        }
        for sql in [
            "DROP TABLE events",
            "DELETE FROM events",
            "INSERT INTO events VALUES (1)",
            "UPDATE events SET payload = ''",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "COPY events TO '/tmp/x.csv'",
            "SET datafusion.execution.batch_size = 1",
            "EXPLAIN DELETE FROM events",
            "CREATE VIEW v AS SELECT 1",
        ] {
            refused(sql, "not_a_select");
        }
        refused("SELECT 1; SELECT 2", "one_statement");
        refused("", "sql_syntax");
        refused("SELEC 1", "sql_syntax");
        refused(&format!("SELECT '{}'", "x".repeat(SQL_BYTES_MAX)), "sql_too_long");
        for sql in [
            "SELECT 1",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "EXPLAIN SELECT 1",
            "VALUES (1)",
            "(SELECT 1)",
        ] {
            assert!(parse(sql).is_ok(), "{sql}");
        }
        assert_eq!(tables(&parse("SELECT * FROM a.b JOIN (SELECT * FROM c)").expect("parsed")), ["a.b", "c"]);
    }
}
