//! Statements that somebody may send who means harm, by kind of harm.

fn texts<const N: usize>(all: [&str; N]) -> Vec<String> {
    all.into_iter().map(str::to_owned).collect()
}

/// Each template with each word for its `{}`.
fn each<const N: usize, const M: usize>(templates: [&str; N], words: [&str; M]) -> Vec<String> {
    templates.iter().flat_map(|template| words.iter().map(|word| template.replace("{}", word))).collect()
}

pub(super) fn writes() -> Vec<String> {
    let mut all = each(
        [
            "INSERT INTO {} VALUES (1)",
            "DELETE FROM {}",
            "UPDATE {} SET payload = 'x'",
            "DROP TABLE {}",
            "TRUNCATE TABLE {}",
            "ALTER TABLE {} ADD COLUMN x int",
            "CREATE TABLE {} AS SELECT 1",
            "CREATE VIEW {} AS SELECT 1",
            "CREATE EXTERNAL TABLE {} STORED AS CSV LOCATION '/etc/passwd'",
            "COPY {} TO '/tmp/stolen.csv'",
            "COPY (SELECT * FROM {}) TO '/tmp/stolen.parquet'",
            "SELECT * INTO {} FROM events",
            "EXPLAIN ANALYZE DELETE FROM {}",
            "MERGE INTO {} USING events ON true WHEN MATCHED THEN DELETE",
        ],
        ["events", "entities", "\"t.x\"", "mine"],
    );
    all.extend(texts([
        "SET datafusion.runtime.memory_limit = '100G'",
        "SET datafusion.execution.batch_size = 1000000",
        "RESET ALL",
        "SHOW ALL",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE p",
        "BEGIN",
        "COMMIT",
        "CREATE FUNCTION f() RETURNS int RETURN 1",
        "CREATE SCHEMA s",
        "DROP SCHEMA public CASCADE",
        "CREATE DATABASE d",
        "USE d",
        "CALL x()",
        "GRANT ALL ON events TO public",
        "VACUUM",
        "LOAD 'x.so'",
        "ATTACH 'x.db'",
        "PRAGMA x",
        "LOCK TABLE events",
        "DO $$ BEGIN END $$",
        "SELECT 1; DROP TABLE events",
        "SELECT 1;;SELECT 2",
        "WITH x AS (DELETE FROM events RETURNING *) SELECT * FROM x",
        "SELECT * FROM events FOR UPDATE",
    ]));
    all
}

pub(super) fn files() -> Vec<String> {
    each(
        [
            "SELECT * FROM '{}'",
            "SELECT * FROM \"{}\"",
            "SELECT * FROM read_csv('{}')",
            "SELECT * FROM read_parquet('{}')",
            "SELECT pg_read_file('{}')",
            "SELECT load_extension('{}')",
            "SELECT * FROM events_at('{}')",
        ],
        [
            "/etc/passwd",
            "file:///etc/passwd",
            "http://127.0.0.1/x.csv",
            "s3://bucket/x.parquet",
            "../../etc/shadow",
        ],
    )
}

pub(super) fn bombs() -> Vec<String> {
    let mut all = texts([
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
        "WITH RECURSIVE r AS (SELECT 'x' AS t UNION ALL SELECT t || t FROM r) SELECT max(length(t)) FROM r",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT a.n FROM r a, r b) SELECT count(*) FROM r",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r, generate_series(1, 10)) SELECT count(*) FROM r",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT n + 1 FROM r) SELECT count(*) FROM r",
        "SELECT count(*) FROM generate_series(1, 1000000000000)",
        "SELECT sum(a.value * b.value) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b",
        "SELECT array_agg(value) FROM generate_series(1, 1000000000)",
        "SELECT string_agg(cast(value AS text), ',') FROM generate_series(1, 1000000000)",
        "SELECT value, count(*) FROM generate_series(1, 1000000000) GROUP BY value",
        "SELECT DISTINCT value FROM generate_series(1, 1000000000)",
        "SELECT value FROM generate_series(1, 1000000000) ORDER BY value DESC",
        "SELECT sum(value) OVER () FROM generate_series(1, 1000000000)",
        "SELECT row_number() OVER (ORDER BY -value) FROM generate_series(1, 1000000000)",
        "SELECT count(DISTINCT value) FROM generate_series(1, 1000000000)",
        "SELECT median(value) FROM generate_series(1, 1000000000)",
        "SELECT * FROM generate_series(1, 1000000000) a JOIN generate_series(1, 1000000000) b ON a.value = b.value",
        "SELECT * FROM generate_series(1, 100000000) a LEFT JOIN generate_series(1, 100000000) b ON a.value < b.value",
        "SELECT count(*) FROM events WHERE position IN (SELECT value FROM generate_series(1, 1000000000))",
        "SELECT value FROM generate_series(1, 1000000000) EXCEPT SELECT position FROM events",
    ]);
    for tables in 2..12 {
        let names: Vec<String> = (0..tables).map(|at| format!("events e{at}")).collect();
        all.push(format!("SELECT count(*) FROM {}", names.join(", ")));
        all.push(format!("SELECT max(e0.payload || e1.payload) FROM {}", names.join(" CROSS JOIN ")));
    }
    all
}

