//! Random lives of a deployment: people change their minds, the cluster fails, the operator dies. At every write the
//! invariants hold, and once all that ends the last wish is fulfilled and nothing is written any more.

use jiff::SignedDuration;

use super::model::{Checks, Model, settings};
use crate::domain::rollout::{Acceptance, State};
use crate::domain::settings::{Hold, Scaler, ScalerKind, Step, Surge, TrafficMode};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const VERBS: [&str; 7] = ["promote", "promote-full", "abort", "pause", "resume", "retry", "restart"];

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn upto(&mut self, most: i32) -> i32 {
        i32::try_from(self.below(u64::try_from(most).unwrap() + 1)).unwrap()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(u64::try_from(of.len()).unwrap())).unwrap()]
    }
}

fn deployment(draw: &mut Draw) -> Model {
    let traffic = if draw.below(2) == 0 { TrafficMode::Gateway } else { TrafficMode::ReplicaRatio };
    let mut model = Model::new(settings(traffic));
    model.checks = Checks::All;
    model.settings.drain = SignedDuration::from_secs(8);
    model.settings.scale_down_delay = SignedDuration::from_secs(8);
    model.settings.propagation_delay = SignedDuration::from_secs(i64::from(draw.upto(2)));
    model.settings.progress_deadline = SignedDuration::from_secs(60);
    model.settings.replicas = draw.upto(5);
    model.settings.max_surge = surge(draw);
    model.settings.steps = steps(draw);
    model.settings.pins = traffic == TrafficMode::Gateway && draw.below(2) == 0;
    if draw.below(4) == 0 {
        model.settings.steps = vec![Step { weight: 0, hold: Hold::For(SignedDuration::from_secs(20)) }];
    }
    model
}

fn surge(draw: &mut Draw) -> Surge {
    match draw.below(3) {
        0 => Surge::Pods(1 + draw.upto(2)),
        1 => Surge::Percent(25),
        _ => Surge::Percent(100),
    }
}

fn steps(draw: &mut Draw) -> Vec<Step> {
    let mut weights: Vec<i32> = (0..draw.below(4)).map(|_| 1 + draw.upto(99)).collect();
    weights.sort_unstable();
    weights.dedup();
    let hold = |draw: &mut Draw| if draw.below(5) == 0 { Hold::UntilPromoted } else { Hold::For(SignedDuration::from_secs(20)) };
    weights.into_iter().map(|weight| Step { weight, hold: hold(draw) }).collect()
}

fn person(model: &mut Model, draw: &mut Draw, nonce: usize) -> String {
    match draw.below(12) {
        0..4 => {
            let name = draw.one(&NAMES);
            model.want(name);
            format!("want {name}")
        }
        4..7 => {
            let command = format!("{}:{nonce}", draw.one(&VERBS));
            model.command(&command);
            command
        }
        7 => match model.settings.scaler {
            Some(scaler) => {
                model.settings.scaler = Some(Scaler { max: 4 + draw.upto(4), ..scaler });
                format!("{:?}", model.settings.scaler)
            }
            None => {
                model.settings.replicas = draw.upto(6);
                format!("replicas {}", model.settings.replicas)
            }
        },
        8 => {
            model.settings.steps = steps(draw);
            model.settings.auto_promote = draw.below(4) > 0;
            format!("{:?} {}", model.settings.steps, model.settings.auto_promote)
        }
        9 => {
            model.settings.max_surge = surge(draw);
            format!("{:?}", model.settings.max_surge)
        }
        10 => {
            model.settings.paused = draw.below(3) == 0;
            format!("paused {}", model.settings.paused)
        }
        _ => match draw.below(4) {
            0 => {
                let other = if model.settings.traffic == TrafficMode::Gateway { TrafficMode::ReplicaRatio } else { TrafficMode::Gateway };
                model.switch_mode(other);
                format!("{other:?}")
            }
            1 => {
                model.settings.headroom_percent = 100 + 100 * draw.upto(3);
                format!("headroom {}", model.settings.headroom_percent)
            }
            _ => {
                model.want_nothing();
                "want nothing".to_owned()
            }
        },
    }
}

