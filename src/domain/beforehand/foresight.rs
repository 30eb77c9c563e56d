//! What so much traffic can tell in the steps that are planned.
//!
//! Takes the plan of a release and what one metric counts; gives what will not come out of it, in words with numbers. The shares of both
//! versions are those that the steps reach, the time of a step what is read of it: its hold less the last window, or as long as its samples
//! take. It assumes that traffic goes on as it was measured, and says so by naming the rate. Never judges a version.
//!
//! What a comparison should find at the least is a version that fails twice as often as stable, or half as often again as its margin allows,
//! or one request of a hundred, whichever is the most: less than that is not worth a warning.

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Unit};

use crate::domain::analysis::criteria::{Criteria, Margin, Metric};
use crate::domain::analysis::profile::{Kind, Share};
use crate::domain::analysis::take_in::{comparison, events_needed};
use crate::domain::analysis::threshold::Threshold;
use crate::domain::analysis::verdict::number;
use crate::domain::analysis::window::WINDOW_MAX;
use crate::domain::settings::{Hold, Settings, TrafficMode};
use crate::domain::size::stage_pods;
use crate::domain::statistics::planning::{PlannedStep, detectable, is_found};
use crate::domain::statistics::proportions::Better;
use crate::domain::statistics::quantiles::requests_at_least;

/// Share of failed requests that a comparison should find at the least, whatever stable's is.
const WORTH_FINDING: f64 = 0.01;

/// What one metric counts of the stable version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    /// Requests per second; not negative.
    pub requests_per_second: f64,
    /// Share of them that failed, 0-1; none if the metric is no share, or nothing came.
    pub failed_share: Option<f64>,
}

/// Something that will not come out of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Concern {
    /// Steps that need longer than their hold: in words.
    Longer(String),
    /// What could not be told: in words.
    Untold(String),
}

impl Concern {
    /// In words.
    #[must_use]
    pub fn words(&self) -> &str {
        match self {
            Self::Longer(words) | Self::Untold(words) => words,
        }
    }
}

/// A step as far as requests go.
struct Stage {
    weight: i32,
    /// The candidate's part of the requests, 0-1.
    share: f64,
    hold: Option<f64>,
}

/// What is to be expected of `metric` with this traffic; nothing for one that counts no requests.
#[must_use]
pub fn concerns(settings: &Settings, criteria: &Criteria, metric: &Metric, traffic: Traffic) -> Vec<Concern> {
    if let Some(never) = never_judged(settings, criteria, metric) {
        return vec![Concern::Untold(never)];
    }
    let stages = stages(settings);
    if stages.is_empty() || matches!(metric.measure.kind, Kind::Gauge { .. }) {
        return Vec::new();
    }
    let plan = Plan { criteria, metric, rate: traffic.requests_per_second, stages: &stages };
    if plan.rate <= 0.0 {
        let words =
            format!("nobody asks the stable version: no step would have its {} requests for {}", criteria.minimum_samples, metric.name);
        return vec![Concern::Longer(words)];
    }
    let compared = metric.margin.and_then(|margin| plan.comparison(margin, traffic.failed_share));
    let bounded = metric.threshold.and_then(|threshold| plan.bound(&threshold));
    let untold = compared.into_iter().chain(bounded).map(Concern::Untold);
    plan.longer().map(Concern::Longer).into_iter().chain(untold).collect()
}

/// Why a metric has no say in such a release, whatever the traffic.
fn never_judged(settings: &Settings, criteria: &Criteria, metric: &Metric) -> Option<String> {
    let name = &metric.name;
    if !settings.steps.is_empty() {
        return None;
    }
    match (metric.threshold, criteria.after_promotion) {
        (None, _) => {
            Some(format!("{name} is never compared: there is no step at which both versions have traffic (strategy Canary has some)"))
        }
        (Some(_), None) => Some(format!("{name} is never measured: there is no step, and no analysis.afterPromotion")),
        (Some(_), Some(_)) => None,
    }
}

