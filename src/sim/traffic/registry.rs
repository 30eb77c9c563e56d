//! The series that one target exposes, with the labels that a scrape gives them.
//!
//! Takes metric names, labels and amounts; gives series in the order in which they first appeared. The labels of the target
//! win over those that it exposes itself, which are kept as `exported_<name>`, as Prometheus does by default. Bounds of
//! buckets are written as Prometheus 3 stores them. Never forgets a series: a restart is a new registry.

use std::collections::BTreeMap;

use super::latency::{Lot, grid};
use crate::sim::promql::Labels;

/// Names and values of labels.
pub type Pairs<'a> = &'a [(&'a str, &'a str)];

/// One series and its value now.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// All of its labels, the name among them.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    target: Vec<(String, String)>,
    series: Vec<Series>,
    places: BTreeMap<String, usize>,
}

/// A kind of histogram.
#[derive(Clone, Copy, Debug)]
pub struct Histogram<'a> {
    /// Its name, without a suffix.
    pub name: &'a str,
    /// Upper bounds of its buckets in seconds, without the infinite one.
    pub bounds: &'a [f64],
    /// What one second is in its unit.
    pub unit: f64,
}

impl Registry {
    /// Nothing exposed yet; `target` are the labels that a scrape adds.
    pub fn new(target: Vec<(String, String)>) -> Self {
        Self { target, ..Self::default() }
    }

    /// The labels that a scrape adds.
    pub fn target(&self) -> &[(String, String)] {
        &self.target
    }

    /// All series.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// Adds to a counter, which begins at 0.
    pub fn add(&mut self, name: &str, labels: Pairs<'_>, amount: f64) {
        let place = self.place(name, labels);
        self.series[place].value += amount;
    }

    /// Sets a gauge.
    pub fn set(&mut self, name: &str, labels: Pairs<'_>, value: f64) {
        let place = self.place(name, labels);
        self.series[place].value = value;
    }

    /// Adds requests, drawn in the cells of the common grid, to a histogram.
    pub fn observe(&mut self, histogram: &Histogram<'_>, labels: Pairs<'_>, lot: &Lot) {
        self.observe_cells(histogram, labels, lot, grid());
    }

    /// Adds what was drawn in the cells of `cells` to a histogram.
    pub fn observe_cells(&mut self, histogram: &Histogram<'_>, labels: Pairs<'_>, lot: &Lot, cells: &[f64]) {
        let first = self.family(histogram, labels);
        let below = lot.cumulated(cells, histogram.bounds);
        for (index, count) in below.into_iter().chain([lot.count]).enumerate() {
            self.series[first + index].value += count as f64;
        }
        let after = first + histogram.bounds.len() + 1;
        self.series[after].value += lot.count as f64;
        self.series[after + 1].value += lot.seconds * histogram.unit;
    }

    /// The place of a histogram's first bucket; the others follow, then count and sum.
    fn family(&mut self, histogram: &Histogram<'_>, labels: Pairs<'_>) -> usize {
        let key = key(histogram.name, labels);
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let first = self.series.len();
        let bucket = format!("{}_bucket", histogram.name);
        let bounds = histogram.bounds.iter().map(|bound| bound_text(bound * histogram.unit)).chain(["+Inf".to_owned()]);
        for bound in bounds {
            let with_bound: Vec<(&str, &str)> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.push(&bucket, &with_bound);
        }
        for suffix in ["count", "sum"] {
            self.push(&format!("{}_{suffix}", histogram.name), labels);
        }
        self.places.insert(key, first);
        first
    }

    fn place(&mut self, name: &str, labels: Pairs<'_>) -> usize {
        let key = key(name, labels);
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        self.push(name, labels);
        self.places.insert(key, self.series.len() - 1);
        self.series.len() - 1
    }

