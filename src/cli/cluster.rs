//! The verb `cluster`: serves a simulated cluster on loopback, until it is told to stop.
//!
//! Takes files and folders as `simulate` does; gives an API server for kubectl, Helm, client libraries and other operators, with
//! the operator at work in it. The first line on standard output says how to reach it, once it answers.

mod rights;

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::embedded::{self, Embedded};
use super::output::{Failure, Output};
use super::stop::stop_signal;
use crate::runtime::clock::{Clock, SystemClock};
use crate::sim::listener::{Listener, Settings, Speed, kubeconfig};
use crate::sim::routes::rbac;
use crate::sim::simulation::{self as sim, Simulation};
use crate::sim::world::duration;
use crate::sim::world::play::Play;
use crate::sim::world::sources::Sources;

/// How far the beginning lies before the present when time goes faster than real: that much can be gained.
const HEAD_START: Duration = Duration::from_secs(7 * 24 * 3600);

/// Serve a simulated cluster on loopback for kubectl, Helm, client libraries and other operators, until stopped.
///
/// The first line on standard output, once it answers, is: export KUBECONFIG=FILE. Documents are applied at the start, and the
/// events of a World happen, as with simulate. Stops on SIGINT, SIGTERM, or after --for.
#[derive(Debug, Args)]
pub struct Arguments {
    /// YAML files, and folders of them; none: an empty cluster with three nodes.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where to listen; port 0 takes a free one. Everybody who reaches the address is administrator, unless he asks as somebody else.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write the kubeconfig to this new file; otherwise to one in the folder for temporary files. It is removed at the end.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Virtual seconds per real second, or max. The world then begins seven days ago, and never overtakes the present.
    #[arg(long, value_name = "N|max", default_value = "1", value_parser = parse_speed)]
    speed: Speed,
    /// All chance comes from this. Runs repeat only until the first request from outside.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Stop after so much real time.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    lasts: Option<SignedDuration>,
    /// Without the operator and its CRDs: those of PATH only.
    #[arg(long)]
    without_operator: bool,
    /// Nothing but the API server: no nodes, no controllers; pods stay pending.
    #[arg(long)]
    without_actors: bool,
}

fn parse_speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
        _ => Err("write a number more than 0, such as 60, or max".to_owned()),
    }
}

fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    duration::parse(text).ok_or_else(|| "write whole numbers with h, m, s or ms, such as 30s, 10m or 1h30m".to_owned())
}

/// Runs it.
///
/// # Errors
/// Mistakes in the documents, objects that are refused, an address or a file that cannot be used.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let sources = if arguments.paths.is_empty() { Sources::default() } else { embedded::read(&arguments.paths)? };
    if arguments.without_actors
        && let Some(place) = &sources.world.place
    {
        return Err(Failure::new(format!("{place}: a World needs actors: leave it out, or --without-actors")));
    }
    let head_start = if arguments.speed == Speed::Times(1.0) { Duration::ZERO } else { HEAD_START };
    let play = prepare(arguments, sources, head_start)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("threads cannot be started", &error))?;
    runtime.block_on(serve(arguments, play, head_start, output))
}

fn prepare(arguments: &Arguments, sources: Sources, head_start: Duration) -> Result<Play, Failure> {
    let start: Timestamp = SystemClock.now() - head_start;
    let definitions = if arguments.without_operator { Vec::new() } else { embedded::definitions() };
    let make: fn(u64, Timestamp, sim::Settings) -> Simulation = if arguments.without_actors {
        |seed, epoch, _| with_roles(Simulation::without_actors(seed, epoch))
    } else {
        |seed, epoch, settings| with_roles(Simulation::with(seed, epoch, settings))
    };
    let play = Play::set_up_with(make, arguments.seed, start, sources, &definitions);
    let mut play = play.map_err(|problems| embedded::mistakes(&problems))?;
    if !arguments.without_operator {
        rights::grant(&mut play.simulation)?;
    }
    play.begin().map_err(|problems| embedded::mistakes(&problems))?;
    Ok(play)
}

/// The roles that every cluster begins with: the server evaluates roles.
fn with_roles(mut simulation: Simulation) -> Simulation {
    let installed = rbac::bootstrap(&mut simulation.cluster);
    debug_assert!(installed.is_ok(), "{installed:?}");
    simulation.settle();
    simulation
}

