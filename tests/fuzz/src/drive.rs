//! The driver that needs nothing but a stable compiler: the corpus first, then inputs made of it.
//!
//! When a target panics, or does not come back, the input is written to a file first.

use crate::mutate::{Random, input};
use crate::{Target, corpus};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, panic, process, thread};

/// No input takes longer than this.
const LIMIT: Duration = Duration::from_secs(30);

struct Running {
    target: &'static str,
    since: Instant,
    /// The inputs since the target's state was new; the last one is being run.
    inputs: Vec<Vec<u8>>,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

fn running() -> MutexGuard<'static, Option<Running>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After that many inputs besides the corpus.
    Count(u64),
    /// At that time.
    Time(Instant),
}

/// Writes inputs that fail or hang into `folder` from now on. Called once.
pub fn watch(folder: PathBuf) {
    let usual = panic::take_hook();
    let hang = folder.clone();
    panic::set_hook(Box::new(move |info| {
        save(&folder, "failed");
        usual(info);
    }));
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_secs(1));
            let late = running()
                .as_ref()
                .is_some_and(|r| r.since.elapsed() > LIMIT);
            if late {
                save(&hang, "hangs");
                process::abort();
            }
        }
    });
}

fn save(folder: &std::path::Path, what: &str) {
    let running = running();
    let Some(running) = running.as_ref() else {
        return;
    };
    let _ = fs::create_dir_all(folder);
    for (n, input) in running.inputs.iter().rev().enumerate() {
        // The last one, and before it the ones that made the state it met.
        let name = match n {
            0 => format!("{}-{what}", running.target),
            n => format!("{}-{what}.before-{n:02}", running.target),
        };
        let _ = fs::write(folder.join(name), input);
    }
    let name = folder.join(format!("{}-{what}", running.target));
    eprintln!(
        "{} {what}: the input is in {}",
        running.target,
        name.display()
    );
}

/// Runs `target`; how many inputs it was given. Panics as it does.
pub fn run(target: &Target, seed: u64, until: Until) -> u64 {
    let corpus = corpus::load(target);
    for data in &corpus {
        one(target, data.clone());
    }
    let mut random = Random::new(seed);
    let mut done = 0;
    loop {
        let go_on = match until {
            Until::Count(count) => done < count,
            Until::Time(end) => Instant::now() < end,
        };
        if !go_on {
            *running() = None;
            return done + corpus.len() as u64;
        }
        one(target, input(&mut random, &corpus, target.max_len));
        done += 1;
    }
}

/// Runs one input.
fn one(target: &Target, data: Vec<u8>) {
    {
        let mut running = running();
        let keep = running
            .take()
            .filter(|r| r.target == target.name && target.keeps > 0);
        let mut inputs = keep.map_or(Vec::new(), |r| r.inputs);
        if inputs.len() > target.keeps {
            inputs.remove(0);
        }
        inputs.push(data.clone());
        *running = Some(Running {
            target: target.name,
            since: Instant::now(),
            inputs,
        });
    }
    (target.run)(&data);
}
