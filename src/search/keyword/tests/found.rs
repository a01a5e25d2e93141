//! What is found by which keywords.

use super::*;

#[track_caller]
fn check(reader: &KeywordReader, keywords: &str, expected: &[u64]) {
    let mut positions = found(reader, keywords);
    positions.sort_unstable();
    assert_eq!(positions, expected, "{keywords}");
}

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

#[test]
fn an_identifier_is_found_whole_and_in_parts() {
    let (_dir, reader) = over(&[
        r#"{"user":"user-123"}"#,
        r#"{"type":"order.placed"}"#,
        r#"{"type":"InvoiceSent"}"#,
        r#"{"type":"refund_issued"}"#,
        r#"{"path":"C:\\Windows\\System32\\cmd.exe"}"#,
        r#"{"mail":"ann.lee@mail.example"}"#,
        r#"{"id":"9F85CE58-5A6A-4B1E-8C3D-0123456789AB"}"#,
        r#"{"url":"https://shop.example/items/77?ref=news"}"#,
        r#"{"amount":12.50,"ip":"192.168.0.1"}"#,
        &format!(r#"{{"hash":"{HASH}"}}"#),
    ]);
    for (keywords, position) in [
        ("user-123", 1),
        ("123", 1),
        ("order.placed", 2),
        ("placed", 2),
        ("orders placing", 2),
        ("InvoiceSent", 3),
        ("invoicesent", 3),
        ("invoice", 3),
        ("invoice_sent", 3),
        ("refund_issued", 4),
        ("RefundIssued", 4),
        ("issued", 4),
        (r"C:\Windows\System32\cmd.exe", 5),
        ("system32", 5),
        ("cmd.exe", 5),
        ("windows", 5),
        ("ann.lee@mail.example", 6),
        ("ann", 6),
        ("mail.example", 6),
        ("9f85ce58-5a6a-4b1e-8c3d-0123456789ab", 7),
        ("9f85ce58", 7),
        ("https://shop.example/items/77?ref=news", 8),
        ("shop.example", 8),
        ("12.50", 9),
        ("192.168.0.1", 9),
        ("192.168.*", 9),
        (HASH, 10),
        ("9f86d081*", 10),
    ] {
        assert_eq!(found(&reader, keywords).first(), Some(&position), "{keywords}");
    }
}

#[test]
fn the_columns_and_metadata_are_found() {
    let mut one = event(1, "cart-9", "cart.checked_out", "{}");
    one.metadata = Some(Json::trusted(Text::from(
        r#"{"actor":"nightly-import","$client":{"name":"claude"}}"#.to_owned(),
    )));
    let mut two = event(2, "cart-10", "cart.opened", r#"[{"deep":[{"er":"wombat"}]}]"#);
    two.event_id = EventId::new("order:2:opened".to_owned()).expect("an id");
    let (_dir, reader) = indexed(&[one, two], 10);
    check(&reader, "checked", &[1]);
    check(&reader, "cart-10", &[1, 2]);
    check(&reader, "+cart-10", &[2]);
    check(&reader, "nightly", &[1]);
    check(&reader, "claude", &[]);
    check(&reader, "order:2:opened", &[2]);
    check(&reader, "wombats", &[2]);
    check(&reader, "event_type:cart.opened", &[2]);
    check(&reader, "event_type:cart.*", &[1, 2]);
    check(&reader, "entity_id:cart-9", &[1]);
    check(&reader, "metadata.actor:import", &[1]);
    check(&reader, "actor:import", &[1]);
    check(&reader, "deep.er:wombat", &[2]);
}

#[test]
fn a_field_is_found_by_its_path_or_its_end() {
    let (_dir, reader) = over(&[
        r#"{"customer":{"name":"Ann Lee"},"paid":true}"#,
        r#"{"name":"Lee Ann","paid":false}"#,
        r#"{"note":"Ann called","time":"12:30:00"}"#,
    ]);
    check(&reader, "name:ann", &[1, 2]);
    check(&reader, "customer.name:ann", &[1]);
    check(&reader, "payload.name:ann", &[2]);
    check(&reader, r#"name:"ann lee""#, &[1]);
    check(&reader, "name:an*", &[1, 2]);
    check(&reader, "name:(lee AND ann) AND NOT customer.name:*", &[2]);
    check(&reader, "note:*", &[3]);
    check(&reader, "paid:true", &[1]);
    check(&reader, "true", &[]);
    check(&reader, "name:called", &[]);
    check(&reader, "ann AND name:lee", &[1, 2]);
    check(&reader, "12:30:00", &[3]);
}

#[test]
fn a_field_that_no_event_has_is_text() {
    let (_dir, reader) = over(&[r#"{"id":"user:42"}"#, r#"{"user":"42"}"#, r#"{"id":"basket:42"}"#]);
    check(&reader, "basket:42", &[3]);
    check(&reader, "user:42", &[1, 2]);
    let unknown = reader.unknown_fields(&query("basket:42 user:42 a:(b c)")).expect("fields");
    assert_eq!(unknown, ["basket", "a"]);
}

#[test]
fn phrases_reach_across_identifiers_but_not_across_values() {
    let (_dir, reader) = over(&[
        r#"{"text":"handler order.placed failed for user-123"}"#,
        r#"{"text":"order failed, placed for user 123","next":"handler"}"#,
        r#"{"a":"red","b":"shoes"}"#,
    ]);
    check(&reader, r#""order.placed failed""#, &[1]);
    check(&reader, r#""placed failed for user""#, &[1]);
    check(&reader, r#""for user 123""#, &[1, 2]);
    check(&reader, r#""red shoes""#, &[]);
    check(&reader, r#""handler order" OR "red""#, &[1, 3]);
}

#[test]
fn words_can_be_required_excluded_and_grouped() {
    let (_dir, reader) =
        over(&[r#"{"t":"alpha beta"}"#, r#"{"t":"alpha gamma"}"#, r#"{"t":"beta gamma delta"}"#]);
    check(&reader, "alpha beta", &[1, 2, 3]);
    check(&reader, "alpha AND beta", &[1]);
    check(&reader, "+alpha beta", &[1, 2]);
    check(&reader, "alpha NOT beta", &[2]);
    check(&reader, "gamma -alpha", &[3]);
    check(&reader, "(alpha OR delta) AND gamma", &[2, 3]);
    check(&reader, "alpha AND NOT (beta OR delta)", &[2]);
    check(&reader, "alpha OR beta AND delta", &[1, 2, 3]);
    check(&reader, "gam*", &[2, 3]);
    check(&reader, "deltas*", &[3]);
}

#[test]
fn text_that_looks_like_syntax_is_text() {
    let (_dir, reader) = over(&[
        r#"{"t":"what's up: 50%?"}"#,
        r#"{"t":"exit code -1 from f(x) at C:\\temp\\a b.txt"}"#,
        r#"{"t":"run tool --force && std::fs::write"}"#,
        r#"{"t":"smile :) at 2026-01-31T12:30:00Z"}"#,
    ]);
    for (keywords, position) in [
        ("what's up: 50%?", 1),
        ("exit code -1", 2),
        ("f(x)", 2),
        (r"C:\temp\a", 2),
        ("--force", 3),
        ("&& std::fs::write", 3),
        ("smile :)", 4),
        ("2026-01-31T12:30:00Z", 4),
        ("2026-01-31", 4),
        ("12\" 'twas smile", 4),
    ] {
        assert_eq!(found(&reader, keywords).first(), Some(&position), "{keywords}");
    }
}

#[test]
fn common_words_count_only_when_there_is_nothing_else() {
    let (_dir, reader) = over(&[r#"{"t":"to be or not to be"}"#, r#"{"t":"the parcel"}"#]);
    check(&reader, "the parcel", &[2]);
    check(&reader, "to be", &[1]);
    check(&reader, r#""not to be""#, &[1]);
    check(&reader, "to AND be", &[1]);
}
