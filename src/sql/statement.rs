//! What may a statement be? One SELECT, or EXPLAIN of one; and what do its names mean here.
//!
//! Event types and paths hold dots, and agents write them without quotes: `order.placed` is one name where an event type has
//! it, `user.name` where a column has it, and `payload.amount` is what lies in the payload.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement as Parsed};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, ObjectName, ObjectNamePart, Statement as Ast, Value, VisitMut, Visitor, VisitorMut,
    Visit,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

use super::mistake::syntax;
use crate::error::{Error, Result};
use crate::event::quote;

/// The longest statement: 32 KiB.
pub(super) const SQL_BYTES_MAX: usize = 32 << 10;
/// How deep a statement nests.
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
    let parser = DFParserBuilder::new(sql).with_dialect(&dialect).with_recursion_limit(DEPTH_MAX).build();
    let parsed = parser.and_then(|mut parser| parser.parse_statements());
    let mut statements = parsed.map_err(|error| syntax(&error, sql))?;
    let found = statements.len();
    match (statements.pop_front(), found) {
        (Some(statement), 1) => {
            check_is_select(&statement)?;
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
        Parsed::Statement(ast) if matches!(**ast, Ast::Query(_)) => Ok(()),
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
    let part = |part: &ObjectNamePart| part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone());
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

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let Some(resolved) = self.resolved(parts)
        {
            *expr = resolved;
        }
        ControlFlow::Continue(())
    }
}

impl Resolve<'_> {
    fn resolved(&self, parts: &[Ident]) -> Option<Expr> {
        let join = |parts: &[Ident]| parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
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
        Some(path.iter().enumerate().fold(column, |value, (step, key)| {
            let is_last = step + 1 == path.len();
            Expr::BinaryOp {
                left: Box::new(value),
                op: if is_last { BinaryOperator::LongArrow } else { BinaryOperator::Arrow },
                right: Box::new(Expr::Value(Value::SingleQuotedString(key.value.clone()).into())),
            }
        }))
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
        let columns = HashSet::from(["user.name".to_owned(), "payload.version".to_owned()]);
        resolve(&mut statement, &Known(&["order.placed", "events"]), &columns);
        assert_eq!(statement.to_string(), expected, "{sql}");
    }

    #[test]
    fn names_with_dots_are_one_name() {
        check("SELECT * FROM order.placed", r#"SELECT * FROM "order.placed""#);
        check("SELECT user.name FROM x", r#"SELECT "user.name" FROM x"#);
        check("SELECT p.user.name FROM x AS p", r#"SELECT "p"."user.name" FROM x AS p"#);
        check(
            "SELECT order.placed.total FROM order.placed",
            r#"SELECT "order.placed"."total" FROM "order.placed""#,
        );
        check("SELECT e.position FROM events AS e", "SELECT e.position FROM events AS e");
    }

    #[test]
    fn what_stands_behind_a_document_is_a_path_in_it() {
        check("SELECT payload.amount FROM events", "SELECT payload ->> 'amount' FROM events");
        check("SELECT e.payload.a.b FROM events AS e", "SELECT e.payload -> 'a' ->> 'b' FROM events AS e");
        check("SELECT payload.version FROM x", r#"SELECT "payload.version" FROM x"#);
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
        for sql in ["SELECT 1", "WITH a AS (SELECT 1) SELECT * FROM a", "EXPLAIN SELECT 1", "VALUES (1)", "(SELECT 1)"] {
            assert!(parse(sql).is_ok(), "{sql}");
        }
        assert_eq!(tables(&parse("SELECT * FROM a.b JOIN (SELECT * FROM c)").expect("parsed")), ["a.b", "c"]);
    }
}
