//! `pv-survey`'s answers, compared with the real Xen's.
//!
//! `tests/survey/xen-4.20.txt` has what Xen 4.20 answers, `tests/survey/differences.txt` which
//! operations answer otherwise here, each with the reason. An operation that is listed and does
//! not differ is an error too, so the list stays true. `UPDATE_SURVEY=1 cargo xtask test --xen
//! guest-pv-survey` writes the first file anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::dom0::Dom0;
use crate::guest::Trial;
use crate::paths;
use crate::run::Host;

/// Answers by operation.
type Answers = BTreeMap<String, String>;

fn file(name: &str) -> PathBuf {
    paths::root().join("tests/survey").join(name)
}

/// The lines `NAME: REST` of a file; `#` begins a comment.
fn lines(name: &str) -> Result<Answers> {
    let path = file(name);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, rest) = line
                .split_once(':')
                .with_context(|| format!("{}: no colon in {line:?}", path.display()))?;
            Ok((name.trim().to_owned(), rest.trim().to_owned()))
        })
        .collect()
}

/// The answers in a kernel's output.
fn answers(output: &[String]) -> Answers {
    output
        .iter()
        .filter_map(|line| line.split_once("SURVEY ")?.1.split_once(':'))
        .map(|(name, rest)| (name.trim().to_owned(), rest.trim().to_owned()))
        .collect()
}

/// Runs the kernel and compares; returns what was found, as a remark.
pub fn go(trial: &Trial, step: &str, host: Host, dom0: &Dom0) -> Result<String> {
    let log = paths::logs()?.join(format!("{step}.log"));
    let run = trial.run("pv-survey", host, dom0, &log)?;
    ensure!(
        run.has("GUEST-END "),
        "the kernel did not come to its end ({:?}); see {}",
        run.end,
        log.display()
    );
    let got = answers(&run.lines);
    if host == Host::Xen && std::env::var_os("UPDATE_SURVEY").is_some() {
        let mut text = String::from("# What Xen 4.20 answers: see xtask/src/survey.rs.\n");
        for (name, answer) in &got {
            text.push_str(&format!("{name}: {answer}\n"));
        }
        fs::write(file("xen-4.20.txt"), text)?;
    }
    let meant = match host {
        Host::Xenios => lines("differences.txt")?,
        Host::Xen | Host::Bare => Answers::new(),
    };
    judge(&got, &lines("xen-4.20.txt")?, &meant)
}

fn judge(got: &Answers, want: &Answers, meant: &Answers) -> Result<String> {
    let mut wrong = Vec::new();
    let mut differ = 0;
    for (name, want) in want {
        let Some(got) = got.get(name) else {
            wrong.push(format!("{name}: not asked"));
            continue;
        };
        match (got == want, meant.contains_key(name)) {
            (true, false) => {}
            (false, true) => differ += 1,
            (true, true) => wrong.push(format!("{name}: is as on Xen, but listed as different")),
            (false, false) => wrong.push(format!("{name}:\n    Xen  {want}\n    here {got}")),
        }
    }
    for name in got.keys().filter(|name| !want.contains_key(*name)) {
        wrong.push(format!("{name}: Xen's answer is not known"));
    }
    for name in meant.keys().filter(|name| !want.contains_key(*name)) {
        wrong.push(format!("{name}: listed as different, but never asked"));
    }
    if wrong.is_empty() {
        return Ok(format!(
            "{} operations, {differ} answer otherwise as listed",
            want.len()
        ));
    }
    bail!("{} operations:\n  {}", wrong.len(), wrong.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(lines: &[(&str, &str)]) -> Answers {
        lines
            .iter()
            .map(|(name, rest)| ((*name).to_owned(), (*rest).to_owned()))
            .collect()
    }

    #[test]
    fn equal_answers_and_listed_differences_pass() {
        let xen = some(&[("a", "0 -14"), ("b", "-38")]);
        let here = some(&[("a", "0 -14"), ("b", "-95")]);
        let meant = some(&[("b", "not there")]);
        assert!(judge(&here, &xen, &meant).is_ok());
        assert!(judge(&here, &xen, &some(&[])).is_err());
        assert!(judge(&xen, &xen, &meant).is_err());
        assert!(judge(&some(&[("a", "0 -14")]), &xen, &meant).is_err());
        assert!(judge(&xen, &some(&[("a", "0 -14")]), &some(&[])).is_err());
    }

    #[test]
    fn answers_are_found_behind_the_hypervisors_mark() {
        let output = ["(d0) SURVEY x.y: 0 -1".to_owned(), "other".to_owned()];
        assert_eq!(answers(&output), some(&[("x.y", "0 -1")]));
    }
}
