//! Where in an object a check stands, as a chain on the stack that is spelled out only when something is wrong.

use std::fmt::Write;

/// One step from a parent into a child.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A declared field, or any name behind a dot.
    Field(&'a str),
    /// An entry of a free map.
    Key(&'a str),
    /// An item of a list.
    Index(usize),
}

/// A place, linked to its parent.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

impl<'a> Path<'a> {
    /// The start; `at` is put before everything and may be empty.
    pub fn root(at: &'a str) -> Self {
        Self { parent: None, step: Step::Field(at) }
    }

    /// The place of a child.
    pub fn child<'b>(&'b self, step: Step<'b>) -> Path<'b> {
        Path { parent: Some(self), step }
    }

    /// `spec.map.a[0]`: entries of maps behind a dot, as in schema validation.
    pub fn dotted(&self) -> String {
        self.render(false)
    }

    /// `spec.map[a][0]`: entries of maps in brackets, as in field errors of handwritten validation and CEL.
    pub fn bracketed(&self) -> String {
        self.render(true)
    }

    fn render(&self, brackets: bool) -> String {
        let mut chain = Vec::new();
        let mut here = Some(self);
        while let Some(path) = here {
            chain.push(path.step);
            here = path.parent;
        }
        let mut text = String::new();
        for step in chain.into_iter().rev() {
            match step {
                Step::Field("") => {}
                Step::Key(name) if brackets => push(&mut text, format_args!("[{name}]")),
                Step::Field(name) | Step::Key(name) if text.is_empty() => text.push_str(name),
                Step::Field(name) | Step::Key(name) => push(&mut text, format_args!(".{name}")),
                Step::Index(index) => push(&mut text, format_args!("[{index}]")),
            }
        }
        text
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = text.write_fmt(arguments);
}

/// Joins a rendered place and a field name.
pub fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spelled_in_both_styles() {
        let root = Path::root("");
        let (spec, map) = (root.child(Step::Field("spec")), "map");
        let map = spec.child(Step::Field(map));
        let key = map.child(Step::Key("a"));
        let item = key.child(Step::Index(2));
        assert_eq!(item.dotted(), "spec.map.a[2]");
        assert_eq!(item.bracketed(), "spec.map[a][2]");
        assert_eq!(Path::root("status").child(Step::Field("x")).dotted(), "status.x");
        assert_eq!(Path::root("").dotted(), "");
    }
}
