//! Binary operators on vectors: who is whose partner, and what the result is called.

use std::collections::{BTreeMap, BTreeSet};

use super::Evaluator;
use super::series::{Collector, Series, unify};
use crate::sim::promql::functions::operators::{self, Outcome};
use crate::sim::promql::labels::Labels;
use crate::sim::promql::plan::{Grouping, Many, Matching, Operator, Scalar, SetOperator, Vector};
use crate::sim::promql::query::QueryError;

/// Series with the number of what their partners agree in.
struct Side {
    series: Vec<Series>,
    keys: Vec<usize>,
}

impl Side {
    /// Indexes and values of what is there at a step.
    fn present(&self, step: usize) -> impl Iterator<Item = (usize, f64)> {
        self.series.iter().enumerate().filter_map(move |(index, series)| series.values[step].map(|value| (index, value)))
    }
}

fn sides(left: Vec<Series>, right: Vec<Series>, grouping: &Grouping) -> (Side, Side) {
    let mut numbers: BTreeMap<Labels, usize> = BTreeMap::new();
    let mut number = |series: Vec<Series>| {
        let keys = series.iter().map(|series| {
            let next = numbers.len();
            *numbers.entry(grouping.key(&series.labels)).or_insert(next)
        });
        let keys = keys.collect();
        Side { series, keys }
    };
    let left = number(left);
    let right = number(right);
    (left, right)
}

impl Evaluator<'_> {
    pub(super) fn with_scalar(
        &self,
        operator: Operator,
        vector: &Vector,
        scalar: &Scalar,
        scalar_is_left: bool,
        as_bool: bool,
    ) -> Result<Vec<Series>, QueryError> {
        let (series, scalars) = (self.vector(vector)?, self.scalar(scalar)?);
        let result = |step: usize, value: f64| {
            let (left, right) = if scalar_is_left { (scalars[step], value) } else { (value, scalars[step]) };
            match operators::apply(operator, left, right) {
                Outcome::Holds(holds) if !as_bool => holds.then_some(value),
                outcome => Some(outcome.as_number()),
            }
        };
        let renamed = as_bool || operators::is_arithmetic(operator);
        let mut results = Vec::with_capacity(series.len());
        for mut series in series {
            for (step, value) in series.values.iter_mut().enumerate() {
                *value = value.and_then(|value| result(step, value));
            }
            if series.values.iter().any(Option::is_some) {
                results.push(if renamed { series.without_metadata() } else { series });
            }
        }
        unify(results, self.steps.count())
    }

    pub(super) fn set(&self, operator: SetOperator, left: &Vector, right: &Vector, grouping: &Grouping) -> Result<Vec<Series>, QueryError> {
        let (mut left, mut right) = sides(self.vector(left)?, self.vector(right)?, grouping);
        for step in 0..self.steps.count() {
            let keys = |side: &Side| -> BTreeSet<usize> { side.present(step).map(|(index, _)| side.keys[index]).collect() };
            let (of_left, of_right) = (keys(&left), keys(&right));
            let (kept_left, kept_right): (&dyn Fn(usize) -> bool, &dyn Fn(usize) -> bool) = match operator {
                SetOperator::And => (&|key| of_right.contains(&key), &|_| false),
                SetOperator::Or => (&|_| true, &|key| !of_left.contains(&key)),
                SetOperator::Unless => (&|key| !of_right.contains(&key), &|_| false),
            };
            for (side, kept) in [(&mut left, kept_left), (&mut right, kept_right)] {
                for (series, key) in side.series.iter_mut().zip(&side.keys) {
                    series.values[step] = series.values[step].filter(|_| kept(*key));
                }
            }
        }
        let there = left.series.into_iter().chain(right.series).filter(|series| series.values.iter().any(Option::is_some));
        unify(there.collect(), self.steps.count())
    }

    pub(super) fn combine(
        &self,
        operator: Operator,
        left: &Vector,
        right: &Vector,
        matching: &Matching,
        as_bool: bool,
    ) -> Result<Vec<Series>, QueryError> {
        let (left, right) = sides(self.vector(left)?, self.vector(right)?, &matching.grouping);
        // From here on the second side is the one with a single element for each key.
        let swapped = matching.many == Many::Right;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let mut combination = Combination {
            operator,
            matching,
            as_bool,
            many: &many,
            one: &one,
            places: BTreeMap::new(),
            collector: Collector::new(self.steps.count()),
        };
        self.hold(self.steps.count() * many.series.len())?;
        for step in 0..self.steps.count() {
            combination.step(step)?;
        }
        Ok(combination.collector.finish())
    }
}

