//! Which of the scraped metrics the metrics APIs of a world show.
//!
//! Takes the lists `custom` and `external` of `metrics`; gives rules whose queries have been checked.

use super::document::Located;
use super::fields::{self, Fields};
use super::place::Problems;
use crate::sim::metrics_api::rules::{CustomRule, ExternalRule, Rules, check};

/// Reads both lists from the fields of `metrics`.
pub fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Rules {
    let custom = fields.take("custom").map(|node| items(node, "custom", problems)).unwrap_or_default();
    let external = fields.take("external").map(|node| items(node, "external", problems)).unwrap_or_default();
    let of = |item: &Located| (item.text(&["name"]).to_owned(), item.text(&["resource"]).replace("pods", ""));
    no_name_twice(&custom, of, problems);
    no_name_twice(&external, of, problems);
    let custom: Vec<CustomRule> = custom.into_iter().filter_map(|item| custom_rule(item, problems)).collect();
    Rules { custom, external: external.into_iter().filter_map(|item| external_rule(item, problems)).collect() }
}

fn items<'a>(node: &'a Located, name: &str, problems: &mut Problems) -> Vec<&'a Located> {
    fields::items(node, name, problems).iter().collect()
}

fn custom_rule(node: &Located, problems: &mut Problems) -> Option<CustomRule> {
    let mut fields = Fields::of(node, "an entry of custom", problems)?;
    let name = fields.require("name", fields::text, problems);
    let query = fields.require("query", query, problems);
    let resource = fields.read("resource", fields::text, problems).unwrap_or_else(|| "pods".to_owned());
    fields.finish(problems);
    Some(CustomRule { name: name?, query: query?, resource })
}

fn external_rule(node: &Located, problems: &mut Problems) -> Option<ExternalRule> {
    let mut fields = Fields::of(node, "an entry of external", problems)?;
    let name = fields.require("name", fields::text, problems);
    let query = fields.require("query", query, problems);
    fields.finish(problems);
    Some(ExternalRule { name: name?, query: query? })
}

fn query(node: &Located, name: &str, problems: &mut Problems) -> Option<String> {
    let text = fields::text(node, name, problems)?;
    match check(&text) {
        Ok(()) => Some(text),
        Err(error) => {
            problems.push(node.place.problem(format!("{name}: {error}")));
            None
        }
    }
}

/// The second of two rules would never be asked.
fn no_name_twice(items: &[&Located], of: impl Fn(&Located) -> (String, String), problems: &mut Problems) {
    for (index, item) in items.iter().enumerate() {
        let name = of(item);
        if !name.0.is_empty() && items[..index].iter().any(|earlier| of(earlier) == name) {
            problems.push(item.place_of("name").problem(format!("a second metric {}: give it another name", name.0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::document::read_text;

    fn rules(text: &str) -> (Rules, Vec<String>) {
        read_text(text, |node, problems| {
            let mut fields = Fields::of(node, "metrics", problems).unwrap();
            let rules = read(&mut fields, problems);
            fields.finish(problems);
            rules
        })
    }

    #[test]
    fn rules_are_read_and_belong_to_pods_when_nothing_else_is_said() {
        let (rules, problems) = rules(
            "custom:\n- {name: a, query: sum by (pod) (b)}\n- {name: a, query: c, resource: services}\nexternal: [{name: d, query: sum(e)}]\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!((rules.custom[0].resource.as_str(), rules.custom[1].resource.as_str()), ("pods", "services"));
        assert_eq!(rules.external[0].query, "sum(e)");
    }

    #[test]
    fn queries_that_cannot_be_answered_and_names_that_are_taken_are_mistakes() {
        let (_, problems) = rules(
            "custom:\n- {name: a, query: rate(b)}\n- {name: b, query: c}\n- {name: b, query: d}\nexternal:\n- {name: d, query: 1 + 1}\n- {query: d, nam: e}\n",
        );
        let lines: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').nth(1)).collect();
        assert_eq!(lines, ["4", "2", "6", "7", "7"], "{problems:#?}");
    }
}
