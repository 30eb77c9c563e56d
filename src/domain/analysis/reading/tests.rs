use proptest::prelude::*;

use super::*;

fn asked() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn answer(value: Value) -> Answer {
    Answer { value, warnings: Vec::new(), infos: vec!["metric might not be a counter".to_owned()] }
}

fn vector(samples: &[(&str, f64)]) -> Answer {
    let sample = |(bound, value): &(&str, f64)| {
        let labels = if bound.is_empty() { BTreeMap::new() } else { BTreeMap::from([("le".to_owned(), (*bound).to_owned())]) };
        Sample { labels, at: asked(), value: *value }
    };
    answer(Value::Vector(samples.iter().map(sample).collect()))
}

fn one(value: f64) -> Answer {
    vector(&[("", value)])
}

#[test]
fn one_series_or_a_scalar_is_a_number() {
    assert_eq!(number(&one(1.5), asked()), Ok(1.5));
    assert_eq!(number(&answer(Value::Scalar(asked(), -2.0)), asked()), Ok(-2.0));
}

#[test]
fn what_is_no_clear_number_is_no_data_with_its_reason() {
    assert_eq!(number(&vector(&[]), asked()), Err(NoData::Empty));
    assert_eq!(number(&one(f64::NAN), asked()), Err(NoData::NotANumber));
    assert_eq!(number(&one(f64::NEG_INFINITY), asked()), Err(NoData::Infinite));
    assert_eq!(number(&vector(&[("1", 1.0), ("2", 1.0)]), asked()), Err(NoData::ManySeries(2)));
    assert_eq!(number(&answer(Value::Other("matrix".to_owned())), asked()), Err(NoData::WrongType("matrix".to_owned())));
    let warned = Answer { warnings: vec!["partial response".to_owned()], ..one(1.0) };
    assert_eq!(number(&warned, asked()), Err(NoData::Warned("partial response".to_owned())));
}

#[test]
fn an_answer_for_another_moment_is_no_data() {
    let second = SignedDuration::from_secs(1);
    assert_eq!(number(&one(1.0), asked() + second), Ok(1.0));
    for other in [asked() + second * 2, asked() - second * 2] {
        assert_eq!(number(&one(1.0), other), Err(NoData::OtherTime { given: asked(), asked: other }));
        assert_eq!(buckets(&vector(&[("+Inf", 1.0)]), other), Err(NoData::OtherTime { given: asked(), asked: other }));
    }
}

#[test]
fn a_count_is_whole_not_negative_and_exact() {
    assert_eq!(count(&one(3.0), asked()), Ok(3));
    assert_eq!(count(&one(-1.0), asked()), Err(NoData::Negative(-1.0)));
    assert_eq!(count(&one(2.5), asked()), Err(NoData::NotWhole(2.5)));
    assert_eq!(count(&one(1e18), asked()), Err(NoData::TooLarge(1e18)));
}

#[test]
fn no_series_of_errors_is_no_error_if_there_are_events() {
    assert_eq!(proportion(&vector(&[]), &one(200.0), asked()), Ok(Proportion { part: 0, total: 200 }));
    assert_eq!(proportion(&vector(&[]), &vector(&[]), asked()), Err(NoData::Empty));
    assert_eq!(proportion(&one(1.0), &vector(&[]), asked()), Err(NoData::Empty));
    assert_eq!(proportion(&one(f64::NAN), &one(200.0), asked()), Err(NoData::NotANumber));
    assert!(matches!(proportion(&one(3.0), &one(2.0), asked()), Err(NoData::Inconsistent(_))));
    assert_eq!(Proportion { part: 1, total: 4 }.share(), Some(0.25));
    assert_eq!(Proportion { part: 0, total: 0 }.share(), None);
}

#[test]
fn buckets_come_in_any_order_and_in_any_spelling() {
    let found = buckets(&vector(&[("+Inf", 12.0), ("0.5", 3.0), ("1", 4.0), ("1.0", 5.0)]), asked()).unwrap();
    assert_eq!(found.cumulative(), [(0.5, 3), (1.0, 9), (f64::INFINITY, 12)]);
    assert_eq!(found.total(), 12);
}

#[test]
fn buckets_that_contradict_each_other_are_no_data() {
    for wrong in [
        vector(&[("0.5", 3.0)]),
        vector(&[("0.5", 3.0), ("+Inf", 2.0)]),
        vector(&[("half", 3.0), ("+Inf", 3.0)]),
        vector(&[("NaN", 3.0), ("+Inf", 3.0)]),
        vector(&[("", 3.0), ("+Inf", 3.0)]),
    ] {
        assert!(matches!(buckets(&wrong, asked()), Err(NoData::Inconsistent(_))), "{wrong:?}");
    }
    assert_eq!(buckets(&vector(&[]), asked()), Err(NoData::Empty));
    assert_eq!(buckets(&vector(&[("+Inf", 0.5)]), asked()), Err(NoData::NotWhole(0.5)));
    assert_eq!(buckets(&answer(Value::Scalar(asked(), 1.0)), asked()), Err(NoData::WrongType("scalar".to_owned())));
}

