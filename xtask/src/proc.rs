//! Running programs: quietly with a spinner and a log, or for their output.
//!
//! Invariant: a program that fails is reported with its command line and the end of what it
//! printed; nothing fails silently.

use std::fs::{self, File};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// The command line as a person would type it.
pub fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| {
        let arg = arg.to_string_lossy();
        if arg.is_empty() || arg.contains(|c: char| c.is_whitespace() || "'\"$&;|<>*".contains(c)) {
            format!("'{}'", arg.replace('\'', "'\\''"))
        } else {
            arg.into_owned()
        }
    }));
    words.join(" ")
}

/// Runs `command` and returns what it printed on standard output, trimmed.
pub fn output(command: &mut Command) -> Result<String> {
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("`{}`: {}\n{}", line(command), out.status, tail(&said, 20));
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// Whether `command` runs and succeeds, its output thrown away.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a long step: a spinner on a terminal, a plain line elsewhere, everything it prints in
/// `log`. On failure the error ends with the log's last lines.
pub fn step(what: &str, command: &mut Command, log: &Path) -> Result<()> {
    let shown = Progress::start(what);
    let out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .status()
        .with_context(|| format!("cannot start `{}`", line(command)));
    let ok = matches!(&status, Ok(status) if status.success());
    shown.finish(ok);
    let status = status?;
    if !ok {
        let said = fs::read(log).unwrap_or_default();
        bail!(
            "{what}: `{}`: {status}; whole output in {}, its end:\n{}",
            line(command),
            log.display(),
            tail(&String::from_utf8_lossy(&said), 30)
        );
    }
    Ok(())
}

/// The last `count` lines of `text`.
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A step in progress on the terminal, or a line for its start and its end in a log.
pub struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    start: Instant,
}

impl Progress {
    /// Announces the step.
    pub fn start(what: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_message(what.to_owned());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            eprintln!("xtask: {what} ...");
        }
        let start = Instant::now();
        Self {
            what: what.to_owned(),
            bar,
            start,
        }
    }

    /// Says how it ended and how long it took.
    pub fn finish(self, ok: bool) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let end = if ok { "done" } else { "FAILED" };
        eprintln!(
            "xtask: {} {end} ({:.0} s)",
            self.what,
            self.start.elapsed().as_secs_f64()
        );
        let _ = std::io::stderr().flush();
    }
}