async fn serve(arguments: &Arguments, play: Play, head_start: Duration, output: &mut Output) -> Result<(), Failure> {
    if !arguments.listen.ip().is_loopback() {
        output.say(&format!("warning: {} is not loopback: everybody who reaches it is administrator of this cluster", arguments.listen));
    }
    let stop = stop_signal()?;
    let settings = Settings { address: arguments.listen, speed: arguments.speed, head_start, ..Settings::loopback() };
    let (with_operator, start) = (!arguments.without_operator, play.start());
    let listener = Listener::start(
        settings,
        move || play,
        move |server, service| {
            server.with(|state| state.front.roles = true);
            if with_operator {
                let operator = Embedded::start(&service, start);
                // It lives as long as the thread of the world does.
                tokio::spawn(async move {
                    let why = operator.ended().await;
                    Output::standard().say(&format!("error: {why}"));
                });
            }
        },
    );
    let listener = listener.await.map_err(|error| Failure::of("the cluster cannot be served; choose another --listen", &error))?;
    let file = KubeconfigFile::write(arguments.kubeconfig.clone(), listener.address())?;
    output.line(&format!("export KUBECONFIG={}", quoted(&file.0)))?;
    output.flush()?;
    output.say(&format!("serving on http://{}; stop with Ctrl-C", listener.address()));
    until_the_end(arguments.lasts, stop, &listener, output).await
}

/// Waits; meanwhile tells what is wrong with the world.
async fn until_the_end(
    lasts: Option<SignedDuration>,
    stop: impl Future<Output = ()> + Send,
    listener: &Listener<Play>,
    output: &mut Output,
) -> Result<(), Failure> {
    let lasts = lasts.and_then(|lasts| Duration::try_from(lasts).ok()).unwrap_or(Duration::MAX);
    let end = async {
        tokio::select! {
            biased;
            () = stop => {}
            () = tokio::time::sleep(lasts) => {}
        }
    };
    tokio::pin!(end);
    loop {
        tokio::select! {
            biased;
            () = &mut end => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        let news = listener.with(|state| state.world.take_news()).await;
        let news = news.map_err(|error| Failure::of("please report this", &error))?;
        news.iter().for_each(|line| output.say(line));
    }
}

/// A kubeconfig that is removed at the end.
struct KubeconfigFile(PathBuf);

impl KubeconfigFile {
    /// Writes a new file that only its owner may read; a file that exists is not touched.
    fn write(path: Option<PathBuf>, address: SocketAddr) -> Result<Self, Failure> {
        let usual = || std::env::temp_dir().join(format!("modelward-{}-{}.kubeconfig", std::process::id(), address.port()));
        let path = path.unwrap_or_else(usual);
        let failure = |error: &std::io::Error| {
            let hint = if error.kind() == std::io::ErrorKind::AlreadyExists { "; remove it, or give another --kubeconfig" } else { "" };
            Failure::of(&format!("{} cannot be written{hint}", path.display()), error)
        };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(|error| failure(&error))?;
        file.write_all(kubeconfig(address).as_bytes()).map_err(|error| failure(&error))?;
        Ok(Self(std::path::absolute(&path).unwrap_or(path)))
    }
}

impl Drop for KubeconfigFile {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _gone = std::fs::remove_file(&self.0);
    }
}

/// A path that a shell takes as one word.
fn quoted(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-+:@%".contains(letter));
    if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_numbers_or_max() {
        assert_eq!(parse_speed("max"), Ok(Speed::Max));
        assert_eq!(parse_speed("0.5"), Ok(Speed::Times(0.5)));
        for wrong in ["0", "-1", "inf", "NaN", "fast", ""] {
            assert!(parse_speed(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted(std::path::Path::new("/tmp/a-1.kubeconfig")), "/tmp/a-1.kubeconfig");
        assert_eq!(quoted(std::path::Path::new("/tmp/it's here")), "'/tmp/it'\\''s here'");
    }

    #[test]
    fn a_kubeconfig_that_exists_is_not_touched() {
        let path = std::env::temp_dir().join(format!("modelward-cluster-test-{}", std::process::id()));
        let address: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let first = KubeconfigFile::write(Some(path.clone()), address);
        assert!(first.is_ok() && path.exists());
        assert!(KubeconfigFile::write(Some(path.clone()), address).is_err());
        drop(first);
        assert!(!path.exists(), "it is removed at the end");
    }
}
