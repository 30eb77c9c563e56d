//! A whole world.
//!
//! Takes a document of kind `World`; gives the world with every default filled in, or all its mistakes.

use jiff::SignedDuration;

use super::document::Located;
use super::event::{self, Event, Expectation};
use super::fields::{self, Fields};
use super::node::{self, Machines};
use super::place::{Place, Problems};
use super::pod::{self, PodRule};
use super::traffic::{self, Entry, Scraping};
use crate::sim::actors::gateway::GatewayBehaviour;
use crate::sim::metrics_api::rules::Rules;
use crate::sim::traffic::gateway_meter::GatewayFlavour;

/// The longest time that is simulated.
pub const DURATION_MAX: SignedDuration = SignedDuration::from_hours(24);

/// The names of [`GatewayFlavour`]s.
const GATEWAY_METRICS: [(&str, GatewayFlavour); 2] = [("Istio", GatewayFlavour::Istio), ("Envoy", GatewayFlavour::Envoy)];

/// The scene of a simulation.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// Where it was written; none: the default world.
    pub place: Option<Place>,
    /// Its name.
    pub name: String,
    /// How long it lasts; none: until nothing changes any more.
    pub duration: Option<SignedDuration>,
    /// The nodes.
    pub nodes: Vec<Machines>,
    /// The Gateway API is installed, with a gateway that behaves so; none: it is not.
    pub gateway: Option<GatewayBehaviour>,
    /// A double of KEDA is there, with its CRD.
    pub keda: bool,
    /// The names of the gateway's metrics.
    pub gateway_metrics: GatewayFlavour,
    /// Requests from outside.
    pub traffic: Vec<Entry>,
    /// How metrics are scraped.
    pub scraping: Scraping,
    /// Which of them the metrics APIs show.
    pub rules: Rules,
    /// How pods behave; the first rule that matches describes a pod.
    pub pods: Vec<PodRule>,
    /// What happens, by time.
    pub events: Vec<Event>,
    /// What is expected, by time.
    pub expect: Vec<Expectation>,
}

impl Default for World {
    /// Three nodes with GPUs, usual pods, and nothing happens.
    fn default() -> Self {
        Self {
            place: None,
            name: "default".to_owned(),
            duration: None,
            nodes: vec![Machines::default()],
            gateway: None,
            keda: false,
            gateway_metrics: GatewayFlavour::default(),
            traffic: Vec::new(),
            scraping: Scraping::default(),
            rules: Rules::default(),
            pods: Vec::new(),
            events: Vec::new(),
            expect: Vec::new(),
        }
    }
}

impl World {
    /// Reads a world.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(document: &Located) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        let world = read(document, &mut problems);
        problems.sort();
        match world {
            Some(world) if problems.is_empty() => Ok(world),
            _ => Err(problems),
        }
    }

    /// The time of the last event or expectation that has one.
    pub fn last_planned(&self) -> SignedDuration {
        let events = self.events.iter().map(|event| event.at);
        events.chain(self.expect.iter().filter_map(|expectation| expectation.at)).max().unwrap_or_default()
    }
}

fn read(document: &Located, problems: &mut Problems) -> Option<World> {
    let mut fields = Fields::of(document, "a World", problems)?;
    let api_version = fields.require("apiVersion", fields::text, problems);
    let kind = fields.require("kind", fields::text, problems);
    if let (Some(version), Some(kind)) = (api_version, kind)
        && (version != super::API_VERSION || kind != super::KIND)
    {
        let message = format!("expected apiVersion {} and kind {}, found {version} and {kind}", super::API_VERSION, super::KIND);
        problems.push(document.place_of("apiVersion").problem(message));
    }
    let name = fields.take("metadata").and_then(|metadata| read_name(metadata, problems));
    let spec = fields.take("spec");
    fields.finish(problems);
    let world = World { place: Some(document.place.clone()), name: name.unwrap_or_else(|| "world".to_owned()), ..World::default() };
    match spec {
        Some(spec) => read_spec(world, spec, problems),
        None => Some(world),
    }
}

fn read_name(metadata: &Located, problems: &mut Problems) -> Option<String> {
    let mut fields = Fields::of(metadata, "metadata", problems)?;
    let name = fields.read("name", fields::text, problems);
    fields.finish(problems);
    name
}

fn read_spec(mut world: World, spec: &Located, problems: &mut Problems) -> Option<World> {
    let mut fields = Fields::of(spec, "spec", problems)?;
    world.duration = fields.read("duration", fields::time, problems);
    if let Some(nodes) = fields.take("nodes") {
        world.nodes = node::read(nodes, problems);
    }
    if let Some((behaviour, flavour)) = fields.take("gateway").and_then(|gateway| read_gateway(gateway, problems)) {
        (world.gateway, world.gateway_metrics) = (Some(behaviour), flavour);
    }
    world.keda = fields.read("keda", fields::flag, problems).unwrap_or(false);
    if let Some(entries) = fields.take("traffic") {
        world.traffic = traffic::read(entries, problems);
    }
    if let Some(scraping) = fields.take("metrics").and_then(|metrics| traffic::read_scraping(metrics, problems)) {
        (world.scraping, world.rules) = scraping;
    }
    if let Some(pods) = fields.take("pods") {
        world.pods = pod::read(pods, problems);
    }
    if let Some(events) = fields.take("events") {
        world.events = event::read(events, problems);
    }
    if let Some(expect) = fields.take("expect") {
        world.expect = event::read_expectations(expect, problems);
    }
    fields.finish(problems);
    check_times(&world, spec, problems);
    Some(world)
}