pub(super) fn makers() -> Vec<String> {
    let mut all = each(
        [
            "SELECT repeat('x', {})",
            "SELECT repeat(payload, {}) FROM events",
            "SELECT length(repeat(entity_id, {})) FROM events",
            "SELECT lpad('x', {}, 'y')",
            "SELECT rpad(entity_id, {}) FROM events",
            "SELECT array_repeat('x', {})",
            "SELECT array_repeat(array_repeat(1, {}), {})",
            "SELECT range(0, {})",
            "SELECT generate_series(1, {})",
            "SELECT unnest(range(0, {})), repeat('x', 1000000)",
            "SELECT array_resize([1], {}, 2)",
            "SELECT replace(repeat('a', 1000000), 'a', repeat('b', {}))",
            "SELECT regexp_replace(repeat('a', 1000000), '', repeat('b', {}), 'g')",
            "SELECT concat_ws(repeat('x', {}), payload, payload, payload) FROM events",
            "SELECT array_to_string(range(0, 1000000), repeat('x', {}))",
        ],
        ["1000000000", "9223372036854775807", "10000000"],
    );
    let mut doubled = "repeat('x', 1000000)".to_owned();
    for _ in 0..8 {
        doubled = format!("({doubled} || {doubled})");
        all.push(format!("SELECT length({doubled})"));
    }
    for steps in [10, 20, 40] {
        let steps: Vec<String> =
            (1..steps).map(|at| format!("a{at} AS (SELECT t || t AS t FROM a{})", at - 1)).collect();
        let sql = format!(
            "WITH a0 AS (SELECT payload AS t FROM events), {} SELECT max(length(t)) FROM a{}",
            steps.join(", "),
            steps.len()
        );
        all.push(sql.replace("t || t", "make_array(t, t)"));
        all.push(sql.replace("t || t", "concat(t, t, t)"));
        all.push(sql.replace("t || t", "[t, t]").replace("max(length(t))", "count(t)"));
        all.push(sql);
    }
    all.extend(texts([
        "SELECT string_agg(payload, repeat('x', 1000000)) FROM events",
        "SELECT string_agg(payload, entity_id) FROM events",
        "SELECT array_agg(a.payload) FROM events a, events b, events c",
        "SELECT a.t, b.position FROM (SELECT string_agg(payload || payload || payload, ',') AS t FROM events) a CROSS JOIN events b",
        "SELECT (SELECT string_agg(payload || payload || payload, ',') FROM events) AS t, position FROM events",
        "SELECT string_agg(payload, ',') OVER () FROM events",
        "SELECT array_agg(payload) OVER (ORDER BY position) FROM events",
        "SELECT a.t || b.payload FROM (SELECT array_agg(payload || payload)::text AS t FROM events) a, events b",
        "SELECT arrow_cast('x', 'LargeUtf8')",
        "SELECT a.t, b.position FROM (SELECT repeat('x', 1000000) AS t) a CROSS JOIN events b",
        "SELECT sum(position) OVER (), payload FROM (SELECT a.* FROM events a, events b, events c)",
        "SELECT range(TIMESTAMP '2020-01-01', TIMESTAMP '2030-01-01', INTERVAL '1 microsecond')",
        "SELECT map(range(0, 100000000), range(0, 100000000))",
        "SELECT to_char(now(), repeat('%Y', 1000000))",
        "SELECT translate(repeat('a', 1000000), 'a', repeat('b', 1000000))",
        "SELECT json_get(repeat('[', 1000000), 0)",
        "SELECT repeat('[', 100000)->'a'",
    ]));
    all
}

pub(super) fn regexes() -> Vec<String> {
    each(
        [
            "SELECT count(*) FROM events WHERE payload ~ '{}'",
            "SELECT regexp_like(payload, '{}') FROM events",
            "SELECT regexp_replace(payload, '{}', 'x') FROM events",
            "SELECT regexp_count(payload, '{}') FROM events",
        ],
        [
            "(a+)+$",
            "(((((a{1,100}){1,100}){1,100}){1,100}){1,100})",
            "a{1000000000}",
            "(x|x|x|x|x|x|x|x|x|x|x)*y",
            "[",
            "(?P<n>",
            "\\\\p{L}{1000}{1000}",
            "(?=look)",
            "\\1",
        ],
    )
}

pub(super) fn patterns() -> Vec<String> {
    let groups = "(.*)*".repeat(3_000);
    ["regexp_replace(payload, '{}', 'x')", "regexp_match(payload, '{}')", "regexp_instr(payload, '{}')"]
        .map(|call| format!("SELECT {} FROM events LIMIT 1", call.replace("{}", &groups)))
        .into()
}

