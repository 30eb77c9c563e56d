use std::collections::BTreeMap;

use super::*;
use crate::cli::simulate::report_page::data::Bins;
use crate::cli::simulate::report_page::page::tests::recording;

fn at(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn subject(deployment: &str) -> Subject {
    Subject { namespace: "default".to_owned(), deployment: deployment.to_owned() }
}

fn group(deployment: &str, version: &str) -> Group {
    Group { subject: subject(deployment), version: version.to_owned() }
}

fn counts(arrived: u64, errors: u64) -> Counts {
    Counts { arrived, answered: arrived - errors, errors, durations: vec![0, arrived] }
}

/// Two versions share four intervals, of which the last but one has no request at all; another deployment gets some too.
fn played() -> Recording {
    let mut bins = Bins::new(at(5));
    let chat = |version: &str| group("chat", version);
    // They came in the interval before.
    let ended = Counts { answered: 4, errors: 1, ..Counts::default() };
    let intervals = [
        vec![(chat("1"), counts(90, 0)), (chat("2"), counts(10, 5)), (group("other", "9"), counts(1000, 0))],
        vec![(chat("1"), counts(100, 0)), (chat("2"), ended)],
        vec![],
        vec![(chat("1"), counts(50, 1)), (chat("2"), counts(150, 0))],
    ];
    for (number, groups) in (0..).zip(intervals) {
        let groups: BTreeMap<Group, Counts> = groups.into_iter().collect();
        bins.push(Bin { from: at(number * 5), to: at(number * 5 + 5), sent: 100, unserved: 0, groups });
    }
    Recording { requests: Some(bins), ..recording() }
}

fn values(plot: &Plot<'_>, series: usize) -> Vec<Option<f64>> {
    plot.series[series].points.iter().map(|point| point.value).collect()
}

#[test]
fn shares_are_of_the_deployment_and_an_empty_interval_is_a_gap() {
    let (recording, chat) = (played(), subject("chat"));
    let plots = Subjects::new(&recording, &chat, &[], "p".to_owned());
    let share = plots.share();
    assert_eq!(share.series.iter().map(|series| series.name.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(values(&share, 0), [Some(90.0), Some(100.0), None, Some(25.0)]);
    assert_eq!(values(&share, 1), [Some(10.0), None, None, Some(75.0)]);
    assert_eq!(values(&plots.rate(), 1), [Some(2.0), None, None, Some(30.0)]);
    assert_eq!(values(&plots.errors(), 1), [Some(50.0), Some(20.0), None, Some(0.0)]);
    assert_eq!(values(&plots.errors(), 0), [Some(0.0), Some(0.0), None, Some(2.0)]);
    assert_eq!(values(&plots.latency(), 1)[..2], [None, None], "ten requests have no 95th percentile");
}

#[test]
fn all_requests_have_zeros_where_nobody_asked() {
    let mut recording = played();
    let mut bins = Bins::new(at(5));
    bins.push(Bin { to: at(5), ..Bin::default() });
    bins.push(Bin { from: at(5), to: at(10), sent: 50, unserved: 10, ..Bin::default() });
    recording.requests = Some(bins);
    let plot = everything(&recording, &[]).unwrap();
    assert_eq!((values(&plot, 0), values(&plot, 1)), (vec![Some(0.0), Some(10.0)], vec![Some(0.0), Some(2.0)]));
    recording.requests = None;
    assert!(everything(&recording, &[]).is_none());
}

#[test]
fn what_holds_goes_on_until_it_changes_or_the_play_ends() {
    let (mut recording, chat) = (recording(), subject("chat"));
    let weights = recording.weights.entry(group("chat", "1")).or_default();
    weights.set(at(0), Some(100.0));
    weights.set(at(60), Some(90.0));
    weights.set(at(120), None);
    let plots = Subjects::new(&recording, &chat, &[], "p".to_owned());
    let plot = plots.share();
    let points: Vec<(i64, i64, Option<f64>)> =
        plot.series[0].points.iter().map(|point| (point.from.as_secs(), point.to.as_secs(), point.value)).collect();
    assert_eq!(points, [(0, 60, Some(100.0)), (60, 120, Some(90.0)), (120, 600, None)]);
    assert_eq!((plot.title.as_str(), plot.series[0].shape), ("Weight", Shape::Asked));
    assert_eq!(plots.all().len(), 1, "there are neither requests nor pods");
}

#[test]
fn revisions_of_one_version_have_different_colours() {
    let (mut recording, chat) = (recording(), subject("chat"));
    for (revision, version) in [("chat-a", "1"), ("chat-b", "1"), ("chat-c", "2")] {
        let workload = Workload { subject: subject("chat"), revision: revision.to_owned(), version: version.to_owned() };
        let replicas = recording.replicas.entry(workload).or_default();
        replicas.asked.set(at(0), Some(2.0));
        replicas.ready.set(at(0), Some(1.0));
    }
    let plots = Subjects::new(&recording, &chat, &[], "p".to_owned());
    let colours: Vec<(String, usize)> = plots.replicas().series.into_iter().map(|series| (series.name, series.colour)).collect();
    let names =
        ["1 (chat-a), asked", "1 (chat-a), ready", "1 (chat-b), asked", "1 (chat-b), ready", "2 (chat-c), asked", "2 (chat-c), ready"];
    assert_eq!(colours.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
    assert_eq!(colours.iter().map(|(_, colour)| *colour).collect::<Vec<_>>(), [0, 0, 3, 3, 1, 1]);
}

#[test]
fn a_quantile_is_within_its_cell() {
    let bounds = [0.1, 0.2, 0.4];
    assert_eq!(quantile(&[0, 0, 0, 0], &bounds, 0.95), None);
    assert_eq!(quantile(&[19, 0, 0, 0], &bounds, 0.95), None, "too few");
    let near = |found: Option<f64>, wanted: f64| assert!((found.unwrap() - wanted).abs() < 1e-9, "{found:?}, not {wanted}");
    near(quantile(&[100, 0, 0, 0], &bounds, 0.5), 0.05);
    near(quantile(&[0, 0, 100, 0], &bounds, 0.5), 0.2 * 2_f64.sqrt());
    near(quantile(&[90, 5, 5, 0], &bounds, 0.95), 0.2);
    near(quantile(&[0, 0, 0, 30], &bounds, 0.95), 0.4);
}
