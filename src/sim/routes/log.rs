//! `pods/log`: what containers of a simulated cluster say. They run nothing, so the text tells what is known of them.

use serde_json::Value;

use super::Call;
use super::reply::Reply;
use crate::sim::api_error::ApiError;
use crate::sim::cluster::Cluster;

impl Call<'_> {
    /// One line per known event of the container, limited by `tailLines` and `limitBytes`, with `timestamps` if asked.
    pub(super) fn log(&self, cluster: &Cluster) -> Result<Reply, ApiError> {
        let pod = cluster.read(&self.key, self.namespace(), &self.info.name, None, "")?;
        let container = self.container(&pod)?;
        let lines = self.lines(&pod, &container)?;
        let keep = self.query.get("tailLines").and_then(|text| text.parse::<usize>().ok()).unwrap_or(lines.len());
        let mut text: String = lines[lines.len().saturating_sub(keep)..].concat();
        if let Some(limit) = self.query.get("limitBytes").and_then(|text| text.parse::<usize>().ok()) {
            text.truncate(text.floor_char_boundary(limit));
        }
        Ok(Reply::text(200, text))
    }

    fn container(&self, pod: &Value) -> Result<String, ApiError> {
        let names = |field: &str| -> Vec<String> {
            let all = pod["spec"][field].as_array().into_iter().flatten();
            all.filter_map(|container| container["name"].as_str().map(str::to_owned)).collect()
        };
        let (ordinary, name) = (names("containers"), &self.info.name);
        let asked = self.query.text("container");
        if asked.is_empty() {
            return match ordinary.as_slice() {
                [single] => Ok(single.clone()),
                several => Err(ApiError::bad_request(format!(
                    "a container name must be specified for pod {name}, choose one of: [{}]",
                    several.join(" ")
                ))),
            };
        }
        let known = ordinary.contains(&asked) || names("initContainers").contains(&asked);
        if known { Ok(asked) } else { Err(ApiError::bad_request(format!("container {asked} is not valid for pod {name}"))) }
    }

    fn lines(&self, pod: &Value, container: &str) -> Result<Vec<String>, ApiError> {
        let status = ["containerStatuses", "initContainerStatuses"]
            .into_iter()
            .flat_map(|field| pod["status"][field].as_array().into_iter().flatten())
            .find(|status| status["name"] == container);
        let name = &self.info.name;
        let Some(status) = status else {
            return Err(ApiError::bad_request(format!(
                "container \"{container}\" in pod \"{name}\" is waiting to start: ContainerCreating"
            )));
        };
        let state = if self.query.flag("previous") { &status["lastState"] } else { &status["state"] };
        if self.query.flag("previous") && state["terminated"].is_null() {
            return Err(ApiError::bad_request(format!("previous terminated container \"{container}\" in pod \"{name}\" not found")));
        }
        if let Some(reason) = state["waiting"]["reason"].as_str() {
            return Err(ApiError::bad_request(format!("container \"{container}\" in pod \"{name}\" is waiting to start: {reason}")));
        }
        let image = status["image"].as_str().unwrap_or("");
        let mut lines = Vec::new();
        let mut say = |time: &Value, text: String| {
            if let Some(time) = time.as_str() {
                lines.push(if self.query.flag("timestamps") { format!("{time} {text}\n") } else { format!("{text}\n") });
            }
        };
        say(&state["running"]["startedAt"], format!("simulated container {container} ({image}) started"));
        say(&state["terminated"]["startedAt"], format!("simulated container {container} ({image}) started"));
        let code = state["terminated"]["exitCode"].as_i64().unwrap_or(0);
        say(&state["terminated"]["finishedAt"], format!("simulated container {container} ended with exit code {code}"));
        Ok(lines)
    }
}
