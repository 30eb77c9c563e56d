//! Summation that does not lose the small ones (Kahan 1965, with Neumaier's order of the two terms).

/// A sum with what rounding took from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// The sum so far.
    pub value: f64,
    /// What is missing from it.
    pub lost: f64,
}

impl Sum {
    /// Adds a term. An infinite sum has lost nothing.
    pub fn add(self, term: f64) -> Self {
        let value = self.value + term;
        let lost = if value.is_infinite() {
            0.0
        } else if self.value.abs() >= term.abs() {
            self.lost + ((self.value - value) + term)
        } else {
            self.lost + ((term - value) + self.value)
        };
        Self { value, lost }
    }

    /// The sum.
    pub fn total(self) -> f64 {
        self.value + self.lost
    }

    /// Both parts times a factor.
    pub fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, lost: self.lost * factor }
    }
}

/// The sum of values.
pub fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let sum = values.into_iter().fold(Sum::default(), Sum::add);
    if sum.value.is_infinite() { sum.value } else { sum.total() }
}

/// The mean of values: the sum over their number as long as the sum fits, from there on by increments.
pub fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = Sum::default();
    let mut count = 0.0;
    let mut incremental: Option<Sum> = None;
    for value in values {
        count += 1.0;
        if incremental.is_none() {
            let next = sum.add(value);
            if count == 1.0 || !next.value.is_infinite() {
                sum = next;
                continue;
            }
        }
        let before = incremental.unwrap_or(Sum { value: sum.value / (count - 1.0), lost: sum.lost / (count - 1.0) });
        incremental = Some(before.times((count - 1.0) / count).add(value / count));
    }
    match incremental {
        Some(mean) => mean.total(),
        None => sum.value / count + sum.lost / count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_large_ones() {
        assert_eq!(sum([1e100, 1.0, -1e100]), 1.0);
        assert_eq!(sum([5.0, f64::INFINITY]), f64::INFINITY);
    }

    #[test]
    fn a_mean_does_not_overflow() {
        assert_eq!(mean([f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(mean([1.0, 2.0, 3.0]), 2.0);
    }
}
