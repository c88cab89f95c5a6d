//! Scenarios with guests: groups of shell functions in `xtask/dom0/xl`, run in dom0 by Debian's
//! own tools. Groups that were chosen together share a boot of dom0.
//!
//! Invariant: a group passes only when it said how many scenarios it has, each of them said
//! `ok`, and it said that it ended.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::dom0::Dom0;
use crate::qemu::{self, Boot, End, Machine, Run};
use crate::run::{self, Host};
use crate::{build, older, overlay, paths, proc};

/// A group of scenarios.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its script's name.
    pub name: &'static str,
    /// Seconds it may take.
    pub limit_s: u64,
    /// Seconds its long form may take, under `--full`.
    pub full_limit_s: u64,
}

/// What is the same for all groups of a test run.
#[derive(Clone)]
pub struct Choice {
    /// The hypervisor.
    pub host: Host,
    /// The long forms.
    pub full: bool,
    /// Only scenarios that match this pattern of grep's.
    pub only: Option<String>,
}

/// The host, the size of its machine, and the time dom0 may take to boot.
const SMP: u32 = 2;
const MEM_MIB: u32 = 4096;
const BOOT_S: u64 = 240;

/// The room for logs on dom0's second disk, bytes.
const LOG_BYTES: u64 = 32 << 20;

