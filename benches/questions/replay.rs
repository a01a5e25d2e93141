//! Sends the reference calls of the questions, and judges what comes back.

use std::time::Duration;

use allsource::tools::tokens;
use serde_json::Value;

use crate::client::Client;
use crate::pointer::{filled, holds};
use crate::question::Question;
use crate::sets::Sets;

/// What answering one question took.
struct Taken {
    calls: usize,
    tokens: usize,
    time: Duration,
    answers: Vec<Value>,
    is_right: bool,
}

/// Asks every question, prints a line for each and the medians, and gives how many answers were wrong.
pub fn measure(sets: &Sets, questions: &[Question]) -> usize {
    let mut all: Vec<Taken> = Vec::new();
    let mut rows: Vec<String> = Vec::new();
    for name in sets.names() {
        let about: Vec<&Question> = questions.iter().filter(|question| question.data == name).collect();
        if about.is_empty() {
            continue;
        }
        let mut client = sets.serve(name);
        for question in about {
            let taken = answer(&mut client, question);
            let verdict = if taken.is_right { "right" } else { "WRONG" };
            rows.push(format!(
                "| `{}` | {} | {} | {:.1} ms | {verdict} |",
                question.id,
                taken.calls,
                taken.tokens,
                taken.time.as_secs_f64() * 1e3
            ));
            if !taken.is_right {
                tell_wrong(question, &taken);
            }
            all.push(taken);
        }
    }
    println!(
        "\n| question | calls | tokens | time | answer |\n| --- | --- | --- | --- | --- |\n{}\n",
        rows.join("\n")
    );
    sum_up(&mut all);
    all.iter().filter(|taken| !taken.is_right).count()
}

fn answer(client: &mut Client, question: &Question) -> Taken {
    let (mut answers, mut spent, mut time) = (Vec::new(), 0, Duration::ZERO);
    for call in &question.calls {
        let arguments = filled(&Value::Object(call.arguments.clone()), &answers);
        let answered = client.call(&call.tool, &arguments);
        spent += tokens(&arguments.to_string()) + tokens(&answered.body.to_string());
        time += answered.took;
        answers.push(answered.body);
    }
    let mut expected = question.read.iter().zip(&question.answer);
    let is_right = question.read.len() == question.answer.len()
        && expected.all(|(place, value)| holds(place, value, &answers));
    Taken { calls: question.calls.len(), tokens: spent, time, answers, is_right }
}

fn tell_wrong(question: &Question, taken: &Taken) {
    println!("WRONG {}: expected", question.id);
    for (place, value) in question.read.iter().zip(&question.answer) {
        println!("  {value} at {place}");
    }
    for answer in &taken.answers {
        println!("  answered {answer}");
    }
}

fn sum_up(all: &mut [Taken]) {
    let Some(count) = std::num::NonZeroUsize::new(all.len()) else { return };
    let middle = count.get() / 2;
    let right = all.iter().filter(|taken| taken.is_right).count();
    all.sort_by_key(|taken| taken.calls);
    let calls = all[middle].calls;
    all.sort_by_key(|taken| taken.tokens);
    let (tokens, tokens_max) = (all[middle].tokens, all[all.len() - 1].tokens);
    all.sort_by_key(|taken| taken.time);
    let (time, time_max) = (all[middle].time, all[all.len() - 1].time);
    println!(
        "{right} of {count} right; median {calls} calls, {tokens} tokens (at most {tokens_max}), {time:.1?} (at most {time_max:.1?})"
    );
}
