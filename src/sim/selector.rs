//! Label and field selectors.
//!
//! Takes the text of a query parameter or a `LabelSelector` object; gives a predicate over objects, or the server's 400.
//! Never looks anything up beyond the object it is given.

mod fields;
mod labels;
mod lexer;

use serde_json::Value;

pub use self::fields::Fields;
pub use self::labels::{Labels, Operator, Requirement};
use crate::sim::api_error::ApiError;
use crate::sim::kinds::Resource;

/// Both selectors of a list or watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Labels.
    pub labels: Labels,
    /// Fields.
    pub fields: Fields,
}

impl Filter {
    /// Parses both texts; empty ones select everything.
    pub fn parse(labels: &str, fields: &str, resource: &Resource) -> Result<Self, ApiError> {
        Ok(Self { labels: Labels::parse(labels)?, fields: Fields::parse(fields, resource)? })
    }

    /// Whether an object (in its stored form) is selected.
    pub fn matches(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }

    /// Selects everything.
    pub fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }
}

#[cfg(test)]
mod tests;
