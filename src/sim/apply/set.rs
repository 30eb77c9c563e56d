//! Sets of field paths: what one manager owns, or what changed.
//!
//! A trie: every node is one path element with a flag that says whether the path up to it is in the set. Nodes that are
//! neither flagged nor have children do not exist. Never looks at an object or a schema.

use std::cmp::Ordering;

use crate::sim::apply::path::PathElement;

/// A set of field paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set<'a> {
    nodes: Vec<Node<'a>>,
}

/// One element of the trie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node<'a> {
    pub(super) element: PathElement<'a>,
    pub(super) member: bool,
    pub(super) children: Set<'a>,
}

impl<'a> Set<'a> {
    /// Whether no path is in the set.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// An empty set with room for this many nodes below the root.
    pub(super) fn with_capacity(nodes: usize) -> Self {
        Self { nodes: Vec::with_capacity(nodes) }
    }

    /// The nodes below the root, in order.
    pub(super) fn nodes(&self) -> &[Node<'a>] {
        &self.nodes
    }

    /// The nodes below the root; the caller keeps order and the invariant.
    pub(super) fn nodes_mut(&mut self) -> &mut Vec<Node<'a>> {
        &mut self.nodes
    }

    /// Adds a node that is not there yet; cheap if it comes after all others. Nothing happens for an empty one.
    pub(super) fn push(&mut self, element: PathElement<'a>, member: bool, children: Set<'a>) {
        if !member && children.is_empty() {
            return;
        }
        let node = Node { element, member, children };
        match self.nodes.last() {
            Some(last) if last.element >= node.element => match self.position(&node.element) {
                Ok(at) => {
                    self.nodes[at].member |= node.member;
                    self.nodes[at].children.absorb(node.children);
                }
                Err(at) => self.nodes.insert(at, node),
            },
            _ => self.nodes.push(node),
        }
    }

    /// Adds one path. The empty path names the whole object, which no one owns.
    pub fn insert(&mut self, path: &[PathElement<'a>]) {
        let Some((first, rest)) = path.split_first() else { return };
        let at = self.position(first).unwrap_or_else(|at| {
            self.nodes.insert(at, Node { element: first.clone(), member: false, children: Set::default() });
            at
        });
        if rest.is_empty() {
            self.nodes[at].member = true;
        } else {
            self.nodes[at].children.insert(rest);
        }
    }

    /// Whether exactly this path is in the set.
    pub fn contains(&self, path: &[PathElement<'_>]) -> bool {
        match path {
            [] => false,
            [last] => self.get(last).is_some_and(|node| node.member),
            [first, rest @ ..] => self.get(first).is_some_and(|node| node.children.contains(rest)),
        }
    }

    /// The node of an element.
    pub(super) fn get(&self, element: &PathElement<'_>) -> Option<&Node<'a>> {
        self.position(element).ok().map(|at| &self.nodes[at])
    }

    fn position(&self, element: &PathElement<'_>) -> Result<usize, usize> {
        self.nodes.binary_search_by(|node| node.element.cmp(element))
    }

    /// Adds all paths of `other`.
    pub fn absorb(&mut self, other: Set<'a>) {
        if self.nodes.is_empty() {
            self.nodes = other.nodes;
            return;
        }
        if other.nodes.is_empty() {
            return;
        }
        let mine = std::mem::take(&mut self.nodes);
        self.nodes.reserve(mine.len().max(other.nodes.len()));
        let (mut left, mut right) = (mine.into_iter().peekable(), other.nodes.into_iter().peekable());
        while let (Some(mine), Some(theirs)) = (left.peek(), right.peek()) {
            match mine.element.cmp(&theirs.element) {
                Ordering::Less => self.nodes.extend(left.next()),
                Ordering::Greater => self.nodes.extend(right.next()),
                Ordering::Equal => {
                    if let (Some(mut node), Some(theirs)) = (left.next(), right.next()) {
                        node.member |= theirs.member;
                        node.children.absorb(theirs.children);
                        self.nodes.push(node);
                    }
                }
            }
        }
        self.nodes.extend(left);
        self.nodes.extend(right);
    }

    /// Takes the paths of `other` away; the paths below them stay. Says whether anything was taken.
    pub fn subtract(&mut self, other: &Set<'_>) -> bool {
        self.subtract_with(other, false)
    }

    /// Takes the paths of `other` and everything below them away. Says whether anything was taken.
    pub fn subtract_recursively(&mut self, other: &Set<'_>) -> bool {
        self.subtract_with(other, true)
    }

    fn subtract_with(&mut self, other: &Set<'_>, below: bool) -> bool {
        if other.nodes.is_empty() || self.nodes.is_empty() {
            return false;
        }
        let mut theirs = other.nodes.iter().peekable();
        let mut changed = false;
        self.nodes.retain_mut(|node| {
            while theirs.next_if(|other| other.element < node.element).is_some() {}
            let Some(other) = theirs.next_if(|other| other.element == node.element) else { return true };
            if below && other.member {
                changed = true;
                return false;
            }
            if other.member && node.member {
                node.member = false;
                changed = true;
            }
            changed |= node.children.subtract_with(&other.children, below);
            node.member || !node.children.is_empty()
        });
        changed
    }

    /// The paths that are in both.
    pub fn intersection(&self, other: &Set<'_>) -> Set<'a> {
        let mut common = Set::default();
        let mut theirs = other.nodes.iter().peekable();
        for node in &self.nodes {
            while theirs.next_if(|other| other.element < node.element).is_some() {}
            let Some(other) = theirs.next_if(|other| other.element == node.element) else { continue };
            common.push(node.element.clone(), node.member && other.member, node.children.intersection(&other.children));
        }
        common
    }

    /// Whether every path is also in `other`.
    pub fn is_subset(&self, other: &Set<'_>) -> bool {
        let mut theirs = other.nodes.iter().peekable();
        self.nodes.iter().all(|node| {
            while theirs.next_if(|other| other.element < node.element).is_some() {}
            match theirs.next_if(|other| other.element == node.element) {
                Some(other) => (other.member || !node.member) && node.children.is_subset(&other.children),
                None => false,
            }
        })
    }

    /// All paths: on every level first the members, then what is below them. This is the order of conflicts in messages.
    pub fn paths(&self) -> Vec<Vec<PathElement<'a>>> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut Vec<PathElement<'a>>, paths: &mut Vec<Vec<PathElement<'a>>>) {
        for node in self.nodes.iter().filter(|node| node.member) {
            paths.push(prefix.iter().chain([&node.element]).cloned().collect());
        }
        for node in &self.nodes {
            prefix.push(node.element.clone());
            node.children.collect(prefix, paths);
            prefix.pop();
        }
    }
}