#[test]
fn quantiles_are_those_of_prometheus() {
    // Values of histogram_quantile over 0.1: 10, 0.5: 30, 1: 40, +Inf: 50, worked out by its documented rule.
    let some = Buckets::new([("0.1", 10), ("0.5", 30), ("1", 40), ("+Inf", 50)]).unwrap();
    for (q, expected) in [(0.0, 0.0), (0.1, 0.05), (0.2, 0.1), (0.4, 0.3), (0.5, 0.4), (0.7, 0.75), (0.8, 1.0), (0.81, 1.0), (1.0, 1.0)] {
        let found = some.quantile(q).unwrap();
        assert!((found - expected).abs() < 1e-12, "{q}: {found}");
    }
    let negative = Buckets::new([("-1", 5), ("1", 10), ("+Inf", 10)]).unwrap();
    assert_eq!(negative.quantile(0.3), Ok(-1.0), "a lowest bucket below zero has no start");
    assert_eq!(negative.quantile(0.75), Ok(0.0));
    let gap = Buckets::new([("1", 0), ("2", 0), ("3", 4), ("+Inf", 4)]).unwrap();
    assert_eq!(gap.quantile(0.0), Ok(0.0));
    assert_eq!(gap.quantile(0.5), Ok(2.5));
}

#[test]
fn there_is_no_quantile_of_nothing() {
    assert_eq!(Buckets::new([("1", 0), ("+Inf", 0)]).unwrap().quantile(0.5), Err(NoData::NoEvents));
    assert!(matches!(Buckets::new([("+Inf", 3)]).unwrap().quantile(0.5), Err(NoData::Inconsistent(_))));
    let some = Buckets::new([("1", 1), ("+Inf", 1)]).unwrap();
    for q in [-0.1, 1.1, f64::NAN] {
        assert_eq!(some.quantile(q), Err(NoData::NotANumber));
    }
}

#[test]
fn events_above_a_bound_are_counted_at_the_next_bucket() {
    let some = Buckets::new([("0.1", 10), ("0.5", 30), ("+Inf", 50)]).unwrap();
    assert_eq!(some.above(0.5), Ok(Above { part: 20, total: 50, bound: 0.5 }));
    assert_eq!(some.above(0.2), Ok(Above { part: 20, total: 50, bound: 0.5 }));
    assert!(matches!(some.above(0.6), Err(NoData::Inconsistent(_))));
    assert!(matches!(some.above(f64::NAN), Err(NoData::Inconsistent(_))));
}

#[test]
fn an_old_sample_is_stale() {
    let limit = SignedDuration::from_secs(90);
    assert_eq!(fresh(&one(90.0), asked(), limit), Ok(()));
    assert_eq!(fresh(&one(-0.4), asked(), limit), Ok(()));
    assert_eq!(fresh(&one(91.0), asked(), limit), Err(NoData::Stale { age: SignedDuration::from_secs(91), limit }));
    assert_eq!(fresh(&one(-2.0), asked(), limit), Err(NoData::Negative(-2.0)));
    assert_eq!(fresh(&vector(&[]), asked(), limit), Err(NoData::Empty));
    assert!(matches!(fresh(&one(1e300), asked(), limit), Err(NoData::Stale { .. })));
}

proptest! {
    #[test]
    fn quantiles_rise_with_q_and_stay_between_the_finite_bounds(increments in prop::collection::vec(0..100_u64, 2..12), a in 0.0..=1.0, b in 0.0..=1.0) {
        let mut sum = 0;
        let mut counts: Vec<(String, u64)> = Vec::new();
        for (at, more) in increments.iter().enumerate() {
            sum += more;
            counts.push((if at + 1 == increments.len() { "+Inf".to_owned() } else { (at + 1).to_string() }, sum));
        }
        let buckets = Buckets::new(counts.iter().map(|(bound, count)| (bound.as_str(), *count))).unwrap();
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        match (buckets.quantile(low), buckets.quantile(high)) {
            (Ok(low), Ok(high)) => prop_assert!(0.0 <= low && low <= high && high <= increments.len() as f64),
            other => prop_assert!(sum == 0, "{other:?}"),
        }
    }
}
