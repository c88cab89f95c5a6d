//! `cargo xtask test`: runs the steps, prints a line for each and a summary, fails if one failed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::dom0::{self, Dom0};
use crate::run::Host;
use crate::scenarios::{Choice, Group, Results};
use crate::setup::{self, Need};
use crate::steps::{Kind, STEPS, Step};
use crate::survey;
use crate::{build, guest, hosted, paths, sim};

/// What `test` takes.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// Only the steps that one of these names, or names a part of: dom0, guest, dom0-grub, 4 (also those not ready)
    pub filter: Vec<String>,
    /// Name the steps and do nothing
    #[arg(long)]
    pub list: bool,
    /// Run guest kernels and dom0 boots on the real Xen 4.20
    #[arg(long)]
    pub xen: bool,
    /// Run the long forms too, some of which take many minutes
    #[arg(long)]
    pub full: bool,
    /// Of the xl steps, only the scenarios that match this pattern of grep's: life-pause
    #[arg(long)]
    pub only: Option<String>,
}

impl Args {
    /// Whether a filter is one or more whole words of the step's name.
    fn choose(&self, name: &str) -> bool {
        let name = format!("-{name}-");
        self.filter.is_empty()
            || self
                .filter
                .iter()
                .any(|word| name.contains(&format!("-{word}-")))
    }
}

/// What became of a step.
enum Outcome {
    Passed(String),
    Failed(String),
    NotReady,
    OnlyFull,
}

/// Runs what `args` choose.
pub fn test(args: &Args) -> Result<()> {
    let chosen: Vec<&Step> = STEPS.iter().filter(|step| args.choose(step.name)).collect();
    if chosen.is_empty() {
        bail!("no step matches; `cargo xtask test --list` names them");
    }
    if args.list {
        for step in chosen {
            println!(
                "{}{}",
                step.name,
                if step.ready { "" } else { " (not ready)" }
            );
        }
        return Ok(());
    }
    let host = if args.xen { Host::Xen } else { Host::Xenios };
    // Where nothing was chosen by name, what is known not to work yet is left out.
    let wanted = |step: &Step| step.ready || args.xen || !args.filter.is_empty();
    // What takes long is left to `--full`, unless it is named: then its short form runs.
    let too_long =
        |step: &Step| matches!(step.kind, Kind::XlFull(_)) && !args.full && args.filter.is_empty();
    let start = Instant::now();
    let mut results: Vec<(&str, Duration, Outcome)> = Vec::new();
    let mut session = Session {
        choice: Choice {
            host,
            full: args.full,
            only: args.only.clone(),
        },
        dom0: None,
        ready: false,
        groups: chosen
            .iter()
            .filter(|step| wanted(step) && !too_long(step))
            .filter_map(|step| group(step))
            .collect(),
        results: Results::default(),
    };
    for step in chosen {
        let began = Instant::now();
        let result = if too_long(step) {
            Outcome::OnlyFull
        } else if wanted(step) {
            match session.act(step) {
                Ok(remark) => Outcome::Passed(remark),
                Err(why) => Outcome::Failed(format!("{why:#}")),
            }
        } else {
            Outcome::NotReady
        };
        report(step.name, began.elapsed(), &result);
        results.push((step.name, began.elapsed(), result));
    }
    summary(&results, start.elapsed())
}

/// The scenarios that a step runs, if it runs any.
fn group(step: &Step) -> Option<Group> {
    match step.kind {
        Kind::XlFull(group) => Some(group),
        _ => None,
    }
}

/// What steps share: set-up done once, when first needed.
struct Session {
    choice: Choice,
    dom0: Option<Dom0>,
    ready: bool,
    /// The groups of scenarios that have not had their turn.
    groups: Vec<Group>,
    results: Results,
}

impl Session {
    fn act(&mut self, step: &Step) -> Result<String> {
        match step.kind {
            Kind::Format => hosted::format(),
            Kind::House => hosted::house(),
            Kind::Lint => hosted::lint(),
            Kind::Tests => hosted::tests(),
            Kind::Simulation => sim::short(),
            Kind::Image => build::image(false).map(|_| String::new()),
            Kind::Guests => build::guests().map(|names| names.join(", ")),
            Kind::Guest(name, trial) => {
                let host = self.choice.host;
                trial.go(name, step.name, host, self.dom0()?)
            }
            Kind::Survey(trial) => {
                let host = self.choice.host;
                survey::go(&trial, step.name, host, self.dom0()?)
            }
            Kind::Crashes => {
                let host = self.choice.host;
                guest::crashes(step.name, host, self.dom0()?)
            }
            Kind::Dom0(trial) => {
                let host = self.choice.host;
                trial.go(step.name, host, self.dom0()?)
            }
            Kind::XlFull(group) => {
                let at = self.groups.iter().position(|other| *other == group);
                let groups = self.groups.split_off(at.unwrap_or(0));
                self.dom0()?;
                let dom0 = self.dom0.as_ref().context("no dom0")?;
                let result = self.results.of(&groups, &self.choice, dom0);
                self.groups = groups.into_iter().skip(1).collect();
                result
            }
        }
    }

    fn dom0(&mut self) -> Result<&Dom0> {
        if !self.ready {
            setup::ensure(&[Need::Qemu])?;
            self.ready = true;
        }
        if self.dom0.is_none() {
            self.dom0 = Some(dom0::ensure()?);
        }
        self.dom0.as_ref().context("no dom0")
    }
}

fn report(name: &str, took: Duration, result: &Outcome) {
    let seconds = took.as_secs_f64();
    match result {
        Outcome::Passed(remark) => println!("passed     {name:<18} {seconds:7.1} s  {remark}"),
        Outcome::Failed(why) => println!("FAILED     {name:<18} {seconds:7.1} s\n{why}"),
        Outcome::NotReady => println!("not ready  {name}"),
        Outcome::OnlyFull => println!("--full     {name}"),
    }
}

fn summary(results: &[(&str, Duration, Outcome)], took: Duration) -> Result<()> {
    let logs = paths::logs()?;
    println!(
        "\nsummary ({:.0} s; logs in {}):",
        took.as_secs_f64(),
        logs.display()
    );
    for (name, took, result) in results {
        let word = match result {
            Outcome::Passed(_) => "passed",
            Outcome::Failed(_) => "FAILED",
            Outcome::NotReady => "not ready",
            Outcome::OnlyFull => "--full",
        };
        println!("  {name:<18} {word:<9} {:7.1} s", took.as_secs_f64());
    }
    let passed = results
        .iter()
        .filter(|(_, _, result)| matches!(result, Outcome::Passed(_)))
        .count();
    let failed = results
        .iter()
        .filter(|(_, _, result)| matches!(result, Outcome::Failed(_)))
        .count();
    println!("{passed} passed, {failed} failed");
    if failed > 0 {
        bail!("{failed} steps failed");
    }
    Ok(())
}
