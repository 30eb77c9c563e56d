//! Plays a plan over all steps at once.
//!
//! Takes a storage, steps and a plan; gives per series one value or none for each step. Series that end up with the same labels
//! become one, unless both have a value at the same step: that is an error, as in Prometheus. Never changes the storage.

mod aggregate;
mod binary;
mod histogram;
mod series;
mod vector;
mod window;

use std::cell::{Cell, RefCell};

use super::functions::operators;
use super::notes::Notes;
use super::plan::Scalar;
use super::query::{Options, QueryError};
use super::storage::Storage;

pub use self::series::{Series, Steps};

/// One evaluation: of a query, or of a subquery at steps of its own.
pub struct Evaluator<'a> {
    storage: &'a Storage,
    options: &'a Options,
    steps: Steps,
    notes: RefCell<Notes>,
    /// Values held by now, against the limit.
    held: Cell<usize>,
}

impl<'a> Evaluator<'a> {
    /// An evaluation for these steps.
    pub fn new(storage: &'a Storage, options: &'a Options, steps: Steps) -> Self {
        Self { storage, options, steps, notes: RefCell::default(), held: Cell::new(0) }
    }

    /// What was noticed.
    pub fn into_notes(self) -> Notes {
        self.notes.into_inner()
    }

    /// Evaluates at other steps; limits and notes are shared.
    fn within<T>(&self, steps: Steps, evaluate: impl FnOnce(&Self) -> Result<T, QueryError>) -> Result<T, QueryError> {
        let inner = Evaluator { steps, notes: RefCell::default(), held: self.held.clone(), ..*self };
        let result = evaluate(&inner)?;
        self.held.set(inner.held.get());
        self.notes.borrow_mut().merge(inner.into_notes());
        Ok(result)
    }

    /// Counts values that are kept; refuses more than the limit.
    fn hold(&self, values: usize) -> Result<(), QueryError> {
        self.held.set(self.held.get().saturating_add(values));
        if self.held.get() > self.options.samples_max {
            return Err(QueryError::execution("query processing would load too many samples into memory in query execution"));
        }
        Ok(())
    }

    /// One number for each step.
    pub fn scalar(&self, scalar: &Scalar) -> Result<Vec<f64>, QueryError> {
        self.hold(self.steps.count())?;
        Ok(match scalar {
            Scalar::Number(number) => vec![*number; self.steps.count()],
            Scalar::Time => self.steps.times().map(|at_ms| at_ms as f64 / 1000.0).collect(),
            Scalar::Negate(inner) => self.scalar(inner)?.into_iter().map(|value| -value).collect(),
            Scalar::Binary(operator, left, right) => {
                let pairs = self.scalar(left)?.into_iter().zip(self.scalar(right)?);
                pairs.map(|(left, right)| operators::apply(*operator, left, right).as_number()).collect()
            }
            Scalar::OfVector(vector) => {
                let series = self.vector(vector)?;
                (0..self.steps.count()).map(|step| only_value(&series, step)).collect()
            }
        })
    }
}

/// The value of the only element at a step; NaN if there is none or more than one.
fn only_value(series: &[Series], step: usize) -> f64 {
    let mut present = series.iter().filter_map(|series| series.values[step]);
    match (present.next(), present.next()) {
        (Some(value), None) => value,
        _ => f64::NAN,
    }
}
