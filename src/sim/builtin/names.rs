//! What names, labels and keys may look like, with the server's sentences.
//!
//! Every function takes a text and gives the sentences that are wrong about it, none when it is fine.

use crate::sim::schema::pattern;

const LABEL_1123: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_1123: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const NAME_PART: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ENV_NAME: &str = "a valid environment variable name must consist only of printable ASCII characters other than '='";

/// Sentences about one text.
pub type Problems = Vec<String>;

fn matches(wanted: &str, text: &str) -> bool {
    pattern::matches(wanted, text).unwrap_or(false)
}

fn checked(text: &str, most: usize, wanted: &str, sentence: &str) -> Problems {
    let mut problems = Problems::new();
    if text.len() > most {
        problems.push(format!("must be no more than {most} characters"));
    }
    if !matches(wanted, text) {
        problems.push(sentence.to_owned());
    }
    problems
}

/// RFC 1123 label: namespaces, containers, volumes.
pub fn dns_label(text: &str) -> Problems {
    checked(text, 63, "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", LABEL_1123)
}

/// RFC 1123 subdomain: most names.
pub fn dns_subdomain(text: &str) -> Problems {
    checked(text, 253, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", SUBDOMAIN_1123)
}

/// DNS-1035 label: services.
pub fn dns_1035_label(text: &str) -> Problems {
    checked(text, 63, "^[a-z]([-a-z0-9]*[a-z0-9])?$", LABEL_1035)
}

/// Path segment: RBAC names.
pub fn path_segment(text: &str) -> Problems {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    ["/", "%"].into_iter().filter(|bad| text.contains(bad)).map(|bad| format!("may not contain '{bad}'")).collect()
}

/// Keys of labels and annotations, conditions, extended resources: an optional subdomain, a slash and a name.
pub fn qualified(text: &str) -> Problems {
    let mut problems = Problems::new();
    let mut parts = text.split('/');
    let (first, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if third.is_some() {
        return vec![format!("a qualified name {NAME_PART} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")];
    }
    let name = second.unwrap_or(first);
    if second.is_some() {
        if first.is_empty() {
            problems.push("prefix part must be non-empty".to_owned());
        } else {
            problems.extend(dns_subdomain(first).into_iter().map(|problem| format!("prefix part {}", in_bytes(&problem))));
        }
    }
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 bytes".to_owned());
    }
    if !matches("^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$", name) {
        problems.push(format!("name part {NAME_PART}"));
    }
    problems
}

fn in_bytes(problem: &str) -> String {
    problem.replace(" characters", if problem.starts_with("must be no more") { " bytes" } else { " characters" })
}

/// Values of labels.
pub fn label_value(text: &str) -> Problems {
    let mut problems = Problems::new();
    if text.len() > 63 {
        problems.push("must be no more than 63 bytes".to_owned());
    }
    if !matches("^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", text) {
        problems.push(LABEL_VALUE.to_owned());
    }
    problems
}

/// Keys of config maps and secrets.
pub fn config_key(text: &str) -> Problems {
    let mut problems = checked(text, 253, "^[-._a-zA-Z0-9]+$", CONFIG_KEY);
    match text {
        "." | ".." => problems.push(format!("must not be '{text}'")),
        _ if text.starts_with("..") => problems.push("must not start with '..'".to_owned()),
        _ => {}
    }
    problems
}

/// Names of environment variables, in the relaxed form.
pub fn env_name(text: &str) -> Problems {
    let fine = !text.is_empty() && text.chars().all(|c| (' '..='~').contains(&c) && c != '=');
    if fine { Problems::new() } else { vec![ENV_NAME.to_owned()] }
}

/// Names of ports.
pub fn port_name(text: &str) -> Problems {
    let mut problems = Problems::new();
    let mut unless = |holds: bool, sentence: &str| {
        if !holds {
            problems.push(sentence.to_owned());
        }
    };
    unless(text.len() <= 15, "must be no more than 15 characters");
    unless(matches("^[-a-z0-9]+$", text), "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    unless(matches("[a-z]", text), "must contain at least one letter (a-z)");
    unless(!text.contains("--"), "must not contain consecutive hyphens");
    unless(!text.starts_with('-') && !text.ends_with('-'), "must not begin or end with a hyphen");
    problems
}

/// Port numbers.
pub fn port_number(number: i64) -> Problems {
    if (1..=65535).contains(&number) { Problems::new() } else { vec!["must be between 1 and 65535, inclusive".to_owned()] }
}

/// What `metadata.name` must look like for a built-in resource; `None` for custom resources, whose rule is the subdomain.
pub fn object_name(resource: &str, name: &str) -> Option<Problems> {
    super::group_version_kind(resource)?;
    Some(match resource {
        "namespaces" => dns_label(name),
        "services" => dns_1035_label(name),
        "statefulsets.apps" => {
            // Pods of the set are named after it, in DNS too.
            let dots = name.contains('.').then(|| "must not contain dots".to_owned());
            dots.into_iter().chain(dns_subdomain(name)).collect()
        }
        "cronjobs.batch" => {
            let long = (name.len() > 52).then(|| "must be no more than 52 characters".to_owned());
            dns_subdomain(name).into_iter().chain(long).collect()
        }
        rbac if rbac.ends_with(".rbac.authorization.k8s.io") => path_segment(name),
        _ => dns_subdomain(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_those_of_the_server() {
        let long = "a".repeat(64);
        let table: [(Problems, &[&str]); 22] = [
            (dns_label("my-name"), &[]),
            (dns_label("My_name"), &[LABEL_1123]),
            (dns_label(&long), &["must be no more than 63 characters"]),
            (dns_subdomain("a.b"), &[]),
            (dns_subdomain("a..b"), &[SUBDOMAIN_1123]),
            (dns_1035_label("1a"), &[LABEL_1035]),
            (path_segment("a/b"), &["may not contain '/'"]),
            (path_segment("system:node"), &[]),
            (qualified("a.example/B_c"), &[]),
            (qualified("/x"), &["prefix part must be non-empty"]),
            (qualified(&long), &["name part must be no more than 63 bytes"]),
            (qualified("a/"), &["name part must be non-empty", &format!("name part {NAME_PART}")]),
            (label_value(""), &[]),
            (label_value("-x"), &[LABEL_VALUE]),
            (config_key("a.b_C-1"), &[]),
            (config_key("a/b"), &[CONFIG_KEY]),
            (config_key("..x"), &["must not start with '..'"]),
            (env_name("A-b.c"), &[]),
            (env_name("A=b"), &[ENV_NAME]),
            (port_name("http"), &[]),
            (port_name("8080"), &["must contain at least one letter (a-z)"]),
            (port_number(0), &["must be between 1 and 65535, inclusive"]),
        ];
        for (problems, expected) in table {
            assert_eq!(problems, expected);
        }
    }

    #[test]
    fn names_of_objects_depend_on_the_resource() {
        assert_eq!(object_name("services", "1a"), Some(vec![LABEL_1035.to_owned()]));
        assert_eq!(object_name("roles.rbac.authorization.k8s.io", "A:b"), Some(vec![]));
        assert_eq!(object_name("statefulsets.apps", "a.b"), Some(vec!["must not contain dots".to_owned()]));
        assert_eq!(object_name("widgets.example.com", "a"), None);
    }
}
