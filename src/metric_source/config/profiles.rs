//! Metric profiles of the configuration file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::read::{self, Mistakes};
use crate::domain::analysis::profile::{BuiltIn, Definition, Measure, Profile, Profiles};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawProfile {
    name: Spanned<String>,
    metrics: Vec<RawMetric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawMetric {
    names: Spanned<Vec<Spanned<String>>>,
    failed: Option<Vec<String>>,
    total: Option<Vec<String>>,
    histogram: Option<String>,
    unit: Option<RawUnit>,
    counter: Option<Vec<String>>,
    gauge: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
enum RawUnit {
    Seconds,
    Milliseconds,
    Microseconds,
}

impl RawUnit {
    const fn microseconds(self) -> u32 {
        match self {
            Self::Seconds => 1_000_000,
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1,
        }
    }
}

/// The built-in profiles and these.
pub(super) fn profiles(raw: Vec<RawProfile>, mistakes: &mut Mistakes) -> Profiles {
    let mut profiles = Profiles::built_in();
    for raw in raw {
        let at = raw.name.referenced;
        mistakes.take(at, read::name(&raw.name.value));
        let mut measures = BTreeMap::new();
        for metric in raw.metrics {
            add(metric, &mut measures, mistakes);
        }
        let added = profiles.add(Profile { name: raw.name.value, measures });
        mistakes.take(at, added.map_err(|error| error.to_string()));
    }
    profiles
}

fn add(raw: RawMetric, measures: &mut BTreeMap<BuiltIn, Measure>, mistakes: &mut Mistakes) {
    let Some(definition) = mistakes.take(raw.names.referenced, definition(&raw)) else { return };
    for name in raw.names.value {
        let measured = BuiltIn::parse(&name.value).map_err(|error| error.to_string()).and_then(|metric| {
            let measure = definition.measure(metric).map_err(|error| error.to_string())?;
            let twice = measures.insert(metric, measure).is_some();
            if twice { Err(format!("{metric} is defined twice")) } else { Ok(()) }
        });
        mistakes.take(name.referenced, measured);
    }
}

fn definition(raw: &RawMetric) -> Result<Definition, String> {
    let RawMetric { names: _, failed, total, histogram, unit, counter, gauge } = raw;
    match (failed, total, histogram, unit, counter, gauge) {
        (Some(failed), Some(total), None, None, None, None) => Ok(Definition::Proportion { failed: failed.clone(), total: total.clone() }),
        (None, None, Some(buckets), Some(unit), None, None) => {
            Ok(Definition::Histogram { buckets: buckets.clone(), microseconds_per_unit: unit.microseconds() })
        }
        (None, None, None, None, Some(count), None) => Ok(Definition::Counter { count: count.clone() }),
        (None, None, None, None, None, Some(gauge)) => Ok(Definition::Gauge { gauge: gauge.clone() }),
        _ => Err("a metric has either failed and total, or histogram and unit, or counter, or gauge".to_owned()),
    }
}
