//! Cuts a script that fails down to the steps that it takes.

use super::script::Script;
use super::session::{self, Trace};
use alloc::string::String;

/// What a failure is known by: its words without numbers.
fn kind_of(failure: &str) -> String {
    let line = failure
        .lines()
        .find(|line| !line.starts_with("the judge"))
        .unwrap_or(failure);
    let words = line.chars().filter(|c| !c.is_ascii_hexdigit()).take(60);
    words.collect()
}

/// Whether the script fails in the same way, under its own seed or one of a few others; then
/// with that seed.
fn fails(script: &Script, kind: &str, twins: bool, seeds: u64) -> Option<Script> {
    (0..seeds).find_map(|n| {
        let mut script = script.clone();
        script.setting.seed = script.setting.seed.wrapping_add(n);
        let failure = if twins {
            session::twins(&script).err()?
        } else {
            session::run(&script, Trace::No).failure?
        };
        (kind_of(&failure) == kind).then_some(script)
    })
}

/// The script without the steps that nobody came to.
fn done_of(script: &Script, kind: &str) -> Option<Script> {
    let mut left = session::run(script, Trace::No).left;
    let mut less = script.clone();
    less.steps.reverse();
    less.steps.retain(|(who, _)| {
        let left = &mut left[who.index()];
        let undone = *left > 0;
        *left = left.saturating_sub(1);
        !undone
    });
    less.steps.reverse();
    fails(&less, kind, false, 1)
}

/// The smallest script found that fails as `failure` says, trying `tries` scripts at most.
/// With `twins` it is [`session::twins`] that fails. `tell` is told of each step.
pub fn shrink(
    script: &Script,
    failure: &str,
    twins: bool,
    mut tries: u32,
    mut tell: impl FnMut(usize),
) -> Script {
    let kind = kind_of(failure);
    let done = (!twins).then(|| done_of(script, &kind)).flatten();
    let mut best = done.unwrap_or_else(|| script.clone());
    tell(best.steps.len());
    let mut piece = best.steps.len().div_ceil(2).max(1);
    loop {
        let (mut at, mut cut) = (0, false);
        while at < best.steps.len() && tries > 0 {
            let end = (at + piece).min(best.steps.len());
            let mut less = best.clone();
            less.steps = [&best.steps[..at], &best.steps[end..]].concat();
            tries -= 1;
            match fails(&less, &kind, twins, 3) {
                Some(less) => {
                    best = less;
                    cut = true;
                    tell(best.steps.len());
                }
                None => at = end,
            }
        }
        if tries == 0 || piece == 1 && !cut {
            break;
        }
        if piece > 1 {
            piece = piece.div_ceil(2);
        }
    }
    best
}