/// Element by element, step by step.
struct Combination<'a> {
    operator: Operator,
    matching: &'a Matching,
    as_bool: bool,
    many: &'a Side,
    one: &'a Side,
    /// Where the result of a pair goes.
    places: BTreeMap<(usize, usize), usize>,
    collector: Collector,
}

impl Combination<'_> {
    fn step(&mut self, step: usize) -> Result<(), QueryError> {
        let (many, one) = (self.many, self.one);
        if many.present(step).next().is_none() || one.present(step).next().is_none() {
            return Ok(());
        }
        let mut partners: BTreeMap<usize, (usize, f64)> = BTreeMap::new();
        for (index, value) in one.present(step) {
            if let Some((other, _)) = partners.insert(one.keys[index], (index, value)) {
                return Err(self.several(index, other));
            }
        }
        let mut matched: BTreeSet<(usize, usize)> = BTreeSet::new();
        for (index, value) in many.present(step) {
            let key = many.keys[index];
            let Some((partner, partner_value)) = partners.get(&key).copied() else { continue };
            let place = self.place(index, partner);
            let unique = if self.matching.many == Many::None { 0 } else { place };
            if !matched.insert((key, unique)) {
                return Err(QueryError::execution(match self.matching.many {
                    Many::None => "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                    _ => "multiple matches for labels: grouping labels must ensure unique matches",
                }));
            }
            let (left, right) = if self.matching.many == Many::Right { (partner_value, value) } else { (value, partner_value) };
            match operators::apply(self.operator, left, right) {
                Outcome::Holds(false) if !self.as_bool => {}
                Outcome::Holds(true) if !self.as_bool => self.collector.put(place, step, left)?,
                outcome => self.collector.put(place, step, outcome.as_number())?,
            }
        }
        Ok(())
    }

    fn several(&self, index: usize, other: usize) -> QueryError {
        let side = if self.matching.many == Many::Right { "left" } else { "right" };
        let key = self.matching.grouping.key(&self.one.series[index].labels);
        let mut names = [&self.one.series[index].labels, &self.one.series[other].labels].map(ToString::to_string);
        names.sort();
        QueryError::execution(format!(
            "found duplicate series for the match group {key} on the {side} hand-side of the operation: [{}]; many-to-many \
             matching not allowed: matching labels must be unique on one side",
            names.join(", ")
        ))
    }

    fn place(&mut self, many: usize, one: usize) -> usize {
        if let Some(place) = self.places.get(&(many, one)) {
            return *place;
        }
        let place = self.collector.place(&self.labels(&self.many.series[many].labels, &self.one.series[one].labels));
        self.places.insert((many, one), place);
        place
    }

    /// What a result is called: with one partner each what they agreed in, else the labels of the side with many, with those
    /// taken over from the other.
    fn labels(&self, many: &Labels, one: &Labels) -> Labels {
        let renamed = self.as_bool || operators::is_arithmetic(self.operator);
        let labels = if renamed { many.without_metadata() } else { many.clone() };
        let named = |name: &str| self.matching.grouping.labels.iter().any(|label| label == name);
        let labels = match (self.matching.many, self.matching.grouping.only) {
            (Many::None, true) => labels.filtered(named),
            (Many::None, false) => labels.filtered(|name| !named(name)),
            _ => labels,
        };
        self.matching.include.iter().fold(labels, |labels, name| labels.with(name, one.get(name)))
    }
}
