//! A pod as the checks look at it: its containers in the server's order, and the phrases that name what is wrong where.

use std::collections::BTreeSet;

use serde_json::Value;

/// A pod or a template.
pub(super) struct PodView<'a> {
    /// Its annotations.
    pub(super) annotations: &'a Value,
    /// Its specification.
    pub(super) spec: &'a Value,
    /// Init containers, containers, ephemeral containers.
    pub(super) containers: Vec<&'a Value>,
}

impl<'a> PodView<'a> {
    /// From metadata and specification.
    pub(super) fn of(metadata: &'a Value, spec: &'a Value) -> Self {
        let of = |field: &str| spec[field].as_array().into_iter().flatten();
        let containers = of("initContainers").chain(of("containers")).chain(of("ephemeralContainers")).collect();
        Self { annotations: &metadata["annotations"], spec, containers }
    }

    /// The security context of the pod.
    pub(super) fn context(&self) -> &'a Value {
        &self.spec["securityContext"]
    }

    /// Names of the containers whose security context is as asked.
    pub(super) fn containers_where(&self, is: impl Fn(&Value) -> bool) -> Vec<&'a str> {
        self.containers.iter().filter(|container| is(&container["securityContext"])).map(|container| name(container)).collect()
    }

    /// Runs on Windows.
    pub(super) fn is_windows(&self) -> bool {
        self.spec["os"]["name"] == "windows"
    }

    /// Has users of its own: root inside is nobody outside.
    pub(super) fn has_own_users(&self) -> bool {
        self.spec["hostUsers"] == false
    }

    /// Annotations by name.
    pub(super) fn annotations(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.annotations.as_object().into_iter().flatten();
        all.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }
}

pub(super) fn name(object: &Value) -> &str {
    object["name"].as_str().unwrap_or_default()
}

/// `container "a"`, `containers "a", "b"`.
pub(super) fn containers(names: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted_list(names))
}

/// `pod`, `containers "a", "b"`, or both with `and`.
pub(super) fn setters(pod: bool, names: &[&str]) -> String {
    match (pod, names) {
        (true, []) => "pod".to_owned(),
        (true, names) => format!("pod and {}", containers(names)),
        (false, names) => containers(names),
    }
}

/// One word or the other.
pub(super) fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

pub(super) fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// Quoted, with commas, in the order given.
pub(super) fn quoted_list<T: AsRef<str>>(texts: &[T]) -> String {
    texts.iter().map(|text| quoted(text.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Quoted, with commas, each once and in order.
pub(super) fn quoted_set(texts: &BTreeSet<&str>) -> String {
    quoted_list(&texts.iter().collect::<Vec<_>>())
}
