//! The verb `simulate`: plays a release in a simulated cluster in virtual time, and tells what happened and why.
//!
//! Takes files and folders; gives a timeline, the state at the end, and the verdicts of the world's expectations, and a page of
//! it all if one is asked for. No network, no other files written. The same seed gives the same bytes, for one build on one architecture.

pub mod difference;
pub mod end_state;
pub mod line;
mod recording;
mod report;
mod report_file;
mod report_page;
pub mod timeline;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep_until};

use self::line::Line;
use self::report::Report;
use self::report_file::ReportFile;
use self::report_page::data::Ended;
use self::timeline::Timeline;
use super::embedded::{self, Embedded};
use super::output::{Failure, Output};
use crate::sim::service::{SimServer, World};
use crate::sim::world::duration;
use crate::sim::world::place::Problems;
use crate::sim::world::play::{Play, Verdict};
use crate::sim::world::scene::DURATION_MAX;
use crate::sim::world::sources::Sources;

/// When virtual time begins: always the same, for equal bytes.
const START: &str = "2026-01-01T00:00:00Z";
/// Between two looks at whether everything is over.
const LOOK: Duration = Duration::from_secs(1);
/// Looks in a row that must find nothing left to happen.
const QUIET_LOOKS: u32 = 3;

/// Play a release in a simulated cluster in virtual time; print what happened and why.
///
/// Documents of kind World set the scene (nodes, how pods start and fail, events, expectations); all others are applied at the start,
/// as a user would. Ends with the world, at --until, or when nothing will change any more; after 24 virtual hours in any case. Exit
/// status 1 if an expectation is not met. With RUST_LOG set, the operator's log goes to standard error.
#[derive(Debug, Args)]
pub struct Arguments {
    /// YAML files, and folders of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// End after so much virtual time, such as 90m; expectations of later are not judged.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    until: Option<SignedDuration>,
    /// All chance comes from this: start times of pods, reactions of controllers.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// Write an HTML page with plots; a file that exists is replaced.
    #[arg(long, value_name = "FILE.html", value_parser = report_file::parse)]
    report: Option<PathBuf>,
}

/// How a simulation is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    match duration::parse(text) {
        Some(time) if !time.is_zero() && time <= DURATION_MAX => Ok(time),
        Some(_) => Err("at least 1ms and at most 24h are simulated".to_owned()),
        None => Err("write whole numbers with h, m, s or ms, such as 30s, 10m or 1h30m".to_owned()),
    }
}

/// Why a simulation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Quiet,
    World,
    Until,
    Cap,
    /// A mistake in the world was found.
    Mistake,
}

impl Ending {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Quiet => ("quiet", "nothing will change any more"),
            Self::World => ("duration", "the world ends here"),
            Self::Until => ("until", "as asked with --until"),
            Self::Cap => ("cap", "no more than 24 hours are simulated"),
            Self::Mistake => ("mistake", "the world has a mistake"),
        }
    }
}

/// Runs it.
///
/// # Errors
/// Mistakes in the documents, objects that are refused, expectations that are not met.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let sources = embedded::read(&arguments.paths)?;
    let page = arguments.report.as_deref().map(ReportFile::prepare).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| Failure::of("the runtime cannot be started", &error))?;
    runtime.block_on(play(arguments, sources, page, output))
}

async fn play(arguments: &Arguments, sources: Sources, page: Option<ReportFile>, output: &mut Output) -> Result<(), Failure> {
    let start: Timestamp = START.parse().map_err(|error: jiff::Error| Failure::of("the start", &error))?;
    let (end, ending) = end_of(arguments.until, sources.world.duration);
    let name = sources.world.name.clone();
    let mut play =
        Play::set_up(arguments.seed, start, sources, &embedded::definitions()).map_err(|problems| embedded::mistakes(&problems))?;
    let timeline = embedded::follow(&mut play);
    if let Some(page) = &page {
        page.follow(&name, arguments.seed, &mut play);
    }
    play.begin().map_err(|problems| embedded::mistakes(&problems))?;
    let mut report = Report::new(start, arguments.output, output);
    report.begin(&name, arguments.seed).or_else(|failure| unheard(failure, page.as_ref()))?;
    let (server, service) = SimServer::start(play);
    let operator = Embedded::start(&service, start);
    let stage = Stage { server, operator, timeline, page, began: Instant::now(), end, ending };
    let ending = stage.run(&mut report).await?;
    stage.finish(ending, &mut report).await
}

/// When it ends at the latest, and why then.
fn end_of(until: Option<SignedDuration>, world: Option<SignedDuration>) -> (SignedDuration, Ending) {
    match (until, world) {
        (Some(until), Some(world)) if world <= until => (world, Ending::World),
        (Some(until), _) => (until, Ending::Until),
        (None, Some(world)) => (world, Ending::World),
        (None, None) => (DURATION_MAX, Ending::Cap),
    }
}

/// That nobody reads what is printed ends a play, unless there is to be a page of it.
fn unheard(failure: Failure, page: Option<&ReportFile>) -> Result<(), Failure> {
    if page.is_some() && matches!(failure, Failure::Closed) { Ok(()) } else { Err(failure) }
}

