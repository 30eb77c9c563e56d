//! The verb `version`.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::output::{Failure, Output};

/// Print the version of the program, and of the APIs that it was built for.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// The oldest Kubernetes that is supported.
const KUBERNETES: &str = "1.35";

/// Prints it.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let crds = crate::api::crds();
    let served = |crd: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition| {
        crd.spec.versions.iter().map(|served| format!("{}/{}", crd.spec.group, served.name)).collect::<Vec<_>>()
    };
    let mut apis: Vec<String> = crds.iter().flat_map(served).collect();
    apis.dedup();
    match arguments.output {
        Format::Text => output.line(&format!("modelward {version} ({}, Kubernetes {KUBERNETES} or later)", apis.join(", "))),
        Format::Json => output.line(&json!({ "version": version, "apis": apis, "kubernetes": format!(">={KUBERNETES}") }).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(format: Format) -> String {
        let (mut output, text) = Output::captured();
        run(&Arguments { output: format }, &mut output).expect("memory");
        text.stdout()
    }

    #[test]
    fn the_version_is_printed_for_people_and_programs() {
        assert!(print(Format::Text).starts_with(&format!("modelward {} (modelward.dev/v1alpha1", env!("CARGO_PKG_VERSION"))));
        let value: serde_json::Value = serde_json::from_str(&print(Format::Json)).expect("JSON");
        assert_eq!(value["apis"], json!(["modelward.dev/v1alpha1"]));
    }
}
