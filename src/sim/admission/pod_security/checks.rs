//! Which checks a level has in which version, in the order in which the server speaks of them.

use super::baseline;
use super::policy::{Level, LevelVersion, Version};
use super::restricted;
use super::view::PodView;

/// Something that a level does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// In short.
    pub(super) reason: &'static str,
    /// Where, and what.
    pub(super) detail: String,
}

impl Violation {
    /// With its two parts.
    pub(super) fn new(reason: &'static str, detail: String) -> Self {
        Self { reason, detail }
    }
}

/// One rule of a level; finds at most one violation, which names all places.
type Check = fn(&PodView<'_>, Version) -> Option<Violation>;

/// Everything about a pod that a level does not allow.
pub(super) fn violations(wanted: LevelVersion, pod: &PodView<'_>) -> Vec<Violation> {
    let LevelVersion { level, version } = wanted;
    let checks = match level {
        Level::Privileged => return Vec::new(),
        Level::Baseline => of_baseline(version, false),
        Level::Restricted => [of_baseline(version, true), of_restricted(version)].concat(),
    };
    checks.into_iter().filter_map(|check| check(pod, version)).collect()
}

/// The checks of the baseline; with `restricted` without those that it has in a sharper form.
fn of_baseline(version: Version, restricted: bool) -> Vec<Check> {
    let sharper_since = |minor| restricted && version.has(minor);
    let checks: [(Check, bool); 12] = [
        (baseline::app_armor, true),
        (baseline::capabilities, !sharper_since(22)),
        (baseline::host_namespaces, true),
        (baseline::host_paths, !restricted),
        (baseline::host_ports, true),
        (baseline::probe_hosts, version.has(34)),
        (baseline::privileged, true),
        (baseline::proc_mount, !sharper_since(35)),
        (baseline::selinux, true),
        (if version.has(19) { baseline::seccomp } else { baseline::seccomp_annotations }, !sharper_since(19)),
        (baseline::sysctls, true),
        (baseline::host_process, true),
    ];
    checks.into_iter().filter(|(_, there)| *there).map(|(check, _)| check).collect()
}

fn of_restricted(version: Version) -> Vec<Check> {
    let checks: [(Check, u32); 7] = [
        (restricted::escalation, 8),
        (restricted::capabilities, 22),
        (restricted::proc_mount, 35),
        (restricted::volumes, 0),
        (restricted::non_root, 0),
        (restricted::root_user, 23),
        (restricted::seccomp, 19),
    ];
    checks.into_iter().filter(|(_, since)| version.has(*since)).map(|(check, _)| check).collect()
}
