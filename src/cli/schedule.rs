//! `tidings schedule`

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::output;
use crate::clock::Clock;
use crate::config::Config;

/// Print when each cadence fires next, in words and in its own time zone.
#[derive(Debug, Args)]
pub struct Schedule {
    /// How many occurrences of each cadence.
    #[arg(long, default_value_t = 5, value_name = "N")]
    count: usize,
}

#[derive(Serialize)]
struct Line {
    newsletter: String,
    cadence: String,
    expression: String,
    words: String,
    next: Vec<String>,
}

impl Schedule {
    pub fn run(&self, config: &Config, json: bool) -> anyhow::Result<ExitCode> {
        let lines = self.lines(config);
        if json {
            output::json(&lines)?;
            return Ok(ExitCode::SUCCESS);
        }
        for line in lines {
            println!("{}/{}: {} ({})", line.newsletter, line.cadence, line.words, line.expression);
            for next in line.next {
                println!("  {next}");
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn lines(&self, config: &Config) -> Vec<Line> {
        let now = Clock::system().now();
        let mut lines = Vec::new();
        for newsletter in &config.newsletters {
            for cadence in &newsletter.cadences {
                let schedule = &cadence.schedule;
                let first = schedule.next(now);
                let occurrences = std::iter::successors(first, |occurrence| schedule.next_after(occurrence.local));
                let zone = schedule.timezone();
                lines.push(Line {
                    newsletter: newsletter.id.to_string(),
                    cadence: cadence.id.to_string(),
                    expression: schedule.expression().to_owned(),
                    words: schedule.in_words(),
                    next: occurrences
                        .take(self.count)
                        .map(|o| o.at.with_timezone(&zone).format("%A, %-d %B %Y, %H:%M %Z").to_string())
                        .collect(),
                });
            }
        }
        lines
    }
}
