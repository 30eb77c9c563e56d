//! How verbs find a cluster, and the operator's configuration.

use std::path::Path;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::output::Failure;
use crate::metric_source::config::OperatorConfiguration;

/// Where the cluster is: of the file, of the context, or as KUBECONFIG, ~/.kube/config or the pod say.
///
/// # Errors
/// When nothing says so, or the file cannot be read.
pub async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Config, Failure> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let hint = "give --kubeconfig or --context, set KUBECONFIG, or run in a pod";
    let failure = |error: &dyn std::error::Error| Failure::of(&format!("no cluster is configured ({hint})"), error);
    match (kubeconfig, context) {
        (Some(file), _) => {
            let kubeconfig =
                Kubeconfig::read_from(file).map_err(|error| Failure::of(&format!("{} cannot be read", file.display()), &error))?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failure(&error))
        }
        (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(|error| failure(&error)),
        (None, None) => Config::infer().await.map_err(|error| failure(&error)),
    }
}

/// The operator's configuration file, or what holds without one.
///
/// # Errors
/// A file that cannot be read, and every mistake in it.
pub fn configuration(file: Option<&Path>) -> Result<OperatorConfiguration, Failure> {
    let Some(file) = file else { return Ok(OperatorConfiguration::without_file()) };
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| Failure::of(&format!("{shown} cannot be read"), &error))?;
    OperatorConfiguration::parse(&text)
        .map_err(|error| Failure::Failed(error.0.iter().map(|mistake| format!("{shown}: {mistake}")).collect()))
}

/// A namespace as kubectl takes it.
///
/// # Errors
/// What it must look like.
pub fn namespace(text: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let sound = !text.is_empty() && text.len() <= 63 && text.chars().all(fits) && !text.starts_with('-') && !text.ends_with('-');
    if sound { Ok(text.to_owned()) } else { Err("a namespace has at most 63 lower-case letters, digits and -".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_checked_before_anything_runs() {
        assert_eq!(namespace("team-1"), Ok("team-1".to_owned()));
        for wrong in ["", "Team", "-a", "a-", "a.b", &"a".repeat(64)] {
            assert!(namespace(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn mistakes_of_the_configuration_name_file_and_place() {
        let folder = std::env::temp_dir().join(format!("modelward-configuration-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("config.yaml");
        std::fs::write(&file, "apiVersion: config.modelward.dev/v1alpha1\nkind: OperatorConfiguration\nmetricProvider: []\n").unwrap();
        let Err(Failure::Failed(lines)) = configuration(Some(&file)) else { panic!("an unknown field is taken") };
        assert!(lines[0].contains("config.yaml: line 3"), "{lines:?}");
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(configuration(Some(&file)).is_err());
        assert!(configuration(None).unwrap().metric_providers.is_empty());
    }
}
