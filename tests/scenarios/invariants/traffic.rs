//! I01-I07: traffic and the pods that take it.

use std::collections::BTreeMap;

use modelward::sim::cluster::{Change, Commit};
use serde_json::Value;

use super::sight::Sight;
use super::view::{self, DEPLOYMENTS, ROUTES};
use super::{Watchdog, ours};

/// A deployment's spec, as the invariants need it.
struct Spec {
    replicas: i32,
    surge: i32,
    drain: f64,
    headroom: i32,
}

fn spec(cluster: &dyn Sight, namespace: &str, deployment: &str) -> Option<Spec> {
    let object = cluster.get(DEPLOYMENTS, namespace, deployment)?;
    let replicas = wanted(cluster, &object)?;
    let surge = match object.pointer("/spec/strategy/maxSurge") {
        Some(Value::Number(pods)) => i32::try_from(pods.as_i64().unwrap()).unwrap(),
        Some(Value::String(text)) => (replicas * text.trim_end_matches('%').parse::<i32>().unwrap() + 99) / 100,
        _ => replicas,
    };
    let drain = object.pointer("/spec/traffic/drain").and_then(Value::as_str).map_or(30.0, view::seconds);
    let headroom = object.pointer("/spec/traffic/headroom").and_then(Value::as_i64).unwrap_or(100);
    Some(Spec { replicas, surge: surge.max(1), drain, headroom: i32::try_from(headroom).unwrap() })
}

/// N: the number in the spec; with a scaler, that of the release as status says it, or what the stable revision has.
pub fn wanted(cluster: &dyn Sight, object: &Value) -> Option<i32> {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let replicas = number("/spec/replicas")?;
    if object.pointer("/spec/autoscaling").is_none() {
        return i32::try_from(replicas).ok();
    }
    let namespace = object["metadata"]["namespace"].as_str()?;
    let stable = object.pointer("/status/stable/revision").and_then(Value::as_str);
    let stable = stable.and_then(|name| cluster.get("deployments.apps", namespace, name));
    let stable = stable.and_then(|workload| workload.pointer("/spec/replicas")?.as_i64());
    let release = number("/status/releaseReplicas");
    let all = release.into_iter().chain(stable).max().unwrap_or(replicas);
    i32::try_from(all).ok()
}

/// I01 weights of a route are each 0-100 and sum to exactly 100, in every rule, and every rule has backends; pins lead to one
/// revision, and a mirror copies 1 to 100 percent.
pub fn weights_sum_to_100(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let route =
        commit.after.as_deref().filter(|route| ROUTES.contains(&commit.resource.as_str()) && view::deployment_of(route).is_some())?;
    if !ours(commit) {
        return None;
    }
    let rules = view::rules(route);
    if rules.iter().all(view::is_pin) {
        return Some("the route has no rule for all requests".to_owned());
    }
    if let Some((_, percent)) = view::mirrors(route).iter().find(|(_, percent)| !(1..=100).contains(percent)) {
        return Some(format!("a mirror copies {percent} %"));
    }
    if rules.iter().any(|rule| view::is_pin(rule) && view::rule_weights(rule).len() != 1) {
        return Some("pins lead to more than one revision".to_owned());
    }
    rules.iter().find_map(|rule| {
        let weights = view::rule_weights(rule);
        let fine =
            weights.iter().all(|(_, weight)| (0..=100).contains(weight)) && weights.iter().map(|(_, weight)| weight).sum::<i64>() == 100;
        (!fine).then(|| format!("weights are {weights:?}"))
    })
}

/// The deployment whose split this commit may have changed.
pub fn split_of(commit: &Commit) -> Option<&str> {
    let carries = ROUTES.contains(&commit.resource.as_str()) || commit.resource == "services";
    let deployment = view::deployment_of(view::object(commit)?)?;
    (carries && commit.name == deployment).then_some(deployment)
}

