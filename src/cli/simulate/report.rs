//! A simulation as it is printed, for people or as JSON lines.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Format;
use super::end_state::{self, Row};
use super::line::{Line, clock};
use crate::cli::output::{Failure, Output};
use crate::sim::world::expectation::Outcome;
use crate::sim::world::play::Verdict;

/// See the module.
pub(super) struct Report<'a> {
    start: Timestamp,
    format: Format,
    output: &'a mut Output,
}

impl<'a> Report<'a> {
    /// A report whose times count from `start`.
    pub(super) fn new(start: Timestamp, format: Format, output: &'a mut Output) -> Self {
        Self { start, format, output }
    }

    /// Says something that is no data.
    pub(super) fn say(&mut self, text: &str) {
        self.output.say(text);
    }

    /// What is played.
    pub(super) fn begin(&mut self, world: &str, seed: u64) -> Result<(), Failure> {
        match self.format {
            Format::Text => {
                self.say(&format!("World {world}, seed {seed}. Times are virtual, since the start."));
                Ok(())
            }
            Format::Json => self.json(&json!({ "type": "start", "world": world, "seed": seed, "start": self.start.to_string() })),
        }
    }

    /// What happened.
    pub(super) fn lines(&mut self, lines: Vec<Line>) -> Result<(), Failure> {
        for line in lines {
            match self.format {
                Format::Text => {
                    let text = line.text(self.start, self.output.style());
                    self.output.line(&text)?;
                }
                Format::Json => self.json(&line.json())?,
            }
        }
        Ok(())
    }

    /// When and why it ended, and what there is then.
    pub(super) fn end(&mut self, elapsed: SignedDuration, ending: (&str, &str), rows: &[Row]) -> Result<(), Failure> {
        match self.format {
            Format::Text => {
                self.output.line(&format!("\nEnded after {}: {}.", clock(elapsed), ending.1))?;
                let tables = end_state::tables(rows, self.output.style());
                self.output.data(&tables)
            }
            Format::Json => {
                let end = json!({ "type": "end", "time": clock(elapsed), "seconds": elapsed.as_secs_f64(), "reason": ending.0 });
                self.json(&end)?;
                rows.iter().try_for_each(|row| self.json(&row.json()))
            }
        }
    }

    /// What became of the expectations.
    pub(super) fn verdicts(&mut self, verdicts: &[Verdict], unjudged: usize) -> Result<(), Failure> {
        if self.format == Format::Json {
            return verdicts.iter().try_for_each(|verdict| self.json(&verdict_json(verdict)));
        }
        if verdicts.is_empty() && unjudged == 0 {
            return Ok(());
        }
        let style = self.output.style();
        let met = verdicts.iter().filter(|verdict| verdict.is_met()).count();
        let heading = style.bold(&format!("EXPECTATIONS  {met} of {} met", verdicts.len()));
        self.output.line(&format!("\n{heading}"))?;
        for verdict in verdicts {
            let text = verdict_text(verdict);
            self.output.line(&if verdict.is_met() { text } else { style.warning(&text) })?;
        }
        if unjudged > 0 {
            self.output.line(&format!("not judged: {unjudged}, the simulation ended before their time"))?;
        }
        Ok(())
    }

    /// Prints everything that waits in a buffer.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.output.flush()
    }

    fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.output.line(&value.to_string())
    }
}

fn verdict_text(verdict: &Verdict) -> String {
    let when = if verdict.at_end { "at the end".to_owned() } else { format!("at {}", clock(verdict.at)) };
    match &verdict.outcome {
        Outcome::Met => format!("met      {when}: {}: {}", verdict.object, verdict.that),
        Outcome::Unmet(found) => format!("NOT MET  {when}: {}: {}: {found} ({})", verdict.object, verdict.that, verdict.place),
    }
}

fn verdict_json(verdict: &Verdict) -> Value {
    let found = match &verdict.outcome {
        Outcome::Met => Value::Null,
        Outcome::Unmet(found) => json!(found),
    };
    json!({
        "type": "expectation", "time": clock(verdict.at), "seconds": verdict.at.as_secs_f64(), "atEnd": verdict.at_end,
        "object": verdict.object, "that": verdict.that, "met": verdict.is_met(), "found": found,
        "file": &*verdict.place.file, "line": verdict.place.line, "column": verdict.place.column,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::place::Place;

    fn verdict(outcome: Outcome) -> Verdict {
        Verdict {
            place: Place::start_of("world.yaml"),
            at: SignedDuration::from_mins(20),
            at_end: false,
            object: "modeldeployment/chat".to_owned(),
            that: "self.status.phase == 'Active'".to_owned(),
            outcome,
        }
    }

    fn printed(format: Format, verdicts: &[Verdict], unjudged: usize) -> String {
        let (mut output, text) = Output::captured();
        let mut report = Report::new(Timestamp::UNIX_EPOCH, format, &mut output);
        report.verdicts(verdicts, unjudged).expect("memory");
        text.stdout()
    }

    #[test]
    fn verdicts_say_what_was_found_and_where_it_was_expected() {
        let unmet = verdict(Outcome::Unmet("self.status.phase is \"Holding\"".to_owned()));
        assert_eq!(
            printed(Format::Text, &[verdict(Outcome::Met), unmet], 1),
            "\nEXPECTATIONS  1 of 2 met\n\
             met      at 20m00s: modeldeployment/chat: self.status.phase == 'Active'\n\
             NOT MET  at 20m00s: modeldeployment/chat: self.status.phase == 'Active': self.status.phase is \"Holding\" (world.yaml:1:1)\n\
             not judged: 1, the simulation ended before their time\n"
        );
        assert_eq!(printed(Format::Text, &[], 0), "");
    }

    #[test]
    fn verdicts_are_json_lines() {
        let value: Value = serde_json::from_str(&printed(Format::Json, &[verdict(Outcome::Met)], 0)).expect("JSON");
        assert_eq!((&value["met"], &value["seconds"], &value["line"]), (&json!(true), &json!(1200.0), &json!(1)));
    }
}
