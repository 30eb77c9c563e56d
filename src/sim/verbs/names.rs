//! Rules for `metadata.name` and `metadata.generateName`, with the server's sentences.
//!
//! Takes a text and gives the list of what is wrong with it; an empty list means it is fine.

use crate::sim::builtin::names::{dns_1035_label, dns_label, dns_subdomain, path_segment};
use crate::sim::kinds::NameRule;

/// What is wrong with a name; `prefix`: it is a `generateName`, whose trailing dash is fine.
pub fn name_problems(rule: NameRule, name: &str, prefix: bool) -> Vec<String> {
    // The server checks the base of a generated name as if its last dash were a letter.
    let masked = match name.strip_suffix('-') {
        Some(stem) if prefix && !stem.is_empty() => format!("{stem}a"),
        _ => name.to_owned(),
    };
    match rule {
        NameRule::Subdomain => dns_subdomain(&masked),
        NameRule::Label => dns_label(&masked),
        NameRule::Label1035 => dns_1035_label(&masked),
        NameRule::PathSegment => path_segment(name),
        NameRule::SubdomainMax(max) if masked.len() > max => vec![format!("must be no more than {max} characters")],
        NameRule::SubdomainMax(_) => dns_subdomain(&masked),
        NameRule::NoDots if name.contains('.') => vec!["must not contain dots".to_owned()],
        NameRule::NoDots => dns_subdomain(&masked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_refuses_what_its_kind_cannot_be_called() {
        let fine = |rule, name| name_problems(rule, name, false).is_empty();
        assert!(fine(NameRule::Subdomain, "a.b") && !fine(NameRule::Label, "a.b") && !fine(NameRule::NoDots, "a.b"));
        assert!(fine(NameRule::Label, "1a") && !fine(NameRule::Label1035, "1a"));
        assert!(fine(NameRule::PathSegment, "system:node") && !fine(NameRule::PathSegment, "a/b"));
        let long = "a".repeat(53);
        assert_eq!(name_problems(NameRule::SubdomainMax(52), &long, false), ["must be no more than 52 characters"]);
    }

    #[test]
    fn only_the_base_of_a_generated_name_may_end_in_a_dash() {
        assert!(name_problems(NameRule::Subdomain, "web-", true).is_empty());
        assert!(!name_problems(NameRule::Subdomain, "web-", false).is_empty());
        assert!(!name_problems(NameRule::Subdomain, "-", true).is_empty());
    }
}