/// Results of groups that ran in an earlier step's boot.
#[derive(Default)]
pub struct Results(BTreeMap<&'static str, std::result::Result<String, String>>);

impl Results {
    /// The result of the first of `groups`; boots dom0 for all of them unless it is known.
    pub fn of(&mut self, groups: &[Group], choice: &Choice, dom0: &Dom0) -> Result<String> {
        let Some(first) = groups.first() else {
            bail!("no group of scenarios");
        };
        if !self.0.contains_key(first.name) {
            self.boot(groups, choice, dom0)?;
        }
        match self.0.remove(first.name) {
            Some(Ok(remark)) => Ok(remark),
            Some(Err(why)) => bail!("{why}"),
            None => bail!("the group did not run"),
        }
    }

    fn boot(&mut self, groups: &[Group], choice: &Choice, dom0: &Dom0) -> Result<()> {
        let Some(first) = groups.first() else {
            return Ok(());
        };
        let name = format!("xl-{}", first.name);
        let run = watch(&name, groups, choice, dom0)?;
        let death = match &run.end {
            End::Exited => run::verdict(&run).err().map(|why| format!("{why:#}")),
            end => Some(format!("the machine did not end well: {end:?}")),
        };
        for (at, group) in groups.iter().enumerate() {
            let result = judge(&run.lines, group.name);
            // A group that was not reached gets a boot of its own later.
            if at > 0 && result.is_none() {
                break;
            }
            let result = match result {
                Some(Ended::Yes(result)) => result,
                Some(Ended::No(said)) => Err(format!(
                    "{said}\nthen: {}",
                    death.as_deref().unwrap_or("it went on without it")
                )),
                None => Err(death
                    .clone()
                    .unwrap_or_else(|| "it did not begin".to_owned())),
            };
            self.0.insert(group.name, result);
        }
        Ok(())
    }
}

/// Boots dom0 and runs `groups`; the logs end in the folder `target/xtask/logs/NAME`.
fn watch(name: &str, groups: &[Group], choice: &Choice, dom0: &Dom0) -> Result<Run> {
    let image = run::hypervisor(choice.host, dom0);
    ensure!(
        image.exists(),
        "{} is missing: `cargo xtask build` makes it",
        image.display()
    );
    let names: Vec<&str> = groups.iter().map(|group| group.name).collect();
    let mode = format!("xl:{}", names.join(","));
    let mut words = run::dom0_words(&mode, "hvc0").replace("root=/dev/sda", "root=LABEL=dom0");
    if choice.full {
        words.push_str(" xenios.full");
    }
    if let Some(only) = &choice.only {
        words.push_str(&format!(" xenios.only={only}"));
    }
    let disk = paths::work()?.join(format!("{name}.logs"));
    File::create(&disk)?.set_len(LOG_BYTES)?;
    let mut modules = vec![(dom0.kernel(), words)];
    let mut extra = kernels()?;
    if names.contains(&"kernels") {
        extra.extend(older::ensure()?);
    }
    modules.push((overlay::initrd(dom0, &extra)?, String::new()));
    let machine = Machine {
        smp: SMP,
        mem: MEM_MIB,
        disk: Some(dom0.disk()),
        extra: vec![
            "-drive".to_owned(),
            format!("if=none,id=logs,format=raw,file={}", disk.display()),
            "-device".to_owned(),
            "ide-hd,drive=logs,bus=ahci.1".to_owned(),
        ],
        ..Machine::new(Boot::Multiboot {
            image,
            cmdline: run::hypervisor_words(MEM_MIB),
            modules,
        })
    };
    let limit: u64 = groups
        .iter()
        .map(|group| {
            if choice.full {
                group.full_limit_s
            } else {
                group.limit_s
            }
        })
        .sum();
    let log = paths::logs()?.join(format!("{name}.log"));
    let run = qemu::watch(&machine, Duration::from_secs(BOOT_S + limit), &log, false)?;
    unpack(&disk, &paths::logs()?.join(name))?;
    Ok(run)
}

/// The guest kernels that are booted as guests, where they are built.
fn kernels() -> Result<Vec<(String, std::path::PathBuf)>> {
    let mut found = Vec::new();
    for name in build::guest_names()? {
        let file = paths::guest(&name);
        if file.exists() {
            found.push((name, file));
        }
    }
    Ok(found)
}

/// Takes the archive that dom0 left on `disk`; there is none if it did not come so far.
fn unpack(disk: &Path, into: &Path) -> Result<()> {
    if into.exists() {
        fs::remove_dir_all(into)?;
    }
    fs::create_dir_all(into)?;
    let mut tar = Command::new("tar");
    proc::succeeds(tar.arg("-C").arg(into).arg("-xf").arg(disk));
    fs::remove_file(disk)?;
    Ok(())
}

/// How far a group came.
#[derive(PartialEq, Eq, Debug)]
enum Ended {
    /// To its end: its result.
    Yes(std::result::Result<String, String>),
    /// Not so far: what it said until then.
    No(String),
}

/// What `group` said; `None` if it did not begin.
fn judge(lines: &[String], group: &str) -> Option<Ended> {
    let begin = format!("xl: {group} begin ");
    let end = format!("xl: {group} end");
    let start = lines.iter().position(|line| line.contains(&begin))?;
    let count = lines[start].split_once(&begin)?.1.trim().parse::<usize>();
    let (mut passed, mut failures, mut ended, mut seconds) = (0, Vec::new(), false, 0);
    for line in &lines[start + 1..] {
        if line.contains(&end) {
            ended = true;
            break;
        }
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("ok ") {
            passed += 1;
            let took = rest
                .split_whitespace()
                .nth(1)
                .and_then(|s| s.parse::<u64>().ok());
            seconds += took.unwrap_or(0);
        } else if line.starts_with("FAIL ") {
            failures.push(line.to_owned());
        }
    }
    let said = format!("{passed} ok, {} failed", failures.len());
    if !ended {
        failures.insert(0, said);
        return Some(Ended::No(failures.join("\n  ")));
    }
    let expected = count.unwrap_or(0);
    if expected == 0 || passed + failures.len() != expected {
        failures.push(format!("{said}, but {expected} were to run"));
    }
    Some(Ended::Yes(if failures.is_empty() {
        Ok(format!("{passed} scenarios, {seconds} s"))
    } else {
        Err(format!("{said}:\n  {}", failures.join("\n  ")))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[&str]) -> Option<Ended> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        judge(&lines, "life")
    }

    #[test]
    fn every_scenario_counts() {
        let whole = [
            "xl: life begin 2",
            "ok life-a 3 s",
            "ok life-b 4 s",
            "xl: life end",
        ];
        assert_eq!(
            said(&whole),
            Some(Ended::Yes(Ok("2 scenarios, 7 s".to_owned())))
        );
        let short = ["xl: life begin 2", "ok life-a 3 s", "xl: life end"];
        assert!(matches!(said(&short), Some(Ended::Yes(Err(_)))));
        let bad = ["xl: life begin 1", "FAIL life-a: why", "xl: life end"];
        assert!(matches!(said(&bad), Some(Ended::Yes(Err(_)))));
        let empty = ["xl: life begin 0", "xl: life end"];
        assert!(matches!(said(&empty), Some(Ended::Yes(Err(_)))));
    }

    #[test]
    fn a_group_that_stops_half_way_has_not_ended() {
        let half = ["xl: life begin 2", "ok life-a 3 s"];
        assert!(matches!(said(&half), Some(Ended::No(_))));
        assert_eq!(said(&["xl: devices begin 1"]), None);
    }
}
