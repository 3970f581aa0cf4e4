//! What is said while something runs: a bar on a terminal, plain lines otherwise, nothing with `--quiet`.

use std::cell::RefCell;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two plain lines about the same thing.
const EVERY: Duration = Duration::from_secs(5);

/// How far something is.
pub struct Progress {
    shown: Shown,
}

enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines(RefCell<Line>),
}

/// The last line printed.
struct Line {
    message: String,
    at: Instant,
}

impl Progress {
    /// Starts to tell, on standard error.
    pub fn new(quiet: bool) -> Self {
        let shown = if quiet {
            Shown::Nothing
        } else if stderr().is_terminal() {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg:40!} {wide_bar} {pos}/{len}") {
                bar.set_style(style);
            }
            Shown::Bar(bar)
        } else {
            Shown::Lines(RefCell::new(Line { message: String::new(), at: Instant::now() }))
        };
        Self { shown }
    }

    /// `done` of `total` (0 when not known) `unit`s, doing `message`.
    #[allow(clippy::print_stderr, reason = "a command line speaks to a person")]
    pub fn tell(&self, message: &str, done: u64, total: u64, unit: &str) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                bar.set_length(total);
                bar.set_position(done);
                bar.set_message(message.to_owned());
                bar.tick();
            }
            Shown::Lines(line) => {
                let mut line = line.borrow_mut();
                if line.message == message && line.at.elapsed() < EVERY {
                    return;
                }
                *line = Line { message: message.to_owned(), at: Instant::now() };
                eprintln!("{}", plain(message, done, total, unit));
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn plain(message: &str, done: u64, total: u64, unit: &str) -> String {
    if total == 0 { format!("... {message}") } else { format!("... {message}: {done} of {total} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_say_how_far_it_is() {
        assert_eq!(plain("features", 20, 380, "companies"), "... features: 20 of 380 companies");
        assert_eq!(plain("starting", 0, 0, ""), "... starting");
    }
}