/// I02 no write of ours raises the weight of a version with 0 ready endpoints; one that falls to 0 loses its weight
/// within 10 s (the only version excepted). A pin and a mirror count as weight.
pub fn weight_only_to_ready_pods(watchdog: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    raised_without_pods(commit, cluster).or_else(|| kept_without_pods(watchdog, commit, cluster))
}

/// Of the object that a write was about: who gets how much by it.
type Shares = fn(&Value) -> BTreeMap<String, i32>;

/// Weights, or weights with pins and mirrors, before and after a write of the object that carries the split; none for a
/// Service beside a route.
pub fn carried(commit: &Commit, cluster: &dyn Sight, of: Shares) -> Option<(BTreeMap<String, i32>, BTreeMap<String, i32>)> {
    let deployment = split_of(commit)?;
    let by_route = commit.resource != "services";
    if !by_route && !view::routes(cluster, &commit.namespace, deployment).is_empty() {
        return None;
    }
    let ready = view::ready(cluster, &commit.namespace, deployment);
    let weights = |object: &Value| if by_route { of(object) } else { view::service_weights(object, &ready) };
    Some((commit.before.as_deref().map(weights).unwrap_or_default(), weights(commit.after.as_deref()?)))
}

/// Revisions whose share a write of ours raises, and to what.
fn raised(commit: &Commit, cluster: &dyn Sight, of: Shares) -> Vec<(String, i32)> {
    let weights = carried(commit, cluster, of).filter(|_| ours(commit));
    let Some((before, after)) = weights else { return Vec::new() };
    after.into_iter().filter(|(revision, weight)| *weight > before.get(revision).copied().unwrap_or(0)).collect()
}

fn raised_without_pods(commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let raised = raised(commit, cluster, view::route_reach);
    let ready = view::ready(cluster, &commit.namespace, split_of(commit)?);
    let count = |revision: &String| ready.get(revision).copied().unwrap_or(0);
    let (revision, weight) = raised.iter().find(|(revision, _)| count(revision) == 0)?;
    let others = others(commit, cluster, &ready, revision);
    (others > 0).then(|| format!("{revision} is raised to {weight} % without a ready pod"))
}

/// Ready pods of other revisions, of those that are not on their way out with a deleted namesake.
fn others(commit: &Commit, cluster: &dyn Sight, ready: &BTreeMap<String, i32>, revision: &str) -> i32 {
    let stays = |other: &str| cluster.get("deployments.apps", &commit.namespace, other).is_some();
    ready.iter().filter(|(other, _)| *other != revision && stays(other)).map(|(_, ready)| ready).sum()
}

/// I03 no write of ours raises a version's weight above what its ready pods cover, unless the others have no ready pod. A
/// way back without a gateway is a pin, all or nothing; a version without any ready pod is I02's.
pub fn weight_is_covered_by_ready_pods(_: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let raised = raised(commit, cluster, view::route_weights);
    let deployment = split_of(commit)?;
    let spec = spec(cluster, &commit.namespace, deployment)?;
    let ready = view::ready(cluster, &commit.namespace, deployment);
    let decision: Value = serde_json::from_str(view::annotation(commit.after.as_deref()?, "modelward.dev/decision")?).ok()?;
    let shares = commit.resource == "services" && (decision["cause"] != "Advance" || raised.iter().all(|(_, weight)| *weight < 100));
    if shares {
        return None;
    }
    raised.iter().find_map(|(revision, weight)| {
        let own = ready.get(revision).copied().unwrap_or(0);
        let others = others(commit, cluster, &ready, revision);
        let needed = needed_for(&spec, *weight);
        (own > 0 && others > 0 && own < needed)
            .then(|| format!("{revision} is raised to {weight} % with {own} ready pods, {needed} are needed"))
    })
}

/// Pods that carry `weight` percent, by the rule of the contract page.
fn needed_for(spec: &Spec, weight: i32) -> i32 {
    let hundredths = i64::from(spec.replicas) * i64::from(weight) * i64::from(spec.headroom);
    spec.replicas.min(i32::try_from((hundredths + 9_999) / 10_000).unwrap())
}

