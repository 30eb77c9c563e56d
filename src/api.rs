//! What users write and read: the kinds of `modelward.dev/v1alpha1`.
//!
//! Takes nothing, gives the Rust types of the kinds, the names of conditions and reasons, and the CRDs ([`crds`]). It holds no
//! behaviour beyond parsing, defaults and schema, never talks to a cluster and imports nothing else of this crate.
//!
//! House rules for a field: it is bounded (length, items, properties), it is an `i32` or `i64` when it counts, an absent value is
//! left out when written (an explicit `null` counts as present in CEL), its doc comment is the user's documentation, and no value
//! that ends up in a pod is defaulted by the schema: a default that changes with the CRD would restart models.

pub mod conditions;
mod crds;
mod duration;
pub mod model;
pub mod model_deployment;
mod open_enum;
pub mod rollback;
mod schema;

pub use crds::crds;
pub use duration::{Duration, DurationError};
pub use model::Model;
pub use model_deployment::ModelDeployment;
pub use rollback::Rollback;

/// The API group of every kind here.
pub const GROUP: &str = "modelward.dev";
/// The only version served so far.
pub const VERSION: &str = "v1alpha1";
/// `group/version`, as written in `apiVersion`.
pub const API_VERSION: &str = "modelward.dev/v1alpha1";
/// Annotation that carries a command: `<command>:<nonce>`, for example `promote:3f2a`.
pub const COMMAND_ANNOTATION: &str = "modelward.dev/command";
