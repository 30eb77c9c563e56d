//! The verb `crds`: prints the CustomResourceDefinitions, or writes one file per kind.
//!
//! Takes nothing but where to write; gives the YAML that is committed under `crds/`. Never talks to a cluster.

use std::io::{self, Write};
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::api;

/// Why the CRDs could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CrdsError {
    /// The definition could not be written as YAML.
    #[error("cannot write {name} as YAML")]
    Yaml {
        /// Name of the CRD.
        name: String,
        /// What the serialiser says.
        source: serde_saphyr::ser::Error,
    },
    /// The file or stream could not be written.
    #[error("cannot write {path}")]
    Write {
        /// Where to.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// One CRD as a YAML document that starts with `---` and ends with a line feed. Equal input gives equal bytes.
///
/// # Errors
/// [`CrdsError::Yaml`] when the serialiser refuses a value.
pub fn yaml(crd: &CustomResourceDefinition) -> Result<String, CrdsError> {
    // Folding would break long rules over lines; a rule is easier to compare and to copy when it stands on one.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let text = serde_saphyr::to_string_with_options(crd, options).map_err(|source| CrdsError::Yaml { name: name(crd), source })?;
    Ok(format!("---\n{}\n", text.trim_end()))
}

/// The name of the file that a CRD is written to: the plural of its kind, such as `models.yaml`.
#[must_use]
pub fn file_name(crd: &CustomResourceDefinition) -> String {
    format!("{}.yaml", crd.spec.names.plural)
}

/// Writes every CRD to `out`, one document after the other.
///
/// # Errors
/// [`CrdsError`]; a closed pipe is one.
pub fn print(out: &mut impl Write) -> Result<(), CrdsError> {
    for crd in api::crds() {
        out.write_all(yaml(&crd)?.as_bytes()).map_err(|source| CrdsError::Write { path: "the output".to_owned(), source })?;
    }
    Ok(())
}

/// Writes one file per kind into a folder, which is made when it is missing, and gives the paths.
///
/// # Errors
/// [`CrdsError`]; files written before the error stay.
pub fn write_files(folder: &Path) -> Result<Vec<std::path::PathBuf>, CrdsError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| CrdsError::Write { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut written = Vec::new();
    for crd in api::crds() {
        let path = folder.join(file_name(&crd));
        std::fs::write(&path, yaml(&crd)?).map_err(failed(&path))?;
        written.push(path);
    }
    Ok(written)
}

fn name(crd: &CustomResourceDefinition) -> String {
    crd.metadata.name.clone().unwrap_or_default()
}