fn kept_without_pods(watchdog: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let object = view::object(commit)?;
    let deployment = view::deployment_of(object)?;
    let wanted = spec(cluster, &commit.namespace, deployment)?.replicas;
    let ready = view::ready(cluster, &commit.namespace, deployment);
    let weights = view::reach(cluster, &commit.namespace, deployment);
    let all: i32 = ready.values().sum();
    let mut late = None;
    for (revision, weight) in weights {
        let own = ready.get(&revision).copied().unwrap_or(0);
        let key = (commit.namespace.clone(), revision.clone());
        if weight == 0 || own > 0 || all == 0 || wanted == 0 {
            watchdog.bare_since.remove(&key);
            continue;
        }
        let since = *watchdog.bare_since.entry(key).or_insert(commit.at);
        let seconds = commit.at.duration_since(since).as_secs();
        if seconds > 10 {
            late = Some(format!("{revision} has {weight} % and no ready pod for {seconds} s"));
        }
    }
    late
}

/// The pods that a workload of ours asked for before and after a write; `None` if it is not one.
fn resized(commit: &Commit) -> Option<(String, i32, i32)> {
    if commit.resource != "deployments.apps" || !ours(commit) {
        return None;
    }
    let revision = view::label(view::object(commit)?, "modelward.dev/revision")?.to_owned();
    let size = |object: Option<&Value>| object.and_then(|object| object.pointer("/spec/replicas")?.as_i64()).unwrap_or(0);
    let deleting = commit.after.as_deref().is_none_or(|object| object.pointer("/metadata/deletionTimestamp").is_some());
    let after = if deleting || commit.change == Change::Deleted { 0 } else { size(commit.after.as_deref()) };
    Some((revision, i32::try_from(size(commit.before.as_deref())).unwrap(), i32::try_from(after).unwrap()))
}

/// I04 ready pods of the serving set never fall below what is wanted through our own action.
pub fn ready_capacity_is_kept(_: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let (revision, before, after) = resized(commit).filter(|(_, before, after)| after < before)?;
    let deployment = view::deployment_of(view::object(commit)?)?;
    let wanted = spec(cluster, &commit.namespace, deployment)?.replicas;
    let ready = view::ready(cluster, &commit.namespace, deployment);
    let weights = view::weights(cluster, &commit.namespace, deployment);
    let capacity = |size: i32| -> i32 {
        let kept = |(other, ready): (&String, &i32)| if *other == revision { (*ready).min(size) } else { *ready };
        ready.iter().filter(|(other, _)| weights.get(*other).copied().unwrap_or(0) > 0).map(kept).sum()
    };
    let (was, is) = (capacity(before), capacity(after));
    (is < was.min(wanted)).then(|| format!("ready capacity falls from {was} to {is}, {wanted} are wanted"))
}

/// I05 total replicas within `strategy.maxSurge`, judged at each growth.
pub fn pods_within_surge(_: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let (_, before, after) = resized(commit)?;
    let deployment = view::deployment_of(view::object(commit)?)?;
    let spec = spec(cluster, &commit.namespace, deployment)?;
    let sizes = view::sizes(cluster, &commit.namespace, deployment);
    let total: i32 = sizes.values().sum();
    let most = spec.replicas + spec.surge;
    (after > before && total > most).then(|| format!("{total} pods are asked for, {most} are allowed: {sizes:?}"))
}

