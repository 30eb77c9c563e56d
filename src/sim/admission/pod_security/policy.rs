//! Levels and versions, and the labels that name them.

use std::fmt;

use serde_json::Value;

use crate::sim::api_error::Cause;

const PREFIX: &str = "pod-security.kubernetes.io/";

/// How much pods may do; later ones allow less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Everything.
    Privileged,
    /// No known way to more privileges.
    Baseline,
    /// Hardened.
    Restricted,
}

/// Minor version of Kubernetes 1 that a level is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    /// As of 1.N.
    Minor(u32),
    /// As of now.
    Latest,
}

impl Version {
    /// Whether the level has what came with 1.`minor`.
    pub(super) fn has(self, minor: u32) -> bool {
        self >= Self::Minor(minor)
    }
}

/// A level in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LevelVersion {
    /// The level.
    pub(super) level: Level,
    /// Its version.
    pub(super) version: Version,
}

impl fmt::Display for LevelVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        match self.version {
            Version::Latest => write!(formatter, "{level}:latest"),
            Version::Minor(minor) => write!(formatter, "{level}:v1.{minor}"),
        }
    }
}

/// What a namespace asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// Pods that violate it are refused.
    pub(super) enforce: LevelVersion,
    /// Who makes what violates it is warned.
    pub(super) warn: LevelVersion,
}

impl Policy {
    /// What labels ask for, and what is wrong with them. A label that is wrong asks for the strictest.
    pub(super) fn of(labels: &Value) -> (Self, Vec<Cause>) {
        let mut mistakes = Vec::new();
        let enforce = read(labels, "enforce", &mut mistakes);
        read(labels, "audit", &mut mistakes);
        let warn = read(labels, "warn", &mut mistakes);
        (Self { enforce, warn }, mistakes)
    }
}

fn read(labels: &Value, mode: &str, mistakes: &mut Vec<Cause>) -> LevelVersion {
    let mut label = |suffix: &str, sentence: &str, known: &dyn Fn(&str) -> bool| -> Option<String> {
        let name = format!("{PREFIX}{mode}{suffix}");
        let value = labels[&name].as_str()?;
        if !known(value) {
            let message = format!("Invalid value: {value:?}: {sentence}");
            mistakes.push(Cause::new("FieldValueInvalid", format!("metadata.labels[{name}]"), message));
        }
        Some(value.to_owned())
    };
    let level = label("", "must be one of privileged, baseline, restricted", &|text| level(text).is_some());
    let version = label("-version", "must be \"latest\" or \"v1.x\"", &|text| version(text).is_some());
    LevelVersion {
        level: level.map_or(Level::Privileged, |text| self::level(&text).unwrap_or(Level::Restricted)),
        version: version.map_or(Version::Latest, |text| self::version(&text).unwrap_or(Version::Latest)),
    }
}

fn level(text: &str) -> Option<Level> {
    match text {
        "privileged" => Some(Level::Privileged),
        "baseline" => Some(Level::Baseline),
        "restricted" => Some(Level::Restricted),
        _ => None,
    }
}

fn version(text: &str) -> Option<Version> {
    if text == "latest" {
        return Some(Version::Latest);
    }
    let minor = text.strip_prefix("v1.")?;
    let plain = minor == "0" || minor.starts_with(|first: char| ('1'..='9').contains(&first));
    let digits = minor.bytes().all(|byte| byte.is_ascii_digit());
    if plain && digits { minor.parse().ok().map(Version::Minor) } else { None }
}

#[cfg(test)]
mod tests {
    use super::{Version, version};

    #[test]
    fn versions_are_latest_or_a_minor_without_leading_zeros() {
        assert_eq!(version("latest"), Some(Version::Latest));
        assert_eq!(version("v1.0"), Some(Version::Minor(0)));
        assert_eq!(version("v1.35"), Some(Version::Minor(35)));
        for wrong in ["", "v1", "v1.", "v1.x", "v1.01", "1.20", "v2.0", "v1.+3", "v1.-1", "foo", "v1.99999999999"] {
            assert_eq!(version(wrong), None, "{wrong:?}");
        }
        assert!(Version::Latest.has(1000) && Version::Minor(34).has(34) && !Version::Minor(33).has(34));
    }
}
