//! The worked examples of Deployments, played on the pure decisions: sizes in, sizes out, with ReplicaSets that follow.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::bounds::Bounds;
use super::sets::{Resize, SetView, Sets};
use super::{revision, rolling, scaling, status};

/// A Deployment at play: its spec, and ReplicaSets oldest first; the last one is the current one.
struct Play {
    deployment: Value,
    sets: Vec<SetView>,
}

fn deployment(replicas: i64, surge: Value, unavailable: Value) -> Value {
    json!({
        "metadata": { "name": "d", "generation": 1 },
        "spec": {
            "replicas": replicas, "progressDeadlineSeconds": 600,
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable } },
        },
    })
}

impl Play {
    /// `replicas` pods of the first template, all ready, then the next template.
    fn updated(replicas: i64, surge: Value, unavailable: Value) -> Self {
        let mut play = Self { deployment: deployment(replicas, surge, unavailable), sets: Vec::new() };
        play.add_set();
        play.settle();
        play.ready_all();
        play.add_set();
        play
    }

    fn bounds(&self) -> Bounds {
        Bounds::of(&self.deployment)
    }

    fn add_set(&mut self) {
        let number = i64::try_from(self.sets.len()).unwrap() + 1;
        let total = self.sets.iter().map(|set| set.replicas).sum();
        let replicas = rolling::grown(&self.bounds(), total, 0);
        let created = Timestamp::from_second(number).unwrap();
        let (desired, maximum) = (Some(self.bounds().replicas), Some(self.bounds().most()));
        let name = format!("rs{number}");
        self.sets.push(SetView { name, created, replicas, desired, maximum, revision: number, observed: true, ..SetView::default() });
        self.follow();
    }

    /// Pods appear and vanish at once, and are not ready when they appear.
    fn follow(&mut self) {
        for set in &mut self.sets {
            set.existing = set.replicas;
            set.available = set.available.min(set.replicas);
            set.ready = set.available;
        }
    }

    fn sets(&self) -> Sets {
        let (new, old) = self.sets.split_last().unwrap();
        Sets::new(Some(new.clone()), old.to_vec())
    }

    /// One pass; gives what was written, as `(name, size)` where the size changed.
    fn pass(&mut self) -> Vec<Resize> {
        let existing = self.sets.iter().map(|set| set.existing).sum();
        let resizes = if scaling::is_scaling_event(&self.bounds(), &self.sets()) {
            scaling::scale(&self.bounds(), &self.sets(), existing)
        } else {
            rolling::rolling(&self.bounds(), &self.sets())
        };
        let bounds = self.bounds();
        for resize in &resizes {
            let set = self.sets.iter_mut().find(|set| set.name == resize.name).unwrap();
            (set.replicas, set.desired, set.maximum) = (resize.to, Some(bounds.replicas), Some(bounds.most()));
        }
        self.follow();
        resizes
    }

    /// Passes until nothing changes; gives all writes in order.
    fn settle(&mut self) -> Vec<(String, i64)> {
        let mut writes = Vec::new();
        for _ in 0..50 {
            let resizes = self.pass();
            if resizes.is_empty() {
                return writes;
            }
            writes.extend(resizes.into_iter().map(|resize| (resize.name, resize.to)));
        }
        panic!("did not come to rest: {writes:?}");
    }

    fn ready_all(&mut self) {
        for set in &mut self.sets {
            (set.available, set.ready) = (set.existing, set.existing);
        }
    }

    fn sizes(&self) -> Vec<i64> {
        self.sets.iter().map(|set| set.replicas).collect()
    }

    fn scale_to(&mut self, replicas: i64) {
        self.deployment["spec"]["replicas"] = json!(replicas);
    }

    /// One new pod becomes ready after the other; the sizes after each.
    fn ready_one_by_one(&mut self) -> Vec<Vec<i64>> {
        let mut seen = Vec::new();
        for _ in 0..100 {
            let new = self.sets.last_mut().unwrap();
            if new.available == new.existing {
                return seen;
            }
            new.available += 1;
            new.ready += 1;
            self.settle();
            if seen.last() != Some(&self.sizes()) {
                seen.push(self.sizes());
            }
        }
        seen
    }
}

fn writes(list: &[(&str, i64)]) -> Vec<(String, i64)> {
    list.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
}

#[test]
fn row_1_ten_replicas_start_with_three_then_eight_then_five() {
    let mut play = Play::updated(10, json!("25%"), json!("25%"));
    assert_eq!(play.sizes(), [10, 3]);
    assert_eq!(play.settle(), writes(&[("rs1", 8), ("rs2", 5)]));
    assert_eq!(play.sizes(), [8, 5]);
}

