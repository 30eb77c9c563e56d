//! The checks of the level `baseline`: known ways to more privileges.

use std::collections::BTreeSet;

use serde_json::Value;

use super::checks::Violation;
use super::policy::Version;
use super::view::{PodView, containers, name, plural, quoted, quoted_list, quoted_set, setters};

const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Harmless sysctls, with the version since which they count as such.
const SYSCTLS: [(&str, u32); 12] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

pub(super) fn app_armor(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    let is_bad = |context: &Value| !matches!(context["appArmorProfile"]["type"].as_str(), None | Some("RuntimeDefault" | "Localhost"));
    let mut who = Vec::new();
    let mut what = Vec::new();
    let bad: Vec<&str> = pod.containers_where(is_bad);
    if is_bad(pod.context()) || !bad.is_empty() {
        who.push(setters(is_bad(pod.context()), &bad));
        what.push("Unconfined".to_owned());
    }
    let good = |value: &str| value.is_empty() || value == "runtime/default" || value.starts_with("localhost/");
    let annotations: Vec<String> = pod
        .annotations()
        .filter(|(name, value)| name.starts_with(APP_ARMOR) && !good(value))
        .map(|(name, value)| format!("{name}={}", quoted(value)))
        .collect();
    if !annotations.is_empty() {
        who.push(plural("annotation", "annotations", annotations.len()).to_owned());
    }
    what.extend(annotations);
    let reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", what.len());
    (!what.is_empty())
        .then(|| Violation::new(reason, format!("{} must not set AppArmor profile type to {}", who.join(" and "), quoted_list(&what))))
}

