//! The checks that the level `restricted` has besides those of the baseline: what a hardened pod says of itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::baseline::{added, must_not_add, unmasked};
use super::checks::Violation;
use super::policy::Version;
use super::view::{PodView, containers, name, plural, quoted_list, quoted_set, setters};

const VOLUMES: [&str; 9] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"];

/// What says nothing on Windows is not asked of its pods, since 1.25.
fn is_exempt(pod: &PodView<'_>, version: Version) -> bool {
    version.has(25) && pod.is_windows()
}

pub(super) fn escalation(pod: &PodView<'_>, version: Version) -> Option<Violation> {
    let bad = pod.containers_where(|context| context["allowPrivilegeEscalation"] != false);
    if bad.is_empty() || is_exempt(pod, version) {
        return None;
    }
    let detail = format!("{} must set securityContext.allowPrivilegeEscalation=false", containers(&bad));
    Some(Violation::new("allowPrivilegeEscalation != false", detail))
}

pub(super) fn capabilities(pod: &PodView<'_>, version: Version) -> Option<Violation> {
    if is_exempt(pod, version) {
        return None;
    }
    let drops_all = |context: &Value| {
        let dropped = context["capabilities"]["drop"].as_array();
        dropped.is_some_and(|dropped| dropped.iter().any(|capability| capability == "ALL"))
    };
    let keeping = pod.containers_where(|context| !drops_all(context));
    let (adding, names) = added(pod, &["NET_BIND_SERVICE"]);
    let mut said = Vec::new();
    if !keeping.is_empty() {
        said.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers(&keeping)));
    }
    if !adding.is_empty() {
        said.push(must_not_add(&adding, &names));
    }
    (!said.is_empty()).then(|| Violation::new("unrestricted capabilities", said.join("; ")))
}

/// Users of its own are no excuse here.
pub(super) fn proc_mount(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    unmasked(pod)
}

pub(super) fn volumes(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    let (mut bad, mut types) = (Vec::new(), BTreeSet::new());
    for volume in pod.spec["volumes"].as_array().into_iter().flatten() {
        let sources = volume.as_object().into_iter().flatten().filter(|(field, value)| *field != "name" && !value.is_null());
        let source = sources.map(|(field, _)| field.as_str()).next();
        // A volume that names no source is an empty folder.
        if let Some(kind) = source.filter(|kind| !VOLUMES.contains(kind)) {
            bad.push(name(volume));
            types.insert(kind);
        }
    }
    if bad.is_empty() {
        return None;
    }
    let (subject, uses) = (plural("volume", "volumes", bad.len()), plural("uses", "use", bad.len()));
    let what = plural("type", "types", types.len());
    let detail = format!("{subject} {} {uses} restricted volume {what} {}", quoted_list(&bad), quoted_set(&types));
    Some(Violation::new("restricted volume types", detail))
}

pub(super) fn non_root(pod: &PodView<'_>, version: Version) -> Option<Violation> {
    const REASON: &str = "runAsNonRoot != true";
    if version.has(35) && pod.has_own_users() {
        return None;
    }
    let says = |context: &Value, what: bool| context["runAsNonRoot"] == what;
    let (of_pod, bad) = (says(pod.context(), false), pod.containers_where(|context| says(context, false)));
    if of_pod || !bad.is_empty() {
        let detail = format!("{} must not set securityContext.runAsNonRoot=false", setters(of_pod, &bad));
        return Some(Violation::new(REASON, detail));
    }
    let silent = pod.containers_where(|context| !says(context, true));
    if silent.is_empty() || says(pod.context(), true) {
        return None;
    }
    Some(Violation::new(REASON, format!("pod or {} must set securityContext.runAsNonRoot=true", containers(&silent))))
}

pub(super) fn root_user(pod: &PodView<'_>, version: Version) -> Option<Violation> {
    if version.has(35) && pod.has_own_users() {
        return None;
    }
    let is_root = |context: &Value| context["runAsUser"] == 0;
    let (of_pod, bad) = (is_root(pod.context()), pod.containers_where(is_root));
    (of_pod || !bad.is_empty()).then(|| Violation::new("runAsUser=0", format!("{} must not set runAsUser=0", setters(of_pod, &bad))))
}

pub(super) fn seccomp(pod: &PodView<'_>, version: Version) -> Option<Violation> {
    if is_exempt(pod, version) {
        return None;
    }
    let unconfined = super::baseline::seccomp(pod, version);
    let says = |context: &Value| context["seccompProfile"]["type"].is_string();
    let silent = pod.containers_where(|context| !says(context));
    if unconfined.is_some() || silent.is_empty() || says(pod.context()) {
        return unconfined;
    }
    let detail =
        format!("pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"", containers(&silent));
    Some(Violation::new("seccompProfile", detail))
}