fn read_gateway(node: &Located, problems: &mut Problems) -> Option<(GatewayBehaviour, GatewayFlavour)> {
    let mut fields = Fields::of(node, "gateway", problems)?;
    let mut behaviour = GatewayBehaviour::default();
    behaviour.lag = fields.read("lag", fields::time, problems).unwrap_or(behaviour.lag);
    behaviour.silent = fields.read("silent", fields::flag, problems).unwrap_or(false);
    let metrics = fields.take("metrics").and_then(|metrics| fields::word(metrics, "metrics", &GATEWAY_METRICS, problems));
    fields.finish(problems);
    Some((behaviour, metrics.unwrap_or_default()))
}

/// Nothing may be planned after the end: it would never happen, and nobody would notice.
fn check_times(world: &World, spec: &Located, problems: &mut Problems) {
    if world.duration.is_some_and(|duration| duration > DURATION_MAX || duration.is_zero()) {
        problems.push(spec.place_of("duration").problem("duration must be more than nothing and at most 24h"));
    }
    let end = world.duration.unwrap_or(DURATION_MAX);
    let shown = super::duration::show(end);
    let events = world.events.iter().map(|event| (event.at, &event.place));
    let expected = world.expect.iter().filter_map(|expectation| Some((expectation.at?, &expectation.place)));
    for (at, place) in events.chain(expected).filter(|(at, _)| *at > end) {
        problems.push(place.problem(format!("{} is after the end of the world at {shown}", super::duration::show(at))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::document::parse;

    fn world(text: &str) -> Result<World, Vec<String>> {
        let document = parse("world.yaml", text).unwrap().remove(0);
        World::read(&document).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    const HEAD: &str = "apiVersion: simulation.modelward.dev/v1alpha1\nkind: World\nmetadata: {name: errors}\n";

    #[test]
    fn a_world_without_spec_has_realistic_defaults() {
        let world = world(HEAD).unwrap();
        assert_eq!((world.nodes[0].group.count, world.nodes[0].group.gpus, world.duration), (3, 8, None));
    }

    #[test]
    fn a_world_is_read() {
        let text = format!(
            "{HEAD}spec:\n  duration: 2h\n  nodes: [{{count: 3, cpu: \"64\", memory: 256Gi, gpus: 8}}]\n  pods:\n  - selector: {{matchLabels: {{v: 1.5.0}}}}\n    startup: {{pull: 20s, load: 40s}}\n  events:\n  - {{at: 10m, apply: v1.5.0.yaml}}\n  expect:\n  - {{at: 60m, object: modeldeployment/chat, that: \"self.status.stable.version == '1.4.0'\"}}\n"
        );
        let world = world(&text).unwrap();
        assert_eq!(world.name, "errors");
        assert_eq!((world.pods.len(), world.events.len(), world.expect.len()), (1, 1, 1));
        assert_eq!(world.last_planned(), SignedDuration::from_hours(1));
    }

    #[test]
    fn traffic_serving_and_metrics_are_read() {
        let text = format!(
            "{HEAD}spec:\n  gateway: {{metrics: Envoy}}\n  metrics: {{scrapeInterval: 30s}}\n  traffic: [{{host: a.b, requestsPerSecond: 4}}]\n  pods:\n  - {{selector: {{}}, serving: {{errorRate: 0.1}}}}\n  events:\n  - {{at: 1m, fault: {{metrics: Unavailable, for: 5m}}}}\n"
        );
        let world = world(&text).unwrap();
        assert_eq!((world.gateway_metrics, world.scraping.interval), (GatewayFlavour::Envoy, SignedDuration::from_secs(30)));
        assert_eq!((world.traffic.len(), world.events.len()), (1, 1));
        assert_eq!(world.pods[0].behaviour.serving.as_ref().and_then(|serving| serving.error_rate), Some(0.1));
    }

    #[test]
    fn nothing_may_be_planned_after_the_end() {
        let text = format!(
            "{HEAD}spec:\n  duration: 5m\n  events:\n  - {{at: 10m, apply: a.yaml}}\n  expect:\n  - {{at: 6m, object: a/b, that: 'true'}}\n"
        );
        let problems = world(&text).unwrap_err();
        assert_eq!(
            problems,
            ["world.yaml:7:5: 10m is after the end of the world at 5m", "world.yaml:9:5: 6m is after the end of the world at 5m"]
        );
        assert_eq!(world(&format!("{HEAD}spec: {{duration: 25h}}\n")).unwrap_err().len(), 1);
    }

    #[test]
    fn another_version_of_the_format_is_refused() {
        let problems = world("apiVersion: simulation.modelward.dev/v1\nkind: World\n").unwrap_err();
        assert!(problems[0].contains("expected apiVersion simulation.modelward.dev/v1alpha1"), "{problems:?}");
    }
}