#[test]
fn rows_2_to_6_new_pods_getting_ready_walk_the_rollout() {
    type Row = (i64, Value, Value, Vec<i64>, Vec<[i64; 2]>);
    let rows: Vec<Row> = vec![
        (10, json!("25%"), json!("25%"), vec![8, 5], vec![[7, 6], [6, 7], [5, 8], [4, 9], [3, 10], [2, 10], [1, 10], [0, 10]]),
        (4, json!("25%"), json!("25%"), vec![3, 2], vec![[2, 3], [1, 4], [0, 4]]),
        (3, json!("25%"), json!("25%"), vec![3, 1], vec![[2, 2], [1, 3], [0, 3]]),
        (2, json!("0%"), json!("25%"), vec![1, 1], vec![[0, 2]]),
        (5, json!(0), json!(1), vec![4, 1], vec![[3, 2], [2, 3], [1, 4], [0, 5]]),
    ];
    for (replicas, surge, unavailable, start, steps) in rows {
        let mut play = Play::updated(replicas, surge, unavailable);
        play.settle();
        assert_eq!(play.sizes(), start, "{replicas} replicas");
        assert_eq!(play.ready_one_by_one(), steps, "{replicas} replicas");
    }
}

#[test]
fn row_5_without_surge_the_new_set_begins_with_nothing() {
    let mut play = Play::updated(2, json!("0%"), json!("25%"));
    assert_eq!(play.sizes(), [2, 0]);
    assert_eq!(play.settle(), writes(&[("rs1", 1), ("rs2", 1)]));
}

#[test]
fn rows_7_and_8_other_surges() {
    let mut play = Play::updated(7, json!("30%"), json!("30%"));
    assert_eq!(play.sizes(), [7, 3]);
    assert_eq!(play.settle(), writes(&[("rs1", 5), ("rs2", 5)]));
    let mut play = Play::updated(4, json!("100%"), json!(0));
    play.settle();
    assert_eq!(play.sizes(), [4, 4]);
    play.ready_all();
    play.settle();
    assert_eq!(play.sizes(), [0, 4]);
}

#[test]
fn rows_9_and_10_scaling_midway_is_shared_out() {
    let mut play = Play::updated(10, json!(3), json!(2));
    play.settle();
    play.scale_to(15);
    play.settle();
    assert_eq!(play.sizes(), [11, 7]);
    play.scale_to(5);
    let shared = play.pass();
    assert_eq!(shared.iter().map(|resize| (resize.name.as_str(), resize.to)).collect::<Vec<_>>(), [("rs1", 5), ("rs2", 3)]);
    assert_eq!(play.settle(), writes(&[("rs1", 3), ("rs2", 5)]));
}

#[test]
fn row_11_the_rounding_rest_goes_to_the_first() {
    let mut play = Play::updated(7, json!("30%"), json!("30%"));
    play.settle();
    play.scale_to(2);
    play.pass();
    assert_eq!(play.sizes(), [1, 2]);
}

#[test]
fn rows_12_to_15_three_sets_share_a_change() {
    let mut play = Play::updated(10, json!("25%"), json!("25%"));
    play.settle();
    play.scale_to(20);
    play.pass();
    assert_eq!(play.sizes(), [15, 10]);
    assert!(!scaling::is_scaling_event(&play.bounds(), &play.sets()));
    play.add_set();
    assert_eq!(play.sizes(), [15, 10, 0]);
    // Only the pods of the first set that were ready before are: 8 of 15; the second set has none.
    play.settle();
    assert_eq!(play.sizes(), [8, 7, 10]);
    play.scale_to(19);
    play.pass();
    assert_eq!(play.sizes(), [8, 7, 9]);
    play.scale_to(20);
    play.pass();
    assert_eq!(play.sizes(), [8, 7, 10]);
    play.scale_to(21);
    play.pass();
    assert_eq!(play.sizes(), [9, 7, 11]);
}

#[test]
fn row_16_size_and_template_together_scale_the_old_set_first() {
    let mut play = Play { deployment: deployment(3, json!("25%"), json!("25%")), sets: Vec::new() };
    play.add_set();
    play.ready_all();
    play.scale_to(6);
    let old = Sets::new(None, play.sets.clone());
    assert!(scaling::is_scaling_event(&play.bounds(), &old));
    assert_eq!(scaling::scale(&play.bounds(), &old, 3), [Resize { name: "rs1".to_owned(), to: 6 }]);
    let maximum = play.bounds().most();
    (play.sets[0].replicas, play.sets[0].desired, play.sets[0].maximum) = (6, Some(6), Some(maximum));
    play.follow();
    play.add_set();
    assert_eq!(play.sizes(), [6, 2]);
    assert_eq!(play.settle(), writes(&[("rs1", 5), ("rs2", 3)]));
}