/// Everything that runs.
struct Stage {
    server: SimServer<Play>,
    operator: Embedded,
    timeline: Arc<Mutex<Timeline>>,
    page: Option<ReportFile>,
    began: Instant,
    end: SignedDuration,
    ending: Ending,
}

impl Stage {
    /// Lets time pass until the end.
    async fn run(&self, report: &mut Report<'_>) -> Result<Ending, Failure> {
        let end = self.began + Duration::try_from(self.end).unwrap_or(Duration::ZERO);
        let mut quiet = 0;
        loop {
            let next = (Instant::now() + LOOK).min(end);
            sleep_until(next).await;
            if next == end {
                return Ok(self.ending);
            }
            let (now, over, mistake) = self.server.with(|state| {
                self.collect(&mut state.world, report);
                let play = &state.world;
                (play.simulation.cluster.now(), play.next_planned().is_none() && play.simulation.is_quiet(), play.has_problems())
            });
            let lines = embedded::lock(&self.timeline).told_until(now);
            self.tell(lines, report)?;
            if mistake {
                return Ok(Ending::Mistake);
            }
            quiet = if over && self.operator.is_quiet() { quiet + 1 } else { 0 };
            if quiet == QUIET_LOOKS {
                return Ok(Ending::Quiet);
            }
        }
    }

    /// Prints lines of the timeline, and keeps them for the page.
    fn tell(&self, lines: Vec<Line>, report: &mut Report<'_>) -> Result<(), Failure> {
        if let Some(page) = &self.page {
            page.recorder().lines(&lines);
        }
        report.lines(lines).or_else(|failure| unheard(failure, self.page.as_ref()))
    }

    /// What the world itself did and was warned of, and what has become of requests.
    fn collect(&self, play: &mut Play, report: &mut Report<'_>) {
        if let Some(page) = &self.page {
            page.recorder().look(play.simulation.traffic());
        }
        for happening in play.take_happenings() {
            embedded::lock(&self.timeline).happened(&happening);
        }
        for warning in play.take_warnings() {
            report.say(&format!("warning: {warning}"));
            if let Some(page) = &self.page {
                page.recorder().recording().warnings.push(warning);
            }
        }
    }

    /// Tells how it ended.
    async fn finish(self, ending: Ending, report: &mut Report<'_>) -> Result<(), Failure> {
        let (ended, mistakes) = self.server.with(|state| self.close(&mut state.world, ending, report));
        let lines = embedded::lock(&self.timeline).rest();
        self.tell(lines, report)?;
        let Self { operator, page, .. } = self;
        let broken = operator.stop().await;
        let mut printed = report.end(ended.elapsed, ending.words(), &ended.rows);
        if mistakes.is_empty() {
            printed = printed.and_then(|()| report.verdicts(&ended.verdicts, ended.unjudged)).and_then(|()| report.flush());
        }
        let met = ended.verdicts.iter().all(Verdict::is_met);
        if let Some(page) = &page {
            page.recorder().recording().end = ended;
            page.write()?;
        }
        printed.or_else(|failure| unheard(failure, page.as_ref()))?;
        match broken {
            _ if !mistakes.is_empty() => Err(embedded::mistakes(&mistakes)),
            Some(why) => Err(Failure::new(why)),
            None if met => Ok(()),
            None => Err(Failure::NotMet),
        }
    }

    /// The world's end.
    fn close(&self, play: &mut Play, ending: Ending, report: &mut Report<'_>) -> (Ended, Problems) {
        if !matches!(ending, Ending::Quiet | Ending::Mistake) {
            play.advance(play.start() + self.end);
        }
        let judged = play.finish(matches!(ending, Ending::Until | Ending::Mistake));
        self.collect(play, report);
        if let Some(page) = &self.page {
            page.recorder().look_last(play.simulation.traffic());
        }
        let (verdicts, mistakes) = judged.map_or_else(|problems| (Vec::new(), problems), |verdicts| (verdicts, Problems::new()));
        let ended = Ended {
            elapsed: play.elapsed(),
            ending: ending.words().1.to_owned(),
            rows: end_state::rows(&play.simulation.cluster),
            verdicts,
            unjudged: play.unjudged(),
            mistakes: mistakes.iter().map(ToString::to_string).collect(),
        };
        (ended, mistakes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: i64) -> SignedDuration {
        SignedDuration::from_mins(minutes)
    }

    #[test]
    fn the_earliest_end_counts() {
        assert_eq!(end_of(None, None), (DURATION_MAX, Ending::Cap));
        assert_eq!(end_of(Some(minutes(5)), Some(minutes(9))), (minutes(5), Ending::Until));
        assert_eq!(end_of(Some(minutes(9)), Some(minutes(5))), (minutes(5), Ending::World));
        assert_eq!(end_of(None, Some(minutes(5))), (minutes(5), Ending::World));
    }

    #[test]
    fn until_is_a_duration_of_at_most_a_day() {
        assert_eq!(parse_duration("90m"), Ok(minutes(90)));
        for wrong in ["", "0s", "25h", "1d", "5"] {
            assert!(parse_duration(wrong).is_err(), "{wrong:?}");
        }
    }
}