/// Capabilities that are added, but for those in `allowed`: the containers, and the capabilities.
pub(super) fn added<'a>(pod: &PodView<'a>, allowed: &[&str]) -> (Vec<&'a str>, BTreeSet<&'a str>) {
    let (mut bad, mut names) = (Vec::new(), BTreeSet::new());
    for container in &pod.containers {
        let added = container["securityContext"]["capabilities"]["add"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let forbidden: Vec<&str> = added.filter(|capability| !allowed.contains(capability)).collect();
        if !forbidden.is_empty() {
            bad.push(name(container));
            names.extend(forbidden);
        }
    }
    (bad, names)
}

pub(super) fn must_not_add(bad: &[&str], names: &BTreeSet<&str>) -> String {
    format!("{} must not include {} in securityContext.capabilities.add", containers(bad), quoted_set(names))
}

pub(super) fn capabilities(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    let (bad, names) = added(pod, &CAPABILITIES);
    (!bad.is_empty()).then(|| Violation::new("non-default capabilities", must_not_add(&bad, &names)))
}

pub(super) fn host_namespaces(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    let shared = ["hostNetwork", "hostPID", "hostIPC"].into_iter().filter(|field| pod.spec[*field] == true);
    let shared: Vec<String> = shared.map(|field| format!("{field}=true")).collect();
    (!shared.is_empty()).then(|| Violation::new("host namespaces", shared.join(", ")))
}

pub(super) fn host_paths(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    let volumes = pod.spec["volumes"].as_array().into_iter().flatten();
    let names: Vec<&str> = volumes.filter(|volume| volume["hostPath"].is_object()).map(name).collect();
    let detail = || format!("{} {}", plural("volume", "volumes", names.len()), quoted_list(&names));
    (!names.is_empty()).then(|| Violation::new("hostPath volumes", detail()))
}

pub(super) fn host_ports(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    let (mut bad, mut ports) = (Vec::new(), BTreeSet::new());
    for container in &pod.containers {
        let used = container["ports"].as_array().into_iter().flatten().filter_map(|port| port["hostPort"].as_i64());
        // The server sorts them as texts.
        let used: Vec<String> = used.filter(|port| *port != 0).map(|port| port.to_string()).collect();
        if !used.is_empty() {
            bad.push(name(container));
            ports.extend(used);
        }
    }
    let (uses, what) = (plural("uses", "use", bad.len()), plural("hostPort", "hostPorts", ports.len()));
    let ports: Vec<String> = ports.into_iter().collect();
    (!bad.is_empty()).then(|| Violation::new("hostPort", format!("{} {uses} {what} {}", containers(&bad), ports.join(", "))))
}

pub(super) fn probe_hosts(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    let (mut bad, mut hosts) = (Vec::new(), BTreeSet::new());
    for container in &pod.containers {
        let (probes, hooks) = (["livenessProbe", "readinessProbe", "startupProbe"], ["postStart", "preStop"]);
        let handlers = probes.iter().map(|probe| &container[*probe]).chain(hooks.iter().map(|hook| &container["lifecycle"][*hook]));
        let asked = handlers.flat_map(|handler| ["httpGet", "tcpSocket"].map(|action| &handler[action]["host"])).filter_map(Value::as_str);
        let asked: Vec<&str> = asked.filter(|host| !host.is_empty()).collect();
        if !asked.is_empty() {
            bad.push(name(container));
            hosts.extend(asked);
        }
    }
    let (uses, what) = (plural("uses", "use", bad.len()), plural("host", "hosts", hosts.len()));
    let detail = || format!("{} {uses} probe or lifecycle {what} {}", containers(&bad), quoted_set(&hosts));
    (!bad.is_empty()).then(|| Violation::new("probe or lifecycle host", detail()))
}

pub(super) fn privileged(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    let bad = pod.containers_where(|context| context["privileged"] == true);
    (!bad.is_empty()).then(|| Violation::new("privileged", format!("{} must not set securityContext.privileged=true", containers(&bad))))
}

/// Since 1.35 pods with users of their own may see all of `/proc`.
pub(super) fn proc_mount(pod: &PodView<'_>, version: Version) -> Option<Violation> {
    if version.has(35) && pod.has_own_users() { None } else { unmasked(pod) }
}

pub(super) fn unmasked(pod: &PodView<'_>) -> Option<Violation> {
    let kind = |context: &Value| context["procMount"].as_str().is_some_and(|kind| kind != "Default");
    let bad = pod.containers_where(kind);
    let kinds: BTreeSet<&str> = pod
        .containers
        .iter()
        .filter_map(|container| container["securityContext"]["procMount"].as_str())
        .filter(|kind| *kind != "Default")
        .collect();
    let detail = || format!("{} must not set securityContext.procMount to {}", containers(&bad), quoted_set(&kinds));
    (!bad.is_empty()).then(|| Violation::new("procMount", detail()))
}

pub(super) fn selinux(pod: &PodView<'_>, version: Version) -> Option<Violation> {
    let good_type = |kind: &str| {
        matches!(kind, "" | "container_t" | "container_init_t" | "container_kvm_t") || version.has(31) && kind == "container_engine_t"
    };
    let text = |context: &'_ Value, field: &str| context["seLinuxOptions"][field].as_str().unwrap_or_default().to_owned();
    let is_bad =
        |context: &Value| !good_type(&text(context, "type")) || !text(context, "user").is_empty() || !text(context, "role").is_empty();
    let bad = pod.containers_where(is_bad);
    if bad.is_empty() && !is_bad(pod.context()) {
        return None;
    }
    let contexts = || std::iter::once(pod.context()).chain(pod.containers.iter().map(|container| &container["securityContext"]));
    let types: BTreeSet<String> = contexts().map(|context| text(context, "type")).filter(|kind| !good_type(kind)).collect();
    let types: Vec<String> = types.into_iter().collect();
    let mut what = Vec::new();
    if !types.is_empty() {
        what.push(format!("{} {}", plural("type", "types", types.len()), quoted_list(&types)));
    }
    for field in ["user", "role"] {
        if contexts().any(|context| !text(context, field).is_empty()) {
            what.push(format!("{field} may not be set"));
        }
    }
    let who = setters(is_bad(pod.context()), &bad);
    Some(Violation::new("seLinuxOptions", format!("{who} set forbidden securityContext.seLinuxOptions: {}", what.join("; "))))
}

fn has_bad_seccomp(context: &Value) -> bool {
    !matches!(context["seccompProfile"]["type"].as_str(), None | Some("RuntimeDefault" | "Localhost"))
}

/// Since 1.19: the fields.
pub(super) fn seccomp(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    let (of_pod, bad) = (has_bad_seccomp(pod.context()), pod.containers_where(has_bad_seccomp));
    let detail = || format!("{} must not set securityContext.seccompProfile.type to \"Unconfined\"", setters(of_pod, &bad));
    (of_pod || !bad.is_empty()).then(|| Violation::new("seccompProfile", detail()))
}

/// Before 1.19: the annotations.
pub(super) fn seccomp_annotations(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    let good = |value: &str| matches!(value, "" | "runtime/default" | "docker/default") || value.starts_with("localhost/");
    let bad: Vec<String> = pod
        .annotations()
        .filter(|(name, value)| (*name == SECCOMP_POD || name.starts_with(SECCOMP_CONTAINER)) && !good(value))
        .map(|(name, value)| format!("{name}={}", quoted(value)))
        .collect();
    let word = plural("annotation", "annotations", bad.len());
    (!bad.is_empty()).then(|| Violation::new("seccompProfile", format!("forbidden {word} {}", bad.join(", "))))
}

pub(super) fn sysctls(pod: &PodView<'_>, version: Version) -> Option<Violation> {
    let harmless = |name: &str| SYSCTLS.iter().any(|(known, since)| *known == name && version.has(*since));
    let set = pod.context()["sysctls"].as_array().into_iter().flatten().map(name);
    let bad: Vec<&str> = set.filter(|name| !harmless(name)).collect();
    (!bad.is_empty()).then(|| Violation::new("forbidden sysctls", bad.join(", ")))
}

pub(super) fn host_process(pod: &PodView<'_>, _: Version) -> Option<Violation> {
    let is_bad = |context: &Value| context["windowsOptions"]["hostProcess"] == true;
    let (of_pod, bad) = (is_bad(pod.context()), pod.containers_where(is_bad));
    let detail = || format!("{} must not set securityContext.windowsOptions.hostProcess=true", setters(of_pod, &bad));
    (of_pod || !bad.is_empty()).then(|| Violation::new("hostProcess", detail()))
}