#[test]
fn row_17_an_unready_old_pod_does_not_make_room() {
    let mut play = Play::updated(5, json!(1), json!(1));
    play.settle();
    assert_eq!(play.sizes(), [4, 2]);
    play.sets[0].available = 3;
    assert!(play.pass().is_empty());
}

#[test]
fn row_18_the_former_template_comes_back_with_the_next_revision_and_a_history() {
    let mut play = Play::updated(4, json!("25%"), json!("25%"));
    play.settle();
    assert_eq!(play.sizes(), [3, 2]);
    let back = Sets::new(Some(play.sets[0].clone()), vec![play.sets[1].clone()]);
    assert_eq!(back.next_revision(), 3);
    play.sets.swap(0, 1);
    play.settle();
    assert_eq!(play.sizes(), [0, 4]);
    let set = json!({ "metadata": { "annotations": { "deployment.kubernetes.io/revision": "1" } }, "spec": {} });
    let synced = revision::synced_set(&play.deployment, &set, 3).unwrap();
    let annotations = &synced["metadata"]["annotations"];
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "3");
    assert_eq!(annotations["deployment.kubernetes.io/revision-history"], "1");
}

#[test]
fn row_19_recreate_empties_the_old_sets_and_then_fills_the_new_one_at_once() {
    let mut play = Play { deployment: deployment(3, json!(1), json!(1)), sets: Vec::new() };
    play.deployment["spec"]["strategy"] = json!({ "type": "Recreate" });
    play.add_set();
    assert_eq!(play.sizes(), [3]);
    let old = Sets::new(None, play.sets.clone());
    assert_eq!(rolling::recreate_old(&old), [Resize { name: "rs1".to_owned(), to: 0 }]);
    assert_eq!(rolling::grown(&play.bounds(), 0, 0), 3);
}

#[test]
fn row_20_a_history_of_one_keeps_the_newest_two_revisions() {
    let set = |number: i64| SetView { name: format!("rs{number}"), revision: number, observed: true, ..SetView::default() };
    let sets = Sets::new(Some(SetView { replicas: 1, ..set(5) }), (1..5).map(set).collect());
    assert_eq!(rolling::beyond_history(&sets, 1), ["rs1", "rs2", "rs3"]);
    let mut busy = sets.clone();
    busy.old[0].existing = 1;
    assert_eq!(rolling::beyond_history(&busy, 1), ["rs2", "rs3"]);
}

#[test]
fn row_21_no_progress_times_out_one_second_after_the_deadline() {
    let mut play = Play { deployment: deployment(1, json!(1), json!(0)), sets: Vec::new() };
    play.deployment["spec"]["progressDeadlineSeconds"] = json!(4);
    play.add_set();
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    let created = status::NewSet::Created("rs1".to_owned());
    play.deployment["status"]["conditions"] = json!(status::new_set_noted(&play.deployment, &created, at(100)).unwrap());
    let first = status::rolled_out(&play.deployment, &play.sets(), None, at(100));
    play.deployment["status"] = first.clone();
    assert_eq!(reason(&first, "Progressing"), "ReplicaSetUpdated");
    assert_eq!(status::deadline_check(&play.deployment, &first), Some(at(105)));
    let early = status::rolled_out(&play.deployment, &play.sets(), None, at(104));
    assert_eq!(reason(&early, "Progressing"), "ReplicaSetUpdated");
    let late = status::rolled_out(&play.deployment, &play.sets(), None, at(105));
    assert_eq!(reason(&late, "Progressing"), "ProgressDeadlineExceeded");
    assert_eq!(status::deadline_check(&play.deployment, &late), None);
}

#[test]
fn row_22_created_paused_says_so_and_has_no_replica_set() {
    let mut paused = deployment(3, json!("25%"), json!("25%"));
    paused["spec"]["paused"] = json!(true);
    let now = Timestamp::from_second(5).unwrap();
    paused["status"]["conditions"] = json!(status::pause_noted(&paused, now).unwrap());
    let written = status::counted(&paused, &Sets::default(), now);
    assert_eq!(written["observedGeneration"], 1);
    assert_eq!((reason(&written, "Available"), reason(&written, "Progressing")), ("MinimumReplicasUnavailable", "DeploymentPaused"));
    assert_eq!(status::pause_noted(&paused, now), None);
}

