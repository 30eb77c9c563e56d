//! Classic histograms: series that differ only in their bucket's bound belong together.

use std::collections::BTreeMap;

use super::Evaluator;
use super::series::{Collector, Series};
use crate::sim::promql::functions::histogram::{self, Bucket};
use crate::sim::promql::labels::{BUCKET, Labels};
use crate::sim::promql::notes::Notes;
use crate::sim::promql::plan::{Scalar, Vector};
use crate::sim::promql::query::QueryError;

/// Bounds and the values under them, of one histogram.
type Buckets<'a> = Vec<(f64, &'a Series)>;

impl Evaluator<'_> {
    pub(super) fn histogram_quantile(&self, quantile: &Scalar, vector: &Vector) -> Result<Vec<Series>, QueryError> {
        let quantiles = self.scalar(quantile)?;
        quantiles.iter().for_each(|quantile| self.notes.borrow_mut().check_quantile(*quantile));
        self.histograms(&self.vector(vector)?, |step, buckets, notes| histogram::quantile(quantiles[step], buckets, notes))
    }

    pub(super) fn histogram_fraction(&self, low: &Scalar, high: &Scalar, vector: &Vector) -> Result<Vec<Series>, QueryError> {
        let (low, high) = (self.scalar(low)?, self.scalar(high)?);
        self.histograms(&self.vector(vector)?, |step, buckets, _| histogram::fraction(low[step], high[step], buckets))
    }

    fn histograms(&self, series: &[Series], value: impl Fn(usize, Vec<Bucket>, &mut Notes) -> f64) -> Result<Vec<Series>, QueryError> {
        let mut notes = self.notes.borrow_mut();
        let mut collector = Collector::new(self.steps.count());
        for (labels, buckets) in together(series, &mut notes) {
            let place = collector.place(&labels.without_metadata());
            for step in 0..self.steps.count() {
                let bucket = |(upper, series): &(f64, &Series)| series.values[step].map(|count| Bucket { upper: *upper, count });
                let present: Vec<Bucket> = buckets.iter().filter_map(bucket).collect();
                if !present.is_empty() {
                    collector.put(place, step, value(step, present, &mut notes))?;
                }
            }
        }
        Ok(collector.finish())
    }
}

/// Histograms by their labels without the bound; the metric's name still tells them apart.
fn together<'a>(series: &'a [Series], notes: &mut Notes) -> BTreeMap<Labels, Buckets<'a>> {
    let mut histograms: BTreeMap<Labels, Buckets<'a>> = BTreeMap::new();
    for series in series {
        let label = series.labels.get(BUCKET);
        match histogram::upper_bound(label) {
            Some(bound) => histograms.entry(series.labels.filtered(|name| name != BUCKET)).or_default().push((bound, series)),
            None => notes.warn(format!("bucket label \"le\" is missing or has a malformed value of {label:?}")),
        }
    }
    histograms
}