/// The steps at which both versions have traffic. What a preview gets is up to those who ask it.
fn stages(settings: &Settings) -> Vec<Stage> {
    let stage = |step: &crate::domain::settings::Step| {
        let hold = match step.hold {
            Hold::For(time) => Some(time.as_secs_f64()),
            Hold::UntilPromoted => None,
        };
        Stage { weight: step.weight, share: share(settings, step.weight), hold }
    };
    let shown = settings.steps.iter().filter(|step| (1..100).contains(&step.weight));
    shown.map(stage).filter(|stage| stage.share > 0.0 && stage.share < 1.0).collect()
}

/// The candidate's part of the requests at `weight`, 0-1: what was asked for behind a gateway, else that of its pods.
#[must_use]
pub fn share(settings: &Settings, weight: i32) -> f64 {
    match settings.traffic {
        TrafficMode::Gateway => f64::from(weight) / 100.0,
        TrafficMode::ReplicaRatio => {
            let pods = stage_pods(settings, weight);
            f64::from(pods.candidate) / (f64::from(pods.candidate) + f64::from(pods.stable)).max(1.0)
        }
    }
}

struct Plan<'a> {
    criteria: &'a Criteria,
    metric: &'a Metric,
    /// Requests per second of both versions; more than 0.
    rate: f64,
    stages: &'a [Stage],
}