fn fault(model: &mut Model, draw: &mut Draw) -> String {
    let name = draw.one(&NAMES);
    let known = model.has(name);
    if model.settings.scaler.is_some() && draw.below(2) == 0 {
        return scaler(model, draw, name);
    }
    match draw.below(12) {
        0 | 1 if known => model.lose_pods(name),
        2 if known => model.never_ready(name),
        3 if known => model.ready_again(name),
        4 => model.room = if draw.below(2) == 0 { None } else { Some(usize::try_from(draw.below(9)).unwrap()) },
        5 => {
            model.gateway = match draw.below(3) {
                0 => Acceptance::Refused("no".to_owned()),
                1 => Acceptance::Pending,
                _ => Acceptance::Accepted,
            }
        }
        6 if known && model.has_split() => model.meddle(name, draw.upto(100)),
        7 => model.lose_status(),
        8 if known => model.delete_workload(name),
        9 if known => model.scale_by_hand(name, draw.upto(6)),
        _ => {
            model.die_after(usize::try_from(draw.below(4)).unwrap());
            return "death".to_owned();
        }
    }
    format!("fault at {name}")
}

/// A scaler changes its mind, or what scales comes and goes.
fn scaler(model: &mut Model, draw: &mut Draw, name: &str) -> String {
    match draw.below(8) {
        0 => {
            let installed = draw.below(3) > 0;
            model.install_scalers(installed);
            format!("scalers installed {installed}")
        }
        _ => {
            let pods = draw.upto(9);
            model.like(name, pods);
            format!("{name} would like {pods} pods")
        }
    }
}

/// All that goes wrong ends, and nobody stands in the way.
fn heal(model: &mut Model, draw: &mut Draw) {
    for name in NAMES.iter().filter(|name| model.has(name)).copied().collect::<Vec<_>>() {
        model.ready_again(name);
    }
    model.room = None;
    model.gateway = Acceptance::Accepted;
    model.settings.paused = false;
    model.install_scalers(true);
    model.settings.max_surge = Surge::Percent(100);
    model.command("resume:last");
    model.want(draw.one(&["a", "z"]));
    model.run(400);
    model.command("retry:last");
    model.run(400);
    model.command("promote-full:last");
    model.run(200);
}

fn live(seed: u64, scaled: bool, told: bool) {
    let mut draw = Draw(seed);
    let mut model = deployment(&mut draw);
    if scaled {
        model.settings.scaler = Some(Scaler { kind: ScalerKind::Keda, min: draw.upto(2), max: 6, installed: true });
    }
    for nonce in 0..400 {
        if draw.below(8) == 0 {
            let what = if draw.below(2) == 0 { person(&mut model, &mut draw, nonce) } else { fault(&mut model, &mut draw) };
            if told {
                println!("{} {what}", model.now());
            }
        }
        model.tick();
        if told {
            println!("{}", model.summary());
        }
    }
    heal(&mut model, &mut draw);
    let before = model.writes;
    model.run(200);
    assert_eq!(model.writes, before, "seed {seed}: quiet");
    assert_eq!(model.state(), State::Serving, "seed {seed}: {:?}", model.plan());
    let wanted = model.record().stable.to_string();
    for name in ["a", "b", "c", "d", "z"] {
        let all = if name == wanted { (model.settings.replicas, 100) } else { (0, 0) };
        assert_eq!((model.pods(name), model.weight_of(name)), all, "seed {seed}: {name}");
    }
}

#[test]
fn whatever_happens_the_invariants_hold_and_the_last_wish_is_fulfilled() {
    lives(false);
}

#[test]
fn whatever_happens_and_scalers_like_the_invariants_hold_and_the_last_wish_is_fulfilled() {
    lives(true);
}

fn lives(scaled: bool) {
    let only = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    if let Some(seed) = only {
        return live(seed, scaled, true);
    }
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(150);
    let mut failed = Vec::new();
    for seed in 0..seeds {
        if let Err(panic) = std::panic::catch_unwind(|| live(seed, scaled, false)) {
            let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.push(format!("SEED={seed}: {words}"));
        }
    }
    assert!(failed.is_empty(), "{} lives went wrong:\n{}", failed.len(), failed.iter().take(20).cloned().collect::<Vec<_>>().join("\n"));
}
