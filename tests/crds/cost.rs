//! A coarse upper estimate of what a CEL rule costs, in the API server's units: one per step, a tenth of a unit per character that a
//! string function walks, times a quarter of the pattern's length for regular expressions; loops multiply.
//!
//! Coarser than the server's own estimate in one way: a loop and a string function are charged for the longest list or string of the
//! schema they stand in, not for the one they name.

use kube_cel::cel::Program;
use kube_cel::cel::common::ast::{CallExpr, Expr, LiteralValue};
use serde_json::Value;

/// What one evaluation may cost.
pub fn estimate(rule: &str, node: &Value) -> u64 {
    let program = Program::compile(rule).unwrap();
    let bounds = Bounds { items: longest(node, &["maxItems", "maxProperties"]), length: longest(node, &["maxLength"]) };
    bounds.cost(&program.expression().expr)
}

struct Bounds {
    items: u64,
    length: u64,
}

impl Bounds {
    fn cost(&self, expr: &Expr) -> u64 {
        match expr {
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => {
                let range = self.cost(&comprehension.iter_range.expr);
                let step = self.cost(&comprehension.loop_cond.expr) + self.cost(&comprehension.loop_step.expr);
                // A loop over a list that stands in the rule runs as often as that list is long.
                let times = match &comprehension.iter_range.expr {
                    Expr::List(list) => list.elements.len() as u64,
                    _ => self.items,
                };
                range + times * step + self.cost(&comprehension.result.expr)
            }
            Expr::Select(select) => 1 + self.cost(&select.operand.expr),
            Expr::List(list) => 1 + list.elements.iter().map(|element| self.cost(&element.expr)).sum::<u64>(),
            _ => 1,
        }
    }

    fn call(&self, call: &CallExpr) -> u64 {
        let target = call.target.as_ref().map_or(0, |target| self.cost(&target.expr));
        let arguments: u64 = call.args.iter().map(|argument| self.cost(&argument.expr)).sum();
        let walk = self.length.div_ceil(10);
        let own = match call.func_name.as_str() {
            "matches" => walk * pattern_length(call).div_ceil(4),
            "contains" | "startsWith" | "endsWith" | "string" | "duration" | "int" | "_==_" | "_!=_" => walk,
            "isSorted" => self.items,
            _ => 1,
        };
        own + target + arguments
    }
}

fn pattern_length(call: &CallExpr) -> u64 {
    match call.args.first().map(|argument| &argument.expr) {
        Some(Expr::Literal(LiteralValue::String(pattern))) => pattern.inner().len() as u64,
        other => panic!("a pattern that is no literal: {other:?}"),
    }
}

/// The largest bound in a schema; a string without one counts as a tenth of the largest request.
fn longest(node: &Value, keys: &[&str]) -> u64 {
    let own = keys.iter().filter_map(|key| node[*key].as_u64()).max().unwrap_or(0);
    let open = ["maxLength", "enum", "format"].iter().all(|key| node[*key].is_null());
    let unbounded = node["type"] == "string" && keys.contains(&"maxLength") && open;
    let children = node["properties"].as_object().into_iter().flatten().map(|(_, child)| child);
    let inner = ["items", "additionalProperties"].iter().map(|key| &node[*key]).filter(|child| child.is_object());
    let below = children.chain(inner).map(|child| longest(child, keys)).max().unwrap_or(0);
    own.max(below).max(if unbounded { 300_000 } else { 0 })
}