/// I06 a version goes only after its weight was 0 for the drain time; a part of it only after the lower weight held so long. A
/// pin and a mirror count as weight.
pub fn scaled_to_zero_only_after_drain(watchdog: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let (revision, before, after) = resized(commit).filter(|(_, before, after)| after < before)?;
    let deployment = view::deployment_of(view::object(commit)?)?;
    let spec = spec(cluster, &commit.namespace, deployment)?;
    let key = (commit.namespace.clone(), revision.clone());
    // What never had a ready pod has no request to finish, and a change of the wanted number is free.
    let free = watchdog
        .resized
        .get(&(commit.namespace.clone(), deployment.to_owned()))
        .is_some_and(|at| commit.at.duration_since(*at).as_secs() < 5);
    if !watchdog.worked.contains(&key) || (free && after > 0) || spec.replicas == 0 {
        return None;
    }
    let weight = view::reach(cluster, &commit.namespace, deployment).get(&revision).copied().unwrap_or(0);
    if after == 0 && weight > 0 {
        return Some(format!("{revision} goes with {weight} % of the traffic"));
    }
    let since = watchdog.weights.get(&key).map(|(_, since)| *since)?;
    let held = commit.at.duration_since(since).as_secs_f64();
    (held + 0.5 < spec.drain).then(|| format!("{revision} shrinks from {before} to {after} only {held} s after its weight changed"))
}

/// I07 stable is not scaled down before what replaces those pods has their traffic.
pub fn stable_gives_way_last(_: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) -> Option<String> {
    let (revision, _, after) = resized(commit).filter(|(_, before, after)| after < before)?;
    let deployment = view::deployment_of(view::object(commit)?)?;
    let spec = spec(cluster, &commit.namespace, deployment)?;
    let object = cluster.get(DEPLOYMENTS, &commit.namespace, deployment)?;
    let stable = object.pointer("/status/stable/revision").and_then(Value::as_str)?;
    if stable != revision || after >= spec.replicas {
        return None;
    }
    let weights = view::weights(cluster, &commit.namespace, deployment);
    let ready = view::ready(cluster, &commit.namespace, deployment);
    let others = ready.iter().filter(|(other, _)| **other != revision && weights.get(*other).copied().unwrap_or(0) > 0);
    let others: i32 = others.map(|(_, ready)| ready).sum();
    let serves = ready.get(&revision).copied().unwrap_or(0) > 0;
    let all = spec.surge >= spec.replicas && weights.get(&revision).copied().unwrap_or(0) > 0;
    (serves && (all || after + others < spec.replicas))
        .then(|| format!("stable shrinks to {after}; others have {others} ready pods with traffic"))
}

/// What later checks need to know of this commit.
pub fn remember(watchdog: &mut Watchdog, commit: &Commit, cluster: &dyn Sight) {
    let Some(object) = view::object(commit) else { return };
    if commit.resource == DEPLOYMENTS {
        let replicas = |object: Option<&Value>| object.map(|object| object["spec"]["replicas"].clone());
        if replicas(commit.before.as_deref()) != replicas(commit.after.as_deref()) {
            watchdog.resized.insert((commit.namespace.clone(), commit.name.clone()), commit.at);
        }
        return;
    }
    let Some(deployment) = view::deployment_of(object).map(str::to_owned) else { return };
    for (revision, ready) in view::ready(cluster, &commit.namespace, &deployment) {
        if ready > 0 {
            watchdog.worked.insert((commit.namespace.clone(), revision));
        }
    }
    if split_of(commit).is_some() {
        note_weights(watchdog, commit, view::reach(cluster, &commit.namespace, &deployment));
    }
}

fn note_weights(watchdog: &mut Watchdog, commit: &Commit, weights: BTreeMap<String, i32>) {
    let known: Vec<(String, String)> = watchdog.weights.keys().filter(|(namespace, _)| *namespace == commit.namespace).cloned().collect();
    let listed = weights.keys().map(|revision| (commit.namespace.clone(), revision.clone()));
    for key in known.into_iter().chain(listed) {
        let weight = weights.get(&key.1).copied().unwrap_or(0);
        let entry = watchdog.weights.entry(key).or_insert((weight, commit.at));
        if entry.0 != weight {
            *entry = (weight, commit.at);
        }
    }
}
