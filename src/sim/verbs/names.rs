//! Rules for names, labels and keys, with the server's sentences.
//!
//! Every function takes a text and gives the list of what is wrong with it; an empty list means it is fine.

use crate::sim::kinds::NameRule;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and \
     end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an \
     alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and \
     end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character \
     (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end \
     with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
     '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// What is wrong with a name; `prefix`: it is a `generateName`, whose trailing dash is fine.
pub fn name_problems(rule: NameRule, name: &str, prefix: bool) -> Vec<String> {
    // The server checks the base of a generated name as if its last dash were a letter.
    let masked = match name.strip_suffix('-') {
        Some(stem) if prefix && !stem.is_empty() => format!("{stem}a"),
        _ => name.to_owned(),
    };
    match rule {
        NameRule::Subdomain => subdomain_problems(&masked),
        NameRule::Label => label_problems(&masked),
        NameRule::Label1035 => label_1035_problems(&masked),
        NameRule::PathSegment => path_segment_problems(name),
        NameRule::SubdomainMax(max) if masked.len() > max => vec![format!("must be no more than {max} characters")],
        NameRule::SubdomainMax(_) => subdomain_problems(&masked),
        NameRule::NoDots if name.contains('.') => vec!["must not contain dots".to_owned()],
        NameRule::NoDots => subdomain_problems(&masked),
    }
}

/// RFC 1123 subdomain.
pub fn subdomain_problems(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 253, "characters");
    if !text.split('.').all(|part| is_label(part, false)) {
        problems.push(SUBDOMAIN.to_owned());
    }
    problems
}

/// RFC 1123 label.
pub fn label_problems(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 63, "characters");
    if !is_label(text, false) {
        problems.push(LABEL.to_owned());
    }
    problems
}

/// RFC 1035 label.
pub fn label_1035_problems(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 63, "characters");
    if !is_label(text, true) {
        problems.push(LABEL_1035.to_owned());
    }
    problems
}

fn path_segment_problems(text: &str) -> Vec<String> {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    ['/', '%'].iter().filter(|letter| text.contains(**letter)).map(|letter| format!("may not contain '{letter}'")).collect()
}

/// A label or annotation key: an optional DNS prefix with a slash, and a name.
pub fn qualified_name_problems(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let parts: Vec<&str> = text.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else {
                problems.extend(subdomain_problems(prefix).into_iter().map(|problem| format!("prefix part {problem}")));
            }
            *name
        }
        _ => {
            return vec![format!("a qualified name {QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else {
        problems.extend(too_long(name, 63, "bytes").into_iter().map(|problem| format!("name part {problem}")));
    }
    if !is_qualified(name) {
        problems.push(format!("name part {QUALIFIED}"));
    }
    problems
}

/// A label value.
pub fn label_value_problems(text: &str) -> Vec<String> {
    let mut problems = too_long(text, 63, "bytes");
    if !text.is_empty() && !is_qualified(text) {
        problems.push(LABEL_VALUE.to_owned());
    }
    problems
}

fn too_long(text: &str, max: usize, unit: &str) -> Vec<String> {
    if text.len() > max { vec![format!("must be no more than {max} {unit}")] } else { Vec::new() }
}

fn is_label(text: &str, letter_first: bool) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let first_fits = if letter_first { first.is_ascii_lowercase() } else { plain(first) };
    first_fits && plain(last) && bytes.iter().all(|byte| plain(byte) || *byte == b'-')
}

fn is_qualified(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let middle = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() && bytes.iter().all(middle)
}