#[test]
fn row_23_surge_rounds_up_and_unavailable_down() {
    for (replicas, surge, unavailable) in [(1, 1, 0), (5, 2, 1), (7, 2, 1), (10, 3, 2)] {
        let bounds = Bounds::of(&deployment(replicas, json!("25%"), json!("25%")));
        assert_eq!((bounds.surge, bounds.unavailable), (surge, unavailable), "{replicas} replicas");
    }
    let neither = Bounds::of(&deployment(3, json!(0), json!(0)));
    assert_eq!((neither.surge, neither.unavailable), (0, 1));
    let none = Bounds::of(&deployment(0, json!(0), json!(0)));
    assert_eq!(none.unavailable, 0);
}

fn reason<'a>(status: &'a Value, kind: &str) -> &'a str {
    let conditions = status["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["type"] == kind).unwrap()["reason"].as_str().unwrap()
}

#[test]
fn a_complete_rollout_is_not_judged_again_while_pods_come_and_go() {
    let mut play = Play { deployment: deployment(2, json!(1), json!(0)), sets: Vec::new() };
    play.add_set();
    play.ready_all();
    let now = Timestamp::from_second(10).unwrap();
    let done = status::rolled_out(&play.deployment, &play.sets(), None, now);
    assert_eq!(reason(&done, "Progressing"), "NewReplicaSetAvailable");
    play.deployment["status"] = done;
    play.sets[0].available = 0;
    let much_later = Timestamp::from_second(10_000).unwrap();
    let after = status::rolled_out(&play.deployment, &play.sets(), None, much_later);
    assert_eq!(reason(&after, "Progressing"), "NewReplicaSetAvailable");
    assert_eq!(reason(&after, "Available"), "MinimumReplicasUnavailable");
}

#[test]
fn a_failure_of_a_replica_set_is_copied_and_goes_with_it() {
    let mut play = Play { deployment: deployment(2, json!(1), json!(0)), sets: Vec::new() };
    play.add_set();
    let now = Timestamp::from_second(10).unwrap();
    let failure = json!({ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota" });
    play.deployment["status"] = status::rolled_out(&play.deployment, &play.sets(), Some(&failure), now);
    assert_eq!(reason(&play.deployment["status"], "ReplicaFailure"), "FailedCreate");
    let after = status::rolled_out(&play.deployment, &play.sets(), None, now);
    assert!(after["conditions"].as_array().unwrap().iter().all(|condition| condition["type"] != "ReplicaFailure"));
}

#[test]
fn the_hash_label_and_empty_metadata_do_not_make_a_template_another() {
    let mut made = deployment(1, json!(1), json!(0));
    made["spec"]["template"] = json!({ "metadata": { "labels": { "app": "x" } }, "spec": { "containers": [] } });
    made["spec"]["selector"] = json!({ "matchLabels": { "app": "x" } });
    let set = revision::new_set(&made, 1, 1);
    assert!(revision::is_current(&made, &set));
    let hash = set["metadata"]["labels"]["pod-template-hash"].as_str().unwrap();
    assert_eq!(set["metadata"]["name"], format!("d-{hash}"));
    assert_eq!(set["spec"]["selector"]["matchLabels"]["pod-template-hash"], hash);
    let mut other = made.clone();
    other["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(3);
    assert!(!revision::is_current(&other, &set));
    other = made.clone();
    other["status"] = json!({ "collisionCount": 1 });
    assert_ne!(revision::template_hash(&other), hash);
}

#[test]
fn annotations_are_copied_to_the_new_set_except_the_controllers_own() {
    let mut made = deployment(2, json!(1), json!(0));
    made["metadata"]["annotations"] = json!({ "note": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}" });
    let set = revision::new_set(&made, 2, 7);
    let expected = json!({
        "note": "x", "deployment.kubernetes.io/revision": "7",
        "deployment.kubernetes.io/desired-replicas": "2", "deployment.kubernetes.io/max-replicas": "3",
    });
    assert_eq!(set["metadata"]["annotations"], expected);
    assert_eq!(revision::synced_set(&made, &set, 7), None);
}

#[test]
fn a_set_whose_status_lags_behind_its_size_is_not_shrunk_further() {
    let mut play = Play::updated(10, json!(3), json!(2));
    play.settle();
    (play.sets[0].replicas, play.sets[0].available, play.sets[1].replicas) = (5, 8, 3);
    play.scale_to(5);
    let lagging = play.sets();
    assert!(rolling::rolling(&play.bounds(), &lagging).is_empty());
}
