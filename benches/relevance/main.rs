//! How good search is: collections in BEIR form, ingested as events and searched as a program does; see `benches/README.md`.
//!
//! `cargo bench --bench relevance -- [--embedder NAME] DIR...`: each DIR holds `corpus.jsonl`, `queries.jsonl` (either
//! may end in `.gz`) and `qrels.tsv`. Prints one table for each. `--embedder` takes what `allsource --embedder` takes.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints what it finds, counts in small numbers, and has nobody to report an error to"
)]

mod collection;
mod indexed;
mod measures;

use std::path::{Path, PathBuf};

use allsource::search::Fusion;
use allsource::search::embed::EmbedderChoice;

use collection::Collection;
use indexed::{Asked, Indexed, Way};
use measures::Measures;

fn main() {
    measures::prove();
    let (embedder, dirs) = arguments();
    if dirs.is_empty() {
        println!("relevance: give directories with corpus.jsonl, queries.jsonl and qrels.tsv");
        return;
    }
    for dir in dirs {
        measure(&dir, &embedder);
    }
}

fn arguments() -> (EmbedderChoice, Vec<PathBuf>) {
    let (mut embedder, mut dirs) = (EmbedderChoice::default(), Vec::new());
    // Cargo says `--bench` to every bench.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        if argument == "--embedder" {
            let name = arguments.next().expect("a name behind --embedder");
            embedder = name.parse().expect("an embedder that this program knows");
        } else {
            dirs.push(PathBuf::from(argument));
        }
    }
    (embedder, dirs)
}

fn measure(dir: &Path, embedder: &EmbedderChoice) {
    let collection = Collection::read(dir);
    let name = dir.file_name().map_or_else(|| "collection".into(), |name| name.to_string_lossy());
    println!(
        "### {name}: {} documents, {} judged queries, embedder {embedder}\n",
        collection.documents.len(),
        collection.queries.len()
    );
    let indexed = Indexed::over(&collection, embedder);
    let asked: Vec<Asked<'_>> = collection.queries.iter().map(|query| indexed.asked(&query.text)).collect();
    println!("| ranking | nDCG@10 | recall@100 | MRR |\n| --- | --- | --- | --- |");
    let row = |name: &str, way: Way| {
        let rankings = asked.iter().map(|asked| indexed.ranking(asked, way));
        let judged = collection.queries.iter().map(|query| &query.judged);
        let Measures { ndcg_10, recall_100, mrr } = Measures::mean(rankings.zip(judged));
        println!("| {name} | {ndcg_10:.4} | {recall_100:.4} | {mrr:.4} |");
        ndcg_10
    };
    let keyword = row("keyword", Way::Keyword);
    row("meaning", Way::Meaning);
    let hybrid = row("hybrid as by default", Way::Hybrid(Fusion::default()));
    for tenths in 1..10_u8 {
        let weight = f32::from(tenths) / 10.0;
        row(&format!("hybrid, convex {weight:.1}"), Way::Hybrid(Fusion::Convex(weight)));
    }
    row("hybrid, reciprocal ranks", Way::Hybrid(Fusion::ReciprocalRank));
    println!("\nThe default is {:?}: {:+.4} nDCG@10 against keyword.", Fusion::default(), hybrid - keyword);
    let shortened = asked.iter().filter(|asked| asked.is_shortened).count();
    if shortened > 0 {
        println!("{shortened} queries had more words than a search takes, and lost their last.");
    }
    println!();
}