    fn push(&mut self, name: &str, labels: Pairs<'_>) {
        let of_target = |label: &str| self.target.iter().any(|(known, _)| known == label);
        let renamed: Vec<(String, &str)> = labels
            .iter()
            .map(|(label, value)| (if of_target(label) { format!("exported_{label}") } else { (*label).to_owned() }, *value))
            .collect();
        let target = self.target.iter().map(|(label, value)| (label.as_str(), value.as_str()));
        let own = renamed.iter().map(|(label, value)| (label.as_str(), *value));
        let labels = Labels::new(own.chain(target).chain([("__name__", name)]));
        self.series.push(Series { labels, value: 0.0 });
    }
}

fn key(name: &str, labels: Pairs<'_>) -> String {
    let length = name.len() + labels.iter().map(|(label, value)| label.len() + value.len() + 2).sum::<usize>();
    let mut key = String::with_capacity(length);
    key.push_str(name);
    for (label, value) in labels {
        for part in [label, value] {
            key.push('\u{1}');
            key.push_str(part);
        }
    }
    key
}

/// A bucket's bound as Prometheus 3 writes it: `0.005`, `1.0`, `2.5e+06`.
fn bound_text(bound: f64) -> String {
    // Units are powers of ten: the product may be off by the last bit, which nobody wrote.
    let bound: f64 = format!("{bound:.9e}").parse().unwrap_or(bound);
    if bound < 1e6 {
        return format!("{bound:?}");
    }
    let text = format!("{bound:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{digits}e+{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::traffic::latency::{ENVOY, OPENTELEMETRY};

    fn registry() -> Registry {
        Registry::new(vec![("pod".to_owned(), "a".to_owned())])
    }

    fn text(registry: &Registry) -> Vec<String> {
        registry.series().iter().map(|series| format!("{} {}", series.labels, series.value)).collect()
    }

    #[test]
    fn counters_add_and_gauges_are_set() {
        let mut registry = registry();
        registry.add("requests_total", &[("code", "200")], 3.0);
        registry.add("requests_total", &[("code", "200")], 4.0);
        registry.set("running", &[], 9.0);
        registry.set("running", &[], 2.0);
        assert_eq!(text(&registry), [r#"requests_total{code="200", pod="a"} 7"#, r#"running{pod="a"} 2"#]);
    }

    #[test]
    fn a_label_of_the_target_wins() {
        let mut registry = registry();
        registry.add("m", &[("pod", "mine")], 1.0);
        assert_eq!(text(&registry), [r#"m{exported_pod="mine", pod="a"} 1"#]);
    }

    #[test]
    fn buckets_are_cumulative_and_agree_with_count_and_sum() {
        let mut registry = registry();
        let histogram = Histogram { name: "h", bounds: &OPENTELEMETRY, unit: 1.0 };
        registry.observe(&histogram, &[], &Lot::at(grid(), 0.3, 4));
        registry.observe(&histogram, &[], &Lot::at(grid(), 99.0, 1));
        let value = |labels: &str| text(&registry).iter().find_map(|line| line.strip_prefix(&format!("{labels} ")).map(str::to_owned));
        assert_eq!(value(r#"h_bucket{le="0.25", pod="a"}"#).as_deref(), Some("0"));
        assert_eq!(value(r#"h_bucket{le="0.5", pod="a"}"#).as_deref(), Some("4"));
        assert_eq!(value(r#"h_bucket{le="10.0", pod="a"}"#).as_deref(), Some("4"));
        assert_eq!(value(r#"h_bucket{le="+Inf", pod="a"}"#).as_deref(), Some("5"));
        assert_eq!(value(r#"h_count{pod="a"}"#).as_deref(), Some("5"));
        assert_eq!(value(r#"h_sum{pod="a"}"#).as_deref(), Some("100.2"));
    }

    #[test]
    fn bounds_are_written_as_prometheus_stores_them() {
        let texts: Vec<String> = ENVOY.iter().map(|bound| bound_text(bound * 1000.0)).collect();
        assert_eq!(texts[..4], ["0.5", "1.0", "5.0", "10.0"]);
        assert_eq!(texts[14..], ["60000.0", "300000.0", "600000.0", "1.8e+06", "3.6e+06"]);
        assert_eq!(bound_text(0.075), "0.075");
    }
}
