//! A call that is cancelled ends; the record of it says so.

use serde_json::{Value, json};

use super::{Client, ERAS, store};

/// A statement that would go on until its time is up.
const ENDLESS: &str = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 1000000000) SELECT count(*) FROM t";

/// What came of the calls of `run_sql` on `main`, as the branch `audit` tells it.
fn outcomes(client: &mut Client) -> Vec<Value> {
    let sql = "SELECT payload.outcome AS outcome FROM events WHERE payload.tool = 'run_sql' AND payload.branch IS NULL";
    let answer = client.done("run_sql", json!({"branch": "audit", "sql": sql}));
    answer["table"]["rows"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_statement_that_nobody_waits_for_ends_before_its_time_is_up() {
    for era in ERAS {
        let dir = store();
        let mut client = Client::open(dir.path(), era, &[]);
        let id = client.send("tools/call", json!({"name": "run_sql", "arguments": {"sql": ENDLESS}}));
        let cancelled =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
        client.send_line(&cancelled.to_string());
        let found = loop {
            let found = outcomes(&mut client);
            if !found.is_empty() {
                break found;
            }
        };
        assert_eq!(found, [json!(["cancelled"])], "not its time limit");
        assert!(client.close().status.success());
    }
}