pub(super) fn deep() -> Vec<String> {
    let mut all = Vec::new();
    for depth in [30_usize, 60, 500, 5_000] {
        all.push(format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth)));
        all.push(format!("SELECT {}true", "NOT ".repeat(depth)));
        all.push(format!("SELECT {}1", "- ".repeat(depth)));
        all.push(format!("SELECT 1{}", " + 1".repeat(depth)));
        all.push(format!("SELECT 'a'{}", " || 'a'".repeat(depth)));
        all.push(
            format!("SELECT true{}", " AND position > 1".repeat(depth))
                .replace("SELECT true", "SELECT 1 FROM events WHERE true"),
        );
        all.push(format!("SELECT 1 FROM events WHERE false{}", " OR position = 1".repeat(depth)));
        all.push(format!("{}SELECT 1{}", "SELECT * FROM (".repeat(depth), ")".repeat(depth)));
        all.push(format!("SELECT {}1{}", "abs(".repeat(depth), ")".repeat(depth)));
        all.push(format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(depth), " END".repeat(depth)));
        all.push(format!("SELECT payload{} FROM events", "->'a'".repeat(depth)));
        all.push(format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(depth)));
        all.push(format!("SELECT {}1{}", "[".repeat(depth), "]".repeat(depth)));
        all.push(format!(
            "SELECT 1 WHERE {}true{}",
            "EXISTS (SELECT 1 WHERE ".repeat(depth),
            ")".repeat(depth)
        ));
        all.push(format!(
            "WITH {}z AS (SELECT 1) SELECT * FROM z",
            (0..depth).map(|at| format!("a{at} AS (SELECT 1), ")).collect::<Vec<_>>().concat()
        ));
    }
    all
}

pub(super) fn long() -> Vec<String> {
    let numbers = (0..5_000).map(|at| at.to_string()).collect::<Vec<_>>().join(",");
    let columns = (0..2_000).map(|at| format!("{at} AS c{at}")).collect::<Vec<_>>().join(",");
    let rows = (0..3_000).map(|at| format!("({at})")).collect::<Vec<_>>().join(",");
    vec![
        format!("SELECT count(*) FROM events WHERE position IN ({numbers})"),
        format!("SELECT {columns}"),
        format!("SELECT {columns} FROM events"),
        format!("VALUES {rows}"),
        format!("SELECT '{}'", "x".repeat(31_000)),
        format!("SELECT \"{}\" FROM events", "x".repeat(31_000)),
        format!("SELECT * FROM \"{}\"", "x".repeat(31_000)),
        format!("SELECT {}()", "f".repeat(31_000)),
        "x".repeat(40_000),
        " ".repeat(40_000),
        "SELECT -- ".to_owned() + &"-".repeat(30_000),
        "/*".repeat(10_000),
        "'".repeat(30_001),
        "\"".repeat(30_001),
        "(".repeat(30_000),
    ]
}

pub(super) fn types() -> Vec<String> {
    each(
        [
            "SELECT {}",
            "SELECT {} FROM events",
            "SELECT count(*) FROM events WHERE position = {}",
            "SELECT count(*) FROM events WHERE timestamp > {}",
        ],
        [
            "9223372036854775807 + 1",
            "-9223372036854775808 / -1",
            "abs(-9223372036854775808)",
            "1 / 0",
            "1 % 0",
            "cast('x' AS bigint)",
            "cast('2026-13-45' AS timestamp)",
            "date '9999-12-31' + interval '1000000 years'",
            "timestamp '0001-01-01' - interval '1000000 years'",
            "to_timestamp(9223372036854775807)",
            "date_trunc('nonsense', now())",
            "date_bin(interval '0 seconds', now(), now())",
            "1e400",
            "99999999999999999999999999999999999999999999",
            "sqrt(-1)",
            "chr(1114112)",
            "chr(0)",
            "substr('abc', -9223372036854775808, 9223372036854775807)",
            "left('abc', -9223372036854775808)",
            "split_part('a,b', '', -9223372036854775808)",
            "array_slice([1,2], -9223372036854775808, 9223372036854775807)",
            "[1,2][9223372036854775807]",
            "factorial(1000000)",
            "power(10, 400)",
            "round(1.5, 2147483647)",
            "interval '999999999999 months'",
            "make_date(2147483647, 13, 45)",
            "(SELECT position FROM events)",
            "x'zz'",
            "$1",
            "@@version",
            "uuid()",
        ],
    )
}

/// Words of SQL in no order, the same in every run.
pub(super) fn gibberish() -> Vec<String> {
    const WORDS: [&str; 40] = [
        "SELECT", "FROM", "WHERE", "GROUP", "BY", "(", ")", ",", "*", "events", "position", "payload", "->>",
        "'a'", "1", "AND", "OR", "NOT", "NULL", "JOIN", "ON", "=", "<", "UNION", "ALL", "ORDER", "LIMIT",
        "WITH", "AS", "CASE", "WHEN", "END", "count", "OVER", "\"t.x\"", ";", "::", "[", "]", "\u{0}",
    ];
    let mut state = 7_u64;
    let mut next = move || {
        // Knuth's linear congruential generator (MMIX).
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default()
    };
    (0..120)
        .map(|_| {
            let words = 3 + next() % 20;
            let words: Vec<&str> = (0..words).map(|_| WORDS[next() % WORDS.len()]).collect();
            format!("SELECT {}", words.join(" "))
        })
        .collect()
}