impl Plan<'_> {
    fn minimum(&self) -> f64 {
        self.criteria.minimum_samples as f64
    }

    /// Seconds until a step has its samples, of the rarer version if both count.
    fn until_enough(&self, stage: &Stage) -> f64 {
        let share = if self.metric.margin.is_some() { stage.share.min(1.0 - stage.share) } else { stage.share };
        self.minimum() / (self.rate * share)
    }

    /// Seconds of a step that are read: the last window of a hold comes too late.
    fn read(&self, stage: &Stage) -> f64 {
        let interval = self.criteria.interval.as_secs_f64();
        self.until_enough(stage).max(stage.hold.unwrap_or(0.0) - interval).max(interval)
    }

    fn planned(&self) -> Vec<PlannedStep> {
        let step = |stage: &Stage| {
            let requests = self.rate * self.read(stage);
            PlannedStep { candidate: requests * stage.share, stable: requests * (1.0 - stage.share) }
        };
        self.stages.iter().map(step).collect()
    }

    /// The step that its samples keep the longest, if one is kept.
    fn longer(&self) -> Option<String> {
        let late = |stage: &&Stage| stage.hold.is_some_and(|hold| self.until_enough(stage) > hold);
        let worst = self.stages.iter().filter(late).max_by(|one, other| self.until_enough(one).total_cmp(&self.until_enough(other)))?;
        let (time, hold) = (words_of(self.until_enough(worst)), words_of(worst.hold.unwrap_or(0.0)));
        Some(format!(
            "at {} requests/s the step of {} % takes {time} to get {} requests for {}, not the {hold} of its hold",
            number(self.rate),
            worst.weight,
            self.criteria.minimum_samples,
            self.metric.name
        ))
    }

    fn comparison(&self, margin: Margin, failed_share: Option<f64>) -> Option<String> {
        let steps = self.planned();
        match self.metric.measure.kind {
            Kind::Proportion { share, .. } => self.compared_shares(margin, share, failed_share?, &steps),
            Kind::Quantile { quantile, .. } => self.compared_quantiles(margin, quantile, &steps),
            Kind::Rate { .. } | Kind::Gauge { .. } => None,
        }
    }

    fn compared_shares(&self, margin: Margin, share: Share, failed: f64, steps: &[PlannedStep]) -> Option<String> {
        let test = comparison(self.criteria, self.metric, margin).ok()?;
        let value = |failed: f64| if share == Share::Part { failed } else { 1.0 - failed };
        let factor = margin.max_regression_percent / 100.0;
        let allowed = if share == Share::Part { failed * (1.0 + factor) } else { 1.0 - (1.0 - factor) * (1.0 - failed) };
        let wanted = (2.0 * failed).max(1.5 * allowed).clamp(WORTH_FINDING, 1.0);
        if is_found(&test, value(wanted), value(failed), steps).ok()? {
            return None;
        }
        let way = if test.better() == Better::Lower { "on" } else { "down" };
        let from = match detectable(&test, value(failed), steps).ok()? {
            Some(found) => format!("from {} {way} it would", percent_beyond(found)),
            None => "nor would any other".to_owned(),
        };
        let requests: f64 = steps.iter().map(|step| step.candidate).sum();
        Some(format!(
            "at {} requests/s the steps give the new version about {} requests: {} of {} against {} would not be told in nine of ten releases; {from}",
            number(self.rate),
            number(requests.round()),
            self.metric.name,
            percent(value(wanted)),
            percent(value(failed)),
        ))
    }

    /// How far apart two quantiles must be depends on buckets that only answers show; whether anything can be shown does not.
    fn compared_quantiles(&self, margin: Margin, quantile: f64, steps: &[PlannedStep]) -> Option<String> {
        let [of_candidate, of_stable] = requests_at_least(quantile, margin.alpha).ok()?;
        let sum = |side: fn(&PlannedStep) -> f64| steps.iter().map(side).sum::<f64>();
        let (candidate, stable) = (sum(|step| step.candidate), sum(|step| step.stable));
        (candidate < of_candidate || stable < of_stable).then(|| {
            format!(
                "at {} requests/s the steps give the new version about {} and stable about {} requests: to compare {} at all takes {} and {}",
                number(self.rate),
                number(candidate.round()),
                number(stable.round()),
                self.metric.name,
                number(of_candidate),
                number(of_stable)
            )
        })
    }

    /// A window that has too few requests for a bound after an hour has no say.
    fn bound(&self, threshold: &Threshold) -> Option<String> {
        let needed = match self.metric.measure.kind {
            Kind::Proportion { share, .. } => events_needed(threshold, share)?.1,
            Kind::Quantile { quantile, .. } => (1.0 / (1.0 - quantile)).ceil(),
            Kind::Rate { .. } | Kind::Gauge { .. } => return None,
        };
        let most = self.stages.iter().map(|stage| stage.share).fold(0.0, f64::max);
        let in_an_hour = self.rate * most * WINDOW_MAX.as_secs_f64();
        (in_an_hour < needed).then(|| {
            format!(
                "at {} requests/s the new version gets at most {} requests in an hour: the bound of {} needs {} to have a say",
                number(self.rate),
                number(in_an_hour.floor()),
                self.metric.name,
                number(needed)
            )
        })
    }
}

/// A share in percent, two digits that count.
fn percent(share: f64) -> String {
    in_percent(share, f64::round)
}

/// The same, never nearer to none (to all, above 90 %) than it is.
fn percent_beyond(share: f64) -> String {
    in_percent(share, f64::ceil)
}

fn in_percent(share: f64, rounded: fn(f64) -> f64) -> String {
    let digits = |value: f64| {
        let places = 1 - value.abs().log10().floor() as i32;
        let scale = 10.0_f64.powi(places.clamp(0, 6));
        rounded(value * scale) / scale
    };
    let value = 100.0 * share;
    // Of what is near 100 %, the distance counts.
    let shown = if value > 90.0 && value < 100.0 {
        100.0 - digits(100.0 - value)
    } else if value > 0.0 {
        digits(value)
    } else {
        0.0
    };
    format!("{} %", number(shown))
}

/// A time as people say it: whole seconds below an hour, then whole minutes.
fn words_of(seconds: f64) -> String {
    let time = SignedDuration::try_from_secs_f64(seconds.min(1e9)).unwrap_or(SignedDuration::MAX);
    let unit = if time >= SignedDuration::from_hours(1) { Unit::Minute } else { Unit::Second };
    let rounded = time.round(unit).unwrap_or(time);
    format!("{rounded:#}")
}
