//! How pods of a world serve requests.
//!
//! Takes the `serving` of a rule or of a change; gives what it says, to be laid over what was said before.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::document::{Located, Node};
use super::duration;
use super::fields::{self, Fields};
use super::place::Problems;
use crate::sim::traffic::serving::{Flavour, Quantiles, Serving};

/// The names of [`Flavour`]s.
const FLAVOURS: [(&str, Flavour); 3] = [("OpenTelemetry", Flavour::OpenTelemetry), ("Vllm", Flavour::Vllm), ("Triton", Flavour::Triton)];

/// What is said of how pods serve; the rest is as usual, or in a change as before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServingWords {
    /// Requests worked on at the same time.
    pub concurrency: Option<u32>,
    /// Requests that may wait.
    pub queue: Option<u32>,
    /// How long a request is worked on.
    pub latency: Option<Quantiles>,
    /// Share of requests that end in status 500.
    pub error_rate: Option<f64>,
    /// Time to the first token.
    pub first_token: Option<Quantiles>,
    /// Tokens of an answer.
    pub output_tokens: Option<u32>,
    /// Share of answers by what follows from them; those not named stay.
    pub outcomes: BTreeMap<String, f64>,
    /// The names of metrics.
    pub metrics: Option<Flavour>,
}

impl ServingWords {
    /// Lays it over what was said before.
    pub fn apply(&self, serving: &mut Serving) {
        let Self { concurrency, queue, latency, error_rate, first_token, output_tokens, outcomes, metrics } = self;
        serving.concurrency = concurrency.unwrap_or(serving.concurrency);
        serving.queue = queue.unwrap_or(serving.queue);
        serving.latency = latency.unwrap_or(serving.latency);
        serving.error_rate = error_rate.unwrap_or(serving.error_rate);
        serving.first_token = first_token.or(serving.first_token);
        serving.output_tokens = output_tokens.unwrap_or(serving.output_tokens);
        serving.outcomes.extend(outcomes.iter().map(|(name, rate)| (name.clone(), *rate)));
        serving.metrics = metrics.unwrap_or(serving.metrics);
    }

    /// In words, for people.
    pub fn told(&self) -> Vec<String> {
        let Self { concurrency, queue, latency, error_rate, first_token, output_tokens, outcomes, metrics } = self;
        let times = |name: &str, times: &Quantiles| format!("{name} {}, p99 {}", duration::show(times.p50), duration::show(times.p99));
        let mut words: Vec<String> = Vec::new();
        words.extend(concurrency.map(|count| format!("they serve {count} requests at once")));
        words.extend(queue.map(|count| format!("{count} requests may wait")));
        words.extend(latency.as_ref().map(|latency| times("they take", latency)));
        words.extend(first_token.as_ref().map(|first| times("the first token takes", first)));
        words.extend(output_tokens.map(|count| format!("answers have {count} tokens")));
        words.extend(error_rate.map(|rate| format!("a share of {rate} fails")));
        words.extend(outcomes.iter().map(|(name, rate)| format!("{name} for a share of {rate}")));
        words.extend(metrics.map(|flavour| format!("their metrics are those of {flavour:?}")));
        words
    }
}

/// Reads `serving`.
pub fn read(node: &Located, problems: &mut Problems) -> Option<ServingWords> {
    let mut fields = Fields::of(node, "serving", problems)?;
    let words = ServingWords {
        concurrency: at_least(&mut fields, "concurrency", 1, problems),
        queue: fields.read("queue", fields::count, problems),
        latency: fields.take("latency").and_then(|node| quantiles(node, "latency", problems)),
        error_rate: fields.read("errorRate", fields::fraction, problems),
        first_token: fields.take("timeToFirstToken").and_then(|node| quantiles(node, "timeToFirstToken", problems)),
        output_tokens: at_least(&mut fields, "outputTokens", 2, problems),
        outcomes: fields.take("outcomes").map(|node| outcomes(node, problems)).unwrap_or_default(),
        metrics: fields.take("metrics").and_then(|node| fields::word(node, "metrics", &FLAVOURS, problems)),
    };
    fields.finish(problems);
    Some(words)
}

fn at_least(fields: &mut Fields<'_>, name: &'static str, least: u32, problems: &mut Problems) -> Option<u32> {
    let node = fields.take(name)?;
    let count = fields::count(node, name, problems)?;
    if count < least {
        problems.push(node.place.problem(format!("{name} must be at least {least}, found {count}")));
        return None;
    }
    Some(count)
}

fn quantiles(node: &Located, name: &str, problems: &mut Problems) -> Option<Quantiles> {
    let mut fields = Fields::of(node, name, problems)?;
    let p50 = fields.require("p50", fields::time, problems);
    let p99 = fields.require("p99", fields::time, problems);
    fields.finish(problems);
    let (p50, p99) = (p50?, p99?);
    if p50 < SignedDuration::from_millis(1) || p99 < p50 {
        problems.push(node.place.problem(format!("{name} needs a p50 of at least 1ms, and a p99 that is not below it")));
        return None;
    }
    Some(Quantiles { p50, p99 })
}

fn outcomes(node: &Located, problems: &mut Problems) -> BTreeMap<String, f64> {
    let Node::Map(entries) = &node.node else {
        problems.push(node.place.problem(format!("outcomes must be a mapping of names to {{rate: SHARE}}, found {}", node.kind())));
        return BTreeMap::new();
    };
    let mut read = BTreeMap::new();
    for entry in entries {
        if !is_metric_name(&entry.key) {
            let message = format!("{:?} cannot be the name of a counter: use letters, digits and _, not beginning with a digit", entry.key);
            problems.push(entry.place.problem(message));
            continue;
        }
        let Some(mut fields) = Fields::of(&entry.value, "an outcome", problems) else { continue };
        if let Some(rate) = fields.require("rate", fields::fraction, problems) {
            read.insert(entry.key.clone(), rate);
        }
        fields.finish(problems);
    }
    read
}

fn is_metric_name(name: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    name.starts_with(letter) && name.chars().all(|sign| letter(sign) || sign.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::document::read_text;

    fn words(text: &str) -> (Option<ServingWords>, Vec<String>) {
        read_text(text, read)
    }

    #[test]
    fn what_is_said_is_laid_over_what_was_said_before() {
        let (words, problems) = words(
            "concurrency: 4\nlatency: {p50: 1s, p99: 4s}\nerrorRate: 0.06\noutcomes: {accepted: {rate: 0.31}}\nmetrics: Vllm\ntimeToFirstToken: {p50: 200ms, p99: 1s}\noutputTokens: 300\nqueue: 0\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let mut serving = Serving::default();
        words.unwrap().apply(&mut serving);
        assert_eq!((serving.concurrency, serving.queue, serving.output_tokens, serving.metrics), (4, 0, 300, Flavour::Vllm));
        assert_eq!((serving.error_rate, serving.outcomes["accepted"]), (0.06, 0.31));
        let latency = serving.latency;
        ServingWords { error_rate: Some(0.5), ..ServingWords::default() }.apply(&mut serving);
        assert_eq!((serving.error_rate, serving.latency, serving.concurrency), (0.5, latency, 4));
    }

    #[test]
    fn mistakes_are_reported_with_their_places() {
        let (_, problems) = words(
            "concurrency: 0\nlatency: {p50: 2s, p99: 1s}\nerrorRate: 2\noutcomes: {a-b: {rate: 1}, ok: {rat: 1}}\nmetrics: Seldon\noutputTokens: 1\nretries: 1\n",
        );
        let lines: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').nth(1)).collect();
        assert_eq!(lines, ["1", "2", "3", "6", "4", "4", "4", "5", "7"], "{problems:#?}");
    }
}
